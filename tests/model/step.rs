//! The steps of a walk: what can happen to the store, drawn at random.

use crate::dice::Dice;
use crate::seat::{Claim, Login};

pub const USERS: u64 = 3;
pub const CLASSES: u64 = 2;
pub const NODES: usize = 3;
/// Different tokens that each class of a user sees.
const TOKENS: u64 = 5;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    Issue {
        uid: usize,
        class: usize,
        token: u64,
        ttl_ms: u64,
    },
    Login {
        uid: usize,
        login: Login,
    },
    End {
        uid: usize,
        class: Option<usize>,
        sid: u64,
        reason: &'static str,
        node: usize,
        incarnation: u64,
    },
    Kick {
        uid: usize,
        class: Option<usize>,
    },
    Verify {
        claim: Claim,
        not_after: u64,
    },
    /// The clock goes on, or back.
    Pass {
        ms: i64,
    },
    /// A node starts anew; what its older incarnations left is reaped later.
    Restart {
        node: usize,
    },
    Reap {
        node: usize,
    },
    /// A copy of the store is put aside.
    Copy,
    /// The store falls back to that copy.
    FallBack,
    /// The store loses everything.
    Lose,
}

/// What the next step may refer to.
pub struct View<'a> {
    pub now: u64,
    /// Sessions that nodes believe in, older ones first; some have ended.
    pub claims: &'a [Claim],
    /// Sids that were used for logins: user, class, sid.
    pub sids: &'a [(usize, usize, u64)],
    pub incarnations: &'a [u64; NODES],
    /// A sid that was never used.
    pub fresh_sid: u64,
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("small numbers")
}

/// Tokens differ between users and classes, as random ones do.
fn token(dice: &mut Dice, uid: usize, class: usize) -> u64 {
    (uid as u64 * CLASSES + class as u64) * TOKENS + dice.below(TOKENS)
}

impl Step {
    /// Draws the next step.
    pub fn draw(dice: &mut Dice, view: &View<'_>) -> Self {
        let (uid, class) = (index(dice.below(USERS)), index(dice.below(CLASSES)));
        match dice.below(200) {
            0..36 => {
                let ttl_ms = 1 + dice.below(4000);
                Step::Issue { uid, class, token: token(dice, uid, class), ttl_ms }
            }
            36..90 => draw_login(dice, view, uid, class),
            90..110 => draw_end(dice, view),
            110..115 => Step::Kick { uid, class: dice.chance(50).then_some(class) },
            115..153 => draw_verify(dice, view),
            153..175 => {
                let back = dice.chance(5);
                let ms = i64::try_from(dice.below(800)).expect("small numbers");
                Step::Pass { ms: if back { -ms } else { ms } }
            }
            175..183 => Step::Restart { node: index(dice.below(NODES as u64)) },
            183..193 => Step::Reap { node: index(dice.below(NODES as u64)) },
            193..197 => Step::Copy,
            197..199 => Step::FallBack,
            _ if dice.chance(40) => Step::Lose,
            _ => Step::Pass { ms: 1 },
        }
    }
}

fn draw_login(dice: &mut Dice, view: &View<'_>, uid: usize, class: usize) -> Step {
    let recent: Vec<_> = view.sids.iter().rev().take(30).filter(|(of, each, _)| (*of, *each) == (uid, class)).collect();
    let known = if dice.chance(25) { dice.pick(&recent).map(|(_, _, sid)| *sid) } else { None };
    let node = index(dice.below(NODES as u64));
    let login = Login {
        sid: known.unwrap_or(view.fresh_sid),
        token: token(dice, uid, class),
        node,
        incarnation: view.incarnations[node],
        deny: dice.chance(10),
        not_after: view.now + dice.below(2000),
    };
    Step::Login { uid, login }
}

fn draw_end(dice: &mut Dice, view: &View<'_>) -> Step {
    let recent = &view.sids[view.sids.len().saturating_sub(20)..];
    let (uid, class, sid) = dice.pick(recent).copied().unwrap_or((0, 0, view.fresh_sid));
    let node = index(dice.below(NODES as u64));
    let claim = view.claims.iter().rev().find(|claim| claim.sid == sid);
    let (node, incarnation) = claim.map_or((node, view.incarnations[node]), |claim| (claim.node, claim.incarnation));
    let class = (!dice.chance(25)).then_some(class);
    let reason = if class.is_none() || dice.chance(50) { "left" } else { "expired" };
    Step::End { uid, class, sid, reason, node, incarnation }
}

/// A node verifies a session under the incarnation that it has now.
fn draw_verify(dice: &mut Dice, view: &View<'_>) -> Step {
    let recent = &view.claims[view.claims.len().saturating_sub(16)..];
    let Some(claim) = dice.pick(recent) else { return Step::Pass { ms: 1 } };
    let claim = Claim { incarnation: view.incarnations[claim.node], ..claim.clone() };
    let not_after = if dice.chance(5) { view.now - 1 } else { view.now + dice.below(2000) };
    Step::Verify { claim, not_after }
}

//! One walk: step after step on the real scripts and on the model, both compared, the guarantees checked after each.

use std::collections::{BTreeMap, VecDeque};

use oneseat::embedded::Snapshot;
use oneseat::script::effect::Effect;
use oneseat::script::{Argument, Arguments, Shard};
use serde_json::Value;

use crate::dice::Dice;
use crate::seat::{Answer, Claim, Login, User, Verdict};
use crate::step::{NODES, Step, USERS, View};
use crate::store::{Entry, SHARDS, Store};

const START_MS: u64 = 1_700_000_000_000;
const TTL_MS: u64 = 3000;
const CLASS: [&str; 2] = ["desktop", "phone"];
/// Steps that a failure prints.
const SHOWN: usize = 25;

pub struct Walk {
    dice: Dice,
    store: Store,
    now: u64,
    users: Vec<User>,
    copy: Option<(Snapshot, Vec<User>)>,
    /// Whether the store forgot something since the copy: then it may say more than the store knew.
    forgot_since: bool,
    claims: Vec<Claim>,
    sids: Vec<(usize, usize, u64)>,
    incarnations: [u64; NODES],
    /// Calls on their way, which arrive later.
    late: Vec<Step>,
    last_steps: VecDeque<String>,
    title: String,
}

fn uid(user: usize) -> String {
    format!("{}", 1000 + user)
}

fn sid(number: u64) -> String {
    format!("01900000-0000-7000-8000-{number:012}")
}

fn sid_number(text: &str) -> u64 {
    text[24..].parse().expect("sids of a walk end in their number")
}

fn digest(token: u64) -> String {
    format!("{token:032x}")
}

fn node(number: usize) -> String {
    format!("n{number}")
}

impl Walk {
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            store: Store::new(START_MS),
            now: START_MS,
            users: vec![User::default(); usize::try_from(USERS).expect("few users")],
            copy: None,
            forgot_since: false,
            claims: Vec::new(),
            sids: Vec::new(),
            incarnations: [START_MS; NODES],
            late: Vec::new(),
            last_steps: VecDeque::new(),
            title: format!("ONESEAT_SEED={seed}"),
        }
    }

    /// Takes a number of steps.
    pub fn take(&mut self, steps: usize) {
        for number in 0..steps {
            let step = self.next_step();
            self.note(format!("{number}: at {} {step:?}", self.now));
            let before = self.store.roster();
            self.perform(&step);
            let after = self.store.roster();
            self.check_one_holder(&after);
            self.check_model(&after);
            self.check_counts(&after);
            self.check_fencing(&step, &before, &after);
            self.check_repetition(&step);
        }
    }

    /// A fresh step, which may be delayed, or one that was delayed before.
    fn next_step(&mut self) -> Step {
        if !self.late.is_empty() && self.dice.chance(15) {
            let bound = u64::try_from(self.late.len()).expect("a short list");
            let index = usize::try_from(self.dice.below(bound)).expect("below the length");
            return self.late.swap_remove(index);
        }
        let fresh_sid = u64::try_from(self.sids.len()).expect("few sids") + 1;
        let view =
            View { now: self.now, claims: &self.claims, sids: &self.sids, incarnations: &self.incarnations, fresh_sid };
        let step = Step::draw(&mut self.dice, &view);
        if let Step::Login { uid, login } = &step
            && login.sid == fresh_sid
        {
            let class = usize::try_from(login.token / 5 % 2).expect("two classes");
            self.sids.push((*uid, class, login.sid));
        }
        let is_call = matches!(step, Step::Login { .. } | Step::End { .. } | Step::Verify { .. });
        if is_call && self.dice.chance(15) {
            self.late.push(step);
            return Step::Pass { ms: 1 };
        }
        step
    }

    fn perform(&mut self, step: &Step) {
        match step.clone() {
            Step::Issue { uid, class, token, ttl_ms } => self.issue(uid, class, token, ttl_ms),
            Step::Login { uid, login } => self.login(uid, &login),
            Step::End { uid, class, sid, reason, node, incarnation } => {
                self.end(uid, class, sid, reason, node, incarnation);
            }
            Step::Kick { uid, class } => self.kick(uid, class),
            Step::Verify { claim, not_after } => self.verify(&claim, not_after),
            Step::Pass { ms } => {
                self.now = self.now.saturating_add_signed(ms);
                self.store.set_clock(self.now);
            }
            Step::Restart { node } => {
                self.incarnations[node] = self.now.max(self.incarnations[node] + 1);
            }
            Step::Reap { node } => self.reap(node),
            Step::Copy => {
                self.copy = Some((self.store.engine.snapshot(), self.users.clone()));
                self.forgot_since = false;
            }
            Step::FallBack => {
                let seated = self.seated();
                if let Some((snapshot, users)) = &self.copy {
                    self.store.engine.restore(snapshot);
                    self.users.clone_from(users);
                }
                if !std::mem::replace(&mut self.forgot_since, true) {
                    self.check_recovery(seated);
                }
            }
            Step::Lose => {
                let seated = self.seated();
                self.store.lose_everything();
                self.users.fill(User::default());
                self.forgot_since = true;
                self.check_recovery(seated);
            }
        }
    }

    /// What the nodes know of every session that holds a seat now.
    fn seated(&self) -> Vec<Claim> {
        let holders = self.users.iter().flat_map(User::holders).map(|(_, holder)| holder.sid);
        let claim = |sid| self.claims.iter().rfind(|claim| claim.sid == sid).cloned().expect("a holder was bound");
        holders.map(claim).collect()
    }

    /// G7: what the store forgot is put back by its live connections, unless a copy says that they have ended. Half of
    /// the time they do so at once.
    fn check_recovery(&mut self, mut seated: Vec<Claim>) {
        if !self.dice.chance(50) {
            return;
        }
        while !seated.is_empty() {
            let bound = u64::try_from(seated.len()).expect("a short list");
            let claim = seated.swap_remove(usize::try_from(self.dice.below(bound)).expect("below the length"));
            self.note(format!("    verify {claim:?}"));
            let incarnation = self.incarnations[claim.node];
            let has_ended = self.users[claim.uid].has_ended(claim.class, claim.sid);
            self.verify(&Claim { incarnation, ..claim.clone() }, self.now);
            let roster = self.store.roster();
            let is_its = |entry: &Entry| entry.sid == sid(claim.sid);
            let is_seated = roster.iter().any(is_its);
            self.equal("G7, seated again", &(is_seated || has_ended), &true);
        }
    }

    fn issue(&mut self, user: usize, class: usize, token: u64, ttl_ms: u64) {
        let arguments = Arguments::new()
            .with(Argument::Class, CLASS[class])
            .with(Argument::TokenDigest, digest(token))
            .with(Argument::TtlMs, ttl_ms.to_string());
        let body = reply(&self.store.run("ticket", &uid(user), arguments));
        let number = self.users[user].issue(self.now, class, token, ttl_ms);
        self.equal("ticket number", &body["number"].as_u64(), &Some(number));
        self.equal("deadline", &body["expires_at_ms"].as_u64(), &Some(self.now + ttl_ms));
    }

    fn login(&mut self, user: usize, login: &Login) {
        let effects = self.call_login(user, login);
        let expected = self.users[user].login(self.now, login);
        self.equal("login", &answer(&effects), &expected);
        if let Answer::Seated { class, rank, .. } = expected {
            let Login { sid, token, node, incarnation, .. } = *login;
            self.claims.push(Claim { uid: user, class, sid, node, incarnation, token, rank });
        }
    }

    fn call_login(&mut self, user: usize, login: &Login) -> Vec<Effect> {
        let arguments = Arguments::new()
            .with(Argument::Sid, sid(login.sid))
            .with(Argument::TokenDigest, digest(login.token))
            .with(Argument::Node, node(login.node))
            .with(Argument::Incarnation, login.incarnation.to_string())
            .with(Argument::NotAfter, login.not_after.to_string())
            .with(Argument::Policy, if login.deny { "deny" } else { "takeover" });
        self.store.run("login", &uid(user), arguments)
    }

    fn end(
        &mut self,
        user: usize,
        class: Option<usize>,
        number: u64,
        reason: &'static str,
        at: usize,
        incarnation: u64,
    ) {
        let outcome = self.call_end(user, class, number, reason, at, incarnation);
        let expected = self.users[user].end(self.now, class, number, reason, incarnation);
        self.equal("end", &outcome.as_str(), &expected);
    }

    fn call_end(
        &mut self,
        user: usize,
        class: Option<usize>,
        number: u64,
        reason: &'static str,
        at: usize,
        incarnation: u64,
    ) -> String {
        let arguments = Arguments::new()
            .with(Argument::Sid, sid(number))
            .with(Argument::Class, class.map_or("", |class| CLASS[class]))
            .with(Argument::Node, node(at))
            .with(Argument::Incarnation, incarnation.to_string())
            .with(Argument::Reason, reason);
        let script = if reason == "left" { "logout" } else { "expire" };
        reply(&self.store.run(script, &uid(user), arguments))["outcome"].as_str().expect("an outcome").to_owned()
    }

    fn kick(&mut self, user: usize, class: Option<usize>) {
        let class_word = class.map_or("", |class| CLASS[class]);
        let effects = self.store.run("kick", &uid(user), Arguments::new().with(Argument::Class, class_word));
        let mut told: Vec<_> = effects.iter().filter_map(kicked).map(|(sid, _)| sid).collect();
        let mut expected = self.users[user].kick(self.now, class);
        told.sort_unstable();
        expected.sort_unstable();
        self.equal("kick", &told, &expected);
    }

    fn verify(&mut self, claim: &Claim, not_after: u64) {
        let arguments = Arguments::new()
            .with(Argument::Sid, sid(claim.sid))
            .with(Argument::Class, CLASS[claim.class])
            .with(Argument::Node, node(claim.node))
            .with(Argument::Incarnation, claim.incarnation.to_string())
            .with(Argument::TokenDigest, digest(claim.token))
            .with(Argument::Number, claim.rank.0.to_string())
            .with(Argument::Epoch, claim.rank.1.to_string())
            .with(Argument::TtlMs, TTL_MS.to_string())
            .with(Argument::NotAfter, not_after.to_string());
        let effects = self.store.run("verify", &uid(claim.uid), arguments);
        let expected = self.users[claim.uid].verify(self.now, claim, TTL_MS, not_after);
        let outcome = reply(&effects)["outcome"].as_str().expect("an outcome").to_owned();
        let rank = effects.iter().find_map(bound).map(|(_, rank)| rank);
        let kick = effects.iter().find_map(kicked).map(|(sid, _)| sid);
        self.equal("verify", &(outcome.as_str(), rank, kick), &(expected.outcome, expected.rank, expected.kick));
        if let Verdict { rank: Some(rank), .. } = expected {
            self.claims.push(Claim { rank, ..claim.clone() });
        }
    }

    /// Reads every page; the calls arrive now or later.
    fn reap(&mut self, number: usize) {
        for shard in (0..SHARDS).map(Shard) {
            let mut cursor = String::new();
            loop {
                let arguments = Arguments::new()
                    .with(Argument::Node, node(number))
                    .with(Argument::Incarnation, self.incarnations[number].to_string())
                    .with(Argument::Cursor, cursor)
                    .with(Argument::PageMax, "2");
                let effects = self.store.run_on("reap", shard, "", arguments);
                let calls: Vec<_> = effects.iter().filter_map(reaping).collect();
                for call in calls {
                    if self.dice.chance(50) { self.late.push(call) } else { self.perform(&call) }
                }
                cursor = reply(&effects)["cursor"].as_str().expect("a cursor").to_owned();
                if cursor.is_empty() {
                    break;
                }
            }
        }
    }

    /// G1: nobody shares a seat.
    fn check_one_holder(&self, roster: &[Entry]) {
        let mut seats: Vec<_> = roster.iter().map(|entry| (&entry.uid, &entry.class)).collect();
        let count = seats.len();
        seats.sort_unstable();
        seats.dedup();
        self.equal("G1, seats with one holder", &seats.len(), &count);
    }

    /// The roster and every seat are as the model says.
    fn check_model(&mut self, roster: &[Entry]) {
        let mut expected: Vec<_> = (0..self.users.len()).flat_map(|user| self.entries_of(user)).collect();
        expected.sort();
        self.equal("roster", &roster, &expected.as_slice());
        let user = usize::try_from(self.dice.below(USERS)).expect("few users");
        let body = reply(&self.store.run("lookup", &uid(user), Arguments::new()));
        let seats = body["seats"].as_array().expect("seats");
        let found: BTreeMap<_, _> =
            seats.iter().map(|seat| (seat["class"].as_str(), (seat["sid"].as_str(), seat["epoch"].as_u64()))).collect();
        let holders: Vec<_> = self.users[user].holders().map(|(class, holder)| (class, holder.clone())).collect();
        self.equal("seats", &found.len(), &holders.len());
        for (class, holder) in holders {
            let text = sid(holder.sid);
            self.equal("seat", &found[&Some(CLASS[class])], &(Some(text.as_str()), Some(holder.epoch)));
        }
    }

    fn entries_of(&self, user: usize) -> Vec<Entry> {
        let entry = |(class, holder): (usize, &crate::seat::Holder)| Entry {
            uid: uid(user),
            class: CLASS[class].to_owned(),
            node: node(holder.node),
            incarnation: holder.incarnation,
            sid: sid(holder.sid),
        };
        self.users[user].holders().map(entry).collect()
    }

    /// G4: the count of a node is the number of its entries, and the counts add up to the seats held.
    fn check_counts(&mut self, roster: &[Entry]) {
        let mut incarnations: Vec<_> = roster.iter().map(|entry| (entry.node.clone(), entry.incarnation)).collect();
        incarnations.sort();
        incarnations.dedup();
        let mut sum = 0;
        for (node, incarnation) in incarnations {
            let mut count = 0;
            for shard in (0..SHARDS).map(Shard) {
                let arguments = Arguments::new()
                    .with(Argument::Node, node.clone())
                    .with(Argument::Incarnation, incarnation.to_string());
                count += reply(&self.store.run_on("count", shard, "", arguments))["count"].as_u64().expect("a count");
            }
            let is_its = |entry: &&Entry| entry.node == node && entry.incarnation == incarnation;
            self.equal("G4, count", &count, &(roster.iter().filter(is_its).count() as u64));
            sum += count;
        }
        let held: usize = self.users.iter().map(|user| user.holders().count()).sum();
        self.equal("G4, sum", &sum, &(held as u64));
    }

    /// G3, told from the roster alone: a session that ended takes nobody along, and nobody loses a seat by accident.
    fn check_fencing(&self, step: &Step, before: &[Entry], after: &[Entry]) {
        for gone in before.iter().filter(|entry| !after.contains(entry)) {
            let is_seat = |entry: &&Entry| entry.uid == gone.uid && entry.class == gone.class;
            let taker = after.iter().find(is_seat);
            let allowed = match step {
                Step::Login { uid: user, login } => {
                    uid(*user) == gone.uid && taker.is_some_and(|entry| entry.sid == sid(login.sid))
                }
                Step::Verify { claim, .. } => {
                    uid(claim.uid) == gone.uid && taker.is_some_and(|entry| entry.sid == sid(claim.sid))
                }
                Step::End { sid: ended, .. } => sid(*ended) == gone.sid && taker.is_none(),
                Step::Kick { uid: user, .. } => uid(*user) == gone.uid && taker.is_none(),
                Step::Reap { node: reaped } => {
                    node(*reaped) == gone.node && gone.incarnation < self.incarnations[*reaped] && taker.is_none()
                }
                Step::FallBack | Step::Lose => true,
                _ => false,
            };
            self.equal("G3, may lose its seat", &(allowed, gone), &(true, gone));
        }
    }

    /// G12: the same call again changes nothing, and a login answers the same.
    fn check_repetition(&mut self, step: &Step) {
        if !self.dice.chance(50) {
            return;
        }
        let is_call = matches!(step, Step::Login { .. } | Step::End { .. } | Step::Verify { .. } | Step::Kick { .. });
        if !is_call {
            return;
        }
        self.note("    the same again".to_owned());
        let digest = self.store.engine.digest();
        if let Step::Login { uid: user, login } = step {
            let expected = self.users[*user].clone().login(self.now, login);
            let again = self.call_login(*user, login);
            self.equal("G12, answer", &answer(&again), &expected);
        }
        self.perform(step);
        let again = self.store.engine.digest();
        self.equal("G12, nothing changes", &again, &digest);
    }

    fn note(&mut self, step: String) {
        if self.last_steps.len() == SHOWN {
            self.last_steps.pop_front();
        }
        self.last_steps.push_back(step);
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&self, what: &str, found: &T, expected: &T) {
        if found != expected {
            let steps: Vec<_> = self.last_steps.iter().map(String::as_str).collect();
            let title = &self.title;
            panic!("{what}: found {found:?}, expected {expected:?}\n{title}, the last steps:\n{}", steps.join("\n"));
        }
    }
}

fn reply(effects: &[Effect]) -> Value {
    let body = effects.iter().find_map(|effect| match effect {
        Effect::Reply { body, .. } => Some(body),
        _ => None,
    });
    serde_json::from_slice(body.expect("every script replies")).expect("bodies are JSON")
}

fn bound(effect: &Effect) -> Option<(usize, (u64, u64))> {
    let Effect::Bind { seat, rank } = effect else { return None };
    let class = CLASS.iter().position(|class| *class == seat.class.as_str()).expect("a known class");
    Some((class, (rank.number, rank.epoch)))
}

fn kicked(effect: &Effect) -> Option<(u64, String)> {
    let Effect::Kick { sid, reason, .. } = effect else { return None };
    Some((sid_number(&sid.to_string()), reason.to_string()))
}

fn answer(effects: &[Effect]) -> Answer {
    let body = reply(effects);
    let Some((class, rank)) = effects.iter().find_map(bound) else {
        let reason = body["reason"].as_str().map(str::to_owned);
        let close = effects.iter().any(|effect| matches!(effect, Effect::Close { .. }));
        return Answer::Refused { error: body["error"].as_u64().expect("an error"), reason, close };
    };
    let resumed = body["resumed"].as_bool().expect("a login says whether it resumed");
    Answer::Seated { class, rank, resumed, kick: effects.iter().find_map(kicked) }
}

/// The step that a call of `reap` asks for.
fn reaping(effect: &Effect) -> Option<Step> {
    let Effect::Call { script, uid, arguments } = effect else { return None };
    assert_eq!(script, "expire");
    let text = |argument| arguments.get(argument).expect("reap gives it");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let user = usize::try_from(number(uid.as_str()) - 1000).expect("few users");
    let class = CLASS.iter().position(|class| *class == text(Argument::Class));
    Some(Step::End {
        uid: user,
        class,
        sid: sid_number(text(Argument::Sid)),
        reason: "reaped",
        node: usize::try_from(number(&text(Argument::Node)[1..])).expect("few nodes"),
        incarnation: number(text(Argument::Incarnation)),
    })
}

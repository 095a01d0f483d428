//! The rules of one user's seats in Rust, written from the protocol and not from the scripts: what each call has to
//! answer and to leave behind. Keys that expire after an hour are left out; a walk is shorter than that.

use std::collections::BTreeMap;

/// Rank of a claim: ticket number, epoch.
pub type Rank = (u64, u64);

/// The last four sids that ended.
#[derive(Clone, Default, PartialEq, Debug)]
struct Ring {
    slots: [Option<u64>; 4],
    turn: usize,
}

impl Ring {
    fn push(&mut self, sid: u64) {
        self.slots[self.turn] = Some(sid);
        self.turn = (self.turn + 1) % self.slots.len();
    }

    fn has(&self, sid: u64) -> bool {
        self.slots.contains(&Some(sid))
    }

    fn forget(&mut self, sid: u64) {
        for slot in self.slots.iter_mut().filter(|slot| **slot == Some(sid)) {
            *slot = None;
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
struct Ticket {
    token: u64,
    number: u64,
    ttl_ms: u64,
    /// None while the seat is held.
    until: Option<u64>,
}

/// Who sits on a seat, or sat there last.
#[derive(Clone, PartialEq, Debug)]
pub struct Holder {
    pub sid: u64,
    pub node: usize,
    pub incarnation: u64,
    pub number: u64,
    pub epoch: u64,
    /// Whether it came with the ticket that held the seat.
    resumed: bool,
}

/// One class of a user.
#[derive(Clone, Default, PartialEq, Debug)]
struct Seat {
    last: Option<Holder>,
    /// Why the last holder went; none while it sits.
    end: Option<&'static str>,
    /// Whom the holder displaced, and how that one is told.
    displaced: Option<(u64, &'static str)>,
    ended: Ring,
    held: Option<Ticket>,
    next: Option<Ticket>,
    /// Token that was voided last, and the reason its device is told.
    void: Option<(u64, &'static str)>,
}

impl Seat {
    fn holder(&self) -> Option<&Holder> {
        self.last.as_ref().filter(|_| self.end.is_none())
    }

    fn sits(&self, sid: u64) -> bool {
        self.holder().is_some_and(|holder| holder.sid == sid)
    }

    fn rank(&self) -> Rank {
        self.last.as_ref().map_or((0, 0), |last| (last.number, last.epoch))
    }

    fn vacate(&mut self, reason: &'static str, now: u64) {
        if let Some(last) = &self.last {
            self.ended.push(last.sid);
        }
        self.end = Some(reason);
        if let Some(held) = &mut self.held {
            held.until = Some(now + held.ttl_ms);
        }
    }

    /// The next ticket becomes the held one, or the held one loses its deadline.
    fn use_ticket(&mut self, slot: Slot, reason: &'static str) -> u64 {
        if slot == Slot::Next {
            if let Some(held) = self.held.take() {
                self.void = Some((held.token, reason));
            }
            self.held = self.next.take();
        }
        let held = self.held.as_mut().expect("the slot was found");
        held.until = None;
        held.number
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Slot {
    Next,
    Held,
    Void,
}

/// What a login asks for.
#[derive(Clone, Debug)]
pub struct Login {
    pub sid: u64,
    pub token: u64,
    pub node: usize,
    pub incarnation: u64,
    pub deny: bool,
    pub not_after: u64,
}

/// What a node knows of one of its sessions.
#[derive(Clone, Debug)]
pub struct Claim {
    pub uid: usize,
    pub class: usize,
    pub sid: u64,
    pub node: usize,
    pub incarnation: u64,
    pub token: u64,
    pub rank: Rank,
}

/// What a login has to answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    Seated { class: usize, rank: Rank, resumed: bool, kick: Option<(u64, String)> },
    Refused { error: u64, reason: Option<String>, close: bool },
}

/// What a verify has to answer: the outcome, the rank that is bound, and whom it kicks.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    pub outcome: &'static str,
    pub rank: Option<Rank>,
    pub kick: Option<u64>,
}

/// All seats of a user, by class.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct User {
    seats: BTreeMap<usize, Seat>,
    /// Sids that ended and never held a seat, of no known class.
    ended: Ring,
}

fn refused(error: u64, reason: Option<&str>) -> Answer {
    Answer::Refused { error, reason: reason.map(str::to_owned), close: false }
}

impl User {
    /// Whoever holds a seat, by class.
    pub fn holders(&self) -> impl Iterator<Item = (usize, &Holder)> {
        self.seats.iter().filter_map(|(class, seat)| Some((*class, seat.holder()?)))
    }

    /// Whether a sid is kept out of a class.
    pub fn has_ended(&self, class: usize, sid: u64) -> bool {
        self.ended.has(sid) || self.seats.get(&class).is_some_and(|seat| seat.ended.has(sid))
    }

    /// Issues a ticket and answers its number.
    pub fn issue(&mut self, now: u64, class: usize, token: u64, ttl_ms: u64) -> u64 {
        let seat = self.seats.entry(class).or_default();
        let until = Some(now + ttl_ms);
        if seat.void.is_some_and(|(void, _)| void == token) {
            seat.void = None;
        }
        if let Some(held) = seat.held.as_mut().filter(|held| held.token == token) {
            (held.ttl_ms, held.until) = (ttl_ms, until);
            return held.number;
        }
        let numbers = [&seat.held, &seat.next].map(|ticket| ticket.as_ref().map_or(0, |ticket| ticket.number));
        let last = numbers[0].max(numbers[1]).max(seat.rank().0);
        let number = now.max(last + 1);
        seat.next = Some(Ticket { token, number, ttl_ms, until });
        number
    }

    fn find(&self, token: u64) -> Option<(usize, Slot)> {
        let is = |ticket: &Option<Ticket>| ticket.as_ref().is_some_and(|ticket| ticket.token == token);
        self.seats.iter().find_map(|(class, seat)| {
            let slot = if is(&seat.next) {
                Slot::Next
            } else if is(&seat.held) {
                Slot::Held
            } else {
                seat.void.filter(|(void, _)| *void == token)?;
                Slot::Void
            };
            Some((*class, slot))
        })
    }

    /// Takes a seat, or says why not.
    pub fn login(&mut self, now: u64, login: &Login) -> Answer {
        if now > login.not_after {
            return refused(1101, None);
        }
        let found = self.find(login.token);
        let wrong = self.refusal(now, found);
        let seat = found.and_then(|(class, _)| self.seats.get(&class));
        if self.ended.has(login.sid) || seat.is_some_and(|seat| seat.ended.has(login.sid)) {
            let resumed = seat.is_some_and(|seat| seat.holder().is_some()) && matches!(found, Some((_, Slot::Held)));
            let told = refused(1010, Some(if resumed { "resumed" } else { "internal" }));
            return match wrong.unwrap_or(told) {
                Answer::Refused { error, reason, .. } => Answer::Refused { error, reason, close: true },
                seated => seated,
            };
        }
        let (Some((class, slot)), None) = (found, &wrong) else { return wrong.unwrap_or(refused(1011, None)) };
        let seat = self.seats.get_mut(&class).expect("the class was found");
        if login.deny && slot == Slot::Next && seat.holder().is_some_and(|holder| holder.sid != login.sid) {
            return refused(1102, Some("held"));
        }
        if seat.sits(login.sid) { again(seat, class, slot) } else { take(seat, class, slot, now, login) }
    }

    fn refusal(&self, now: u64, found: Option<(usize, Slot)>) -> Option<Answer> {
        let is_known = |seat: &Seat| seat.held.is_some() || seat.next.is_some() || seat.void.is_some();
        let Some((class, slot)) = found else {
            return Some(refused(if self.seats.values().any(is_known) { 1010 } else { 1011 }, None));
        };
        let seat = &self.seats[&class];
        let is_over =
            |ticket: &Option<Ticket>| ticket.as_ref().and_then(|ticket| ticket.until).is_some_and(|until| now > until);
        match slot {
            Slot::Void => Some(refused(1010, seat.void.map(|(_, reason)| reason))),
            Slot::Next if is_over(&seat.next) => Some(refused(1010, Some("expired"))),
            Slot::Held if seat.holder().is_none() && is_over(&seat.held) => Some(refused(1010, Some("expired"))),
            _ => None,
        }
    }

    /// Ends a session and answers how that went. `class` is none where the caller does not know it.
    pub fn end(
        &mut self,
        now: u64,
        class: Option<usize>,
        sid: u64,
        reason: &'static str,
        incarnation: u64,
    ) -> &'static str {
        let knows = |seat: &Seat| seat.ended.has(sid) || seat.last.as_ref().is_some_and(|last| last.sid == sid);
        let class = self.seats.iter().find(|(_, seat)| knows(seat)).map(|(class, _)| *class).or(class);
        let ended_before = self.ended.has(sid);
        let Some(class) = class else {
            if !ended_before {
                self.ended.push(sid);
            }
            return if ended_before { "ended" } else { "never" };
        };
        let seat = self.seats.entry(class).or_default();
        let is_last = seat.last.as_ref().is_some_and(|last| last.sid == sid);
        if is_last && reason == "reaped" && seat.last.as_ref().is_some_and(|last| last.incarnation != incarnation) {
            return "moved";
        }
        if seat.sits(sid) {
            seat.vacate(reason, now);
            return reason;
        }
        if !ended_before && !seat.ended.has(sid) {
            seat.ended.push(sid);
            return "never";
        }
        if is_last && seat.end == Some("reaped") {
            seat.end = Some(reason);
        }
        "ended"
    }

    /// Takes the user off line and voids the tickets; answers who is told.
    pub fn kick(&mut self, now: u64, class: Option<usize>) -> Vec<u64> {
        let mut told = Vec::new();
        for (_, seat) in self.seats.iter_mut().filter(|(each, _)| class.is_none_or(|class| class == **each)) {
            seat.next = None;
            if let Some(held) = seat.held.take() {
                seat.void = Some((held.token, "kicked"));
            }
            let last = seat.last.as_ref().map(|last| last.sid);
            if let Some(sid) = last.filter(|_| seat.end.is_none() || seat.end == Some("reaped")) {
                seat.vacate("kicked", now);
                told.push(sid);
            }
        }
        told
    }

    /// Holds a live session against its seat.
    pub fn verify(&mut self, now: u64, claim: &Claim, ttl_ms: u64, not_after: u64) -> Verdict {
        let has_ended = self.ended.has(claim.sid);
        let seat = self.seats.entry(claim.class).or_default();
        let sits = seat.sits(claim.sid);
        let last = seat.last.clone();
        let is_last = last.as_ref().is_some_and(|last| last.sid == claim.sid);
        let was_reaped = seat.end == Some("reaped") && is_last && seat.rank().1 == claim.rank.1;
        let has_lost = has_ended || seat.ended.has(claim.sid) || claim.rank <= seat.rank();
        if !sits && !was_reaped && has_lost {
            return Verdict { outcome: "closed", rank: None, kick: Some(claim.sid) };
        }
        if now > not_after {
            return Verdict { outcome: "late", rank: None, kick: None };
        }
        let is_home = |last: &Holder| last.node == claim.node && last.incarnation == claim.incarnation;
        if sits && last.as_ref().is_some_and(is_home) && seat.held.is_some() && claim.rank <= seat.rank() {
            let rank = Some(seat.rank()).filter(|rank| *rank != claim.rank);
            return Verdict { outcome: "fine", rank, kick: None };
        }
        let other = seat.holder().map(|holder| holder.sid).filter(|sid| *sid != claim.sid);
        if let Some(other) = other {
            seat.ended.push(other);
        }
        let epoch = claim.rank.1.max(seat.rank().1 + u64::from(!is_last));
        let number = claim.rank.0.max(if is_last { seat.rank().0 } else { 0 });
        seat_again(seat, claim, (number, epoch), ttl_ms);
        Verdict { outcome: "repaired", rank: Some((number, epoch)), kick: other }
    }
}

/// The same session again: nothing changes but a newer ticket of its own.
fn again(seat: &mut Seat, class: usize, slot: Slot) -> Answer {
    let number = seat.use_ticket(slot, "superseded");
    let kick = seat.displaced.map(|(sid, reason)| (sid, reason.to_owned()));
    let holder = seat.last.as_mut().expect("it sits there");
    holder.number = number;
    Answer::Seated { class, rank: (number, holder.epoch), resumed: holder.resumed, kick }
}

fn take(seat: &mut Seat, class: usize, slot: Slot, now: u64, login: &Login) -> Answer {
    let resumed = slot == Slot::Held;
    let was_held = seat.holder().is_some();
    let epoch = now.max(seat.rank().1 + 1);
    let number = seat.use_ticket(slot, if was_held { "displaced" } else { "superseded" });
    let reason = if resumed { "resumed" } else { "displaced" };
    let told = seat.last.as_ref().filter(|_| was_held || seat.end == Some("reaped")).map(|last| (last.sid, reason));
    if let (true, Some((sid, _))) = (was_held, told) {
        seat.ended.push(sid);
    }
    let Login { sid, node, incarnation, .. } = *login;
    (seat.end, seat.displaced) = (None, told);
    seat.last = Some(Holder { sid, node, incarnation, number, epoch, resumed });
    let kick = told.map(|(sid, reason)| (sid, reason.to_owned()));
    Answer::Seated { class, rank: (number, epoch), resumed, kick }
}

fn seat_again(seat: &mut Seat, claim: &Claim, rank: Rank, ttl_ms: u64) {
    let Claim { sid, node, incarnation, token, rank: (number, _), .. } = *claim;
    seat.ended.forget(sid);
    (seat.end, seat.displaced) = (None, None);
    let resumed = seat.last.as_ref().is_some_and(|last| last.sid == sid && last.resumed);
    seat.last = Some(Holder { sid, node, incarnation, number: rank.0, epoch: rank.1, resumed });
    if seat.held.as_ref().is_none_or(|held| held.number < number) {
        seat.held = Some(Ticket { token, number, ttl_ms, until: None });
    }
    if let Some(held) = &mut seat.held {
        held.until = None;
    }
    if seat.next.as_ref().is_some_and(|next| next.number <= number) {
        seat.next = None;
    }
}

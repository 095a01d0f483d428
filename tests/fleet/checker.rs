//! Holds a history against the guarantees. It knows nothing of the server but what its clients saw.
//!
//! A violation is a sentence. The bounds are stated by the scenario; they never depend on what is found.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::history::{Answer, End, Fault, History, Life, What};

/// What a scenario promises.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Longest time for which two sessions of one seat are both served, counted from the later one's answer.
    pub overlap: Duration,
    /// What a node needs to hear again after a deafness: until then both may be served.
    pub mend: Duration,
    /// Silence after which a session may be expired.
    pub silence: Duration,
    /// Whether the store may have lost or undone what it had answered.
    pub may_forget: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub violations: Vec<String>,
    /// Of each session that displaced another one which was still served: for how long both were.
    pub overlaps: Vec<Duration>,
    /// As before, without what a deafness excuses.
    pub healthy_overlaps: Vec<Duration>,
    /// Of each session that was told so: how long after the taker's answer it was.
    pub told: Vec<Duration>,
    /// Displaced sessions that were told that something went wrong, and not what.
    pub unnamed: usize,
}

/// Checks everything.
pub fn check(history: &History, bounds: Bounds) -> Report {
    let mut report = Report::default();
    let mut seats: BTreeMap<u64, Vec<&Life>> = BTreeMap::new();
    for life in &history.lives {
        seats.entry(life.uid).or_default().push(life);
    }
    for lives in seats.values() {
        let seat = Seat { lives, faults: &history.faults, bounds };
        seat.one_is_served(&mut report);
        seat.epochs_grow(&mut report.violations);
        for life in lives {
            seat.notices_are_final(life, &mut report.violations);
            seat.the_end_has_a_cause(life, &mut report.violations);
            seat.the_displaced_ended(life, &mut report.violations);
        }
        if !bounds.may_forget {
            seat.old_tickets_stay_void(&mut report.violations);
        }
        report.told.extend(lives.iter().filter_map(|life| seat.told_after(life)));
        report.unnamed += lives.iter().filter(|life| seat.is_told_no_reason(life)).count();
    }
    report.overlaps.sort_unstable();
    report.healthy_overlaps.sort_unstable();
    report.told.sort_unstable();
    report
}

/// Everything that happened to one user's seat.
struct Seat<'a> {
    lives: &'a [&'a Life],
    faults: &'a [Fault],
    bounds: Bounds,
}

impl Seat<'_> {
    /// Sessions with their answers, in the order of these.
    fn sessions(&self) -> Vec<(&Life, &Answer)> {
        let mut sessions: Vec<_> = self.lives.iter().filter_map(|life| Some((*life, life.session()?))).collect();
        sessions.sort_by_key(|(_, answer)| answer.at);
        sessions
    }

    /// Two sessions are never both served for longer than the bound after the later one's answer.
    fn one_is_served(&self, report: &mut Report) {
        let sessions = self.sessions();
        for (at, (newer, answer)) in sessions.iter().enumerate() {
            let (mut longest, mut longest_healthy) = (Duration::ZERO, Duration::ZERO);
            for (older, _) in &sessions[..at] {
                let until = older.served_until().min(newer.served_until());
                let Some(both) = until.and_then(|until| until.checked_sub(answer.at)) else { continue };
                longest = longest.max(both);
                let (start, due) = self.due(answer.at, [older.node, newer.node]);
                longest_healthy = longest_healthy.max(until.unwrap_or_default().saturating_sub(start));
                if until.is_some_and(|until| until > due) {
                    report.violations.push(format!(
                        "{}: two sessions were served for {both:?}, until {:?} after the bound: {} and {}",
                        newer.uid,
                        until.unwrap_or_default() - due,
                        tell(older),
                        tell(newer)
                    ));
                }
            }
            if !longest.is_zero() {
                report.overlaps.push(longest);
            }
            if !longest_healthy.is_zero() {
                report.healthy_overlaps.push(longest_healthy);
            }
        }
    }

    /// The moment until which both may be served, and the one that this counts from: a deafness that touches it starts
    /// the bound anew.
    fn due(&self, from: Duration, nodes: [usize; 2]) -> (Duration, Duration) {
        let (mut start, mut due) = (from, from + self.bounds.overlap);
        let mut faults: Vec<&Fault> = self.faults.iter().filter(|fault| fault.what == What::Deafness).collect();
        faults.sort_by_key(|fault| fault.from);
        for fault in faults.into_iter().filter(|fault| nodes.iter().any(|node| fault.concerns(*node))) {
            let mended = fault.to.saturating_add(self.bounds.mend);
            if fault.from <= due && mended > from {
                start = start.max(fault.to);
                due = due.max(mended);
            }
        }
        (start, due)
    }

    /// Of two logins that do not overlap in time the later one has the higher epoch, and no two have the same.
    fn epochs_grow(&self, violations: &mut Vec<String>) {
        let mut by_start = self.sessions();
        by_start.sort_by_key(|(life, _)| life.asked);
        let by_answer = self.sessions();
        let (mut highest, mut next): (Option<(&Life, &Answer)>, usize) = (None, 0);
        let mut epochs = HashSet::new();
        for (life, answer) in by_start {
            while next < by_answer.len() && by_answer[next].1.at < life.asked {
                highest = highest.into_iter().chain([by_answer[next]]).max_by_key(|(_, answer)| answer.epoch);
                next += 1;
            }
            if let Some((before, _)) = highest.filter(|(_, before)| before.epoch >= answer.epoch) {
                violations.push(format!("{}: the epoch fell from {} to {}", life.uid, tell(before), tell(life)));
            }
            if !epochs.insert(answer.epoch) {
                violations.push(format!("{}: two sessions have the epoch of {}", life.uid, tell(life)));
            }
        }
    }

    /// One notice at most, and nothing is served that was sent after it came.
    fn notices_are_final(&self, life: &Life, violations: &mut Vec<String>) {
        if life.notices.len() > 1 {
            violations.push(format!("{}: told more than once: {}", life.uid, tell(life)));
        }
        let Some(notice) = life.notices.first() else { return };
        if life.served_until().is_some_and(|until| until > notice.at) {
            violations.push(format!("{}: served after it was told to go: {}", life.uid, tell(life)));
        }
    }

    /// Nobody is told to go, and no connection is closed, for nothing.
    fn the_end_has_a_cause(&self, life: &Life, violations: &mut Vec<String>) {
        let wrong = match (life.notices.first(), life.end) {
            (Some(notice), _) => match notice.reason.as_str() {
                "displaced" | "resumed" => {
                    (!self.is_taken(life)).then_some("told that another took its seat, and none did")
                }
                "expired" => (notice.at.saturating_sub(life.spoke).max(life.paused) < self.bounds.silence)
                    .then_some("expired although it had spoken"),
                // A login whose outcome nobody knows is over for good. And a seat says who took it only as long as
                // somebody sits there.
                "internal" if life.session().is_none() || self.is_outranked(life, notice.at) => None,
                reason => (!self.excuses(life, notice.at, |what| what == What::Goodbye(reason_of(reason))))
                    .then_some("told to go without a cause"),
            },
            (None, Some((at, End::Server))) => {
                // A login that was refused for good may be followed by a close; a session may not.
                let is_refused = life.answer.as_ref().is_some_and(|answer| answer.error != 0);
                (!is_refused && !self.excuses(life, at, |what| what == What::Death))
                    .then_some("closed without a word and without a cause")
            }
            // A node that stands still, or waits for a store that does, answers when that is over.
            (None, Some((at, End::Client))) if life.answer.is_none() => {
                (!self.excuses(life, at, |what| what == What::Deafness)).then_some("never answered, and given up")
            }
            _ => None,
        };
        violations.extend(wrong.map(|wrong| format!("{}: {wrong}: {}", life.uid, tell(life))));
    }

    /// A notice that names a taker means one: it is not this session, it asked before, and it stands higher.
    fn is_taken(&self, life: &Life) -> bool {
        let (Some(notice), Some(own)) = (life.notices.first(), life.answer.as_ref()) else { return false };
        let stands_higher = notice.epoch.is_none_or(|epoch| epoch > own.epoch);
        let is_resumed = notice.reason == "resumed";
        let mut others = self.lives.iter().filter(|other| !std::ptr::eq(**other, life) && other.asked <= notice.at);
        // Nobody knows what became of a login that had no answer.
        let may_hold = |other: &Life| match &other.answer {
            None => true,
            Some(answer) if answer.error == 0 => {
                self.bounds.may_forget
                    || answer.epoch > own.epoch && notice.epoch.is_none_or(|epoch| epoch >= answer.epoch)
            }
            Some(answer) => matches!(answer.error, 1100 | 1101) || answer.reason.as_deref() == Some("internal"),
        };
        let fits = |other: &Life| may_hold(other) && (other.token == life.token || !is_resumed);
        stands_higher && others.any(|other| fits(other))
    }

    /// Whether another session has taken the seat before this moment. A store that fell back may let an older ticket in;
    /// then whoever sat there with the newer one keeps the seat.
    fn is_outranked(&self, life: &Life, at: Duration) -> bool {
        let own = life.session().map_or(0, |answer| answer.epoch);
        let sat_there = |other: &Life| other.end.is_none_or(|(end, _)| end >= life.asked) && other.token != life.token;
        let mut others = self.lives.iter().filter(|other| !std::ptr::eq(**other, life) && other.asked <= at);
        others.any(|other| {
            let epoch = other.session().map(|answer| answer.epoch);
            epoch.is_some_and(|epoch| epoch > own || self.bounds.may_forget && sat_there(other))
        })
    }

    /// Whether something that was done to its node explains what happened at this moment.
    fn excuses(&self, life: &Life, at: Duration, fits: impl Fn(What) -> bool) -> bool {
        let mut faults = self.faults.iter().filter(|fault| fault.concerns(life.node) && fits(fault.what));
        faults.any(|fault| fault.from <= at && fault.to >= life.asked)
    }

    /// Who lost the seat does not live on, whether it was told or closed.
    fn the_displaced_ended(&self, life: &Life, violations: &mut Vec<String>) {
        let Some(own) = life.session().filter(|_| life.is_live()) else { return };
        let newer = self.sessions().into_iter().find(|(_, answer)| answer.epoch > own.epoch);
        if let Some((newer, _)) = newer.filter(|(newer, _)| newer.is_live() || !self.bounds.may_forget) {
            violations.push(format!("{}: displaced and still there: {} by {}", life.uid, tell(life), tell(newer)));
        }
    }

    /// A ticket that was voided by a newer one never seats anybody again.
    fn old_tickets_stay_void(&self, violations: &mut Vec<String>) {
        let sessions = self.sessions();
        for (taker, answer) in sessions.iter().filter(|(_, answer)| !answer.resumed) {
            let was_used: HashSet<&str> = sessions
                .iter()
                .filter(|(_, before)| before.at < taker.asked)
                .map(|(life, _)| life.token.as_str())
                .collect();
            for (late, _) in sessions.iter().filter(|(late, _)| late.asked > answer.at && late.token != taker.token) {
                if was_used.contains(late.token.as_str()) {
                    violations.push(format!("{}: a void ticket seated {}", late.uid, tell(late)));
                }
            }
        }
    }

    fn is_told_no_reason(&self, life: &Life) -> bool {
        let notice = life.notices.first().filter(|notice| notice.reason == "internal");
        life.session().is_some() && notice.is_some_and(|notice| self.is_outranked(life, notice.at))
    }

    /// How long after its taker's answer a session was told.
    fn told_after(&self, life: &Life) -> Option<Duration> {
        let (notice, own) = (life.notices.first()?, life.session()?);
        let sessions = self.sessions();
        let takers =
            sessions.iter().filter(|(_, answer)| answer.epoch > own.epoch && notice.epoch == Some(answer.epoch));
        takers.map(|(_, answer)| notice.at.saturating_sub(answer.at)).min()
    }
}

/// The words that a fault may excuse.
const GOODBYES: [&str; 6] = ["internal", "fenced", "drained", "shutdown", "kicked", "slow"];

fn reason_of(word: &str) -> &'static str {
    GOODBYES.into_iter().find(|known| *known == word).unwrap_or("unknown")
}

/// One life in a line.
pub fn tell(life: &Life) -> String {
    let answer = match &life.answer {
        None => "no answer".to_owned(),
        Some(answer) if answer.error != 0 => format!("refused {} {:?} at {:?}", answer.error, answer.reason, answer.at),
        Some(answer) => {
            let how = if answer.resumed { "resumed" } else { "seated" };
            format!("{how} at {:?} with epoch {} as {}", answer.at, answer.epoch, answer.sid)
        }
    };
    let token: String = life.token.chars().take(6).collect();
    let notices: Vec<String> = life
        .notices
        .iter()
        .map(|notice| format!("{} {} at {:?} epoch {:?}", notice.id, notice.reason, notice.at, notice.epoch))
        .collect();
    format!(
        "[node {}, ticket {token}, asked {:?}, {answer}, served until {:?}, notices {notices:?}, end {:?}]",
        life.node,
        life.asked,
        life.served_until(),
        life.end
    )
}

/// Median, 99th percentile and largest of sorted times.
pub fn spread(times: &[Duration]) -> String {
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    match (at(50), at(99), times.last()) {
        (Some(median), Some(high), Some(most)) => {
            format!("{} times, p50 {median:.1?}, p99 {high:.1?}, max {most:.1?}", times.len())
        }
        _ => "never".to_owned(),
    }
}

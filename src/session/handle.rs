//! One connection as everybody but its own task sees it: who it is, what waits for it, what holds it, why it ends.
//!
//! The small lock is held for a few instructions and never while anything is awaited or written. The first reason to
//! close wins; whatever comes later finds the connection closing. The task that owns the socket is woken by each change.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::digest::TokenDigest;
use crate::id::{Rank, Seat, Sid, Step, Uid};
use crate::reason::Reason;
use crate::session::closing::{ClosedBy, Closing};
use crate::session::ending::Ending;
use crate::session::mailbox::{Bounds, Letter};
use crate::session::patience::{Look, Patience};
use crate::session::progress::Report;
use crate::session::record::SessionRecord;
use crate::session::state::{Parked, Pushed, Seated, State, append, close, wait, wake};

/// Milliseconds after which a login that is still in flight is looked at again.
const LOGIN_LOOK_MS: u64 = 1_000;

/// One connection, logged in or not. Shared by its task, the map, and whoever sends to it.
#[derive(Debug)]
pub struct Handle {
    sid: Sid,
    peer: SocketAddr,
    /// The gateway's clock: when it was accepted, and after the login, when its last whole frame came.
    heard_ms: AtomicU64,
    state: Mutex<State>,
}

/// What became of the frames that waited for the end of a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flushed {
    /// Frames that were dropped: the login was refused, or the mailbox is full.
    pub dropped: usize,
    /// Whether a message is missing, so that those behind it were not taken.
    pub is_behind: bool,
}

/// What became of a kick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kicked {
    /// The frame is the last one that this client gets.
    Queued,
    /// A login is in flight; the client is told after its answer.
    Parked,
    /// It was kicked before: the same kick on its second way here.
    Again,
    /// It was closing for another reason and is not told twice.
    Late,
}

impl Handle {
    /// A connection that was accepted just now.
    pub fn new(sid: Sid, peer: SocketAddr, now_ms: u64) -> Self {
        Self { sid, peer, heard_ms: AtomicU64::new(now_ms), state: Mutex::default() }
    }

    /// Identity of the session that this connection has, or will have.
    pub fn sid(&self) -> Sid {
        self.sid
    }

    /// Address of the client.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// A whole frame came from a session.
    pub fn hear(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Appends a frame to what this client gets.
    pub fn push(&self, frame: Bytes, bounds: Bounds) -> Pushed {
        append(self.lock(), frame.into(), bounds)
    }

    /// As `push`, for a frame that brings the session to this position among its user's messages.
    pub fn push_at(&self, frame: Bytes, position: u64, bounds: Bounds) -> Pushed {
        let mut state = self.lock();
        if position > 0 || state.progress.is_some() {
            state.progress.get_or_insert_default().set(position);
        }
        append(state, Letter { frame, step: Some(Step { position, after: 0 }) }, bounds)
    }

    /// As `push`, for the connection's own task, which looks at its mailbox next and need not be woken for that.
    pub fn push_own(&self, frame: Bytes, bounds: Bounds) -> Pushed {
        let mut state = self.lock();
        if state.closing.is_some() {
            return Pushed::Closed;
        }
        if state.mailbox.push(frame, bounds) { Pushed::Queued } else { Pushed::Full }
    }

    /// Appends a frame that another session sent. It never comes before the answer to the login, nor before those that
    /// stand before it.
    pub fn deliver(&self, letter: Letter, bounds: Bounds) -> Pushed {
        let mut state = self.lock();
        if let Some(parked) = &mut state.login {
            return if parked.frames.push(letter, bounds) { Pushed::Queued } else { Pushed::Full };
        }
        if state.seated.is_none() || state.closing.is_some() {
            return Pushed::Closed;
        }
        let taken = state.take(letter, bounds);
        wake(state);
        taken
    }

    /// A login is sent to the store now; kicks and frames of others wait for `end_login`. Answers whether it may: a
    /// connection that is closing asks for nothing any more. `features` is what the client says it understands.
    pub fn begin_login(&self, features: &str) -> bool {
        let mut state = self.lock();
        let is_open = state.closing.is_none();
        if is_open {
            state.login = Some(Box::new(Parked { features: features.into(), ..Parked::default() }));
        }
        is_open
    }

    /// The session holds this seat. Answers the seat that it held before, if any.
    pub fn seat(&self, seat: Seat, rank: Rank, token_digest: TokenDigest, now_ms: u64) -> Option<Seat> {
        self.hear(now_ms);
        let mut state = self.lock();
        let before = state.seated.take();
        let features = state.login.as_mut().map(|parked| std::mem::take(&mut parked.features));
        if let Some(features) = features.filter(|features| **features != *state.features()) {
            state.progress.get_or_insert_default().set_features(features);
        }
        // Answers may come in another order than they were given; a rank only grows.
        let known = before.as_ref().filter(|seated| seated.seat == seat).map_or(rank, |seated| seated.rank);
        state.seated = Some(Seated { seat, rank: rank.max(known), token_digest });
        before.map(|seated| seated.seat)
    }

    /// The rank of the seat has changed in the store. `None` if nothing is held here any more.
    pub fn rank(&self, rank: Rank) -> Option<Seat> {
        let mut state = self.lock();
        if state.closing.is_some() {
            return None;
        }
        let seated = state.seated.as_mut()?;
        seated.rank = seated.rank.max(rank);
        Some(seated.seat.clone())
    }

    /// The answer to the login is queued: what waited for it follows, a kick last.
    pub fn end_login(&self, bounds: Bounds) -> Flushed {
        let mut state = self.lock();
        let Some(mut parked) = state.login.take() else { return Flushed::default() };
        let is_open = state.seated.is_some() && state.closing.is_none();
        let mut flushed = Flushed::default();
        while let Some(letter) = parked.frames.pop() {
            let taken = if is_open { state.take(letter, bounds) } else { Pushed::Closed };
            flushed.dropped += usize::from(matches!(taken, Pushed::Closed | Pushed::Full));
            flushed.is_behind |= matches!(taken, Pushed::Early | Pushed::Later);
        }
        if let Some((reason, frame)) = parked.kick {
            close(state, Closing { reason: Some(reason), by: ClosedBy::Kick }, Some(frame));
        }
        flushed
    }

    /// The frame that brings the session to this position was written. Answers whether there is news to report.
    pub fn written(&self, position: u64) -> bool {
        let mut state = self.lock();
        let has_room = state.mailbox.is_empty();
        let Some(progress) = &mut state.progress else { return false };
        progress.write(position);
        progress.is_news(has_room)
    }

    /// A message is missing. Answers whether that is news to report.
    pub fn missed(&self) -> bool {
        self.lock().progress.as_mut().is_some_and(|progress| {
            progress.miss();
            progress.is_news(true)
        })
    }

    /// What the store has yet to hear of this session, once.
    pub fn take_report(&self) -> Report {
        self.lock().progress.as_mut().map(|progress| progress.report()).unwrap_or_default()
    }

    /// Tells this client that its session is over, after the answer to its login if one is in flight.
    pub fn kick(&self, reason: Reason, frame: Bytes) -> Kicked {
        let mut state = self.lock();
        match state.closing {
            Some(Closing { by: ClosedBy::Kick, .. }) => return Kicked::Again,
            Some(_) => return Kicked::Late,
            None => {}
        }
        if let Some(parked) = &mut state.login {
            let is_first = parked.kick.is_none();
            parked.kick.get_or_insert((reason, frame));
            return if is_first { Kicked::Parked } else { Kicked::Again };
        }
        close(state, Closing { reason: Some(reason), by: ClosedBy::Kick }, Some(frame));
        Kicked::Queued
    }

    /// Closes the connection after this last frame. Answers whether this was the first reason to close.
    pub fn close(&self, reason: Reason, last: Bytes) -> bool {
        close(self.lock(), Closing { reason: Some(reason), by: ClosedBy::Node }, Some(last))
    }

    /// Closes the connection of a client that does not read; what waited for it is dropped. Answers how many frames
    /// that were, or `None` if it was closing already.
    pub fn overflow(&self, last: Bytes) -> Option<usize> {
        let mut state = self.lock();
        if state.closing.is_some() {
            return None;
        }
        let dropped = state.mailbox.clear();
        close(state, Closing { reason: Some(Reason::Slow), by: ClosedBy::Node }, Some(last));
        Some(dropped)
    }

    /// The client left or its connection broke: nothing more can be sent.
    pub fn leave(&self) {
        close(self.lock(), Closing { reason: None, by: ClosedBy::Client }, None);
    }

    /// Why the connection ends; `None` while it does not.
    pub fn closing(&self) -> Option<Closing> {
        self.lock().closing
    }

    /// The next frame to write. Without one the task is noted, and woken by the next frame or by a close.
    pub fn poll_frame(&self, context: &mut Context<'_>) -> Poll<Letter> {
        let mut state = self.lock();
        match state.mailbox.pop() {
            Some(letter) => Poll::Ready(letter),
            None => {
                wait(&mut state, context);
                Poll::Pending
            }
        }
    }

    /// Notes the task, to be woken by the next frame or by a close, and answers why the connection ends.
    pub fn poll_closing(&self, context: &mut Context<'_>) -> Poll<Closing> {
        let mut state = self.lock();
        wait(&mut state, context);
        state.closing.map_or(Poll::Pending, Poll::Ready)
    }

    /// The user that this session belongs to; `None` before the login.
    pub fn uid(&self) -> Option<Uid> {
        self.lock().seated.as_ref().map(|seated| seated.seat.uid.clone())
    }

    /// The session as verify needs it; `None` for connections that hold nothing or are closing.
    pub fn record(&self) -> Option<SessionRecord> {
        self.last_record().filter(|_| self.closing().is_none())
    }

    /// As `record`, also of a session that is closing.
    pub fn last_record(&self) -> Option<SessionRecord> {
        let state = self.lock();
        let seated = state.seated.as_ref()?;
        Some(SessionRecord {
            sid: self.sid,
            seat: seated.seat.clone(),
            rank: seated.rank,
            token_digest: seated.token_digest.to_string(),
            address: self.peer,
            features: state.features().to_owned(),
        })
    }

    /// What the client said it understands.
    pub fn features(&self) -> String {
        self.lock().features().to_owned()
    }

    /// What the store has to be told when this connection has ended, and the seat to vacate here; both once only.
    /// A kicked session has no ending, for the kick came from the store.
    pub fn take_ending(&self) -> Option<(Seat, Option<Ending>)> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.is_ended, true) {
            return None;
        }
        let seat = state.seated.as_ref()?.seat.clone();
        let closing = state.closing.unwrap_or(Closing { reason: Some(Reason::Internal), by: ClosedBy::Node });
        let ending = (closing.by != ClosedBy::Kick).then(|| Ending {
            sid: self.sid,
            uid: seat.uid.clone(),
            class: Some(seat.class.clone()),
            reason: closing.reason,
        });
        Some((seat, ending))
    }

    /// Whether this connection was silent for too long, and when to look again if not. Heartbeats do not lengthen the
    /// time to log in, and a login in flight is waited for.
    pub fn look(&self, now_ms: u64, patience: Patience) -> Look {
        let state = self.lock();
        let heard_ms = self.heard_ms.load(Ordering::Relaxed);
        if state.closing.is_some() {
            return Look::Done;
        }
        if state.login.is_some() {
            return Look::Again { at_ms: now_ms + LOGIN_LOOK_MS.min(patience.limit_ms) };
        }
        let (deadline_ms, reason) = match state.seated {
            Some(_) => (heard_ms + patience.limit_ms, Reason::Expired),
            None => (heard_ms + patience.login_timeout_ms, Reason::AuthTimeout),
        };
        if deadline_ms <= now_ms {
            return Look::Over(reason);
        }
        // A visitor that logs in right after this look must not be silent for longer than the limit unnoticed.
        Look::Again { at_ms: deadline_ms.min(now_ms + patience.limit_ms) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    use super::*;
    use crate::id::Name;

    const BOUNDS: Bounds = Bounds { frames_max: 4, bytes_max: 64 };
    const PATIENCE: Patience = Patience { login_timeout_ms: 10_000, limit_ms: 60_000 };

    fn handle() -> Handle {
        Handle::new(Sid::new(), SocketAddr::from(([127, 0, 0, 1], 5000)), 0)
    }

    fn letter(text: &'static str) -> Letter {
        Bytes::from(text).into()
    }

    fn seat() -> Seat {
        Seat { uid: Uid::parse("7").expect("digits"), class: Name::parse("main").expect("letters") }
    }

    fn seated(now_ms: u64) -> Handle {
        let handle = handle();
        handle.seat(seat(), Rank::default(), TokenDigest::of("t"), now_ms);
        handle
    }

    fn frames(handle: &Handle) -> Vec<Bytes> {
        let mut context = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| match handle.poll_frame(&mut context) {
            Poll::Ready(letter) => Some(letter.frame),
            Poll::Pending => None,
        })
        .collect()
    }

    #[test]
    fn a_kick_and_frames_of_others_wait_for_the_answer_to_the_login() {
        let handle = handle();
        assert_eq!(handle.deliver(letter("early"), BOUNDS), Pushed::Closed);
        handle.begin_login("");
        assert_eq!(handle.kick(Reason::Displaced, "1021".into()), Kicked::Parked);
        assert_eq!(handle.kick(Reason::Displaced, "1021".into()), Kicked::Again);
        assert_eq!(handle.deliver(letter("1019"), BOUNDS), Pushed::Queued);
        assert_eq!(frames(&handle), [""; 0]);
        handle.seat(seat(), Rank::default(), TokenDigest::of("t"), 1);
        assert_eq!(handle.push("1006".into(), BOUNDS), Pushed::Queued);
        assert_eq!(handle.end_login(BOUNDS), Flushed::default());
        assert_eq!(frames(&handle), ["1006", "1019", "1021"]);
        assert_eq!(handle.closing(), Some(Closing { reason: Some(Reason::Displaced), by: ClosedBy::Kick }));
        assert_eq!(handle.push("late".into(), BOUNDS), Pushed::Closed);
    }

    #[test]
    fn frames_of_others_are_dropped_when_the_login_is_refused() {
        let handle = handle();
        handle.begin_login("");
        handle.deliver(letter("1019"), BOUNDS);
        handle.push("1006".into(), BOUNDS);
        assert_eq!(handle.end_login(BOUNDS).dropped, 1);
        assert_eq!(frames(&handle), ["1006"]);
    }

    #[test]
    fn the_first_reason_to_close_wins_and_is_told_once() {
        let handle = seated(0);
        assert!(handle.close(Reason::Expired, "goodbye".into()));
        assert_eq!(handle.kick(Reason::Displaced, "1021".into()), Kicked::Late);
        assert!(!handle.close(Reason::Shutdown, "goodbye".into()));
        assert_eq!(handle.overflow("slow".into()), None);
        assert_eq!(frames(&handle), ["goodbye"]);
        let handle = seated(0);
        assert_eq!(handle.kick(Reason::Kicked, "1021".into()), Kicked::Queued);
        assert_eq!(handle.kick(Reason::Kicked, "1021".into()), Kicked::Again);
        assert_eq!(frames(&handle), ["1021"]);
    }

    #[test]
    fn a_client_that_does_not_read_loses_what_waited_but_not_the_goodbye() {
        let handle = seated(0);
        (0..4).for_each(|_| assert_eq!(handle.push("x".into(), BOUNDS), Pushed::Queued));
        assert_eq!(handle.push("x".into(), BOUNDS), Pushed::Full);
        assert_eq!(handle.overflow("slow".into()), Some(4));
        assert_eq!(frames(&handle), ["slow"]);
    }

    #[test]
    fn an_ending_is_handed_out_once_and_never_for_a_kicked_session() {
        let handle = seated(0);
        handle.leave();
        let (vacated, ending) = handle.take_ending().expect("it held a seat");
        let ending = ending.expect("the store does not know yet");
        assert_eq!((vacated, ending.sid, ending.reason), (seat(), handle.sid(), None));
        assert_eq!(handle.take_ending(), None);

        let kicked = seated(0);
        kicked.kick(Reason::Displaced, "1021".into());
        assert_eq!(kicked.take_ending(), Some((seat(), None)));
        assert_eq!(self::handle().take_ending(), None, "a visitor has nothing to end");
    }

    #[test]
    fn the_time_to_log_in_is_not_lengthened_and_silence_counts_from_the_last_frame() {
        let visitor = handle();
        assert_eq!(visitor.look(9_999, PATIENCE), Look::Again { at_ms: 10_000 });
        assert_eq!(visitor.look(10_000, PATIENCE), Look::Over(Reason::AuthTimeout));
        visitor.begin_login("");
        assert_eq!(visitor.look(10_000, PATIENCE), Look::Again { at_ms: 11_000 });

        let session = seated(5_000);
        assert_eq!(session.look(5_000, PATIENCE), Look::Again { at_ms: 65_000 });
        session.hear(30_000);
        assert_eq!(session.look(65_000, PATIENCE), Look::Again { at_ms: 90_000 });
        assert_eq!(session.look(90_000, PATIENCE), Look::Over(Reason::Expired));
        session.leave();
        assert_eq!(session.look(90_000, PATIENCE), Look::Done);
    }

    #[test]
    fn a_visitor_is_looked_at_within_the_limit_of_the_session_that_it_may_become() {
        let short = Patience { login_timeout_ms: 10_000, limit_ms: 2_000 };
        assert_eq!(handle().look(500, short), Look::Again { at_ms: 2_500 });
    }

    #[test]
    fn a_waiting_task_is_woken_by_a_frame_and_by_a_close() {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (count, handle) = (Arc::new(Count(AtomicUsize::new(0))), seated(0));
        let waker = Waker::from(count.clone());
        let mut context = Context::from_waker(&waker);
        assert!(handle.poll_frame(&mut context).is_pending());
        handle.push("a".into(), BOUNDS);
        handle.push("b".into(), BOUNDS);
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "woken once, for it has not looked yet");
        assert!(handle.poll_frame(&mut context).is_ready());
        assert!(handle.poll_closing(&mut context).is_pending());
        handle.close(Reason::Shutdown, "bye".into());
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }
}

//! What the small lock of a connection guards: what waits for it, what holds it, how far it has come, why it ends.

use std::sync::MutexGuard;
use std::task::{Context, Waker};

use bytes::Bytes;

use crate::digest::TokenDigest;
use crate::id::{Rank, Seat};
use crate::reason::Reason;
use crate::session::closing::Closing;
use crate::session::mailbox::{Bounds, Letter, Mailbox};
use crate::session::progress::{Place, Progress};

#[derive(Debug, Default)]
pub(super) struct State {
    pub mailbox: Mailbox,
    /// The connection's task, while it waits.
    pub waker: Option<Waker>,
    /// What waits for the end of a login in flight; `None` while there is no such login.
    pub login: Option<Box<Parked>>,
    /// What the session holds as far as this node knows; `None` before the login.
    pub seated: Option<Seated>,
    /// How far it has come in its user's messages; `None` while it has none and its client says nothing of itself.
    pub progress: Option<Box<Progress>>,
    /// Set once, by whoever closes first.
    pub closing: Option<Closing>,
    /// The ending was handed out already.
    pub is_ended: bool,
}

/// Frames and a kick that must not overtake the answer to a login.
#[derive(Debug, Default)]
pub(super) struct Parked {
    pub frames: Mailbox,
    /// What the client says it understands; it counts once it has a seat.
    pub features: Box<str>,
    pub kick: Option<(Reason, Bytes)>,
}

#[derive(Debug)]
pub(super) struct Seated {
    pub seat: Seat,
    pub rank: Rank,
    pub token_digest: TokenDigest,
}

/// What became of a frame for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It waits to be written.
    Queued,
    /// The mailbox is full: the client does not read.
    Full,
    /// The connection is closing or has not logged in.
    Closed,
    /// It was given before.
    Known,
    /// It is not taken, because something before it is missing.
    Early,
    /// It is not taken, because there is no room; it waits in the inbox, and is asked for when there is.
    Later,
}

impl State {
    /// What the client said it understands.
    pub fn features(&self) -> &str {
        self.progress.as_ref().map_or("", |progress| progress.features())
    }

    /// Takes a frame of another session, if its place is here and there is room for it.
    pub fn take(&mut self, letter: Letter, bounds: Bounds) -> Pushed {
        let Some(step) = letter.step else {
            return if self.mailbox.push(letter, bounds) { Pushed::Queued } else { Pushed::Full };
        };
        let progress = self.progress.get_or_insert_default();
        match progress.place(step) {
            Place::Known => Pushed::Known,
            Place::Early => {
                progress.miss();
                Pushed::Early
            }
            Place::Next if !self.mailbox.fits(letter.frame.len(), bounds) => {
                progress.miss();
                Pushed::Later
            }
            Place::Next => {
                progress.set(step.position);
                self.mailbox.push_last(letter);
                Pushed::Queued
            }
        }
    }
}

/// Appends a frame to what the client gets.
pub(super) fn append(mut state: MutexGuard<'_, State>, letter: Letter, bounds: Bounds) -> Pushed {
    if state.closing.is_some() {
        return Pushed::Closed;
    }
    let fits = state.mailbox.push(letter, bounds);
    wake(state);
    if fits { Pushed::Queued } else { Pushed::Full }
}

/// Closes, unless it was closed before; answers whether it was not. The last frame goes out in any case.
pub(super) fn close(mut state: MutexGuard<'_, State>, closing: Closing, last: Option<Bytes>) -> bool {
    if state.closing.is_some() {
        return false;
    }
    state.closing = Some(closing);
    if let Some(frame) = last {
        state.mailbox.push_last(frame);
    }
    wake(state);
    true
}

/// Notes the task, to be woken by the next change.
pub(super) fn wait(state: &mut State, context: &Context<'_>) {
    if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
        state.waker = Some(context.waker().clone());
    }
}

/// Wakes the connection's task after the lock is given back.
pub(super) fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

//! Carries out effects: those of a script that a connection asked, and those that came from elsewhere.
//!
//! It adds nothing to what a script decided. The local map takes part in one way only: of two binds of one seat that
//! arrive in either order, the higher rank stays.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Gateway;
use super::link::Host;
use crate::digest::TokenDigest;
use crate::fault::{self, Point};
use crate::id::{Rank, Seat, Sid, Uid};
use crate::metric::Metric;
use crate::reason::Reason;
use crate::script::{Arguments, CallError, Effect};
use crate::session::{Bound, Ending, Handle, Kicked, Pushed};
use crate::wire::body::{goodbye, refusal};
use crate::wire::message::{parse_code, parse_decision};
use crate::wire::{ReplyCode, encode};

/// Scripts that may call each other for one request.
const CALLS_MAX: usize = 4;

/// A connection that asked for something, while the scripts answer.
pub(super) struct Asking<'a> {
    host: Host<'a>,
    /// Digest of the token that a bind is due to.
    digest: TokenDigest,
    /// The `error` of the last answer that a script gave to the client.
    replied: Option<ReplyCode>,
    /// The script version that was asked first, as `login@1`: the one that decides.
    decided_by: Option<String>,
    is_outranked: bool,
}

impl<'a> Asking<'a> {
    /// Nothing has been asked yet.
    pub fn new(host: Host<'a>, digest: TokenDigest) -> Self {
        Self { host, digest, replied: None, decided_by: None, is_outranked: false }
    }

    /// What a script answered the client; `None` while it has not.
    pub fn replied(&self) -> Option<ReplyCode> {
        self.replied
    }

    /// The script version that decided; `None` while none has.
    pub fn decided_by(&self) -> Option<&str> {
        self.decided_by.as_deref()
    }

    /// Whether a higher rank holds the seat that was bound.
    pub fn is_outranked(&self) -> bool {
        self.is_outranked
    }

    /// Runs a script and those that it calls, and carries out their effects in order. A call that fails ends neither
    /// the effects that stand after it nor what was done before it; the first error is answered.
    pub async fn run(&mut self, script: &str, uid: &Uid, arguments: Arguments<'_>) -> Result<(), CallError> {
        let caller = &self.host.gateway.caller;
        let verdict = caller.run(script, Some(uid), arguments).await?;
        fault::pass(Point::AfterScript);
        self.decided_by = Some(verdict.script.label());
        let mut todo = VecDeque::from(verdict.effects);
        let (mut calls, mut outcome) = (1, Ok(()));
        while let Some(effect) = todo.pop_front() {
            let Some((script, uid, arguments)) = self.carry_out(effect) else { continue };
            calls += 1;
            let answer = match calls <= CALLS_MAX {
                true => caller.run(&script, Some(&uid), arguments).await,
                false => Err(too_many_calls(script)),
            };
            match answer {
                Ok(verdict) => verdict.effects.into_iter().rev().for_each(|effect| todo.push_front(effect)),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// Carries out one effect; a call is answered, for it takes time.
    fn carry_out(&mut self, effect: Effect) -> Option<(String, Uid, Arguments<'static>)> {
        let Host { gateway, handle } = self.host;
        match effect {
            Effect::Reply { id, body, .. } => {
                let frame = gateway.frame(id, &body);
                self.replied = Some(frame.as_ref().map_or(ReplyCode::Internal, |_| parse_code(&body)));
                gateway.push(handle, frame.unwrap_or_else(|| refusal(id, ReplyCode::Internal, None)));
                fault::pass(Point::AfterReply);
            }
            Effect::Bind { seat, rank } => {
                self.bind(seat, rank);
                fault::pass(Point::AfterBind);
            }
            Effect::Close { reason } => {
                handle.close(reason, goodbye(reason));
            }
            Effect::Kick { sid, reason, id, body } => {
                if sid != handle.sid() {
                    Metric::Kicks.counter_of("sent").increment(1);
                    if reason == Reason::Displaced {
                        Metric::Takeovers.counter().increment(1);
                    }
                }
                gateway.kick(sid, reason, id, &body);
                fault::pass(Point::AfterKick);
            }
            Effect::Deliver { sid, id, body, .. } => gateway.deliver(sid, id, &body),
            Effect::Call { script, uid, arguments } => return Some((script, uid, arguments)),
            Effect::Verify => {}
        }
        None
    }

    fn bind(&mut self, mut seat: Seat, rank: Rank) {
        let Host { gateway, handle } = self.host;
        if seat.class == gateway.class {
            seat.class = gateway.class.clone();
        }
        let sid = handle.sid();
        let before = handle.seat(seat.clone(), rank, self.digest, gateway.now_ms());
        if before.is_none() {
            gateway.meter.sessions.increment(1);
            gateway.arrivals.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(former) = before.filter(|former| *former != seat) {
            gateway.map.vacate(&former, sid);
            gateway.endings.push(Ending { sid, uid: former.uid, class: Some(former.class), reason: None });
        }
        match gateway.map.bind(&seat, rank, sid) {
            Bound::Free => {}
            Bound::Over(holder) => {
                tracing::debug!(uid = %seat.uid, %sid, displaced = %holder.sid, "a seat changed hands")
            }
            Bound::Under(holder) => {
                self.is_outranked = true;
                tracing::info!(uid = %seat.uid, %sid, holder = %holder.sid, "a login was overtaken by a newer one");
            }
        }
    }
}

fn too_many_calls(script: String) -> CallError {
    CallError::Script {
        at: script,
        message: format!("it is the last of more than {CALLS_MAX} scripts for one request"),
    }
}

impl Gateway {
    /// Carries out effects that no connection of this node asked for: of other nodes, of the operator, of a verify.
    pub fn apply(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Kick { sid, reason, id, body } => self.kick(sid, reason, id, &body),
                Effect::Deliver { sid, id, body, .. } => self.deliver(sid, id, &body),
                // The caller has read its answer and its bind; without a connection nothing is left to do for them.
                Effect::Reply { .. } | Effect::Bind { .. } => {}
                Effect::Call { .. } | Effect::Verify | Effect::Close { .. } => {
                    tracing::warn!(?effect, "an effect that needs a connection came without one and is ignored");
                }
            }
        }
    }

    /// Sends a frame to one connection; a client that does not read is closed.
    pub(super) fn push(&self, handle: &Handle, frame: Bytes) {
        if handle.push(frame, self.options.bounds) == Pushed::Full {
            self.overflow(handle);
        }
    }

    /// The client does not read: what waits is dropped, and it is closed.
    pub(super) fn overflow(&self, handle: &Handle) {
        let Some(dropped) = handle.overflow(goodbye(Reason::Slow)) else { return };
        Metric::MailboxDrops.counter().increment(dropped as u64 + 1);
        tracing::info!(sid = %handle.sid(), dropped, "a client does not read and is closed");
    }

    /// A frame of a script's body; `None` where it is over the limit of this node, which is the script's fault.
    pub(super) fn frame(&self, id: u16, body: &[u8]) -> Option<Bytes> {
        let frame = encode(id, body).filter(|_| body.len() <= usize::from(self.options.body_bytes_max));
        if frame.is_none() {
            tracing::error!(id, bytes = body.len(), "a script made a body over the limit of a frame");
        }
        frame
    }

    fn kick(&self, sid: Sid, reason: Reason, id: u16, body: &[u8]) {
        let Some(handle) = self.map.get(sid) else { return };
        let frame = self.frame(id, body).unwrap_or_else(|| goodbye(reason));
        let decision = parse_decision(body);
        match handle.kick(reason, frame) {
            Kicked::Queued => tracing::info!(%sid, %reason, script = decision.script, "a session was kicked"),
            Kicked::Parked => {
                tracing::info!(%sid, %reason, script = decision.script, "a session was kicked while it logs in")
            }
            Kicked::Again => return,
            Kicked::Late => return Metric::Kicks.counter_of("late").increment(1),
        }
        if decision.at > 0 {
            self.kicked_at.pin().insert(sid, decision.at);
        }
    }

    fn deliver(&self, sid: Sid, id: u16, body: &[u8]) {
        let (Some(handle), Some(frame)) = (self.map.get(sid), self.frame(id, body)) else { return };
        match handle.deliver(frame, self.options.bounds) {
            Pushed::Queued => {}
            Pushed::Full => self.overflow(&handle),
            Pushed::Closed => Metric::MailboxDrops.counter().increment(1),
        }
    }
}

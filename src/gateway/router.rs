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
use crate::id::{Rank, Seat, Sid, Step, Uid};
use crate::metric::Metric;
use crate::reason::Reason;
use crate::script::{Argument, Arguments, CallError, Effect, Verdict};
use crate::session::{Bound, Ending, Handle, Kicked, Letter, Pushed};
use crate::wire::body::{goodbye, refusal};
use crate::wire::message::{parse_code, parse_decision};
use crate::wire::{ReplyCode, encode};

/// Scripts that may call each other for one request.
const CALLS_MAX: usize = 8;
/// Milliseconds after which a client may ask again whose session the store did not know, even after it was held against
/// its seat.
const RETRY_AFTER_MS: u64 = 1_000;

/// A connection that asked for something, while the scripts answer.
pub(super) struct Asking<'a> {
    host: Host<'a>,
    /// Digest of the token that a bind is due to; only a login has one.
    digest: Option<TokenDigest>,
    /// What every script of this request is told of the connection.
    about: [(Argument, String); 3],
    /// The `error` of the last answer that a script gave to the client.
    replied: Option<ReplyCode>,
    /// The script version that was asked first, as `login@1`: the one that decides.
    decided_by: Option<String>,
    is_outranked: bool,
}

impl<'a> Asking<'a> {
    /// Nothing has been asked yet.
    pub fn new(host: Host<'a>) -> Self {
        let about = [
            (Argument::Sid, host.handle.sid().to_string()),
            (Argument::Address, host.handle.peer().to_string()),
            (Argument::Features, host.handle.features()),
        ];
        Self { host, digest: None, about, replied: None, decided_by: None, is_outranked: false }
    }

    /// A login, with the digest of the token that was shown, and what the client says it understands.
    pub fn to_log_in(host: Host<'a>, digest: TokenDigest, features: String) -> Self {
        let mut asking = Self { digest: Some(digest), ..Self::new(host) };
        asking.about[2].1 = features;
        asking
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
        let verdict = self.first(script, uid, arguments).await?;
        fault::pass(Point::AfterScript);
        self.decided_by = Some(verdict.script.label());
        let mut todo = VecDeque::from(verdict.effects);
        let (mut calls, mut outcome) = (1, Ok(()));
        while let Some(effect) = todo.pop_front() {
            let Some((script, uid, arguments)) = self.carry_out(effect) else { continue };
            calls += 1;
            let answer = match calls <= CALLS_MAX {
                true => self.call(&script, &uid, arguments).await,
                false => Err(too_many_calls(script)),
            };
            match answer {
                Ok(verdict) => verdict.effects.into_iter().rev().for_each(|effect| todo.push_front(effect)),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// Runs the first script of a request. Where the store has no trace of the session, that is held against its seat, and
    /// unless it was closed by that the script runs once more.
    async fn first(&self, script: &str, uid: &Uid, arguments: Arguments<'_>) -> Result<Verdict, CallError> {
        let verdict = self.call(script, uid, arguments.clone()).await?;
        if !is_unknown(&verdict) {
            return Ok(verdict);
        }
        let Host { gateway, handle } = self.host;
        if let Some(session) = handle.record() {
            gateway.verify(session).await?;
        }
        if handle.closing().is_some() {
            return Ok(verdict);
        }
        let verdict = self.call(script, uid, arguments).await?;
        match is_unknown(&verdict) {
            true => Err(CallError::Away {
                retry_after_ms: RETRY_AFTER_MS,
                cause: "the session is not seated any more".to_owned(),
            }),
            false => Ok(verdict),
        }
    }

    async fn call(&self, script: &str, uid: &Uid, mut arguments: Arguments<'_>) -> Result<Verdict, CallError> {
        for (argument, value) in &self.about {
            if arguments.get(*argument).is_none() {
                arguments.set(*argument, value.as_str());
            }
        }
        self.host.gateway.caller.run(script, Some(uid), arguments).await
    }

    /// Carries out one effect; a call is answered, for it takes time.
    fn carry_out(&mut self, effect: Effect) -> Option<(String, Uid, Arguments<'static>)> {
        let Host { gateway, handle } = self.host;
        match effect {
            Effect::Reply { id, body, position } => {
                let frame = gateway.frame(id, &body);
                self.replied = Some(frame.as_ref().map_or(ReplyCode::Internal, |_| parse_code(&body)));
                match (frame, position) {
                    (Some(frame), Some(position)) => gateway.push_at(handle, frame, position),
                    (Some(frame), None) => gateway.push(handle, frame),
                    (None, _) => gateway.push(handle, refusal(id, ReplyCode::Internal, None)),
                }
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
            Effect::Deliver { sid, id, body, step } => gateway.deliver(sid, id, &body, step),
            Effect::Call { script, uid, arguments } => return Some((script, uid, arguments)),
            // It was carried out already, or stands where it has no meaning.
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
        let Some(digest) = self.digest else {
            return tracing::error!(uid = %seat.uid, %sid, "a script binds a seat without a login and is not obeyed");
        };
        let before = handle.seat(seat.clone(), rank, digest, gateway.now_ms());
        gateway.stir.came(gateway.caller.shard_of(&seat.uid));
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

/// Whether the script said that it has no trace of the session.
fn is_unknown(verdict: &Verdict) -> bool {
    verdict.effects.iter().any(|effect| matches!(effect, Effect::Verify))
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
                Effect::Deliver { sid, id, body, step } => self.deliver(sid, id, &body, step),
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

    /// As `push`, for a frame that brings the session to a position among its user's messages.
    fn push_at(&self, handle: &Handle, frame: Bytes, position: u64) {
        if handle.push_at(frame, position, self.options.bounds) == Pushed::Full {
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

    fn deliver(&self, sid: Sid, id: u16, body: &[u8], step: Option<Step>) {
        let (Some(handle), Some(frame)) = (self.map.get(sid), self.frame(id, body)) else { return };
        match handle.deliver(Letter { frame, step }, self.options.bounds) {
            // What there is no room for waits in the inbox.
            Pushed::Queued | Pushed::Known | Pushed::Later => {}
            Pushed::Full => self.overflow(&handle),
            Pushed::Closed => Metric::MailboxDrops.counter().increment(1),
            Pushed::Early => self.fall_behind(&handle),
        }
    }
}

//! One login: asks the script, has its effects carried out, and sees to it that no outcome leaves a ghost.

use super::gate::Busy;
use super::link::Host;
use super::router::Asking;
use crate::digest::TokenDigest;
use crate::fault::{self, Point};
use crate::id::Uid;
use crate::metric::Metric;
use crate::reason::Reason;
use crate::script::{Argument, Arguments, CallError};
use crate::session::Ending;
use crate::wire::body::{goodbye, refusal, try_again};
use crate::wire::{LoginRequest, ReplyCode, message};

/// What a login came to.
#[derive(Debug)]
pub(super) enum Answer {
    /// This user has a seat.
    Seated(Uid),
    /// It has a seat, but a session of higher rank was bound to it first: a kick is under way.
    Outranked,
    /// The store refused it.
    Refused,
    /// The store could not say, through no fault of the client.
    Unanswered,
}

/// Asks the store, answers the client, and carries out what concerns others even if this client is gone.
pub(super) async fn ask(host: Host<'_>, request: LoginRequest) -> Answer {
    let LoginRequest { uid, token, features } = request;
    let digest = TokenDigest::of(&token);
    drop(token);
    if let Some(frame) = host.gateway.entrance.refusal() {
        host.gateway.push(host.handle, frame);
        Metric::Logins.counter_of("elsewhere").increment(1);
        return Answer::Unanswered;
    }
    if !host.handle.begin_login(&features) {
        return Answer::Unanswered;
    }
    let arguments =
        Arguments::new().with(Argument::Uid, uid.to_string()).with(Argument::TokenDigest, digest.to_string());
    let mut asking = Asking::to_log_in(host, digest, features);
    fault::pass(Point::BeforeScript);
    let outcome = asking.run("login", &uid, arguments).await;
    answer_client(host, &asking, &uid, &outcome);
    let was_seated = host.handle.uid().is_some();
    let flushed = host.handle.end_login(host.gateway.options.bounds);
    Metric::MailboxDrops.counter().increment(flushed.dropped as u64);
    if flushed.is_behind {
        host.gateway.fall_behind(host.handle);
    }
    fault::pass(Point::BeforeWrite);
    if !was_seated && may_have_run(&outcome) {
        finish_for_good(host, uid.clone());
    }
    conclude(host, &uid, &asking, &outcome)
}

/// Answers a login that the store is not asked for, because too many wait for their turn.
pub(super) fn refuse(host: Host<'_>, uid: &Uid, busy: Busy) -> Answer {
    let retry_after_ms = u64::try_from(busy.retry_after.as_millis()).unwrap_or(u64::MAX);
    Metric::Logins.counter_of("busy").increment(1);
    tracing::debug!(%uid, sid = %host.handle.sid(), retry_after_ms, "a login was refused: too many wait");
    host.gateway.push(host.handle, try_again(message::LOGIN_REPLY, retry_after_ms));
    Answer::Unanswered
}

/// Whether the store may have given a seat that nobody here knows of: no answer came, or one that cannot be read, or
/// the script failed, perhaps after it had written.
fn may_have_run(outcome: &Result<(), CallError>) -> bool {
    matches!(outcome, Err(CallError::Lost { .. } | CallError::Script { .. } | CallError::Effects { .. }))
}

/// Whatever went wrong, the client gets an answer to its login.
fn answer_client(host: Host<'_>, asking: &Asking<'_>, uid: &Uid, outcome: &Result<(), CallError>) {
    let frame = match outcome {
        Ok(()) if asking.replied().is_some() => return,
        Ok(()) => {
            tracing::error!(%uid, sid = %host.handle.sid(), "the login script answered nothing to its client");
            refusal(message::LOGIN_REPLY, ReplyCode::Internal, None)
        }
        Err(error) if asking.replied().is_some() => {
            tracing::error!(%uid, sid = %host.handle.sid(), %error, "a login failed behind its answer");
            return;
        }
        Err(error) => {
            let sid = host.handle.sid();
            match error.retry_after_ms() {
                Some(retry_after_ms) => {
                    tracing::warn!(%uid, %sid, %error, "a login could not be answered");
                    try_again(message::LOGIN_REPLY, retry_after_ms)
                }
                None => {
                    tracing::error!(%uid, %sid, %error, "a login failed in a script");
                    refusal(message::LOGIN_REPLY, ReplyCode::Internal, None)
                }
            }
        }
    };
    host.gateway.push(host.handle, frame);
}

/// Nobody knows whether the login took the seat, so this sid must never sit: it is logged out until that is confirmed.
fn finish_for_good(host: Host<'_>, uid: Uid) {
    let sid = host.handle.sid();
    host.gateway.endings.push(Ending { sid, uid, class: None, reason: Some(Reason::Internal) });
    host.handle.close(Reason::Internal, goodbye(Reason::Internal));
}

fn conclude(host: Host<'_>, uid: &Uid, asking: &Asking<'_>, outcome: &Result<(), CallError>) -> Answer {
    let (sid, address) = (host.handle.sid(), host.handle.peer());
    let seated = host.handle.uid();
    let code = asking.replied().unwrap_or(ReplyCode::Internal);
    let label = match outcome {
        Ok(()) if seated.is_some() => "seated",
        Ok(()) => code.word(),
        Err(CallError::Away { .. }) => "away",
        Err(CallError::Lost { .. }) => "lost",
        Err(_) => "failed",
    };
    Metric::Logins.counter_of(label).increment(1);
    let script = asking.decided_by().unwrap_or_default();
    tracing::info!(%uid, %sid, %address, outcome = label, script, "a login was answered");
    match seated {
        Some(_) if asking.is_outranked() => Answer::Outranked,
        Some(uid) => Answer::Seated(uid),
        None if outcome.is_ok() && !code.is_retryable() => Answer::Refused,
        None => Answer::Unanswered,
    }
}

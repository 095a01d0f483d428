//! A request of a client that a route leads to a script: the script is asked, its effects are carried out, and the client
//! gets an answer whatever goes wrong.

use std::sync::Arc;

use bytes::Bytes;

use super::gate::Busy;
use super::link::Host;
use super::router::Asking;
use crate::config::Route;
use crate::id::Uid;
use crate::metric::Metric;
use crate::script::{Argument, Arguments, CallError};
use crate::wire::ReplyCode;
use crate::wire::body::{refusal, try_again};

/// A frame that was read and may be served.
#[derive(Debug)]
pub(super) struct Request {
    /// How it is served.
    pub route: Arc<Route>,
    /// The user on whose shard the script runs; `None` for the session's own.
    pub other: Option<Uid>,
    /// The whole body, one JSON object.
    pub body: Bytes,
}

/// Asks the script, carries out what it says, and sees to it that the client is answered.
pub(super) async fn ask(host: Host<'_>, request: Request) {
    let Request { route, other, body } = request;
    let session = host.handle.record();
    let own = session.as_ref().map(|session| session.seat.uid.clone());
    let Some(uid) = other.clone().or(own.clone()) else { return };
    // What a visitor or a session writes is UTF-8: it was read as JSON.
    let body = String::from_utf8_lossy(&body);
    let mut arguments = Arguments::new().with(Argument::Body, body.as_ref());
    if let Some(session) = session {
        arguments.set(Argument::Class, session.seat.class.to_string());
        arguments.set(Argument::Epoch, session.rank.epoch.to_string());
    }
    if let (Some(_), Some(own)) = (other, &own) {
        arguments.set(Argument::Peer, own.to_string());
    }
    let mut asking = Asking::new(host);
    let outcome = asking.run(&route.script, &uid, arguments).await;
    let label = match (&outcome, asking.replied()) {
        (_, Some(code)) => {
            if code == ReplyCode::Success {
                "ok"
            } else {
                "refused"
            }
        }
        (Ok(()), None) => "ok",
        (Err(CallError::Away { .. }), None) => "away",
        (Err(CallError::Lost { .. }), None) => "lost",
        (Err(_), None) => "failed",
    };
    Metric::Requests.counter_of(label).increment(1);
    if let (Err(error), Some(_)) = (&outcome, asking.replied()) {
        tracing::error!(script = route.script, %uid, %error, "a request failed behind its answer");
    }
    if asking.replied().is_none() {
        answer_client(host, &route, &uid, outcome);
    }
}

/// Answers a request that the store is not asked for, because too many wait for their turn.
pub(super) fn refuse(host: Host<'_>, route: &Route, busy: Busy) {
    Metric::Requests.counter_of("busy").increment(1);
    if route.reply != 0 {
        let retry_after_ms = u64::try_from(busy.retry_after.as_millis()).unwrap_or(u64::MAX);
        host.gateway.push(host.handle, try_again(route.reply, retry_after_ms));
    }
}

/// No script has answered: the client learns at least that, unless it is not to be answered at all.
fn answer_client(host: Host<'_>, route: &Route, uid: &Uid, outcome: Result<(), CallError>) {
    let sid = host.handle.sid();
    let frame = match outcome {
        Err(error) => match error.retry_after_ms() {
            Some(retry_after_ms) => {
                tracing::warn!(script = route.script, %uid, %sid, %error, "a request could not be answered");
                try_again(route.reply, retry_after_ms)
            }
            None => {
                tracing::error!(script = route.script, %uid, %sid, %error, "a request failed in a script");
                refusal(route.reply, ReplyCode::Internal, None)
            }
        },
        // Whoever is closing was told why.
        Ok(()) if route.reply == 0 || host.handle.closing().is_some() => return,
        Ok(()) => {
            tracing::error!(script = route.script, %uid, %sid, "a script answered nothing to its client");
            refusal(route.reply, ReplyCode::Internal, None)
        }
    };
    if route.reply != 0 {
        host.gateway.push(host.handle, frame);
    }
}

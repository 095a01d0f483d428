//! The end of a connection: the last frame goes out whole, nothing is served any more, and the client gets time to
//! close first.
//!
//! A kicked client is left to close by itself, which keeps TIME_WAIT off this side. Every other one is told by the end
//! of the stream too, so that its death is seen at once. Who has not closed when the grace is over is reset.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::time::sleep;

use super::link::{Host, Link};
use crate::metric::Metric;
use crate::reason::Reason;
use crate::session::{ClosedBy, Closing};
use crate::wire::body::goodbye;

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Parted {
    /// All that waited, the last frame included, was written.
    is_told: bool,
    /// The client did not close within the grace.
    is_forced: bool,
}

/// Writes what waits and waits for the client to close, at most for the grace time.
pub(super) async fn part(host: Host<'_>, link: &mut Link) {
    let closing = host.handle.closing().unwrap_or(Closing { reason: None, by: ClosedBy::Client });
    if let Some(reason) = closing.reason {
        Metric::Closes.counter_of(reason.as_str()).increment(1);
    }
    if closing.reason == Some(Reason::Expired) && closing.by == ClosedBy::Node {
        Metric::Expiries.counter().increment(1);
    }
    let parted = let_go(host, link, closing.by).await;
    if parted.is_forced {
        link.abort();
    }
    let reason = closing.reason.map_or("left", Reason::as_str);
    tracing::debug!(sid = %host.handle.sid(), reason, told = parted.is_told, forced = parted.is_forced, "a connection ended");
    if closing.by == ClosedBy::Kick {
        Metric::Kicks.counter_of(if parted.is_forced { "forced" } else { "closed" }).increment(1);
    }
}

/// A session that was bound too late waits for the kick that tells it so: only the store says who was displaced. If none
/// comes, it is sent away without a word of that, the store hears of its end, and its next login learns the rest.
pub(super) async fn await_notice(host: Host<'_>, link: &mut Link) {
    let mut patience = pin!(sleep(host.gateway.options.grace));
    poll_fn(|context| {
        let is_broken = matches!(link.poll_write(context, host), Poll::Ready(Err(_)));
        if is_broken || link.poll_discard(context).is_ready() {
            host.handle.leave();
        }
        if host.handle.poll_closing(context).is_ready() {
            return Poll::Ready(());
        }
        patience.as_mut().poll(context)
    })
    .await;
    host.handle.close(Reason::Internal, goodbye(Reason::Internal));
}

async fn let_go(host: Host<'_>, link: &mut Link, by: ClosedBy) -> Parted {
    let mut grace = pin!(sleep(host.gateway.options.grace));
    let (mut is_told, mut has_closed) = (false, false);
    let is_forced = poll_fn(|context| {
        if !is_told {
            match link.poll_write(context, host) {
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(())) => {
                    is_told = true;
                    match by {
                        ClosedBy::Kick => Metric::Kicks.counter_of("told").increment(1),
                        ClosedBy::Node => link.finish(),
                        ClosedBy::Client => {}
                    }
                }
                Poll::Pending => {}
            }
        }
        has_closed = has_closed || link.poll_discard(context).is_ready();
        // A client that only closed its own direction still gets what was begun.
        if is_told && has_closed {
            return Poll::Ready(false);
        }
        grace.as_mut().poll(context).map(|()| true)
    })
    .await;
    Parted { is_told, is_forced }
}

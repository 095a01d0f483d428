//! Accepts connections, and refuses them where there are too many, without ever spinning or stopping.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use super::Gateway;
use super::connection::Task;
use super::link::{Host, Link};
use super::parting;
use crate::id::Sid;
use crate::metric::Metric;
use crate::reason::Reason;
use crate::session::Handle;
use crate::wire::ReplyCode;
use crate::wire::body::{goodbye, goodbye_with};

/// Refused connections that are told so at once; more of them are reset without a word.
pub(super) const REFUSALS_MAX: usize = 256;
/// Pause after an error that the next attempt would meet again, such as running out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that the system may hold for this process while it is busy; a storm of clients is not turned away.
const BACKLOG: i32 = 4_096;

/// Accepts for as long as it is polled.
pub(super) async fn accept(gateway: &Arc<Gateway>, listener: &TcpListener) {
    prepare(gateway, listener);
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                is_failing = false;
                welcome(gateway, stream, peer);
            }
            Err(error) => {
                Metric::AcceptErrors.counter().increment(1);
                if is_of_one_connection(&error) {
                    continue;
                }
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(%error, "connections cannot be accepted; trying again until they can");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What every connection inherits: the system holds no more for a client that does not read than the mailbox does.
fn prepare(gateway: &Gateway, listener: &TcpListener) {
    let socket = SockRef::from(listener);
    let prepared = socket.listen(BACKLOG).and_then(|()| socket.set_send_buffer_size(gateway.options.bounds.bytes_max));
    if let Err(error) = prepared {
        tracing::warn!(%error, "the listening socket keeps the system's defaults");
    }
}

/// Errors that say something of the connection that was about to be accepted, not of this process.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Each frame goes out by itself and at once: old clients misread two that arrive together.
fn welcome(gateway: &Arc<Gateway>, stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "the connection broke while it was accepted");
        return;
    }
    if gateway.map.connection_count() >= gateway.options.connections_max {
        return refuse(gateway, stream, peer);
    }
    let handle = Arc::new(Handle::new(Sid::new(), peer, gateway.now_ms()));
    let task = Task::open(gateway.clone(), stream, handle.clone());
    if let Some(reason) = gateway.stopping.get() {
        handle.close(*reason, goodbye(*reason));
    }
    tokio::spawn(task);
}

/// Tells a client that there is no room. It holds no session and is not in the map.
fn refuse(gateway: &Arc<Gateway>, stream: TcpStream, peer: SocketAddr) {
    Metric::Refusals.counter_of(ReplyCode::TooMany.word()).increment(1);
    let handle = Handle::new(Sid::new(), peer, gateway.now_ms());
    let mut link = Link::new(stream, gateway.options.body_bytes_max);
    let Ok(permit) = gateway.refusals.clone().try_acquire_owned() else {
        return link.abort();
    };
    handle.close(Reason::Internal, goodbye_with(Reason::Internal, ReplyCode::TooMany));
    let gateway = gateway.clone();
    tokio::spawn(async move {
        parting::part(Host { gateway: &gateway, handle: &handle }, &mut link).await;
        drop(permit);
    });
}

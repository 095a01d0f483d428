//! The task of one connection: visitor, then session, then the end, in straight lines.
//!
//! Everything large that a connection needs now and then (a login, the end) lives in a box for that long, so an idle
//! one is a small future. However the task ends, its session ends with it and leaves the map.

use std::future::{Future, poll_fn};
use std::sync::Arc;

use tokio::net::TcpStream;

use super::Gateway;
use super::link::{Host, Link, Turn};
use super::login::{self, Answer};
use super::parting;
use super::session::Session;
use super::visitor::{Receive, Visitor};
use crate::reason::Reason;
use crate::session::Handle;
use crate::wire::body::goodbye_with;
use crate::wire::{LoginRequest, ReplyCode};

/// One client connection, from acceptance to its last byte.
pub(super) struct Connection {
    gateway: Arc<Gateway>,
    handle: Arc<Handle>,
    link: Link,
}

impl Connection {
    /// Takes its place in the map and under the clock. From here on its sid is known, long before its login is sent.
    pub fn open(gateway: Arc<Gateway>, stream: TcpStream, handle: Arc<Handle>) -> Self {
        let link = Link::new(stream, gateway.options.body_bytes_max);
        let displaced = gateway.map.insert(handle.clone());
        debug_assert!(displaced.is_none(), "a sid is made once");
        gateway.meter.connections.increment(1);
        gateway.watch_over(&handle);
        tracing::debug!(sid = %handle.sid(), address = %handle.peer(), "a connection was accepted");
        Self { gateway, handle, link }
    }

    /// Serves the client until the connection is over.
    pub async fn run(&mut self) {
        if let Some(session) = self.visit().await {
            self.attend(session).await;
        }
        self.gateway.end(&self.handle);
        let host = Host { gateway: &self.gateway, handle: &self.handle };
        Box::pin(parting::part(host, &mut self.link)).await;
    }

    /// Before the login. Answers the session's side once the store has given a seat.
    async fn visit(&mut self) -> Option<Session> {
        let mut visitor = Visitor::default();
        loop {
            match self.next_login(&mut visitor).await? {
                Answer::Seated(uid) => return Some(visitor.admit(uid)),
                Answer::Unanswered => {}
                Answer::Refused if visitor.refused() < self.gateway.options.login_attempts_max => {}
                Answer::Refused => {
                    self.handle.close(Reason::AuthTimeout, goodbye_with(Reason::AuthTimeout, ReplyCode::TooMany));
                }
                Answer::Outranked => {
                    let host = Host { gateway: &self.gateway, handle: &self.handle };
                    Box::pin(parting::await_notice(host, &mut self.link)).await;
                }
            }
        }
    }

    /// After the login. A further login of the same user on the same connection asks the store again.
    async fn attend(&mut self, mut session: Session) {
        while self.next_login(&mut session).await.is_some() {}
    }

    /// Serves until a login has been asked for and answered; `None` once the connection is closing.
    async fn next_login<R: Receive>(&mut self, receiver: &mut R) -> Option<Answer> {
        let Self { gateway, handle, link } = self;
        let host = Host { gateway, handle };
        match poll_fn(|context| link.poll_turn(context, host, receiver)).await {
            Turn::Login(request) => Some(Self::login(host, link, request).await),
            Turn::Over => None,
        }
    }

    /// Reading pauses until the store has answered; frames of others still go out.
    fn login<'a>(host: Host<'a>, link: &'a mut Link, request: LoginRequest) -> impl Future<Output = Answer> + 'a {
        let mut asking = Box::pin(login::ask(host, request));
        poll_fn(move |context| {
            // A broken connection shows at the next turn; the answer has to be carried out in any case.
            let _ = link.poll_write(context, host);
            asking.as_mut().poll(context)
        })
    }
}

impl Drop for Connection {
    /// Also where the task was cancelled or a fault unwound it: nothing of the session stays behind.
    fn drop(&mut self) {
        self.handle.leave();
        self.gateway.end(&self.handle);
        self.gateway.map.remove(self.handle.sid());
        self.gateway.meter.connections.decrement(1);
        if self.gateway.stopping.get().is_some() && self.gateway.map.connection_count() == 0 {
            self.gateway.emptied.notify_waiters();
        }
    }
}

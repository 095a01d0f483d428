//! The task of one connection: it visits, it is served, and in between it is busy with a login or its end.
//!
//! Two of these states are those of an idle connection, and the task is no larger than they are: it is a state machine
//! by hand, because a compiled one would keep room for everything that a connection ever does. What takes time owns
//! the connection for as long as it takes, in a box. However the task ends, its session ends with it and leaves the map.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use super::Gateway;
use super::link::{Host, Link, Turn};
use super::login::{self, Answer};
use super::parting;
use super::request::{self, Request};
use super::session::Session;
use super::visitor::{Receive, Visitor};
use crate::reason::Reason;
use crate::session::Handle;
use crate::wire::body::goodbye_with;
use crate::wire::{LoginRequest, ReplyCode};

/// The future that serves a client until its connection is over.
pub(super) struct Task(State);

/// What a connection is doing.
enum State {
    /// It has not logged in.
    Visiting(Connection, Visitor),
    /// It has.
    Serving(Connection, Session),
    /// A login, or the end.
    Busy(Pin<Box<dyn Future<Output = State> + Send>>),
    /// Nothing is left.
    Over,
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let state = match &mut self.0 {
                State::Visiting(connection, visitor) => {
                    let turn = ready!(connection.poll_turn(context, visitor));
                    mem::replace(&mut self.0, State::Over).after(turn)
                }
                State::Serving(connection, session) => {
                    let turn = ready!(connection.poll_turn(context, session));
                    mem::replace(&mut self.0, State::Over).after(turn)
                }
                State::Busy(work) => ready!(work.as_mut().poll(context)),
                State::Over => return Poll::Ready(()),
            };
            self.0 = state;
        }
    }
}

impl State {
    fn after(self, turn: Turn) -> Self {
        match (self, turn) {
            (State::Visiting(connection, visitor), Turn::Login(request)) => {
                State::Busy(Box::pin(connection.log_in(visitor, request)))
            }
            (State::Serving(connection, session), Turn::Login(request)) => {
                State::Busy(Box::pin(connection.log_in_again(session, request)))
            }
            (State::Visiting(connection, visitor), Turn::Ask(request)) => {
                State::Busy(Box::pin(connection.ask(request, |connection| State::Visiting(connection, visitor))))
            }
            (State::Serving(connection, session), Turn::Ask(request)) => {
                State::Busy(Box::pin(connection.ask(request, |connection| State::Serving(connection, session))))
            }
            (State::Visiting(connection, _) | State::Serving(connection, _), Turn::Over) => connection.end(),
            (state, _) => state,
        }
    }
}

/// One client connection, from acceptance to its last byte.
struct Connection {
    gateway: Arc<Gateway>,
    handle: Arc<Handle>,
    link: Link,
}

impl Task {
    /// Takes the connection's place in the map and under the clock. From here on its sid is known, long before its
    /// login is sent.
    pub fn open(gateway: Arc<Gateway>, stream: TcpStream, handle: Arc<Handle>) -> Self {
        let link = Link::new(stream, gateway.options.body_bytes_max);
        let displaced = gateway.map.insert(handle.clone());
        debug_assert!(displaced.is_none(), "a sid is made once");
        gateway.meter.connections.increment(1);
        gateway.watch_over(&handle);
        tracing::debug!(sid = %handle.sid(), address = %handle.peer(), "a connection was accepted");
        Self(State::Visiting(Connection { gateway, handle, link }, Visitor::default()))
    }
}

impl Connection {
    fn poll_turn(&mut self, context: &mut Context<'_>, receiver: &mut impl Receive) -> Poll<Turn> {
        let host = Host { gateway: &self.gateway, handle: &self.handle };
        self.link.poll_turn(context, host, receiver)
    }

    /// Before the login. It becomes a session once the store has given it a seat.
    async fn log_in(mut self, mut visitor: Visitor, request: LoginRequest) -> State {
        match self.ask_to_log_in(request).await {
            Answer::Seated(uid) => return State::Serving(self, visitor.admit(uid)),
            Answer::Unanswered => {}
            Answer::Refused if visitor.refused() < self.gateway.options.login_attempts_max => {}
            Answer::Refused => {
                self.handle.close(Reason::AuthTimeout, goodbye_with(Reason::AuthTimeout, ReplyCode::TooMany));
            }
            Answer::Outranked => {
                let host = Host { gateway: &self.gateway, handle: &self.handle };
                parting::await_notice(host, &mut self.link).await;
            }
        }
        State::Visiting(self, visitor)
    }

    /// A further login of the same user on the same connection asks the store again; the session is what it was.
    async fn log_in_again(mut self, session: Session, request: LoginRequest) -> State {
        self.ask_to_log_in(request).await;
        State::Serving(self, session)
    }

    /// A request of a client, in whatever state; it stays the same.
    async fn ask(mut self, request: Request, again: impl FnOnce(Self) -> State) -> State {
        let Self { gateway, handle, link } = &mut self;
        let host = Host { gateway, handle };
        let asking = async {
            match gateway.turn().await {
                Ok(_turn) => Box::pin(request::ask(host, request)).await,
                Err(busy) => request::refuse(host, &request.route, busy),
            }
        };
        attend(link, host, asking).await;
        again(self)
    }

    async fn ask_to_log_in(&mut self, request: LoginRequest) -> Answer {
        let Self { gateway, handle, link } = self;
        let host = Host { gateway, handle };
        // The logins that wait for their turn are small; those in flight are not.
        let asking = async {
            match gateway.turn().await {
                Ok(_turn) => Box::pin(login::ask(host, request)).await,
                Err(busy) => login::refuse(host, &request.uid, busy),
            }
        };
        attend(link, host, asking).await
    }

    /// The session is over at once; the connection when its client has gone or the grace is over.
    fn end(mut self) -> State {
        self.gateway.end(&self.handle);
        State::Busy(Box::pin(async move {
            parting::part(Host { gateway: &self.gateway, handle: &self.handle }, &mut self.link).await;
            State::Over
        }))
    }
}

/// Reading pauses until the store has answered; frames of others still go out.
async fn attend<T>(link: &mut Link, host: Host<'_>, asking: impl Future<Output = T>) -> T {
    let mut asking = pin!(asking);
    poll_fn(|context| {
        // A broken connection shows at the next turn; the answer has to be carried out in any case.
        let _ = link.poll_write(context, host);
        asking.as_mut().poll(context)
    })
    .await
}

impl Drop for Connection {
    /// Also where the task was cancelled or a fault unwound it: nothing of the session stays behind.
    fn drop(&mut self) {
        self.handle.leave();
        self.gateway.end(&self.handle);
        self.gateway.map.remove(self.handle.sid());
        self.gateway.measure_kick(self.handle.sid());
        self.gateway.meter.connections.decrement(1);
        if self.gateway.stopping.get().is_some() && self.gateway.map.connection_count() == 0 {
            self.gateway.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million idle connections are a million of these: with tokio's own 88 bytes the task takes 256.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Task>() <= 160, "a task has {} bytes", size_of::<Task>());
        // With the two counts of its Arc 224 bytes, which is a size that the allocator has.
        assert!(size_of::<Handle>() <= 208, "a handle has {} bytes", size_of::<Handle>());
    }
}

//! The event loop: accepts, reads, runs, writes, expires, and sleeps until something happens.
//!
//! Requests of one client are run in the order they came; all complete ones of a read are answered with one write.
//! Nobody is read from without end in one pass, and nobody's unread replies grow without bound.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ahash::RandomState;
use mio::net::UnixListener;
use mio::{Events, Interest, Poll, Token};

use super::aof::journal::Journal;
use super::busy;
use super::client::ClientId;
use super::connection::{Connection, Progress};
use super::core::Core;
use super::engine::Engine;

/// The token by which another thread wakes the loop.
pub const WAKE: Token = Token(0);
const LISTENER: Token = Token(1);
/// Tokens of connections are their client's id plus this.
const FIRST: u64 = 2;
/// Keys removed per pass when their deadline has come.
const EXPIRE_BATCH: usize = 200;

type Shared<T> = Rc<RefCell<T>>;

/// What the loop works on; shared with the watch over long scripts.
pub struct Sockets {
    poll: RefCell<Poll>,
    listener: UnixListener,
    connections: RefCell<HashMap<ClientId, Shared<Connection>, RandomState>>,
    pub core: Shared<Core>,
    /// Clients to be served, and whether they have something to read. A long script answers them from here, too:
    /// what the poll has reported once it does not report again.
    ready: RefCell<VecDeque<(ClientId, bool)>>,
    /// Clients whose replies wait for the append-only file.
    held: RefCell<HashSet<ClientId, RandomState>>,
    /// Memory for the next replies, so that idle clients hold none.
    spare: RefCell<Vec<u8>>,
    /// Set by another thread to end the loop.
    stop: Arc<AtomicBool>,
}

impl Sockets {
    /// Waits for events, at most for a time, and queues the connections that became ready.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.borrow_mut().poll(events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in events.iter() {
            match event.token() {
                WAKE => {}
                LISTENER => self.accept(),
                token => {
                    let readable = event.is_readable() || event.is_read_closed();
                    let id = token.0 as u64 - FIRST;
                    self.ready.borrow_mut().push_back((id, readable));
                    if event.is_read_closed() {
                        // One turn reads the last bytes, the next one the end.
                        self.serve_again(id);
                    }
                }
            }
        }
        Ok(())
    }

    /// The next client to be served.
    pub fn next_ready(&self) -> Option<(ClientId, bool)> {
        self.ready.borrow_mut().pop_front()
    }

    /// Queues a client for another turn after the others.
    pub fn serve_again(&self, id: ClientId) {
        self.ready.borrow_mut().push_back((id, true));
    }

    /// Clients that wait to be served.
    pub fn waiting(&self) -> usize {
        self.ready.borrow().len()
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire) || self.core.borrow().shutdown
    }

    fn accept(&self) {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!(%error, "a client of the embedded store could not be accepted");
                    return;
                }
            };
            let id = self.core.borrow_mut().connect();
            let token = Token((id + FIRST) as usize);
            if let Err(error) = self.poll.borrow().registry().register(&mut stream, token, Interest::READABLE) {
                tracing::warn!(%error, "a client of the embedded store could not be registered");
                self.core.borrow_mut().disconnect(id);
                continue;
            }
            let connection = Rc::new(RefCell::new(Connection::new(id, stream)));
            self.connections.borrow_mut().insert(id, connection);
        }
    }

    pub fn connection(&self, id: ClientId) -> Option<Shared<Connection>> {
        self.connections.borrow().get(&id).map(Rc::clone)
    }

    /// Sends what waits for a client; forgets the client when it is done or gone.
    pub fn flush(&self, connection: &mut Connection) {
        let mut core = self.core.borrow_mut();
        let limit = core.config.output_bytes_max;
        let settled = core.log.settled;
        let Some(client) = core.clients.get_mut(&connection.id) else {
            return;
        };
        if client.held_until > settled {
            let is_too_much = client.outbox.buffer.len() > limit;
            drop(core);
            if is_too_much {
                return self.close(connection);
            }
            self.held.borrow_mut().insert(connection.id);
            return;
        }
        let progress = connection.write(&mut client.outbox.buffer, &mut self.spare.borrow_mut(), limit);
        let closing = client.closing;
        drop(core);
        let done = match progress {
            Progress::Sent => closing,
            Progress::Waiting => false,
            Progress::Gone => true,
        };
        if done {
            self.close(connection);
            return;
        }
        if connection.wants_write != (progress == Progress::Waiting) {
            connection.wants_write = progress == Progress::Waiting;
            let interest =
                if connection.wants_write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let token = Token((connection.id + FIRST) as usize);
            let registered = self.poll.borrow().registry().reregister(&mut connection.stream, token, interest);
            if registered.is_err() {
                self.close(connection);
            }
        }
    }

    /// Sends to those whose replies waited for the append-only file; who still has to wait is held again.
    fn release(&self) {
        for id in self.held.take() {
            if let Some(connection) = self.connection(id) {
                self.flush(&mut connection.borrow_mut());
            }
        }
    }

    /// Has a client that closed its side closed once its replies, which wait for the append-only file, are sent; false
    /// when none waits.
    fn close_later(&self, id: ClientId) -> bool {
        let mut core = self.core.borrow_mut();
        let settled = core.log.settled;
        let Some(client) = core.clients.get_mut(&id) else { return false };
        client.closing |= client.held_until > settled;
        client.held_until > settled
    }

    pub fn close(&self, connection: &mut Connection) {
        // The descriptor closes with the stream, whatever this answers.
        let _ = self.poll.borrow().registry().deregister(&mut connection.stream);
        self.connections.borrow_mut().remove(&connection.id);
        self.core.borrow_mut().disconnect(connection.id);
    }
}

/// The loop with its engine.
pub struct EventLoop {
    engine: Engine,
    sockets: Rc<Sockets>,
    journal: Option<Journal>,
    /// Where reads land before they are appended to a parser's buffer.
    landing: Vec<u8>,
    /// Memory for the next requests, so that idle clients hold none.
    spare: Vec<u8>,
}

impl EventLoop {
    pub fn new(
        poll: Poll,
        listener: StdListener,
        engine: Engine,
        journal: Option<Journal>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<EventLoop> {
        let mut listener = UnixListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let sockets = Rc::new(Sockets {
            poll: RefCell::new(poll),
            listener,
            connections: RefCell::default(),
            core: Rc::clone(&engine.core),
            ready: RefCell::default(),
            held: RefCell::default(),
            spare: RefCell::default(),
            stop,
        });
        let watched = Rc::downgrade(&sockets);
        let looked = Cell::new(Instant::now());
        engine.host.set_watch(Box::new(move |overdue| match watched.upgrade() {
            Some(sockets) => busy::watch(&sockets, &looked, overdue),
            None => super::lua::host::Verdict::GoOn,
        }));
        Ok(EventLoop { engine, sockets, journal, landing: vec![0; 64 * 1024], spare: Vec::new() })
    }

    /// Serves until told to stop.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let served = self.serve_all(&mut events);
        if let Some(journal) = self.journal.take() {
            journal.finish(&mut self.sockets.core.borrow_mut());
            self.sockets.release();
        }
        served
    }

    fn serve_all(&mut self, events: &mut Events) -> io::Result<()> {
        let mut timeout = Some(Duration::ZERO);
        while !self.sockets.is_stopping() {
            self.sockets.wait(events, timeout)?;
            // Those who are queued again during this pass wait for the next one.
            for _ in 0..self.sockets.waiting() {
                if let Some((id, readable)) = self.sockets.next_ready() {
                    self.serve(id, readable);
                }
            }
            let more = self.expire();
            self.settle();
            self.deliver();
            timeout = if more { Some(Duration::ZERO) } else { self.patience() };
        }
        match self.sockets.core.borrow().db.changing {
            true => Err(io::Error::other("a command panicked amid its changes, so nobody knows what the keys hold")),
            false => Ok(()),
        }
    }

    /// Removes keys whose time has come; true when there may be more.
    fn expire(&self) -> bool {
        let mut core = self.sockets.core.borrow_mut();
        if core.db.next_deadline_ms().is_none() {
            return false;
        }
        core.tick();
        let more = core.db.expire_due(EXPIRE_BATCH);
        core.publish_events();
        core.db.effects.close();
        more
    }

    /// Writes down what the pass changed, and lets the replies go that waited for it.
    fn settle(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.pass(&mut self.sockets.core.borrow_mut());
            self.sockets.release();
        }
    }

    /// How long the loop may sleep.
    fn patience(&self) -> Option<Duration> {
        let core = self.sockets.core.borrow();
        if self.sockets.waiting() > 0 || !core.mail.is_empty() {
            return Some(Duration::ZERO);
        }
        let now_ms = core.clock.now_us() / 1000;
        // A key is expired when its deadline is over, hence one more millisecond.
        let expiry = core.db.next_deadline_ms().map(|at| Duration::from_millis(at.saturating_sub(now_ms) + 1));
        let journal = self.journal.as_ref().and_then(|journal| journal.patience(core.config.fsync));
        [expiry, journal].into_iter().flatten().min()
    }

    /// Reads from a client, runs what is complete, and answers.
    fn serve(&mut self, id: ClientId, readable: bool) {
        let Some(shared) = self.sockets.connection(id) else {
            return;
        };
        let mut connection = shared.borrow_mut();
        if readable {
            connection.parser.borrow_memory(&mut self.spare);
            let (progress, more) = connection.read(&mut self.landing);
            if more {
                self.sockets.serve_again(id);
            }
            self.run_requests(&mut connection);
            connection.parser.return_memory(&mut self.spare);
            if progress == Progress::Gone && !self.sockets.close_later(id) {
                self.sockets.close(&mut connection);
                return;
            }
        }
        self.sockets.flush(&mut connection);
    }

    fn run_requests(&self, connection: &mut Connection) {
        let id = connection.id;
        let mut out = {
            let mut core = self.sockets.core.borrow_mut();
            let now_us = core.now_us;
            let Some(client) = core.clients.get_mut(&id).filter(|client| !client.closing) else {
                return;
            };
            client.last_seen_us = now_us;
            std::mem::take(&mut client.outbox)
        };
        if out.buffer.capacity() == 0 {
            std::mem::swap(&mut out.buffer, &mut self.sockets.spare.borrow_mut());
        }
        loop {
            match connection.parser.advance() {
                Ok(true) => self.engine.dispatch(id, &connection.parser.arguments(), &mut out),
                Ok(false) => break,
                Err(error) => {
                    out.error(error.to_string().as_bytes());
                    self.sockets.core.borrow_mut().close_client(id);
                    break;
                }
            }
            let core = self.sockets.core.borrow();
            if core.clients.get(&id).is_none_or(|client| client.closing) || core.shutdown {
                break;
            }
        }
        if let Some(client) = self.sockets.core.borrow_mut().clients.get_mut(&id) {
            // Whatever was pushed to it meanwhile came from its own commands and follows their replies.
            let resp3 = client.resp3;
            out.buffer.append(&mut client.outbox.buffer);
            client.outbox = out;
            client.outbox.resp3 = resp3;
        }
    }

    /// Sends to clients that got messages from the commands of others, and ends those that were killed.
    fn deliver(&self) {
        let mail = std::mem::take(&mut self.sockets.core.borrow_mut().mail);
        for id in mail {
            if let Some(connection) = self.sockets.connection(id) {
                self.sockets.flush(&mut connection.borrow_mut());
            }
        }
    }
}

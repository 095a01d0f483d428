//! A client of the wire, by the reference alone: two bytes of id, two of length, both big-endian, and a JSON body.
//!
//! It checks what every client relies on: whole frames only, and bodies that are objects with a number `error`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::SockRef;

use super::wait::PATIENCE;

/// What came from the server.
#[derive(Clone, PartialEq, Debug)]
pub enum Seen {
    Frame(u16, Value),
    /// Closed or reset.
    End,
}

/// One client socket.
pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    ended: bool,
}

/// The bytes of one frame.
pub fn frame(id: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("tests know the limit of a length");
    [&id.to_be_bytes()[..], &length.to_be_bytes()[..], body].concat()
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot connect: {error}"));
        stream.set_nodelay(true).expect("a fresh socket takes options");
        Self::over(stream)
    }

    /// A client over a socket with options of its own.
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new(), ended: false }
    }

    pub fn local(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends a request.
    pub fn send(&mut self, id: u16, body: &Value) {
        self.send_bytes(&frame(id, body.to_string().as_bytes()));
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// Sends where the server may have closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends as much of endlessly repeated bytes as the server takes at once; `at` is where it left off.
    pub fn pour(&mut self, bytes: &[u8], at: &mut usize) -> std::io::Result<()> {
        match self.stream.write(&bytes[*at..]) {
            Ok(count) => *at = (*at + count) % bytes.len(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Dies as a client does whose machine resets the connection.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("the socket is open");
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).expect("the socket is open");
    }

    /// The next frame, or the end.
    pub fn next(&mut self) -> Seen {
        self.next_within(PATIENCE).expect("the server says or does something")
    }

    /// The next frame, or the end; `None` where neither comes in time.
    pub fn next_within(&mut self, time: Duration) -> Option<Seen> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(seen) = self.take() {
                return Some(seen);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.fill(left) {
                return None;
            }
        }
    }

    /// The body of the next frame, which has to have this id.
    pub fn expect(&mut self, id: u16) -> Value {
        match self.next() {
            Seen::Frame(got, body) if got == id => body,
            other => panic!("expected a frame {id}, got {other:?}"),
        }
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> Vec<(u16, Value)> {
        let mut frames = Vec::new();
        while let Seen::Frame(id, body) = self.next() {
            frames.push((id, body));
        }
        frames
    }

    /// The server closes without another word.
    pub fn expect_end(&mut self) {
        assert_eq!(self.rest(), [], "nothing more was expected");
    }

    /// The server says goodbye for a reason, and closes.
    pub fn expect_goodbye(&mut self, reason: &str) -> Value {
        let goodbye = self.expect(1101);
        assert_eq!(goodbye["reason"], reason, "{goodbye}");
        self.expect_end();
        goodbye
    }

    /// Asks to log in; answers with the body of 1006, whatever it says.
    pub fn log_in(&mut self, uid: u64, token: &str) -> Value {
        self.send(1005, &json!({ "uid": uid, "token": token }));
        self.expect(1006)
    }

    /// A heartbeat that has to be answered next: the connection is alive, and nothing else waited in it.
    pub fn beat(&mut self, uid: u64) {
        self.send(1023, &json!({ "fromuid": uid }));
        assert_eq!(self.expect(1024), json!({ "error": 0 }));
    }

    /// Whole frames first; at the end nothing may be left over, or a frame was cut.
    fn take(&mut self) -> Option<Seen> {
        if let [a, b, c, d, ref rest @ ..] = self.unread[..] {
            let (id, length) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
            if let Some(body) = rest.get(..length) {
                let body = read_body(id, body);
                self.unread.drain(..4 + length);
                return Some(Seen::Frame(id, body));
            }
        }
        assert!(!self.ended || self.unread.is_empty(), "a frame was cut: {:?}", self.unread);
        self.ended.then_some(Seen::End)
    }

    /// Reads once; whether something came of it.
    fn fill(&mut self, time: Duration) -> bool {
        let mut chunk = [0; 4096];
        self.stream.set_read_timeout(Some(time)).expect("the time is not zero");
        match self.stream.read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return false,
                ErrorKind::Interrupted => {}
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => self.ended = true,
                _ => panic!("cannot read: {error}"),
            },
        }
        true
    }
}

/// Old clients ignore a body without a number `error`, so none may lack it.
fn read_body(id: u16, bytes: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("frame {id} is no JSON: {error}: {}", String::from_utf8_lossy(bytes)));
    assert!(body.is_object() && body["error"].is_u64(), "frame {id} has no number `error`: {body}");
    body
}

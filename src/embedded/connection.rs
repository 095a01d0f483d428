//! One connection: a stream with the parser of its requests.

use std::io::{self, Read, Write};

use mio::net::UnixStream;

use super::client::ClientId;
use super::resp::Parser;

/// Reads of one client in one pass; the rest waits until others had their turn.
const READS_MAX: usize = 16;
/// Most memory that an empty outbox hands on to the next client.
const SPARE_BYTES_MAX: usize = 256 * 1024;

/// How reading or writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All is sent, or all that was there is read.
    Sent,
    /// The other side must act first.
    Waiting,
    /// The other side is gone, or let too much wait.
    Gone,
}

/// A client's stream.
pub struct Connection {
    pub id: ClientId,
    pub stream: UnixStream,
    pub parser: Parser,
    /// Whether the loop was asked to report when the stream takes more bytes.
    pub wants_write: bool,
}

impl Connection {
    pub fn new(id: ClientId, stream: UnixStream) -> Connection {
        Connection { id, stream, parser: Parser::default(), wants_write: false }
    }

    /// Reads what is there into the parser; the flag tells that there may be more. A read that does not fill its
    /// buffer has emptied the stream, so that most requests cost one call.
    pub fn read(&mut self, landing: &mut [u8]) -> (Progress, bool) {
        for _ in 0..READS_MAX {
            match self.stream.read(landing) {
                Ok(0) => return (Progress::Gone, false),
                Ok(count) => {
                    self.parser.buffer_mut().extend_from_slice(&landing[..count]);
                    if count < landing.len() {
                        return (Progress::Waiting, false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (Progress::Waiting, false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return (Progress::Gone, false),
            }
        }
        (Progress::Sent, true)
    }

    /// Writes as much as the stream takes; a client that lets more than `limit` bytes wait is given up. The memory of
    /// an outbox that was sent becomes the spare one, so that idle clients hold none.
    pub fn write(&mut self, outbox: &mut Vec<u8>, spare: &mut Vec<u8>, limit: usize) -> Progress {
        let mut sent = 0;
        let progress = loop {
            if sent == outbox.len() {
                break Progress::Sent;
            }
            match self.stream.write(&outbox[sent..]) {
                Ok(0) => break Progress::Gone,
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Progress::Waiting,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break Progress::Gone,
            }
        };
        outbox.drain(..sent);
        if outbox.is_empty() && outbox.capacity() > 0 {
            *spare = std::mem::take(outbox);
            spare.shrink_to(SPARE_BYTES_MAX);
        }
        if outbox.len() > limit { Progress::Gone } else { progress }
    }
}

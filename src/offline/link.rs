//! A plain, blocking connection to a Redis server, for tests that run against a real one.
//!
//! One request, one reply, RESP2, no reconnection: whatever goes wrong ends the run, because a test must not be
//! repaired behind its back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::embedded::Reply;

/// Longest silence of the server before a run is given up.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Deepest nesting of a reply; no script of ours comes near it.
const DEPTH_MAX: usize = 16;

/// Where a server is and how it lets one in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Target {
    place: Place,
    /// User (may be empty) and password.
    login: Option<(String, String)>,
    database: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Place {
    Tcp(String),
    Unix(String),
}

impl Target {
    /// Reads `redis://[user:password@]host[:port][/database]` or `redis+unix:///path`.
    pub fn parse(url: &str) -> Option<Self> {
        if let Some(path) = url.strip_prefix("redis+unix://") {
            let place = Place::Unix(path.to_owned());
            return (!path.is_empty()).then(|| Self { place, login: None, database: String::new() });
        }
        let rest = url.strip_prefix("redis://")?;
        let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
        let login = login.map(|login| login.split_once(':').unwrap_or(("", login)));
        let (address, database) = rest.split_once('/').unwrap_or((rest, ""));
        let address = if address.contains(':') { address.to_owned() } else { format!("{address}:6379") };
        let is_number = database.bytes().all(|byte| byte.is_ascii_digit());
        (!address.starts_with(':') && is_number).then(|| Self {
            place: Place::Tcp(address),
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
            database: database.to_owned(),
        })
    }
}

/// A connection.
pub struct Link {
    reader: BufReader<Box<dyn Read>>,
    writer: Box<dyn Write>,
}

impl Link {
    /// Connects, authenticates and selects the database.
    pub fn open(target: &Target) -> io::Result<Self> {
        let (reader, writer): (Box<dyn Read>, Box<dyn Write>) = match &target.place {
            Place::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(SILENCE_MAX))?;
                stream.set_nodelay(true)?;
                (Box::new(stream.try_clone()?), Box::new(stream))
            }
            Place::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(SILENCE_MAX))?;
                (Box::new(stream.try_clone()?), Box::new(stream))
            }
        };
        let mut link = Self { reader: BufReader::new(reader), writer };
        match &target.login {
            Some((user, password)) if user.is_empty() => link.expect_ok(&["AUTH", password])?,
            Some((user, password)) => link.expect_ok(&["AUTH", user, password])?,
            None => {}
        }
        if !target.database.is_empty() {
            link.expect_ok(&["SELECT", &target.database])?;
        }
        Ok(link)
    }

    /// Sends one request and waits for its reply.
    pub fn call(&mut self, words: &[&[u8]]) -> io::Result<Reply> {
        self.send(words)?;
        self.read()
    }

    /// Sends one request.
    pub fn send(&mut self, words: &[&[u8]]) -> io::Result<()> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.writer.write_all(&request)
    }

    /// Waits for the next reply.
    pub fn read(&mut self) -> io::Result<Reply> {
        self.read_nested(0)
    }

    fn expect_ok(&mut self, words: &[&str]) -> io::Result<()> {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
        match self.call(&words)? {
            Reply::Error(text) => Err(io::Error::new(io::ErrorKind::PermissionDenied, text)),
            _ => Ok(()),
        }
    }

    fn read_nested(&mut self, depth: usize) -> io::Result<Reply> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").ok_or_else(|| broken("the server closed the connection"))?;
        let (kind, body) = line.split_at_checked(1).ok_or_else(|| broken("an empty reply"))?;
        let number = || body.parse::<i64>().map_err(|_| broken("a reply without its number"));
        match kind {
            "+" => Ok(Reply::Status(body.to_owned())),
            "-" => Ok(Reply::Error(body.to_owned())),
            ":" => Ok(Reply::Integer(number()?)),
            "$" => self.read_bulk(usize::try_from(number()?).ok()),
            "*" if depth == DEPTH_MAX => Err(broken("a reply that is nested too deep")),
            "*" => match usize::try_from(number()?) {
                Ok(count) => {
                    (0..count).map(|_| self.read_nested(depth + 1)).collect::<io::Result<_>>().map(Reply::Array)
                }
                Err(_) => Ok(Reply::Null),
            },
            _ => Err(broken("a reply of unknown kind")),
        }
    }

    fn read_bulk(&mut self, length: Option<usize>) -> io::Result<Reply> {
        let Some(length) = length else { return Ok(Reply::Null) };
        let mut bytes = Vec::new();
        self.reader.by_ref().take(length as u64 + 2).read_to_end(&mut bytes)?;
        if !bytes.ends_with(b"\r\n") {
            return Err(broken("a reply that is cut off"));
        }
        bytes.truncate(length);
        Ok(Reply::Bulk(bytes))
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(bytes: &'static [u8]) -> Link {
        Link { reader: BufReader::new(Box::new(bytes)), writer: Box::new(io::sink()) }
    }

    #[test]
    fn every_kind_of_reply_is_read() {
        let mut link = link(b"*5\r\n+OK\r\n-ERR no\r\n:-7\r\n$4\r\na\r\nb\r\n*-1\r\n$-1\r\n");
        let expected = vec![
            Reply::Status("OK".into()),
            Reply::Error("ERR no".into()),
            Reply::Integer(-7),
            Reply::Bulk(b"a\r\nb".to_vec()),
            Reply::Null,
        ];
        assert_eq!(link.read().expect("whole"), Reply::Array(expected));
        assert_eq!(link.read().expect("whole"), Reply::Null);
        assert!(link.read().is_err(), "nothing is left");
    }

    #[test]
    fn broken_replies_are_errors() {
        for bytes in [&b"$5\r\nab"[..], b"?\r\n", b"\r\n", b":x\r\n", b"+OK"] {
            assert!(link(Box::leak(bytes.to_vec().into_boxed_slice())).read().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn addresses_are_read() {
        let target = Target::parse("redis://me:a@b@host/2").expect("an address");
        assert_eq!(target.place, Place::Tcp("host:6379".into()));
        assert_eq!(target.login, Some(("me".into(), "a@b".into())));
        assert_eq!(target.database, "2");
        assert!(Target::parse("redis+unix:///tmp/s").is_some());
        for bad in ["rediss://host", "host:6379", "redis://", "redis://h/x", "redis+unix://"] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }
}

//! One device: dials, logs in, beats, and writes down everything that it sees. It follows the wire reference alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, interval_at, sleep_until, timeout, timeout_at};

use crate::history::{Answer, End, Notice, Record};
use crate::support::frame;

/// How long a client waits for a connection.
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client waits for the answer to its login: longer than any node waits for its store.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that is written down in the history.
pub struct Device {
    record: Arc<Record>,
    place: usize,
    uid: u64,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    unread: Vec<u8>,
    /// When the heartbeats were sent that have no answer yet, oldest first.
    beats: Vec<Duration>,
}

/// How a session ends by the will of its user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// It closes the connection.
    Closes,
    /// It loses interest, and is told to go for its silence.
    FallsSilent,
    /// It stays until it is told to go or the server closes.
    Stays,
}

impl Device {
    /// Dials a node and asks to log in. `None` where nobody listens.
    pub async fn dial(record: &Arc<Record>, uid: u64, node: usize, address: SocketAddr, token: &str) -> Option<Self> {
        let stream = timeout(DIAL_TIMEOUT, TcpStream::connect(address)).await.ok()?.ok()?;
        // Whoever dials a port that nobody listens on may be given that very port, and talk to itself.
        let is_itself = stream.local_addr().ok()? == stream.peer_addr().ok()?;
        stream.set_nodelay(true).ok().filter(|()| !is_itself)?;
        let (reader, mut writer) = stream.into_split();
        let place = record.begin(uid, node, token);
        let login = json!({ "uid": uid, "token": token }).to_string();
        let _ = writer.write_all(&frame(1005, login.as_bytes())).await;
        Some(Self { record: record.clone(), place, uid, reader, writer, unread: Vec::new(), beats: Vec::new() })
    }

    /// Waits for the answer to the login: the time to try again after, or 0 for a session; `None` where it was refused
    /// for good or the connection ended.
    pub async fn log_in(&mut self) -> Option<u64> {
        loop {
            let Ok(Some((id, body))) = timeout(LOGIN_TIMEOUT, self.next()).await else { return None };
            if id == 1006 {
                return match body["error"].as_u64() {
                    Some(0) => Some(0),
                    Some(1101) => Some(body["retry_after_ms"].as_u64().unwrap_or(1000).max(1)),
                    _ => None,
                };
            }
        }
    }

    /// Beats until the session is over, or until `until`, when it leaves as it wants to. Answers whether it was ended
    /// by the server.
    pub async fn live(&mut self, beat: Duration, until: Option<Instant>, leaving: Leaving) -> bool {
        let mut tick = interval_at(Instant::now(), beat);
        let mut is_silent = false;
        let far = Instant::now() + Duration::from_secs(86_400);
        loop {
            tokio::select! {
                seen = self.next() => match seen {
                    None => return true,
                    Some((1021 | 1101, _)) => {
                        self.read_on().await;
                        return true;
                    }
                    Some(_) => {}
                },
                _ = tick.tick(), if !is_silent => self.beat().await,
                () = sleep_until(until.unwrap_or(far)), if !is_silent && leaving != Leaving::Stays => {
                    if leaving == Leaving::Closes {
                        self.close().await;
                        return false;
                    }
                    is_silent = true;
                }
            }
        }
    }

    /// Ends the connection in order.
    pub async fn close(&mut self) {
        self.end(End::Client);
        let _ = self.writer.shutdown().await;
        // Nothing may be left unread, or the operating system would reset the connection.
        let mut rest = [0; 1024];
        while matches!(timeout(DIAL_TIMEOUT, self.reader.read(&mut rest)).await, Ok(Ok(1..))) {}
    }

    /// A heartbeat after the notice has to go unanswered; then the client closes, as told.
    async fn read_on(&mut self) {
        self.beat().await;
        let until = Instant::now() + Duration::from_millis(30);
        while let Ok(Some(_)) = timeout_at(until, self.next()).await {}
        self.close().await;
    }

    async fn beat(&mut self) {
        let now = self.record.now();
        let body = json!({ "fromuid": self.uid }).to_string();
        if self.writer.write_all(&frame(1023, body.as_bytes())).await.is_ok() {
            self.beats.push(now);
            self.record.note(self.place, |life| {
                // What is said after the notice is only said to be left unanswered.
                if life.notices.is_empty() {
                    life.paused = life.paused.max(now.saturating_sub(life.spoke));
                    life.spoke = now;
                }
            });
        }
    }

    /// The next frame; `None` at the end of the connection. Whatever it is, it is written down. Safe to give up half way.
    async fn next(&mut self) -> Option<(u16, Value)> {
        loop {
            if let Some((id, body)) = self.cut() {
                self.note(id, &body);
                return Some((id, body));
            }
            match self.reader.read_buf(&mut self.unread).await {
                Ok(1..) => {}
                _ => {
                    self.end(End::Server);
                    return None;
                }
            }
        }
    }

    /// A whole frame, once there is one.
    fn cut(&mut self) -> Option<(u16, Value)> {
        let [a, b, c, d, rest @ ..] = &self.unread[..] else { return None };
        let (id, length) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
        let body = rest.get(..length)?;
        let body = serde_json::from_slice(body).unwrap_or_else(|error| panic!("frame {id} is no JSON: {error}"));
        self.unread.drain(..4 + length);
        Some((id, body))
    }

    fn note(&mut self, id: u16, body: &Value) {
        let at = self.record.now();
        let reason = body["reason"].as_str().map(str::to_owned);
        match id {
            1006 => {
                let answer = Answer {
                    at,
                    error: body["error"].as_u64().unwrap_or(u64::MAX),
                    reason,
                    sid: body["sid"].as_str().unwrap_or_default().to_owned(),
                    epoch: body["epoch"].as_u64().unwrap_or_default(),
                    resumed: body["resumed"] == true,
                };
                self.record.note(self.place, |life| life.answer = Some(answer));
            }
            1021 | 1101 => {
                let notice = Notice { at, id, reason: reason.unwrap_or_default(), epoch: body["epoch"].as_u64() };
                self.record.note(self.place, |life| life.notices.push(notice));
            }
            1024 if !self.beats.is_empty() => {
                let sent = self.beats.remove(0);
                self.record.note(self.place, |life| life.served.push(sent));
            }
            _ => panic!("{}: a frame {id} that nobody asked for: {body}", self.uid),
        }
    }

    fn end(&self, by: End) {
        let at = self.record.now();
        self.record.note(self.place, |life| {
            life.end.get_or_insert((at, by));
        });
    }
}

impl Drop for Device {
    /// Whoever gives up on a connection has ended it.
    fn drop(&mut self) {
        self.end(End::Client);
    }
}

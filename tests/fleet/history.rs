//! What happened, as it was seen from outside: by the clients, and by whoever broke something on purpose.
//!
//! All moments are those of one monotonic clock, counted from the start of the history.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One connection that asked to log in once, from its first byte to its end.
#[derive(Clone, Debug)]
pub struct Life {
    pub uid: u64,
    /// Position of the node in the fleet.
    pub node: usize,
    pub token: String,
    /// When the login was sent.
    pub asked: Duration,
    /// What it was answered; `None` where the connection ended before.
    pub answer: Option<Answer>,
    /// When each answered heartbeat was sent. The session was served until the last of them at least.
    pub served: Vec<Duration>,
    /// When anything was sent last.
    pub spoke: Duration,
    /// The longest time between two things that were sent: a device of a busy machine may oversleep, and be expired for
    /// it just when it speaks again.
    pub paused: Duration,
    pub notices: Vec<Notice>,
    /// When and by whom it was ended; `None` while it lives.
    pub end: Option<(Duration, End)>,
}

/// A 1006.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub at: Duration,
    /// 0 for a session.
    pub error: u64,
    pub reason: Option<String>,
    pub sid: String,
    pub epoch: u64,
    pub resumed: bool,
}

/// A 1021 or a 1101.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    pub at: Duration,
    pub id: u16,
    pub reason: String,
    /// Epoch of the taker, where one is named.
    pub epoch: Option<u64>,
}

/// Who ended a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Server,
    Client,
}

impl Life {
    /// The answer that made it a session.
    pub fn session(&self) -> Option<&Answer> {
        self.answer.as_ref().filter(|answer| answer.error == 0)
    }

    /// The last moment at which the session was surely served.
    pub fn served_until(&self) -> Option<Duration> {
        self.served.iter().max().copied()
    }

    /// Whether the session is still held, as far as its client knows.
    pub fn is_live(&self) -> bool {
        self.session().is_some() && self.end.is_none() && self.notices.is_empty()
    }
}

/// Something that was done to the fleet.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Position of the node; `None` for all of them.
    pub node: Option<usize>,
    pub from: Duration,
    /// When it was over; the end of the history while it is not.
    pub to: Duration,
    pub what: What,
}

/// What a fault excuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The process was killed: its connections end without a word.
    Death,
    /// The node may hear of a takeover only when this is over: it was cut off, or stood still.
    Deafness,
    /// The node may say goodbye for this reason.
    Goodbye(&'static str),
}

impl Fault {
    /// Whether it concerned this node.
    pub fn concerns(&self, node: usize) -> bool {
        self.node.is_none_or(|own| own == node)
    }
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub lives: Vec<Life>,
    pub faults: Vec<Fault>,
}

/// Where clients and scenarios write at the same time.
pub struct Record {
    started: Instant,
    history: Mutex<History>,
}

impl Record {
    pub fn new() -> Self {
        Self { started: Instant::now(), history: Mutex::default() }
    }

    /// The moment that it is.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Writes a connection down; answers the place to write on about it.
    pub fn begin(&self, uid: u64, node: usize, token: &str) -> usize {
        let now = self.now();
        let life = Life {
            uid,
            node,
            token: token.to_owned(),
            asked: now,
            answer: None,
            served: Vec::new(),
            spoke: now,
            paused: Duration::ZERO,
            notices: Vec::new(),
            end: None,
        };
        self.with(|history| {
            history.lives.push(life);
            history.lives.len() - 1
        })
    }

    /// Writes on about one connection.
    pub fn note(&self, place: usize, write: impl FnOnce(&mut Life)) {
        self.with(|history| write(&mut history.lives[place]));
    }

    /// Something is being done to the fleet; answers the place to write down when it is over.
    pub fn break_off(&self, node: Option<usize>, what: What) -> usize {
        let fault = Fault { node, from: self.now(), to: Duration::MAX, what };
        self.with(|history| {
            history.faults.push(fault);
            history.faults.len() - 1
        })
    }

    /// What was done is undone.
    pub fn mend(&self, fault: usize) {
        let now = self.now();
        self.with(|history| history.faults[fault].to = now);
    }

    /// Sessions that were given so far.
    pub fn sessions(&self) -> usize {
        self.with(|history| history.lives.iter().filter(|life| life.session().is_some()).count())
    }

    /// All that was seen so far.
    pub fn read(&self) -> History {
        self.with(|history| history.clone())
    }

    /// Looks at all that was seen, without a copy.
    pub fn with<T>(&self, look: impl FnOnce(&mut History) -> T) -> T {
        look(&mut self.history.lock().expect("nobody panics while writing"))
    }
}

//! The sign that a long test gives while it goes on, so that nobody takes it for one that hangs.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::offline::message::Event;

/// Where the events of a worker go.
pub type Sink = Rc<dyn Fn(Event)>;

/// Shortest time between two signs.
const PAUSE: Duration = Duration::from_millis(250);

/// Sends [`Event::Alive`] now and then.
pub struct Pulse {
    sink: Option<Sink>,
    last: Cell<Instant>,
}

impl Pulse {
    /// One that nobody hears.
    pub fn silent() -> Self {
        Self { sink: None, last: Cell::new(Instant::now()) }
    }

    /// One whose signs go with the other events.
    pub fn new(sink: &Sink) -> Self {
        Self { sink: Some(Rc::clone(sink)), last: Cell::new(Instant::now()) }
    }

    /// Says that something moved; most of the time that is not passed on.
    pub fn beat(&self) {
        let Some(sink) = &self.sink else { return };
        if self.last.get().elapsed() >= PAUSE {
            self.last.set(Instant::now());
            sink(Event::Alive);
        }
    }
}

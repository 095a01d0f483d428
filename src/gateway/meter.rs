//! The counters of the hot path, looked up once instead of once per frame.

use metrics::{Counter, Gauge};

use crate::metric::Metric;

pub(super) struct Meter {
    pub frames_in: Counter,
    pub frames_out: Counter,
    pub connections: Gauge,
    pub sessions: Gauge,
}

impl Meter {
    pub fn new() -> Self {
        Self {
            frames_in: Metric::Frames.counter_of("in"),
            frames_out: Metric::Frames.counter_of("out"),
            connections: Metric::Connections.gauge(),
            sessions: Metric::Sessions.gauge(),
        }
    }
}

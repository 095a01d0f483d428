//! How far a session has come in the messages of its user: what it was given, what was written, and what is missing.
//!
//! Frames of messages come over the node's channel, which may lose some. Each says where it stands and after which one it
//! comes, so one that comes twice is known, and a hole is seen before anything behind it is shown.

use crate::id::Step;

/// What a frame of a message is to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// It comes next.
    Next,
    /// It was given before.
    Known,
    /// Something before it is missing.
    Early,
}

/// What the store has yet to hear of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How far the messages were written to a client that does not acknowledge by itself.
    pub written: Option<u64>,
    /// Whether something is missing.
    pub is_behind: bool,
}

/// The state of one session; those of no user's messages and without features need none.
#[derive(Debug, Default)]
pub struct Progress {
    /// Words that the client said, with commas between.
    features: Box<str>,
    position: u64,
    /// Written and not yet reported.
    written: Option<u64>,
    is_behind: bool,
    /// Whether it is noted already that there is something to report.
    is_noted: bool,
}

impl Progress {
    /// What the client said it understands.
    pub fn features(&self) -> &str {
        &self.features
    }

    /// What the client said it understands, with its login.
    pub fn set_features(&mut self, features: Box<str>) {
        self.features = features;
    }

    /// The session stands here now, whatever was before.
    pub fn set(&mut self, position: u64) {
        self.position = position;
    }

    /// What a frame is to this session.
    pub fn place(&self, step: Step) -> Place {
        match () {
            () if step.position <= self.position => Place::Known,
            () if step.after > self.position => Place::Early,
            () => Place::Next,
        }
    }

    /// Something is missing.
    pub fn miss(&mut self) {
        self.is_behind = true;
    }

    /// A frame was written. A client that acknowledges by itself says so by itself.
    pub fn write(&mut self, position: u64) {
        if !self.features.split(',').any(|word| word == "ack") {
            self.written = self.written.max(Some(position));
        }
    }

    /// Whether there is something to report that was not noted before. What is missing is asked for only where there is
    /// room for it.
    pub fn is_news(&mut self, has_room: bool) -> bool {
        let has_report = self.written.is_some() || self.is_behind && has_room;
        has_report && !std::mem::replace(&mut self.is_noted, true)
    }

    /// What is to be reported; what comes after this is news again.
    pub fn report(&mut self) -> Report {
        self.is_noted = false;
        Report { written: self.written.take(), is_behind: std::mem::take(&mut self.is_behind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn step(position: u64, after: u64) -> Step {
        Step { position, after }
    }

    fn of_client(features: &str) -> Progress {
        Progress { features: features.into(), ..Progress::default() }
    }

    /// Takes a frame, if it comes next.
    fn take(progress: &mut Progress, step: Step) -> Place {
        let place = progress.place(step);
        if place == Place::Next {
            progress.set(step.position);
        }
        place
    }

    #[test]
    fn frames_come_once_and_none_before_what_is_missing() {
        let mut progress = of_client("");
        progress.set(3);
        assert_eq!(take(&mut progress, step(5, 3)), Place::Next);
        assert_eq!(take(&mut progress, step(5, 3)), Place::Known);
        assert_eq!(take(&mut progress, step(9, 7)), Place::Early);
        assert_eq!(take(&mut progress, step(7, 5)), Place::Next);
        assert_eq!(take(&mut progress, step(9, 7)), Place::Next);
    }

    #[test]
    fn what_was_written_is_reported_once_and_a_hole_too() {
        let mut progress = of_client("batch");
        assert!(!progress.is_news(true));
        progress.write(5);
        progress.write(4);
        assert!(progress.is_news(true));
        assert!(!progress.is_news(true), "it is noted");
        assert_eq!(progress.report(), Report { written: Some(5), is_behind: false });
        assert_eq!(progress.report(), Report::default());
        progress.miss();
        assert!(!progress.is_news(false), "there is no room for it yet");
        assert!(progress.is_news(true));
        assert!(progress.report().is_behind);
    }

    #[test]
    fn a_client_that_acknowledges_is_not_reported_for() {
        let mut progress = of_client("batch,ack");
        progress.write(5);
        assert!(!progress.is_news(true));
        progress.set_features("batch".into());
        progress.write(5);
        assert!(progress.is_news(true));
    }
}

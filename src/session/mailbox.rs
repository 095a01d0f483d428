//! What waits to be written to one client: whole frames, in order, bounded in number and in bytes.
//!
//! At the bound a frame is refused, never an older one dropped: a client that misses one frame of many would not know.
//! An empty mailbox owns no heap memory.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::id::Step;

/// A frame, and where it stands among the messages of the user if it is one of those.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    pub frame: Bytes,
    pub step: Option<Step>,
}

impl From<Bytes> for Letter {
    fn from(frame: Bytes) -> Self {
        Self { frame, step: None }
    }
}

/// How much may wait for one client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Most frames.
    pub frames_max: usize,
    /// Most bytes of all frames together.
    pub bytes_max: usize,
}

/// A bounded queue of frames.
#[derive(Debug, Default)]
pub struct Mailbox {
    frames: VecDeque<Letter>,
    /// Sum of the lengths of `frames`.
    bytes: usize,
}

impl Mailbox {
    /// Appends a frame, or refuses it because the mailbox is full.
    pub fn push(&mut self, letter: impl Into<Letter>, bounds: Bounds) -> bool {
        let letter = letter.into();
        let fits = self.fits(letter.frame.len(), bounds);
        if fits {
            self.push_last(letter);
        }
        fits
    }

    /// Whether a frame of so many bytes would be taken.
    pub fn fits(&self, bytes: usize, bounds: Bounds) -> bool {
        self.frames.len() < bounds.frames_max && self.bytes + bytes <= bounds.bytes_max
    }

    /// Appends the last frame of a connection, which has to go out however full the mailbox is.
    pub fn push_last(&mut self, letter: impl Into<Letter>) {
        let letter = letter.into();
        self.bytes += letter.frame.len();
        self.frames.push_back(letter);
    }

    /// Takes the frame that is written next.
    pub fn pop(&mut self) -> Option<Letter> {
        let letter = self.frames.pop_front()?;
        self.bytes -= letter.frame.len();
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
        Some(letter)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Drops everything that waits and answers how many frames that were.
    pub fn clear(&mut self) -> usize {
        std::mem::take(self).frames.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { frames_max: 3, bytes_max: 10 };

    fn frame(length: usize) -> Bytes {
        Bytes::from(vec![0; length])
    }

    #[test]
    fn frames_and_bytes_are_bounded_each() {
        let mut mailbox = Mailbox::default();
        assert!((0..3).all(|_| mailbox.push(frame(1), BOUNDS)));
        assert!(!mailbox.push(frame(1), BOUNDS), "the fourth frame is one too many");
        let mut mailbox = Mailbox::default();
        assert!(mailbox.push(frame(6), BOUNDS));
        assert!(!mailbox.push(frame(5), BOUNDS), "eleven bytes are one too many");
        assert!(mailbox.push(frame(4), BOUNDS), "a smaller frame still fits");
        mailbox.push_last(frame(100));
        assert_eq!((mailbox.frames.len(), mailbox.bytes), (3, 110));
    }

    #[test]
    fn an_empty_mailbox_owns_no_memory() {
        let mut mailbox = Mailbox::default();
        mailbox.push(frame(4), BOUNDS);
        assert!(mailbox.frames.capacity() > 0);
        assert_eq!(mailbox.pop().map(|letter| letter.frame.len()), Some(4));
        assert_eq!((mailbox.frames.capacity(), mailbox.bytes), (0, 0));
        assert_eq!(mailbox.pop(), None);
    }

    #[test]
    fn clearing_tells_how_many_were_dropped() {
        let mut mailbox = Mailbox::default();
        (0..3).for_each(|_| assert!(mailbox.push(frame(1), BOUNDS)));
        assert_eq!((mailbox.clear(), mailbox.bytes), (3, 0));
    }
}

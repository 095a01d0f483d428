//! One file read command by command, with the place of each and with every checksum verified on the way.

use std::io::{self, Read};

use thiserror::Error;

use super::frame::{self, Frame, Ranges};
use crate::embedded::resp::ArgList;

/// Bytes read at once.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Why reading cannot go on.
#[derive(Debug, Error)]
pub enum Flaw {
    #[error("the file ends in the middle of a command")]
    Unfinished,
    #[error("{0}")]
    Bad(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file that is being read.
pub struct Reader {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Where the next record stands in the buffer.
    at: usize,
    /// The place in the file of the next record.
    offset: u64,
    /// Length and arguments of the record that was given out last.
    given: usize,
    args: Ranges,
    ended: bool,
    /// Where the batch ends whose checksum was verified last.
    verified_to: u64,
    /// Where the line before it begins.
    batch_offset: u64,
    /// Batches whose checksum was right.
    pub batches: u64,
}

impl Reader {
    pub fn new(source: Box<dyn Read + Send>) -> Reader {
        Reader {
            source,
            buffer: Vec::new(),
            at: 0,
            offset: 0,
            given: 0,
            args: Ranges::new(),
            ended: false,
            verified_to: 0,
            batch_offset: 0,
            batches: 0,
        }
    }

    /// Place in the file up to which all is well when reading stumbles.
    pub fn sound_offset(&self) -> u64 {
        if self.offset < self.verified_to { self.batch_offset } else { self.offset }
    }

    /// Place in the file of what comes next.
    pub fn next_offset(&self) -> u64 {
        self.offset + self.given as u64
    }

    /// The next command, and where its batch begins if that is known to be whole; none at the end of the file.
    pub fn advance(&mut self) -> Result<Option<(ArgList<'_>, Option<u64>)>, Flaw> {
        self.skip(self.given);
        self.given = 0;
        self.given = loop {
            if self.at == self.buffer.len() && !self.fill()? {
                return Ok(None);
            }
            match frame::parse(&self.buffer[self.at..], &mut self.args) {
                Frame::Command(length) => break length,
                Frame::Batch { line, length, crc } => self.verify(line, length, crc)?,
                Frame::Annotation(length) => self.skip(length),
                Frame::Unfinished if self.fill()? => {}
                Frame::Unfinished => return Err(Flaw::Unfinished),
                Frame::Bad(why) => return Err(Flaw::Bad(why)),
            }
        };
        let record = &self.buffer[self.at..];
        let args = self.args.iter().map(|range| &record[range.clone()]).collect();
        Ok(Some((args, (self.offset < self.verified_to).then_some(self.batch_offset))))
    }

    /// Checks a whole batch before any of it is given out.
    fn verify(&mut self, line: usize, length: usize, crc: u32) -> Result<(), Flaw> {
        let end = line.saturating_add(length);
        while self.buffer.len() - self.at < end {
            if !self.fill()? {
                return Err(Flaw::Unfinished);
            }
        }
        if crc32fast::hash(&self.buffer[self.at + line..self.at + end]) != crc {
            return Err(Flaw::Bad("the checksum of a batch is wrong"));
        }
        self.batches += 1;
        self.batch_offset = self.offset;
        self.skip(line);
        self.verified_to = self.offset + length as u64;
        Ok(())
    }

    fn skip(&mut self, length: usize) {
        self.at += length;
        self.offset += length as u64;
    }

    /// Reads more; false at the end of the file. What is unfinished is doubled, so that a long record is not parsed
    /// again for each small piece.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let wanted = CHUNK_BYTES.max(self.buffer.len());
        let read = (&mut self.source).take(wanted as u64).read_to_end(&mut self.buffer)?;
        self.ended = read < wanted;
        Ok(read > 0)
    }
}

//! Requests: bytes of a client to lists of arguments (multibulk and inline), incrementally.
//!
//! The parser remembers where it stopped inside an unfinished request, so a large one is read once, not again with
//! every packet. It never trusts an announced length for an allocation. It knows nothing of commands.

use std::ops::Range;

use smallvec::SmallVec;
use thiserror::Error;

use super::number::parse_i64;

/// Most arguments of one request.
const ARGUMENTS_MAX: i64 = 1024 * 1024;
/// Longest argument.
const BULK_BYTES_MAX: i64 = 512 * 1024 * 1024;
/// Longest inline request, and longest length line.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an unfinished request that are copied when the shared memory is given back.
const KEPT_BYTES_MAX: usize = 4 * 1024;
/// Most memory that is kept for the next reads.
const SPARE_BYTES_MAX: usize = 256 * 1024;
/// Positions of arguments for which an idle parser keeps memory.
const FOUND_MAX: usize = 64;

/// Arguments of a request, borrowed from the parser.
pub type ArgList<'a> = SmallVec<[&'a [u8]; 16]>;

/// Why a client's bytes are no request; it is told so and disconnected.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProtocolError {
    #[error("ERR Protocol error: too big mbulk count string")]
    CountLine,
    #[error("ERR Protocol error: invalid multibulk length")]
    Count,
    #[error("ERR Protocol error: too big bulk count string")]
    BulkLine,
    #[error("ERR Protocol error: expected '$', got '{0}'")]
    NoDollar(char),
    #[error("ERR Protocol error: invalid bulk length")]
    BulkLength,
    #[error("ERR Protocol error: too big inline request")]
    Inline,
    #[error("ERR Protocol error: unbalanced quotes in request")]
    Quotes,
}

/// An incremental request parser with its own buffer.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: Vec<u8>,
    /// Where the current request starts; everything before it was consumed.
    start: usize,
    /// Where reading goes on inside the current request.
    cursor: usize,
    /// Arguments still to come of a multibulk request; none between requests.
    left: Option<usize>,
    /// Length of the bulk whose header was read.
    bulk: Option<usize>,
    /// Arguments found so far: positions after `start`, or in `unquoted` for an inline request.
    found: Vec<Range<usize>>,
    unquoted: Vec<u8>,
    inline: bool,
}

impl Parser {
    /// The buffer that new bytes are appended to; space of consumed requests is reclaimed first.
    pub fn buffer_mut(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.cursor -= self.start;
            self.start = 0;
        }
        &mut self.buffer
    }

    /// Takes over the memory of a buffer that many parsers share, unless this one holds bytes of its own.
    pub fn borrow_memory(&mut self, spare: &mut Vec<u8>) {
        if self.buffer.is_empty() {
            std::mem::swap(&mut self.buffer, spare);
        }
    }

    /// Gives the shared memory back, so that idle clients hold none; a large unfinished request stays where it is.
    pub fn return_memory(&mut self, spare: &mut Vec<u8>) {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        if rest.len() > KEPT_BYTES_MAX {
            return;
        }
        let rest = rest.to_vec();
        *spare = std::mem::replace(&mut self.buffer, rest);
        spare.clear();
        spare.shrink_to(SPARE_BYTES_MAX);
        self.cursor -= self.start;
        self.start = 0;
        if self.left.is_none() {
            self.unquoted = Vec::new();
            self.found.clear();
            self.found.shrink_to(FOUND_MAX);
        }
    }

    /// Drops the previous request and reads the next one; false when more bytes are needed.
    pub fn advance(&mut self) -> Result<bool, ProtocolError> {
        loop {
            if self.left.is_none() {
                self.found.clear();
                self.start = self.cursor;
                match self.buffer.get(self.cursor) {
                    None => return Ok(false),
                    Some(b'*') => {
                        if !self.read_count()? {
                            return Ok(false);
                        }
                    }
                    Some(_) => match self.read_inline()? {
                        Some(true) => return Ok(true),
                        Some(false) => continue,
                        None => return Ok(false),
                    },
                }
            }
            if !self.read_bulks()? {
                return Ok(false);
            }
            self.left = None;
            if !self.found.is_empty() {
                return Ok(true);
            }
        }
    }

    /// The arguments of the request that `advance` found.
    pub fn arguments(&self) -> ArgList<'_> {
        let from: &[u8] = if self.inline { &self.unquoted } else { &self.buffer[self.start..] };
        self.found.iter().map(|range| &from[range.clone()]).collect()
    }

    /// Reads a line ending in CR LF at the cursor; none when it is not complete.
    fn line(&self, too_long: ProtocolError) -> Result<Option<(&[u8], usize)>, ProtocolError> {
        let rest = &self.buffer[self.cursor..];
        let window = &rest[..rest.len().min(LINE_BYTES_MAX + 2)];
        match window.iter().position(|byte| *byte == b'\r') {
            Some(at) if at + 1 < rest.len() => Ok(Some((&rest[..at], self.cursor + at + 2))),
            None if rest.len() > LINE_BYTES_MAX => Err(too_long),
            _ => Ok(None),
        }
    }

    fn read_count(&mut self) -> Result<bool, ProtocolError> {
        let Some((line, next)) = self.line(ProtocolError::CountLine)? else {
            return Ok(false);
        };
        let count = parse_i64(&line[1..]).filter(|count| *count <= ARGUMENTS_MAX).ok_or(ProtocolError::Count)?;
        self.inline = false;
        self.left = Some(count.max(0) as usize);
        self.cursor = next;
        Ok(true)
    }

    fn read_bulks(&mut self) -> Result<bool, ProtocolError> {
        while let Some(left) = self.left.filter(|left| *left > 0) {
            let length = match self.bulk {
                Some(length) => length,
                None => match self.read_bulk_header()? {
                    Some(length) => length,
                    None => return Ok(false),
                },
            };
            if self.buffer.len() < self.cursor + length + 2 {
                return Ok(false);
            }
            let from = self.cursor - self.start;
            self.found.push(from..from + length);
            self.cursor += length + 2;
            self.bulk = None;
            self.left = Some(left - 1);
        }
        Ok(true)
    }

    fn read_bulk_header(&mut self) -> Result<Option<usize>, ProtocolError> {
        match self.buffer.get(self.cursor) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(other) => return Err(ProtocolError::NoDollar(char::from(*other))),
        }
        let Some((line, next)) = self.line(ProtocolError::BulkLine)? else {
            return Ok(None);
        };
        let length = parse_i64(&line[1..])
            .filter(|length| (0..=BULK_BYTES_MAX).contains(length))
            .ok_or(ProtocolError::BulkLength)?;
        self.cursor = next;
        self.bulk = Some(length as usize);
        Ok(self.bulk)
    }

    /// Reads a line of words; `Some(false)` is an empty line, none an unfinished one.
    fn read_inline(&mut self) -> Result<Option<bool>, ProtocolError> {
        let rest = &self.buffer[self.cursor..];
        let Some(end) = rest.iter().take(LINE_BYTES_MAX + 1).position(|byte| *byte == b'\n') else {
            return if rest.len() > LINE_BYTES_MAX { Err(ProtocolError::Inline) } else { Ok(None) };
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        self.unquoted.clear();
        split_words(line, &mut self.unquoted, &mut self.found).ok_or(ProtocolError::Quotes)?;
        self.cursor += end + 1;
        self.inline = true;
        Ok(Some(!self.found.is_empty()))
    }
}

/// Splits a line into words as redis-cli users write them; none when a quote is not closed.
fn split_words(line: &[u8], words: &mut Vec<u8>, found: &mut Vec<Range<usize>>) -> Option<()> {
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        if at >= line.len() {
            return Some(());
        }
        let from = words.len();
        at = read_word(line, at, words)?;
        found.push(from..words.len());
    }
}

/// Appends one word; a closing quote must be followed by a blank or the end.
fn read_word(line: &[u8], mut at: usize, words: &mut Vec<u8>) -> Option<usize> {
    while let Some(&byte) = line.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = read_quoted(line, at + 1, byte, words)?;
                return line.get(at).is_none_or(u8::is_ascii_whitespace).then_some(at);
            }
            byte if byte.is_ascii_whitespace() || byte == 0 => break,
            byte => {
                words.push(byte);
                at += 1;
            }
        }
    }
    Some(at)
}

fn read_quoted(line: &[u8], mut at: usize, quote: u8, words: &mut Vec<u8>) -> Option<usize> {
    loop {
        let byte = *line.get(at)?;
        if byte == quote {
            return Some(at + 1);
        }
        if byte == b'\\' && quote == b'\'' && line.get(at + 1) == Some(&b'\'') {
            words.push(b'\'');
            at += 2;
        } else if byte == b'\\' && quote == b'"' && at + 1 < line.len() {
            at = read_escape(line, at + 1, words);
        } else {
            words.push(byte);
            at += 1;
        }
    }
}

/// Appends what an escape in double quotes stands for; answers where to go on.
fn read_escape(line: &[u8], at: usize, words: &mut Vec<u8>) -> usize {
    let hex = |offset: usize| line.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
    if line[at] == b'x'
        && let (Some(high), Some(low)) = (hex(1), hex(2))
    {
        words.push((high * 16 + low) as u8);
        return at + 3;
    }
    words.push(match line[at] {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    });
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_all(bytes: &[u8], step: usize) -> Vec<Vec<Vec<u8>>> {
        let mut parser = Parser::default();
        let mut requests = Vec::new();
        for chunk in bytes.chunks(step) {
            parser.buffer_mut().extend_from_slice(chunk);
            while parser.advance().expect("valid requests") {
                requests.push(parser.arguments().iter().map(|arg| arg.to_vec()).collect());
            }
        }
        requests
    }

    #[test]
    fn requests_are_the_same_however_they_are_cut() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING \"a\\x41\\n\" 'b c'\r\n\r\n*0\r\n*1\r\n$0\r\n\r\n";
        let whole = parse_all(bytes, bytes.len());
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[1], vec![b"PING".to_vec(), b"aA\n".to_vec(), b"b c".to_vec()]);
        for step in 1..bytes.len() {
            assert_eq!(parse_all(bytes, step), whole, "cut every {step} bytes");
        }
    }

    #[test]
    fn bad_requests_have_redis_texts() {
        let cases: &[(&[u8], &str)] = &[
            (b"*3\r\n$3\r\nSET\r\nfooz\r\n", "ERR Protocol error: expected '$', got 'f'"),
            (b"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"),
            (b"*99999999999\r\n", "ERR Protocol error: invalid multibulk length"),
            (b"set \"a b\"c d\r\n", "ERR Protocol error: unbalanced quotes in request"),
        ];
        for (bytes, text) in cases {
            let mut parser = Parser::default();
            parser.buffer_mut().extend_from_slice(bytes);
            let error = loop {
                match parser.advance() {
                    Ok(true) => {}
                    Ok(false) => panic!("no error for {text}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.to_string(), *text);
        }
    }

    /// What a parser makes of pieces: the requests, then the error if there is one.
    fn outcome(pieces: &[&[u8]]) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
        let mut parser = Parser::default();
        let mut requests = Vec::new();
        for piece in pieces {
            parser.buffer_mut().extend_from_slice(piece);
            loop {
                match parser.advance() {
                    Ok(true) => requests.push(parser.arguments().iter().map(|arg| arg.to_vec()).collect()),
                    Ok(false) => break,
                    Err(error) => return (requests, Some(error.to_string())),
                }
            }
        }
        (requests, None)
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_the_same_however_they_are_cut(
            bytes in "[*$0-9a\r\n \"'\\\\x-]{0,60}|(\\*[0-3]\r\n(\\$[0-3]\r\n[a\r\n]{0,3}\r\n){0,3}){0,3}",
            at in 0_usize..60,
            step in 1_usize..9,
        ) {
            let bytes = bytes.as_bytes();
            let whole = outcome(&[bytes]);
            let (head, tail) = bytes.split_at(at.min(bytes.len()));
            assert_eq!(outcome(&[head, tail]), whole);
            assert_eq!(outcome(&bytes.chunks(step).collect::<Vec<_>>()), whole);
        }
    }
}

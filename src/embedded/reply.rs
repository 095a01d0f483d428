//! Replies: the encoder that commands write to, and the value that in-process callers get.
//!
//! Commands append RESP to a buffer instead of building a tree, so a reply costs no allocation per element; Lua and
//! in-process callers read the same bytes back. What only RESP3 has is written in its RESP2 form to older clients.

use super::number;

/// A reply as a value, for callers inside the process.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Null,
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    Double(f64),
    Boolean(bool),
    /// Format (three letters) and text.
    Verbatim(String, Vec<u8>),
    BigNumber(String),
    Push(Vec<Reply>),
}

/// RESP being written for one client.
#[derive(Debug, Default)]
pub struct Output {
    pub buffer: Vec<u8>,
    /// Whether the reader speaks RESP3.
    pub resp3: bool,
}

impl Output {
    pub fn new(resp3: bool) -> Output {
        Output { buffer: Vec::new(), resp3 }
    }

    fn header(&mut self, kind: u8, number: i64) {
        self.buffer.push(kind);
        self.buffer.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// A line; CR and LF inside would end it early, so they become blanks.
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.buffer.push(kind);
        self.buffer.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
        self.buffer.extend_from_slice(b"\r\n");
    }

    pub fn ok(&mut self) {
        self.buffer.extend_from_slice(b"+OK\r\n");
    }

    pub fn status(&mut self, text: &[u8]) {
        self.line(b'+', text);
    }

    /// An error; the text starts with its code.
    pub fn error(&mut self, text: &[u8]) {
        self.line(b'-', text);
    }

    pub fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    pub fn count(&mut self, value: usize) {
        self.header(b':', value as i64);
    }

    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len() as i64);
        self.buffer.extend_from_slice(bytes);
        self.buffer.extend_from_slice(b"\r\n");
    }

    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    pub fn null(&mut self) {
        self.buffer.extend_from_slice(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    pub fn null_array(&mut self) {
        self.buffer.extend_from_slice(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// Announces an array; that many replies follow.
    pub fn array(&mut self, length: usize) {
        self.header(b'*', length as i64);
    }

    /// Announces a map of `pairs` pairs: key and value follow for each.
    pub fn map(&mut self, pairs: usize) {
        if self.resp3 { self.header(b'%', pairs as i64) } else { self.header(b'*', 2 * pairs as i64) }
    }

    pub fn set(&mut self, length: usize) {
        self.header(if self.resp3 { b'~' } else { b'*' }, length as i64);
    }

    pub fn push(&mut self, length: usize) {
        self.header(if self.resp3 { b'>' } else { b'*' }, length as i64);
    }

    pub fn double(&mut self, value: f64) {
        let text = number::double(value);
        if self.resp3 { self.line(b',', text.as_bytes()) } else { self.bulk(text.as_bytes()) }
    }

    pub fn boolean(&mut self, value: bool) {
        if self.resp3 {
            self.buffer.extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" });
        } else {
            self.integer(i64::from(value));
        }
    }

    pub fn big_number(&mut self, digits: &[u8]) {
        if self.resp3 {
            return self.line(b'(', digits);
        }
        let digits: Vec<u8> = digits.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }).collect();
        self.bulk(&digits);
    }

    /// A text with a format of three letters; longer ones are cut, shorter ones filled up.
    pub fn verbatim(&mut self, format: &[u8], text: &[u8]) {
        if !self.resp3 {
            return self.bulk(text);
        }
        self.header(b'=', text.len() as i64 + 4);
        self.buffer.extend(format.iter().copied().chain(std::iter::repeat(b' ')).take(3));
        self.buffer.push(b':');
        self.buffer.extend_from_slice(text);
        self.buffer.extend_from_slice(b"\r\n");
    }
}

/// One element of encoded RESP; the elements of a collection follow as tokens of their own.
#[derive(Debug, PartialEq)]
pub enum Token<'a> {
    Null,
    Status(&'a [u8]),
    Error(&'a [u8]),
    Integer(i64),
    Bulk(&'a [u8]),
    Array(usize),
    Map(usize),
    Set(usize),
    Push(usize),
    Double(f64),
    Boolean(bool),
    Verbatim(&'a [u8], &'a [u8]),
    BigNumber(&'a [u8]),
}

/// Reads what an [`Output`] wrote. It is for our own bytes only and answers `Null` past their end.
pub struct TokenReader<'a> {
    rest: &'a [u8],
}

impl<'a> TokenReader<'a> {
    pub fn new(bytes: &'a [u8]) -> TokenReader<'a> {
        TokenReader { rest: bytes }
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    fn take_line(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| *byte == b'\r').unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    fn take_bytes(&mut self, length: usize) -> &'a [u8] {
        let bytes = self.rest.get(..length).unwrap_or_default();
        self.rest = self.rest.get(length + 2..).unwrap_or_default();
        bytes
    }

    /// The next token.
    pub fn token(&mut self) -> Token<'a> {
        let line = self.take_line();
        let Some((&kind, body)) = line.split_first() else {
            return Token::Null;
        };
        let length = || parse_length(body);
        match kind {
            b'+' => Token::Status(body),
            b'-' => Token::Error(body),
            b':' => Token::Integer(number::parse_i64(body).unwrap_or_default()),
            b'$' => length().map_or(Token::Null, |length| Token::Bulk(self.take_bytes(length))),
            b'*' => length().map_or(Token::Null, Token::Array),
            b'%' => Token::Map(length().unwrap_or_default()),
            b'~' => Token::Set(length().unwrap_or_default()),
            b'>' => Token::Push(length().unwrap_or_default()),
            b',' => Token::Double(parse_double(body)),
            b'#' => Token::Boolean(body == b"t"),
            b'(' => Token::BigNumber(body),
            b'=' => {
                let bytes = self.take_bytes(length().unwrap_or_default());
                Token::Verbatim(bytes.get(..3).unwrap_or_default(), bytes.get(4..).unwrap_or_default())
            }
            _ => Token::Null,
        }
    }

    /// The next reply with all that belongs to it.
    pub fn reply(&mut self) -> Reply {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self.token() {
            Token::Null => Reply::Null,
            Token::Status(line) => Reply::Status(text(line)),
            Token::Error(line) => Reply::Error(text(line)),
            Token::Integer(value) => Reply::Integer(value),
            Token::Bulk(bytes) => Reply::Bulk(bytes.to_vec()),
            Token::Array(length) => Reply::Array(self.replies(length)),
            Token::Set(length) => Reply::Set(self.replies(length)),
            Token::Push(length) => Reply::Push(self.replies(length)),
            Token::Map(pairs) => Reply::Map((0..pairs).map(|_| (self.reply(), self.reply())).collect()),
            Token::Double(value) => Reply::Double(value),
            Token::Boolean(value) => Reply::Boolean(value),
            Token::Verbatim(format, bytes) => Reply::Verbatim(text(format), bytes.to_vec()),
            Token::BigNumber(digits) => Reply::BigNumber(text(digits)),
        }
    }

    fn replies(&mut self, length: usize) -> Vec<Reply> {
        (0..length).map(|_| self.reply()).collect()
    }
}

fn parse_length(body: &[u8]) -> Option<usize> {
    if body.first() == Some(&b'-') {
        return None;
    }
    Some(body.iter().fold(0, |value: usize, byte| value.wrapping_mul(10) + usize::from(byte.wrapping_sub(b'0'))))
}

fn parse_double(body: &[u8]) -> f64 {
    if body == b"nan" || body == b"-nan" {
        return f64::NAN;
    }
    number::parse_f64(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Output::new(true);
        out.map(1);
        out.bulk(b"a\r\nb");
        out.array(4);
        out.null();
        out.double(1.5);
        out.boolean(true);
        out.verbatim(b"t", b"x");
        let reply = TokenReader::new(&out.buffer).reply();
        let items =
            vec![Reply::Null, Reply::Double(1.5), Reply::Boolean(true), Reply::Verbatim("t  ".into(), b"x".to_vec())];
        assert_eq!(reply, Reply::Map(vec![(Reply::Bulk(b"a\r\nb".to_vec()), Reply::Array(items))]));
    }
}

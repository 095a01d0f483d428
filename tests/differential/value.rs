//! A reply as a value that can be compared, sorted and printed.

use std::fmt::{self, Display, Formatter};
use std::io::{self, BufRead};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Null,
    /// Status, error, integer, double, boolean, big number: the line with its mark.
    Line(Vec<u8>),
    Bulk(Vec<u8>),
    /// Array, set, push and map (whose pairs stand flat), with the mark.
    List(u8, Vec<Value>),
}

impl Value {
    pub fn read(stream: &mut impl BufRead) -> io::Result<Value> {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line)?;
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let length = || std::str::from_utf8(&line[1..]).ok()?.parse::<i64>().ok();
        let bad = || io::Error::new(io::ErrorKind::InvalidData, String::from_utf8_lossy(line).into_owned());
        match line.first() {
            Some(b'+' | b'-' | b':' | b',' | b'#' | b'(') => Ok(Value::Line(line.to_vec())),
            Some(b'_') => Ok(Value::Null),
            Some(b'$' | b'=') => {
                let Ok(length) = usize::try_from(length().ok_or_else(bad)?) else { return Ok(Value::Null) };
                let mut bytes = vec![0; length + 2];
                stream.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Ok(Value::Bulk(bytes))
            }
            Some(mark @ (b'*' | b'~' | b'>' | b'%')) => {
                let Ok(length) = usize::try_from(length().ok_or_else(bad)?) else { return Ok(Value::Null) };
                let length = if *mark == b'%' { 2 * length } else { length };
                (0..length)
                    .map(|_| Value::read(stream))
                    .collect::<io::Result<_>>()
                    .map(|items| Value::List(*mark, items))
            }
            _ => Err(bad()),
        }
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Value::Line(line) if line.starts_with(b"-"))
    }

    pub fn items(&self) -> &[Value] {
        if let Value::List(_, items) = self { items } else { &[] }
    }

    /// The bytes of a bulk or of a line behind its mark.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Value::Bulk(bytes) => bytes,
            Value::Line(line) => &line[1..],
            _ => &[],
        }
    }
}

impl Display for Value {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => out.write_str("nil"),
            Value::Line(line) => write!(out, "{}", line.escape_ascii()),
            Value::Bulk(bytes) => write!(out, "\"{}\"", bytes.escape_ascii()),
            Value::List(mark, items) => {
                write!(out, "{}[", char::from(*mark))?;
                for (index, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if index > 0 { ", " } else { "" })?;
                }
                out.write_str("]")
            }
        }
    }
}

//! The bytes of the file: commands in RESP, and the line before each batch that says its length and CRC-32.

use std::ops::Range;

use smallvec::SmallVec;

/// Begins the line before a batch. Redis skips lines that begin with `#`.
const MARK: &[u8] = b"#CRC32:";
/// Begins the annotation that a Redis writes with `aof-timestamp-enabled`.
const TIMESTAMP: &[u8] = b"#TS:";
/// Most digits of a length, so that no sum of two leaves 64 bits.
const DIGITS_MAX: usize = 18;
/// Longest annotation that Redis reads.
const ANNOTATION_BYTES_MAX: usize = 1024;
pub const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
pub const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Arguments of a command as positions in the buffer that was parsed.
pub type Ranges = SmallVec<[Range<usize>; 16]>;

/// Appends a command.
pub fn write_command(into: &mut Vec<u8>, args: &[&[u8]]) {
    write_length(into, b'*', args.len());
    for arg in args {
        write_length(into, b'$', arg.len());
        into.extend_from_slice(arg);
        into.extend_from_slice(b"\r\n");
    }
}

fn write_length(into: &mut Vec<u8>, kind: u8, length: usize) {
    into.push(kind);
    into.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    into.extend_from_slice(b"\r\n");
}

/// Appends a batch with its line in front.
pub fn write_batch(into: &mut Vec<u8>, units: &[u8]) {
    into.extend_from_slice(MARK);
    into.extend_from_slice(format!("{}:{:08x}\r\n", units.len(), crc32fast::hash(units)).as_bytes());
    into.extend_from_slice(units);
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A command, with its length; its arguments are in the list that was given.
    Command(usize),
    /// The line before a batch: its own length, the batch's length and checksum.
    Batch { line: usize, length: usize, crc: u32 },
    /// A line of somebody else's, to be skipped, with its length.
    Annotation(usize),
    /// More bytes are needed.
    Unfinished,
    /// Nothing that belongs here.
    Bad(&'static str),
}

/// Reads what stands at the beginning; `bytes` is not empty. The arguments of a command take the place of what was in
/// `args`.
pub fn parse(bytes: &[u8], args: &mut Ranges) -> Frame {
    match bytes[0] {
        b'#' => parse_annotation(bytes),
        b'*' => parse_command(bytes, args),
        _ => Frame::Bad("neither a command nor an annotation begins here"),
    }
}

fn parse_annotation(bytes: &[u8]) -> Frame {
    let window = &bytes[..bytes.len().min(ANNOTATION_BYTES_MAX)];
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        return if window.len() < ANNOTATION_BYTES_MAX {
            Frame::Unfinished
        } else {
            Frame::Bad("an annotation has no end")
        };
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    if line.starts_with(TIMESTAMP) {
        return Frame::Annotation(end + 1);
    }
    let Some(fields) = line.strip_prefix(MARK) else { return Frame::Bad("an annotation that nobody writes") };
    let parsed = std::str::from_utf8(fields).ok().and_then(|fields| {
        let (length, crc) = fields.split_once(':')?;
        (crc.len() == 8).then_some(())?;
        Some((length.parse().ok()?, u32::from_str_radix(crc, 16).ok()?))
    });
    match parsed {
        Some((length, crc)) => Frame::Batch { line: end + 1, length, crc },
        None => Frame::Bad("the checksum's line is damaged"),
    }
}

fn parse_command(bytes: &[u8], args: &mut Ranges) -> Frame {
    let (count, mut at) = match parse_length(bytes, 0, b'*') {
        Ok(Some(found)) => found,
        Ok(None) => return Frame::Unfinished,
        Err(why) => return Frame::Bad(why),
    };
    if count == 0 {
        return Frame::Bad("a command without a name");
    }
    args.clear();
    for _ in 0..count {
        let (length, from) = match parse_length(bytes, at, b'$') {
            Ok(Some(found)) => found,
            Ok(None) => return Frame::Unfinished,
            Err(why) => return Frame::Bad(why),
        };
        let Some(end) = from.checked_add(length) else { return Frame::Bad("a length is out of range") };
        match bytes.get(end..end.saturating_add(2)) {
            Some(b"\r\n") => args.push(from..end),
            Some(_) => return Frame::Bad("an argument does not end where its length says"),
            None => return Frame::Unfinished,
        }
        at = end + 2;
    }
    Frame::Command(at)
}

/// Reads `kind`, digits and CR LF at a position; the number and where the rest begins, none when unfinished.
fn parse_length(bytes: &[u8], at: usize, kind: u8) -> Result<Option<(usize, usize)>, &'static str> {
    let Some((first, rest)) = bytes[at..].split_first() else { return Ok(None) };
    if *first != kind {
        return Err("a length does not begin as it should");
    }
    let mut number = 0;
    for (index, byte) in rest.iter().enumerate().take(DIGITS_MAX + 1) {
        match byte {
            b'0'..=b'9' if index < DIGITS_MAX => number = number * 10 + usize::from(byte - b'0'),
            b'\r' if index > 0 => {
                return match rest.get(index + 1) {
                    None => Ok(None),
                    Some(b'\n') => Ok(Some((number, at + index + 3))),
                    Some(_) => Err("a length has no end"),
                };
            }
            _ => return Err("a length is not a number"),
        }
    }
    Ok(None)
}

/// The first position at or after `from` where a batch begins whose checksum is right.
pub fn find_batch(bytes: &[u8], from: usize) -> Option<usize> {
    let marks = bytes.windows(MARK.len()).enumerate().skip(from).filter(|(_, window)| *window == MARK);
    marks.map(|(at, _)| at).find(|at| match parse_annotation(&bytes[*at..]) {
        Frame::Batch { line, length, crc } => {
            let from = at + line;
            let batch = from.checked_add(length).and_then(|to| bytes.get(from..to));
            batch.is_some_and(|batch| !batch.is_empty() && crc32fast::hash(batch) == crc)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_unfinished_until_its_last_byte() {
        let mut bytes = Vec::new();
        write_command(&mut bytes, &[b"SET", b"a\r\n", b""]);
        let mut ranges = Ranges::new();
        for cut in 1..bytes.len() {
            assert_eq!(parse(&bytes[..cut], &mut ranges), Frame::Unfinished, "cut at {cut}");
        }
        assert_eq!(parse(&bytes, &mut ranges), Frame::Command(bytes.len()));
        assert_eq!(ranges.iter().map(|range| &bytes[range.clone()]).collect::<Vec<_>>(), [&b"SET"[..], b"a\r\n", b""]);
    }

    #[test]
    fn a_batch_is_found_behind_rubbish_only_when_it_is_whole() {
        let mut bytes = b"rubbish#CRC32:5:00000000\r\nwrong".to_vec();
        let at = bytes.len();
        write_batch(&mut bytes, EXEC);
        assert_eq!(find_batch(&bytes, 0), Some(at));
        assert_eq!(find_batch(&bytes, at + 1), None);
        bytes.pop();
        assert_eq!(find_batch(&bytes, 0), None);
    }
}

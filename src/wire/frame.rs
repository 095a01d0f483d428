//! Frames: an id and a length, two bytes each and big-endian, then as many bytes of body.
//!
//! The decoder takes chunks as they come and keeps the bytes of an incomplete frame only; between frames it owns no
//! heap memory. A body over the limit is reported once and then skipped without being kept.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of id and length together.
pub const HEADER_BYTES: usize = 4;
/// Longest body that the length field can tell.
pub const BODY_BYTES_MAX: usize = u16::MAX as usize;

/// Builds one whole frame. `None` if the body is longer than the length field can tell.
pub fn encode(id: u16, body: &[u8]) -> Option<Bytes> {
    let length = u16::try_from(body.len()).ok()?;
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + body.len());
    frame.put_u16(id);
    frame.put_u16(length);
    frame.put_slice(body);
    Some(frame.freeze())
}

/// One complete frame. It lies in the caller's chunk where it can, so that most frames are never copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Message id.
    pub id: u16,
    /// Header and body.
    bytes: Cow<'a, [u8]>,
}

impl Frame<'_> {
    /// The body, not yet known to be JSON.
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }
}

/// What the decoder found next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece<'a> {
    /// A complete frame.
    Frame(Frame<'a>),
    /// A header whose body is over the limit; the body is skipped from here on.
    Oversize { id: u16, length: u16 },
    /// The end of a body that was skipped.
    Skipped,
}

/// Cuts a stream of bytes into frames, however it is chunked.
#[derive(Debug)]
pub struct Decoder {
    /// Bytes of an incomplete frame, or, while `is_kept`, whole bytes that the caller put aside.
    partial: Vec<u8>,
    /// Bytes of an oversize body that are still to come.
    skip: u16,
    /// Longest body that is not oversize.
    body_bytes_max: u16,
    /// Whether `partial` was put aside by `keep`.
    is_kept: bool,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(body_bytes_max: u16) -> Self {
        Self { partial: Vec::new(), skip: 0, body_bytes_max, is_kept: false }
    }

    /// The next piece of `chunk`, which is advanced past it. `None` means that all of it is used up.
    pub fn next<'a>(&mut self, chunk: &mut &'a [u8]) -> Option<Piece<'a>> {
        if self.skip > 0 {
            return self.skip_body(chunk);
        }
        if self.partial.is_empty() { self.take_direct(chunk) } else { self.take_partial(chunk) }
    }

    /// Puts the unused rest of a chunk aside, because the caller has to stop here. Only between two pieces.
    pub fn keep(&mut self, rest: &[u8]) {
        debug_assert!(self.partial.is_empty(), "the decoder is between two frames here");
        self.partial = rest.to_vec();
        self.is_kept = !rest.is_empty();
    }

    /// Hands back what was put aside; the caller feeds it again before it reads on.
    pub fn take_kept(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.is_kept).then(|| std::mem::take(&mut self.partial))
    }

    fn skip_body<'a>(&mut self, chunk: &mut &'a [u8]) -> Option<Piece<'a>> {
        let count = chunk.len().min(usize::from(self.skip));
        *chunk = &chunk[count..];
        self.skip -= u16::try_from(count).expect("count is at most skip, which is a u16");
        (self.skip == 0).then_some(Piece::Skipped)
    }

    /// No bytes wait from an earlier chunk: a whole frame is handed out where it lies.
    fn take_direct<'a>(&mut self, chunk: &mut &'a [u8]) -> Option<Piece<'a>> {
        let Some((id, length)) = header(chunk) else {
            return self.put_aside(chunk);
        };
        if length > self.body_bytes_max {
            *chunk = &chunk[HEADER_BYTES..];
            return Some(self.oversize(id, length));
        }
        let Some((frame, rest)) = chunk.split_at_checked(HEADER_BYTES + usize::from(length)) else {
            return self.put_aside(chunk);
        };
        *chunk = rest;
        Some(Piece::Frame(Frame { id, bytes: Cow::Borrowed(frame) }))
    }

    /// An incomplete frame waits: it is completed first, with exactly the bytes that it lacks.
    fn take_partial<'a>(&mut self, chunk: &mut &'a [u8]) -> Option<Piece<'a>> {
        self.fill(chunk, HEADER_BYTES);
        let (id, length) = header(&self.partial)?;
        if length > self.body_bytes_max {
            self.partial = Vec::new();
            return Some(self.oversize(id, length));
        }
        let whole = HEADER_BYTES + usize::from(length);
        self.fill(chunk, whole);
        (self.partial.len() == whole)
            .then(|| Piece::Frame(Frame { id, bytes: Cow::Owned(std::mem::take(&mut self.partial)) }))
    }

    fn oversize<'a>(&mut self, id: u16, length: u16) -> Piece<'a> {
        self.skip = length;
        Piece::Oversize { id, length }
    }

    fn put_aside<'a>(&mut self, chunk: &mut &[u8]) -> Option<Piece<'a>> {
        self.partial.extend_from_slice(chunk);
        *chunk = &[];
        None
    }

    fn fill(&mut self, chunk: &mut &[u8], until: usize) {
        let count = chunk.len().min(until.saturating_sub(self.partial.len()));
        let (now, rest) = chunk.split_at(count);
        self.partial.extend_from_slice(now);
        *chunk = rest;
    }
}

fn header(bytes: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = *bytes.first_chunk::<HEADER_BYTES>()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that a stream decodes to when it arrives in chunks of the given sizes, in turn.
    fn decode(stream: &[u8], sizes: &[usize], body_bytes_max: u16) -> Vec<(u16, Option<Vec<u8>>)> {
        let mut decoder = Decoder::new(body_bytes_max);
        let (mut rest, mut turn, mut found) = (stream, 0, Vec::new());
        while !rest.is_empty() {
            let (mut chunk, later) = rest.split_at(sizes[turn % sizes.len()].clamp(1, rest.len()));
            (rest, turn) = (later, turn + 1);
            while let Some(piece) = decoder.next(&mut chunk) {
                match piece {
                    Piece::Frame(frame) => found.push((frame.id, Some(frame.body().to_vec()))),
                    Piece::Oversize { id, .. } => found.push((id, None)),
                    Piece::Skipped => {}
                }
            }
            assert!(chunk.is_empty(), "None means that the chunk is used up");
        }
        found
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_frames(
            frames in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..40)), 0..12),
            sizes in prop::collection::vec(1usize..50, 1..6),
        ) {
            let stream: Vec<u8> =
                frames.iter().flat_map(|(id, body)| encode(*id, body).expect("short body")).collect();
            let limit = 20;
            let expected: Vec<_> = frames
                .into_iter()
                .map(|(id, body)| (id, (body.len() <= usize::from(limit)).then_some(body)))
                .collect();
            prop_assert_eq!(decode(&stream, &sizes, limit), expected);
        }

        #[test]
        fn no_bytes_at_all_upset_the_decoder(stream in prop::collection::vec(any::<u8>(), 0..4096), size in 1usize..100) {
            decode(&stream, &[size], 512);
        }
    }

    #[test]
    fn a_whole_frame_is_not_copied() {
        let bytes = encode(1023, b"{}").expect("short body");
        let mut chunk = &bytes[..];
        let piece = Decoder::new(16).next(&mut chunk);
        assert!(matches!(piece, Some(Piece::Frame(Frame { id: 1023, bytes: Cow::Borrowed(_) }))));
    }

    #[test]
    fn nothing_is_held_between_frames() {
        let bytes = encode(1023, b"{}").expect("short body");
        let mut decoder = Decoder::new(16);
        assert!(decoder.next(&mut &bytes[..3]).is_none());
        assert!(decoder.partial.capacity() > 0);
        assert!(decoder.next(&mut &bytes[3..]).is_some());
        assert_eq!(decoder.partial.capacity(), 0);
    }

    #[test]
    fn an_oversize_body_is_skipped_without_being_kept() {
        let mut decoder = Decoder::new(10);
        let mut stream = encode(1017, &[b'x'; 11]).expect("short body").to_vec();
        stream.extend_from_slice(&encode(1023, b"").expect("short body"));
        let mut chunk = &stream[..];
        assert_eq!(decoder.next(&mut chunk), Some(Piece::Oversize { id: 1017, length: 11 }));
        assert_eq!(decoder.partial.capacity(), 0);
        assert_eq!(decoder.next(&mut chunk), Some(Piece::Skipped));
        assert!(matches!(decoder.next(&mut chunk), Some(Piece::Frame(Frame { id: 1023, .. }))));
    }

    #[test]
    fn what_is_put_aside_comes_back_once() {
        let mut decoder = Decoder::new(10);
        decoder.keep(b"abc");
        assert_eq!(decoder.take_kept().as_deref(), Some(&b"abc"[..]));
        assert_eq!(decoder.take_kept(), None);
        decoder.keep(b"");
        assert_eq!(decoder.take_kept(), None);
    }

    #[test]
    fn a_body_that_the_length_cannot_tell_is_no_frame() {
        assert!(encode(1, &vec![0; BODY_BYTES_MAX]).is_some());
        assert!(encode(1, &vec![0; BODY_BYTES_MAX + 1]).is_none());
    }

    /// Story: the original read lengths as signed numbers, so 0x8000 and above passed its limit and corrupted memory.
    #[test]
    fn defect_44_lengths_and_ids_are_unsigned() {
        let mut chunk: &[u8] = &[0xff, 0xff, 0xff, 0xff, 1, 2];
        let mut decoder = Decoder::new(16_384);
        assert_eq!(decoder.next(&mut chunk), Some(Piece::Oversize { id: 0xffff, length: 0xffff }));
        assert_eq!(decoder.next(&mut chunk), None);
        assert_eq!(decoder.skip, 0xffff - 2);
    }
}

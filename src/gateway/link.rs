//! One socket: cuts what comes into pieces, writes what waits, one frame per write.
//!
//! It reads into a buffer of its thread, so an idle connection owns none; only the bytes of an incomplete frame are
//! kept. A frame that was begun is finished before anything else. No client keeps its thread for longer than one read
//! or one handful of frames.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::Gateway;
use super::request::Request;
use super::route::Terms;
use super::visitor::{Receive, Step};
use crate::metric::Metric;
use crate::session::{Handle, Pushed};
use crate::wire::body::{goodbye_with, refusal};
use crate::wire::{Decoder, LoginRequest, Piece};

/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;
/// Frames of one connection that are handled before others have their turn.
const FRAMES_PER_TURN: usize = 64;

thread_local! {
    /// What the connections of this thread read into, one after the other.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// Why the link stops reading.
pub(super) enum Turn {
    /// A client wants to log in.
    Login(LoginRequest),
    /// A client asks for something that a script serves.
    Ask(Request),
    /// The connection is closing; the handle says why.
    Over,
}

/// How far a chunk came.
enum Flow {
    /// All of it is used up.
    Dry,
    /// Others have their turn now; the rest is kept.
    Yield,
    /// The caller has something to do; the rest is kept.
    Stop(Turn),
}

/// A connection's place in the gateway.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub gateway: &'a Gateway,
    pub handle: &'a Handle,
}

/// A socket with what is half read and half written.
pub(super) struct Link {
    stream: TcpStream,
    decoder: Decoder,
    /// What is left of the frame that is being written.
    writing: Bytes,
    /// Where that frame stands among the messages of the user; 0 where it is none of them.
    position: u64,
}

impl Link {
    /// A link at the start of its stream.
    pub fn new(stream: TcpStream, body_bytes_max: u16) -> Self {
        Self { stream, decoder: Decoder::new(body_bytes_max), writing: Bytes::new(), position: 0 }
    }

    /// Reads and writes until the caller has something to do.
    pub fn poll_turn<R: Receive>(&mut self, context: &mut Context<'_>, host: Host<'_>, receiver: &mut R) -> Poll<Turn> {
        if let Poll::Ready(Err(_)) = self.poll_write(context, host) {
            host.handle.leave();
        }
        loop {
            if host.handle.poll_closing(context).is_ready() {
                return Poll::Ready(Turn::Over);
            }
            match ready!(self.poll_chunk(context, host, receiver)) {
                Flow::Dry => {}
                Flow::Stop(turn) => return Poll::Ready(turn),
                Flow::Yield => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes until nothing waits or the socket takes no more; in the first case it is ready.
    pub fn poll_write(&mut self, context: &mut Context<'_>, host: Host<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.writing.is_empty() {
                let Poll::Ready(letter) = host.handle.poll_frame(context) else { return Poll::Ready(Ok(())) };
                self.position = letter.step.map_or(0, |step| step.position);
                self.writing = letter.frame;
            }
            match self.stream.try_write(&self.writing) {
                Ok(count) => self.written(count, host),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_write_ready(context))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Reads and forgets. Ready when the client has closed.
    pub fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            while ready!(self.poll_read(context, scratch)) > 0 {}
            Poll::Ready(())
        })
    }

    /// Tells the client that nothing more will come.
    pub fn finish(&self) {
        // A socket that is broken already tells its client so by itself.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
    }

    /// The connection is reset as soon as the link is dropped; what the client did not read yet is lost.
    pub fn abort(&self) {
        let _ = self.stream.set_zero_linger();
    }

    fn written(&mut self, count: usize, host: Host<'_>) {
        self.writing.advance(count);
        if self.writing.is_empty() {
            self.writing = Bytes::new();
            host.gateway.meter.frames_out.increment(1);
            if self.position > 0 {
                host.gateway.note_written(host.handle, self.position);
            }
        }
    }

    /// Handles what was kept from the last turn, else what can be read now.
    fn poll_chunk<R: Receive>(&mut self, context: &mut Context<'_>, host: Host<'_>, receiver: &mut R) -> Poll<Flow> {
        if let Some(kept) = self.decoder.take_kept() {
            return Poll::Ready(self.receive(context, host, receiver, &kept));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let count = ready!(self.poll_read(context, scratch));
            if count == 0 {
                host.handle.leave();
                return Poll::Ready(Flow::Stop(Turn::Over));
            }
            Poll::Ready(self.receive(context, host, receiver, &scratch[..count]))
        })
    }

    /// How many bytes came; none where the client has closed or the connection broke.
    fn poll_read(&mut self, context: &mut Context<'_>, scratch: &mut [u8]) -> Poll<usize> {
        let mut buffer = ReadBuf::new(scratch);
        match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
            Ok(()) => Poll::Ready(buffer.filled().len()),
            Err(_) => Poll::Ready(0),
        }
    }

    fn receive<R: Receive>(
        &mut self,
        context: &mut Context<'_>,
        host: Host<'_>,
        receiver: &mut R,
        chunk: &[u8],
    ) -> Flow {
        let mut rest = chunk;
        let terms = Terms { routes: &host.gateway.routes, now_ms: host.gateway.now_ms() };
        for _ in 0..FRAMES_PER_TURN {
            let Some(piece) = self.decoder.next(&mut rest) else { return Flow::Dry };
            if !matches!(piece, Piece::Oversize { .. }) {
                host.gateway.meter.frames_in.increment(1);
                if R::IS_HEARD {
                    host.handle.hear(terms.now_ms);
                }
            }
            if let Some(turn) = self.answer(context, host, receiver.receive(piece, terms)) {
                self.decoder.keep(rest);
                return Flow::Stop(turn);
            }
        }
        self.decoder.keep(rest);
        Flow::Yield
    }

    /// Carries out a step. Answers what the caller has to do, if anything.
    fn answer(&mut self, context: &mut Context<'_>, host: Host<'_>, step: Step) -> Option<Turn> {
        match step {
            Step::Nothing => None,
            Step::Unknown => {
                Metric::Refusals.counter_of("unknown_id").increment(1);
                None
            }
            Step::Reply(frame) => self.send(context, host, frame),
            Step::Refuse { id, code, reason } => {
                Metric::Refusals.counter_of(code.word()).increment(1);
                match id {
                    0 => None,
                    id => self.send(context, host, refusal(id, code, reason)),
                }
            }
            Step::Login(request) => Some(Turn::Login(request)),
            Step::Ask(request) => Some(Turn::Ask(request)),
            Step::Close { reason, code } => {
                Metric::Refusals.counter_of(code.word()).increment(1);
                host.handle.close(reason, goodbye_with(reason, code));
                Some(Turn::Over)
            }
        }
    }

    fn send(&mut self, context: &mut Context<'_>, host: Host<'_>, frame: Bytes) -> Option<Turn> {
        match host.handle.push_own(frame, host.gateway.options.bounds) {
            Pushed::Queued => match self.poll_write(context, host) {
                Poll::Ready(Err(_)) => host.handle.leave(),
                _ => return None,
            },
            Pushed::Full => host.gateway.overflow(host.handle),
            Pushed::Closed | Pushed::Known | Pushed::Early | Pushed::Later => {}
        }
        Some(Turn::Over)
    }
}

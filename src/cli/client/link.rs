//! The socket of the client: whole frames in both directions, and the lines of standard input.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

/// Longest wait for a connection to one address.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Frames and lines that wait to be handled; the sender of more waits.
const QUEUE: usize = 64;

/// One message of the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub id: u16,
    pub body: Bytes,
}

/// A connection to a node.
pub struct Link {
    writer: OwnedWriteHalf,
    frames: mpsc::Receiver<io::Result<Frame>>,
}

impl Link {
    /// Tries the addresses in order and takes the first that answers.
    pub async fn connect(addresses: &[SocketAddr]) -> io::Result<Self> {
        let connect = async |address: &SocketAddr| {
            let attempt = tokio::time::timeout(CONNECT_TIME_MAX, TcpStream::connect(address));
            attempt.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
        for address in addresses {
            outcome = connect(address).await;
            if outcome.is_ok() {
                break;
            }
        }
        let stream = outcome?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let (sender, frames) = mpsc::channel(QUEUE);
        // A task of its own, because half a frame that was read must not be lost when something else happens first.
        tokio::spawn(read_all(reader, sender));
        Ok(Self { writer, frames })
    }

    /// Sends one frame.
    pub async fn send(&mut self, id: u16, body: &[u8]) -> io::Result<()> {
        let length = u16::try_from(body.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a body has at most 65535 bytes"))?;
        let mut frame = Vec::with_capacity(4 + body.len());
        frame.extend_from_slice(&id.to_be_bytes());
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(body);
        self.writer.write_all(&frame).await
    }

    /// The next frame; none when the other side has closed.
    pub async fn next(&mut self) -> Option<io::Result<Frame>> {
        self.frames.recv().await
    }
}

async fn read_all(reader: OwnedReadHalf, frames: mpsc::Sender<io::Result<Frame>>) {
    let mut reader = BufReader::new(reader);
    loop {
        let (read, is_last) = match read_frame(&mut reader).await {
            Ok(Some(frame)) => (Ok(frame), false),
            Ok(None) => return,
            Err(error) => (Err(error), true),
        };
        if frames.send(read).await.is_err() || is_last {
            return;
        }
    }
}

/// None at an end between two frames; an end inside of one is an error.
async fn read_frame(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Frame>> {
    use tokio::io::AsyncBufReadExt;
    if reader.fill_buf().await?.is_empty() {
        return Ok(None);
    }
    let id = reader.read_u16().await?;
    let length = reader.read_u16().await?;
    let mut body = vec![0; usize::from(length)];
    reader.read_exact(&mut body).await?;
    Ok(Some(Frame { id, body: body.into() }))
}

/// The lines of standard input. Reading blocks a thread that cannot be stopped, so it is no part of the runtime, which
/// would wait for it.
pub fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

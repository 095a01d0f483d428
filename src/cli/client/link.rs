//! The socket of the client: whole frames in both directions, and the lines of standard input.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use crate::wire::{Decoder, Piece, encode};

/// Longest wait for a connection to one address.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Frames and lines that wait to be handled; the sender of more waits.
const QUEUE: usize = 64;
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// One message of the wire, on its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub id: u16,
    pub body: Vec<u8>,
}

/// A connection to a node.
pub struct Link {
    writer: OwnedWriteHalf,
    messages: mpsc::Receiver<io::Result<Message>>,
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
        let (sender, messages) = mpsc::channel(QUEUE);
        // A task of its own, because bytes that were read must not be lost when something else happens first.
        tokio::spawn(read_all(reader, sender));
        Ok(Self { writer, messages })
    }

    /// Sends one frame.
    pub async fn send(&mut self, message: &Message) -> io::Result<()> {
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a body has at most 65535 bytes");
        let frame = encode(message.id, &message.body).ok_or_else(too_long)?;
        self.writer.write_all(&frame).await
    }

    /// The next frame; none when the other side has closed.
    pub async fn next(&mut self) -> Option<io::Result<Message>> {
        self.messages.recv().await
    }
}

async fn read_all(mut reader: OwnedReadHalf, messages: mpsc::Sender<io::Result<Message>>) {
    let mut decoder = Decoder::new(u16::MAX);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let mut bytes = match reader.read(&mut chunk).await {
            Ok(0) => return,
            Ok(count) => &chunk[..count],
            Err(error) => {
                // Nobody is left to be told when the receiver is gone.
                let _ = messages.send(Err(error)).await;
                return;
            }
        };
        while let Some(piece) = decoder.next(&mut bytes) {
            // No body is oversize: the decoder's limit is that of the length field.
            let Piece::Frame(frame) = piece else { continue };
            if messages.send(Ok(Message { id: frame.id, body: frame.body().to_vec() })).await.is_err() {
                return;
            }
        }
    }
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

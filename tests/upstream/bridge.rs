//! A TCP port in front of a store that listens on a unix socket only: the suite of Redis speaks TCP.
//!
//! One thread carries all connections, so that what two clients send one after the other arrives in that order; some
//! tests rely on it.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, UnixStream};
use tokio::sync::oneshot;

/// A listening port; its connections end with it.
pub struct Bridge {
    pub port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Bridge {
    pub fn start(socket: &Path) -> Bridge {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let socket = socket.to_owned();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
            runtime.block_on(async {
                tokio::select! {
                    ended = accept(listener, socket) => ended,
                    _ = stopped => Ok(()),
                }
            })
        });
        Bridge { port, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            // Nobody listens when the thread has ended; how it did is told below.
            stop.send(()).ok();
            thread.join().expect("the bridge does not panic").expect("the bridge can accept");
        }
    }
}

async fn accept(listener: std::net::TcpListener, socket: PathBuf) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        let (mut requests, mut to_client) = client.into_split();
        let (mut replies, mut to_store) = UnixStream::connect(&socket).await?.into_split();
        // Each way ends by itself: a store that has hung up may have said why. What is dropped is shut down.
        tokio::spawn(async move { tokio::io::copy(&mut requests, &mut to_store).await });
        tokio::spawn(async move { tokio::io::copy(&mut replies, &mut to_client).await });
    }
}

//! A TCP port in front of a store that listens on a unix socket only: the suite of Redis speaks TCP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A listening port; its connections end with the store or with the suite.
pub struct Bridge {
    pub port: u16,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bridge {
    pub fn start(socket: &Path) -> Bridge {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, socket) = (Arc::clone(&stopping), socket.to_owned());
        let thread = std::thread::spawn(move || accept(&listener, &socket, &stop));
        Bridge { port, stopping, thread: Some(thread) }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        // The thread waits for a connection, so it is given one.
        let woken = TcpStream::connect(("127.0.0.1", self.port));
        if woken.is_ok()
            && let Some(thread) = self.thread.take()
        {
            thread.join().expect("the bridge does not panic");
        }
    }
}

fn accept(listener: &TcpListener, socket: &Path, stop: &AtomicBool) {
    for client in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let joined = client.and_then(|client| join(client, socket));
        if let Err(error) = joined {
            eprintln!("a connection to the store could not be made: {error}");
        }
    }
}

/// Copies between the two until one of them ends.
fn join(client: TcpStream, socket: &Path) -> io::Result<()> {
    client.set_nodelay(true)?;
    let store = UnixStream::connect(socket)?;
    let (requests, replies) = (client.try_clone()?, store.try_clone()?);
    std::thread::spawn(move || {
        copy(&requests, &store);
        // The store may be gone first.
        store.shutdown(Shutdown::Write).ok();
    });
    std::thread::spawn(move || {
        copy(&replies, &client);
        client.shutdown(Shutdown::Both).ok();
    });
    Ok(())
}

/// Ends at the end of `from` and when either connection breaks; both mean that there is nothing more to copy.
fn copy(mut from: impl Read, mut to: impl Write) {
    io::copy(&mut from, &mut to).ok();
}

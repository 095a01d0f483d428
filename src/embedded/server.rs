//! The server: a thread that owns an engine and serves it on a unix socket.
//!
//! The event loop is our own, over mio, instead of an async runtime: it must also turn from inside a long script to
//! answer BUSY and SCRIPT KILL, which a runtime cannot do re-entrantly, and one pass of it is the natural unit for
//! whatever must happen before replies are sent. The socket file is readable by its owner only.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use mio::{Poll, Waker};
use thiserror::Error;

use super::aof::AppendOnly;
use super::aof::journal::Journal;
use super::aof::load::LoadError;
use super::clock::EngineClock;
use super::engine::{Engine, EngineOptions};
use super::event_loop::{self, EventLoop};

/// Scripts may nest JSON a thousand deep; pages of the stack that are not needed are never touched.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Where the socket file is made.
    pub socket: PathBuf,
    /// The engine's options; its clock must be the system's.
    pub engine: EngineOptions,
    /// Where the store keeps its append-only file; without one it is in memory only.
    pub append_only: Option<AppendOnly>,
}

/// Why a store does not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The socket cannot be made, or another process serves on it.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The append-only file cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// A running store. Dropping it ends the thread and removes the socket file.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    stopping: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Binds the socket, starts the thread and reads the append-only file; clients may connect when this returns.
    ///
    /// # Errors
    /// `AddrInUse` when another process serves on that socket, `InvalidInput` for a manual clock, whatever the
    /// file system answers, and a file that cannot be read.
    pub fn start(options: ServerOptions) -> Result<Server, ServerError> {
        if !matches!(options.engine.clock, EngineClock::System) {
            let text = "a server needs the system clock; a manual one belongs to one thread";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text).into());
        }
        let listener = bind(&options.socket)?;
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), event_loop::WAKE)?);
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, wake) = (Arc::clone(&stopping), Arc::clone(&waker));
        let engine = portable(&options.engine);
        let (ready, started) = channel();
        let thread = std::thread::Builder::new().name("store".into()).stack_size(STACK_BYTES).spawn(move || {
            let engine = Engine::new(engine());
            let journal = match open_journal(&engine, options.append_only, wake) {
                Ok(journal) => journal,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return Ok(());
                }
            };
            // Nobody listens any more only when the start was given up.
            let _ = ready.send(Ok(()));
            let served = EventLoop::new(poll, listener, engine, journal, stop).and_then(EventLoop::run);
            // Said at once: whoever owns the server may join much later.
            served.inspect_err(|error| tracing::error!(%error, "the embedded store stopped"))
        })?;
        let server = Server { socket: options.socket, stopping, waker, thread: Some(thread) };
        match started.recv() {
            Ok(Ok(())) => Ok(server),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(io::Error::other("the thread of the embedded store ended").into()),
        }
    }

    /// Whether the store has ended, by itself or by SHUTDOWN.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the thread, waits for it, and removes the socket file.
    ///
    /// # Errors
    /// Why the store had ended before: its poll failed, or a command panicked amid its changes.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.stopping.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the embedded store could not be woken");
        }
        let served = thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread of the store panicked")));
        match std::fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the socket file of the embedded store could not be removed");
            }
            _ => {}
        }
        served
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "the embedded store had failed");
        }
    }
}

/// Options that may be sent to another thread; only a manual clock may not.
fn portable(options: &EngineOptions) -> impl FnOnce() -> EngineOptions + Send + use<> {
    let &EngineOptions {
        clock: _,
        strict,
        capture_published,
        script_instructions_max,
        script_ms_max,
        lua_bytes_max,
        count_lines,
        memory_bytes_max,
        shuffle_seed,
    } = options;
    move || EngineOptions {
        clock: EngineClock::System,
        strict,
        capture_published,
        script_instructions_max,
        script_ms_max,
        lua_bytes_max,
        count_lines,
        memory_bytes_max,
        shuffle_seed,
    }
}

/// Reads the append-only file into an engine and opens it for writing.
fn open_journal(engine: &Engine, options: Option<AppendOnly>, waker: Arc<Waker>) -> Result<Option<Journal>, LoadError> {
    let wake = move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "the embedded store could not be woken");
        }
    };
    options.map(|options| Journal::open(&mut engine.core.borrow_mut(), options, Arc::new(wake))).transpose()
}

/// Binds the socket; a file left by a process that is gone is replaced.
fn bind(socket: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(socket) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the path of the socket is taken by a file"));
        }
        Ok(_) if UnixStream::connect(socket).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process serves on this socket"));
        }
        Ok(_) | Err(_) => {}
    }
    // Made under another name first, so that the socket never exists with wider permissions.
    let mut fresh = socket.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&fresh)?;
    std::fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, socket)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

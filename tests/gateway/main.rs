//! The gateway against real sockets, the real scripts and a real `redis-server`; the client side is a raw socket that
//! shares no code with the server.

mod chaos;
mod closing;
mod hostile;
mod login;
mod outage;
mod script;
mod silence;
mod support;
mod takeover;

/// Whether these tests run on the embedded store.
const IS_EMBEDDED: bool = false;

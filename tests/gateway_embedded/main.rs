//! The tests of the gateway once more, on the embedded store: the same bodies, so that both stores are held to the same.

#[path = "../gateway/chaos.rs"]
mod chaos;
#[path = "../gateway/closing.rs"]
mod closing;
#[path = "../gateway/hostile.rs"]
mod hostile;
#[path = "../gateway/login.rs"]
mod login;
#[path = "../gateway/script.rs"]
mod script;
#[path = "../gateway/silence.rs"]
mod silence;
#[path = "../gateway/support.rs"]
mod support;
#[path = "../gateway/takeover.rs"]
mod takeover;

/// Whether these tests run on the embedded store.
const IS_EMBEDDED: bool = true;

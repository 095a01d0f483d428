//! The node's own life in the fleet: lease and beat, its channel, the comparison of its live sessions with the seats, the
//! sessions that dead nodes left, where newcomers go, and how a node is emptied.
//!
//! Everything that changes shared state is a script; this module only decides when to run which, and repeats what has
//! no answer. The order of a start is fixed: register, reap what older runs left, listen to the channel, serve.

mod answer;
pub mod assign;
pub mod channel;
pub mod count;
pub mod drain;
pub mod farewell;
pub mod lease;
pub mod member;
pub mod reap;
pub mod verify;

pub use lease::{Identity, Lease, RegisterError, Registration};

//! The node's own life in the fleet: lease and beat, what its older incarnations left, its channel, and the comparison
//! of its live sessions with the seats.
//!
//! Everything that changes shared state is a script; this module only decides when to run which, and repeats what has
//! no answer. The order of a start is fixed: register, reap, listen to the channel, serve.

pub mod channel;
pub mod count;
pub mod farewell;
pub mod lease;
pub mod member;
pub mod reap;
pub mod verify;

pub use lease::{Identity, Lease, RegisterError};

//! The scripts: found, composed, hashed, loaded, run, and their effects decoded.
//!
//! No other module builds a key or names a Redis command for session state.

pub mod active;
pub mod argument;
pub mod binding;
pub mod bundle;
pub mod caller;
pub mod catalogue;
pub mod effect;
mod failure;
pub mod follow;
pub mod header;
pub mod key;
pub mod lexeme;
mod link;
pub mod problem;
pub mod redis;
pub mod release;
mod rescue;
pub mod retag;
pub mod standing;
pub mod tally;
mod tls;
pub mod transfer;
pub mod tree;

pub use argument::{Argument, Arguments};
pub use caller::{CallError, Caller, Verdict};
pub use catalogue::{Catalogue, CatalogueError, Script};
pub use effect::{Effect, Item};
pub use key::{Key, Shard};
pub use standing::Standing;

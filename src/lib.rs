//! `oneseat`: one account, one seat. See README.md.

pub mod digest;
pub mod embedded;
pub mod id;
pub mod metric;
pub mod reason;
pub mod script;
pub mod session;
pub mod wire;

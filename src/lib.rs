//! `oneseat`: one account, one seat. See README.md.

pub mod embedded;
pub mod id;
pub mod reason;
pub mod script;
pub mod wire;

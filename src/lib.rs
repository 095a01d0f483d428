//! `oneseat`: one account, one seat. See README.md.

pub mod embedded;
pub mod id;
pub mod metric;
pub mod reason;
pub mod script;

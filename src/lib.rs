//! `oneseat`: one account, one seat. See README.md.

pub mod admin;
pub mod cli;
pub mod config;
pub mod digest;
pub mod embedded;
pub mod error;
pub mod fleet;
pub mod gateway;
pub mod id;
pub mod log;
pub mod metric;
pub mod readiness;
pub mod reason;
pub mod script;
pub mod session;
pub mod wire;

//! `oneseat`: one account, one seat. See README.md.

pub mod embedded;

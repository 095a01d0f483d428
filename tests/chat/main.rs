//! The chat as its clients see it: search, friends, texts, the inbox, presence; on one node and on two, on both stores.
//!
//! Each row of section 5.6 of the wire reference has a test: the other side on the same node, on another one, off line, and
//! in the midst of a takeover.

#[path = "../serve/support/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part of it")]
mod support;

mod talker;
mod town;

mod abuse;
mod backend;
mod friend;
mod inbox;
mod killed;
mod page;
mod presence;
mod search;
mod takeover;
mod text;

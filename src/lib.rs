//! `oneseat`: one account, one seat; whoever logs in last holds it.
//!
//! Two ideas carry the crate. No lock anywhere: every change of shared state is one Lua script that Redis runs
//! atomically. And the rules live in `lua/`, not here: Rust frames bytes, keeps a lock-free map of the local sessions,
//! and carries out what a script returns.
//!
//! # Map
//!
//! | layer | modules | knows |
//! | --- | --- | --- |
//! | top | [`cli`], [`serve`] | everything below: arguments, the order of start and stop |
//! | operators | [`admin`], [`offline`] | HTTP for backends; the test runner of scripts, which never runs in a server |
//! | fleet | [`fleet`] | this node's lease and channel, verify, what dead nodes left, where newcomers go, who is told of whom, when to follow other versions |
//! | clients | [`gateway`] | accepts, reads, leads message ids to scripts, carries out effects, closes |
//! | rules | [`script`] | the catalogue, which version runs, keys, arguments, effects, and the only way to Redis |
//! | state | [`session`] | the local map, mailboxes, how far each session has come, the clock of silence, sessions that ended |
//! | bytes | [`wire`] | frames, message ids, reply codes |
//! | store | [`embedded`] | a Redis-compatible engine with an append-only file; knows nothing of sessions |
//! | base | [`config`], [`digest`], [`error`], [`fault`], [`id`], [`log`], [`metric`], [`readiness`], [`reason`] | words |
//!
//! Imports run downward; `wire` and `session` meet only in `gateway`. `tests/tidy.rs` enforces it.
//!
//! # Other than the design
//!
//! - The fleet also keeps the built-in versions. So a node needs no file of an older binary to run what the fleet runs,
//!   and a newer binary changes nothing until somebody activates what it brought.
//! - A push stores whole texts, helpers included, and a helper never changes under its name. So a version is one digest.
//! - The scripts of the lifecycle are never taken from the fleet: a bad one would bar the way back.
//! - Existing tests count for new versions by their names: a behaviour is changed by restating its test.
//! - Reservations are numbers by second in the record of a node, not an entry for each ticket: a thousand tickets are one
//!   call, and nobody has to say which of them was used.
//! - A node that left stays listed for an hour, so that no incarnation is ever given twice.
//! - A position travels with every frame of a user's messages: pub/sub may lose some, and a session must not show what
//!   comes behind a hole, or acknowledge what it never saw. So the inbox needs no copy per device, and a lost link no replay.
//! - The effect `verify` answers a request of a session that the store has no trace of, or that was displaced: one way to
//!   find out which, instead of three answers to each script.
//! - `@mode repeat` says in a script's header that a second run does no harm, so that a lost answer is no error to a client.
//! - A version may take further keys, as it may take further arguments: the shard's stream of events came after `login@1`.
//! - Whom to tell that a user came or went stands in a sorted set of the shard, written by the script that seats or ends a
//!   session: a node that dies costs no notice, and a dead node's users are told of at the pace of those who tell.
//! - Who marks a node dead reaps it at once; the others look at their own rounds, so that a large fleet does not come down
//!   on the rosters all together.
//!
//! # Follow one login
//!
//! 1. `gateway/listener.rs` accepts a socket and gives its connection a sid.
//! 2. `gateway/visitor.rs` waits for 1005 and hands it on.
//! 3. `gateway/login.rs` asks the script `login`, and `gateway/router.rs` carries out its effects in order.
//! 4. `script/caller.rs` runs the version that `script/active.rs` picks: EVALSHA, its text where Redis forgot it.
//! 5. `lua/login/v2.lua` checks the ticket, takes the seat, displaces its holder, writes 1006.
//! 6. `lua/welcome/v1.lua` writes 1006 instead, where `login.welcome` names it: friends, and the messages that came meanwhile.
//! 7. `gateway/session.rs` serves what follows, until a kick, silence or the client ends it.
//!
//! # Follow one text
//!
//! 1. `gateway/session.rs` gets 1017, `gateway/route.rs` finds its route and holds it against the rate.
//! 2. `gateway/request.rs` asks the script `text`, which runs on the sender's shard and calls `receive` on the receiver's.
//! 3. `lua/receive/v1.lua` puts it into the inbox, publishes 1019 to the nodes of the receiver's sessions, answers 1018.
//! 4. `fleet/channel.rs` hears it there, `session/progress.rs` says whether it comes next, `gateway/link.rs` writes it.
//! 5. `gateway/receipt.rs` tells the store that it was written, or the client acknowledges it: it leaves the inbox.

/// Values of Lua that live for a moment and sessions that live for days share the heap; this allocator keeps blocks of
/// one size together, which makes the former faster and the latter smaller than the C library's does.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub mod admin;
pub mod cli;
pub mod config;
pub mod digest;
pub mod embedded;
pub mod error;
pub mod fault;
pub mod fleet;
pub mod gateway;
pub mod id;
pub mod log;
pub mod metric;
pub mod offline;
pub mod readiness;
pub mod reason;
pub mod script;
pub mod serve;
pub mod session;
pub mod wire;

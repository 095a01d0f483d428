//! The node's own life in the fleet: lease and beat, its channel, the comparison of its live sessions with the seats, the
//! sessions that dead nodes left, where newcomers go, and how a node is emptied.
//!
//! Everything that changes shared state is a script; this module only decides when to run which, and repeats what has
//! no answer. The order of a start is fixed: register, reap what older runs left, listen to the channel, serve.
//!
//! # What is exact when
//!
//! The number of sessions of a node on one shard is the size of its range in the roster, exact at the moment when it is
//! asked. The sum over the shards is asked shard by shard, so it is exact when nobody comes or goes meanwhile. The
//! directory has the sum of the last beat; `/v1/nodes` asks anew. What an assignment goes by is the sum of the last beat
//! and the tickets handed out since that were neither used nor are over.
//!
//! # Beyond one machine, on paper
//!
//! What one operation asks of Redis, seen with `INFO commandstats` and `INFO stats` (one shard, two nodes, uids of three
//! digits; bytes are those between the node and Redis, both directions):
//!
//! | operation | script calls | commands inside | bytes to Redis | bytes from it |
//! | --- | --- | --- | --- | --- |
//! | ticket with its place | 1 shard, 1 directory | 11 | 320 | 240 |
//! | login and its welcome, of a user without friends | 2 shard | 24 | 880 | 480 |
//! | takeover, likewise | 2 shard | 27, one a PUBLISH | 880 | 1,000, the notice to the other node included |
//! | logout | 1 shard | 13 | 370 | 90 |
//! | text, with its acknowledgement | 1 of the sender's shard, 2 of the receiver's | 22, one a PUBLISH | 1,250 | 1,000, the frame to the receiver's node included |
//! | somebody comes or goes who has F friends | 2 shard, and F / 100 + 2, and F of the friends' shards | | | |
//! | lookup | 1 shard, 1 directory | 5 | 250 | 800, two events of the trail included |
//! | beat | 1 per shard, 1 directory | 8, and 1 per shard | 1,850 with one shard, most of it counts of scripts | 300 |
//! | message to oneself | 1 | 1 PUBLISH | 100 | 70 |
//! | verify of one session | 1 shard | 5 | 530 | 160 |
//!
//! A shard is a slice of one primary. With N nodes, M users on line, S shards, R logins a second (of which T displace
//! somebody) and verifies every V seconds, one shard does (R + logouts + M / V) / S script calls a second for sessions and
//! N / (2 s) for counts; the directory does N / (2 s) beats, N messages to oneself, and R tickets a second, of which up to
//! a thousand share one call where a backend asks for many at once. Login and welcome took some 100 microseconds of one
//! core of Redis 7.0 here (a burst of 3,000), so one primary bears some 10,000 logins a second and nothing else; 1,000,000
//! users verified every 30 s are 33,000 calls a second, more than one primary bears, hence shards or a longer
//! `node.verify_ms` from about 300,000 on.
//!
//! Two limits do not go away with more shards. The directory is one slot: `assign` reads the record of every live node,
//! so its cost grows with N (38 microseconds with 4 nodes, 133 with 16, 483 with 64, on a busy machine: some 2,000 single
//! tickets a second with 64 nodes); ask for tickets in batches, or give the fleet fewer and larger nodes. And PUBLISH in a
//! cluster is sent to every member: T messages a second times the members, plus N for the messages to oneself. What lifts
//! that is sharded pub/sub (SPUBLISH to a channel in the slot of the node's name), which the scripts of a user's shard may
//! not use for a channel of another slot; a relay per shard would be needed. It is not built.

mod answer;
pub mod assign;
pub mod channel;
pub mod count;
pub mod drain;
pub mod errand;
pub mod farewell;
pub mod lease;
pub mod member;
pub mod presence;
pub mod reap;
pub mod verify;

pub use lease::{Identity, Lease, RegisterError, Registration};

//! Lua 5.1 as Redis embeds it: the sandbox, `redis.call`, conversions, and the libraries cjson, cmsgpack, struct, bit.
//!
//! Only this folder names mlua. A script borrows the state of the engine for each command it calls, never longer.

pub mod bit;
pub mod cjson;
pub mod cjson_decode;
pub mod cjson_encode;
pub mod cmsgpack;
pub mod convert;
pub mod guard;
pub mod header;
pub mod host;
pub mod line;
pub mod raise;
pub mod random;
pub mod redis;
pub mod struct_;

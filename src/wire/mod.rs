//! Bytes and frames: what stands on the wire between a client and this server.
//!
//! Pure functions of bytes. Nothing here knows a socket, a session or Redis, and nothing here trusts its input: every
//! sequence of bytes has a defined answer, and no buffer grows past one frame.

pub mod body;
pub mod code;
pub mod frame;
pub mod message;

pub use code::ReplyCode;
pub use frame::{Decoder, Frame, Piece, encode};
pub use message::LoginRequest;

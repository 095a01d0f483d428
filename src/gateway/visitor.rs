//! A connection before its login: what it may ask, and what each of its frames is answered with.
//!
//! Pure: frames in, steps out. Logging in consumes the visitor and gives a session, so nothing that needs a session
//! can be asked of a visitor by mistake.

use bytes::Bytes;

use super::session::Session;
use crate::id::Uid;
use crate::reason::Reason;
use crate::wire::body::HEARTBEAT_OK;
use crate::wire::message::{self, Flaw, LoginRequest, parse_login, parse_sender, reply_id};
use crate::wire::{Frame, Piece, ReplyCode};

/// What a frame leads to.
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// Nothing but a count: this protocol does not know the id.
    Unknown,
    /// This frame goes back.
    Reply(Bytes),
    /// A refusal goes back.
    Refuse { id: u16, code: ReplyCode, reason: Option<&'static str> },
    /// The store is asked; nothing more is read until it has answered.
    Login(LoginRequest),
    /// The connection is closed.
    Close { reason: Reason, code: ReplyCode },
}

/// Takes the pieces that a link cuts.
pub(super) trait Receive {
    /// Whether a whole frame is a sign of life that lengthens the time before the connection is closed as silent.
    const IS_HEARD: bool;

    /// One piece, in the order of arrival.
    fn receive(&mut self, piece: Piece<'_>) -> Step;
}

/// A connection that has not logged in.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// Logins that the store refused.
    attempts: u32,
}

impl Visitor {
    /// The store refused a login. Answers how many it refused so far.
    pub fn refused(&mut self) -> u32 {
        self.attempts += 1;
        self.attempts
    }

    /// The store gave a seat to this user.
    pub fn admit(self, uid: Uid) -> Session {
        Session::new(uid)
    }

    fn receive_frame(&self, frame: &Frame<'_>) -> Step {
        match frame.id {
            message::LOGIN => match parse_login(frame.body()) {
                Ok(request) => Step::Login(request),
                Err(flaw) => refuse_body(message::LOGIN_REPLY, flaw),
            },
            message::HEARTBEAT => match parse_sender(frame.id, frame.body()) {
                Ok(_) => Step::Reply(HEARTBEAT_OK),
                Err(flaw) => refuse_body(message::HEARTBEAT_REPLY, flaw),
            },
            id => match reply_id(id) {
                Some(id) => Step::Refuse { id, code: ReplyCode::NotLoggedIn, reason: None },
                None => Step::Unknown,
            },
        }
    }
}

impl Receive for Visitor {
    const IS_HEARD: bool = false;

    fn receive(&mut self, piece: Piece<'_>) -> Step {
        match piece {
            Piece::Frame(frame) => self.receive_frame(&frame),
            Piece::Oversize { .. } => Step::Close { reason: Reason::Protocol, code: ReplyCode::TooLarge },
            Piece::Skipped => Step::Nothing,
        }
    }
}

/// The refusal of a body that cannot be read, with a word for whoever writes the client.
pub(super) fn refuse_body(id: u16, flaw: Flaw) -> Step {
    Step::Refuse { id, code: ReplyCode::BadBody, reason: Some(flaw.word()) }
}

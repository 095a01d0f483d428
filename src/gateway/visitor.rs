//! A connection before its login: what it may ask, and what each of its frames is answered with.
//!
//! Pure: frames in, steps out. Logging in consumes the visitor and gives a session, so nothing that needs a session
//! can be asked of a visitor by mistake.

use bytes::Bytes;

use super::request::Request;
use super::route::{self, Terms, Usage};
use super::session::Session;
use crate::id::Uid;
use crate::reason::Reason;
use crate::wire::body::HEARTBEAT_OK;
use crate::wire::message::{self, Flaw, LoginRequest, parse_heartbeat, parse_login};
use crate::wire::{Frame, Piece, ReplyCode};

/// What a frame leads to.
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// Nothing but a count: this protocol does not know the id.
    Unknown,
    /// This frame goes back.
    Reply(Bytes),
    /// A refusal goes back, unless its id is 0: such a request is never answered.
    Refuse { id: u16, code: ReplyCode, reason: Option<&'static str> },
    /// The store is asked; nothing more is read until it has answered.
    Login(LoginRequest),
    /// A script is asked; nothing more is read until it has answered.
    Ask(Request),
    /// The connection is closed.
    Close { reason: Reason, code: ReplyCode },
}

/// Takes the pieces that a link cuts.
pub(super) trait Receive {
    /// Whether a whole frame is a sign of life that lengthens the time before the connection is closed as silent.
    const IS_HEARD: bool;

    /// One piece, in the order of arrival.
    fn receive(&mut self, piece: Piece<'_>, terms: Terms<'_>) -> Step;
}

/// A connection that has not logged in.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// Logins that the store refused.
    attempts: u32,
    usage: Usage,
}

impl Visitor {
    /// The store refused a login. Answers how many it refused so far.
    pub fn refused(&mut self) -> u32 {
        self.attempts += 1;
        self.attempts
    }

    /// The store gave a seat to this user.
    pub fn admit(self, uid: Uid) -> Session {
        Session::new(uid, self.usage)
    }

    fn receive_frame(&mut self, frame: &Frame<'_>, terms: Terms<'_>) -> Step {
        match frame.id {
            message::LOGIN => match parse_login(frame.body()) {
                Ok(request) => Step::Login(request),
                Err(flaw) => refuse_body(message::LOGIN_REPLY, flaw),
            },
            message::HEARTBEAT => match parse_heartbeat(frame.body()) {
                Ok(_) => Step::Reply(HEARTBEAT_OK),
                Err(flaw) => refuse_body(message::HEARTBEAT_REPLY, flaw),
            },
            _ => route::receive(frame, None, &mut self.usage, terms),
        }
    }
}

impl Receive for Visitor {
    const IS_HEARD: bool = false;

    fn receive(&mut self, piece: Piece<'_>, terms: Terms<'_>) -> Step {
        match piece {
            Piece::Frame(frame) => self.receive_frame(&frame, terms),
            Piece::Oversize { .. } => Step::Close { reason: Reason::Protocol, code: ReplyCode::TooLarge },
            Piece::Skipped => Step::Nothing,
        }
    }
}

/// The refusal of a body that cannot be read, with a word for whoever writes the client.
pub(super) fn refuse_body(id: u16, flaw: Flaw) -> Step {
    Step::Refuse { id, code: ReplyCode::BadBody, reason: Some(flaw.word()) }
}

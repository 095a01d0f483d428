//! A connection after its login: whose session it is, and what each of its frames is answered with.
//!
//! Pure: frames in, steps out. Nothing is served in the name of anybody but the session's own user.

use super::route::{self, Rate, Terms, Usage};
use super::visitor::{Receive, Step, refuse_body};
use crate::id::Uid;
use crate::wire::body::HEARTBEAT_OK;
use crate::wire::message::{self, parse_heartbeat, parse_login};
use crate::wire::{Frame, Piece, ReplyCode};

/// How often a session may log in again: each time asks for everything that a login brings.
const LOGINS: Rate = Rate { per_second: 1, burst: 10 };

/// A session's side that reads frames.
#[derive(Debug)]
pub(super) struct Session {
    /// The user of the session.
    uid: Uid,
    usage: Usage,
}

impl Session {
    /// For a session of this user.
    pub fn new(uid: Uid, usage: Usage) -> Self {
        Self { uid, usage }
    }

    fn receive_frame(&mut self, frame: &Frame<'_>, terms: Terms<'_>) -> Step {
        match frame.id {
            message::HEARTBEAT => match parse_heartbeat(frame.body()) {
                Ok(Some(sender)) if sender != self.uid => other_uid(message::HEARTBEAT_REPLY),
                Ok(_) => Step::Reply(HEARTBEAT_OK),
                Err(flaw) => refuse_body(message::HEARTBEAT_REPLY, flaw),
            },
            message::LOGIN => match parse_login(frame.body()) {
                Ok(request) if request.uid != self.uid => other_uid(message::LOGIN_REPLY),
                Ok(_) if !self.usage.allows(message::LOGIN, LOGINS, terms.now_ms) => {
                    Step::Refuse { id: message::LOGIN_REPLY, code: ReplyCode::TooMany, reason: Some("rate") }
                }
                Ok(request) => Step::Login(request),
                Err(flaw) => refuse_body(message::LOGIN_REPLY, flaw),
            },
            _ => route::receive(frame, Some(&self.uid), &mut self.usage, terms),
        }
    }
}

impl Receive for Session {
    const IS_HEARD: bool = true;

    fn receive(&mut self, piece: Piece<'_>, terms: Terms<'_>) -> Step {
        match piece {
            Piece::Frame(frame) => self.receive_frame(&frame, terms),
            Piece::Oversize { id, .. } => match reply_id(id, terms) {
                Some(id) => Step::Refuse { id, code: ReplyCode::TooLarge, reason: None },
                None => Step::Unknown,
            },
            Piece::Skipped => Step::Nothing,
        }
    }
}

fn other_uid(id: u16) -> Step {
    Step::Refuse { id, code: ReplyCode::OtherUid, reason: None }
}

/// The id that answers a request.
fn reply_id(id: u16, terms: Terms<'_>) -> Option<u16> {
    match id {
        message::LOGIN => Some(message::LOGIN_REPLY),
        message::HEARTBEAT => Some(message::HEARTBEAT_REPLY),
        id => terms.routes.reply_id(id),
    }
}

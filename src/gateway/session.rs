//! A connection after its login: whose session it is, and what each of its frames is answered with.
//!
//! Pure: frames in, steps out. Nothing is served in the name of anybody but the session's own user.

use super::visitor::{Receive, Step, refuse_body};
use crate::id::Uid;
use crate::wire::body::HEARTBEAT_OK;
use crate::wire::message::{self, parse_login, parse_sender, reply_id};
use crate::wire::{Frame, Piece, ReplyCode};

/// A session's side that reads frames.
#[derive(Debug)]
pub(super) struct Session {
    /// The user of the session.
    uid: Uid,
}

impl Session {
    /// For a session of this user.
    pub fn new(uid: Uid) -> Self {
        Self { uid }
    }

    fn receive_frame(&self, frame: &Frame<'_>) -> Step {
        let Some(id) = reply_id(frame.id) else { return Step::Unknown };
        match parse_sender(frame.id, frame.body()) {
            Err(flaw) => refuse_body(id, flaw),
            Ok(Some(sender)) if sender != self.uid => Step::Refuse { id, code: ReplyCode::OtherUid, reason: None },
            Ok(_) => Self::serve(frame, id),
        }
    }

    /// A request in the user's own name.
    fn serve(frame: &Frame<'_>, reply_id: u16) -> Step {
        match frame.id {
            message::HEARTBEAT => Step::Reply(HEARTBEAT_OK),
            message::LOGIN => match parse_login(frame.body()) {
                Ok(request) => Step::Login(request),
                Err(flaw) => refuse_body(reply_id, flaw),
            },
            _ => Step::Refuse { id: reply_id, code: ReplyCode::NotAllowed, reason: Some("not_served") },
        }
    }
}

impl Receive for Session {
    const IS_HEARD: bool = true;

    fn receive(&mut self, piece: Piece<'_>) -> Step {
        match piece {
            Piece::Frame(frame) => self.receive_frame(&frame),
            Piece::Oversize { id, .. } => match reply_id(id) {
                Some(id) => Step::Refuse { id, code: ReplyCode::TooLarge, reason: None },
                None => Step::Unknown,
            },
            Piece::Skipped => Step::Nothing,
        }
    }
}

//! What a reply's `error` says: number, stable word, text, and whether the same request may succeed later.

use std::fmt;

/// The `error` of a body that this server sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
pub enum ReplyCode {
    /// Done.
    Success = 0,
    /// The body is no JSON object, or a field has the wrong type or range.
    BadBody = 1001,
    /// The ticket is wrong, superseded or past its deadline.
    TicketInvalid = 1010,
    /// No such user, or no ticket was ever issued for it.
    UidInvalid = 1011,
    /// A fault of this side.
    Internal = 1100,
    /// Not now; the reply says when to try again.
    TryAgain = 1101,
    /// A rule of the operator refuses it.
    Refused = 1102,
    /// The request needs a login first.
    NotLoggedIn = 1103,
    /// The body names another user than the session's own.
    OtherUid = 1104,
    /// The frame is over the limit.
    TooLarge = 1105,
    /// Too many connections, attempts or waiting frames.
    TooMany = 1106,
    /// This request is not open to this session.
    NotAllowed = 1107,
}

impl ReplyCode {
    /// Every code, for tables.
    pub const ALL: [ReplyCode; 12] = [
        ReplyCode::Success,
        ReplyCode::BadBody,
        ReplyCode::TicketInvalid,
        ReplyCode::UidInvalid,
        ReplyCode::Internal,
        ReplyCode::TryAgain,
        ReplyCode::Refused,
        ReplyCode::NotLoggedIn,
        ReplyCode::OtherUid,
        ReplyCode::TooLarge,
        ReplyCode::TooMany,
        ReplyCode::NotAllowed,
    ];

    /// The number in the field `error`.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The stable word of logs, labels and tables.
    pub const fn word(self) -> &'static str {
        match self {
            ReplyCode::Success => "success",
            ReplyCode::BadBody => "bad_body",
            ReplyCode::TicketInvalid => "ticket_invalid",
            ReplyCode::UidInvalid => "uid_invalid",
            ReplyCode::Internal => "internal",
            ReplyCode::TryAgain => "try_again",
            ReplyCode::Refused => "refused",
            ReplyCode::NotLoggedIn => "not_logged_in",
            ReplyCode::OtherUid => "other_uid",
            ReplyCode::TooLarge => "too_large",
            ReplyCode::TooMany => "too_many",
            ReplyCode::NotAllowed => "not_allowed",
        }
    }

    /// What it means, for people.
    pub const fn text(self) -> &'static str {
        match self {
            ReplyCode::Success => "done",
            ReplyCode::BadBody => "the body is not a JSON object, or a field has the wrong type or range",
            ReplyCode::TicketInvalid => "the ticket is wrong, superseded or past its deadline",
            ReplyCode::UidInvalid => "no such user, or no ticket was issued for it",
            ReplyCode::Internal => "a fault of the server",
            ReplyCode::TryAgain => "not now, try again after retry_after_ms",
            ReplyCode::Refused => "refused by policy",
            ReplyCode::NotLoggedIn => "log in first",
            ReplyCode::OtherUid => "the body names another user than the session's own",
            ReplyCode::TooLarge => "the frame is over the limit",
            ReplyCode::TooMany => "too many connections, attempts or waiting frames",
            ReplyCode::NotAllowed => "not open to this session",
        }
    }

    /// Whether the same request may succeed later without anything else being done first.
    pub const fn is_retryable(self) -> bool {
        matches!(self, ReplyCode::Internal | ReplyCode::TryAgain | ReplyCode::TooMany)
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_and_words_are_distinct() {
        let numbers: HashSet<_> = ReplyCode::ALL.map(ReplyCode::number).into();
        let words: HashSet<_> = ReplyCode::ALL.map(ReplyCode::word).into();
        assert_eq!((numbers.len(), words.len()), (ReplyCode::ALL.len(), ReplyCode::ALL.len()));
    }
}

//! The few bodies that this side builds by itself. Everything that a script decides, a script words.

use bytes::Bytes;
use serde::Serialize;

use crate::reason::Reason;
use crate::wire::code::ReplyCode;
use crate::wire::frame::encode;
use crate::wire::message;

/// Milliseconds after which a client that had to go through no fault of its own may come back.
const RETURN_AFTER_MS: u64 = 1_000;

/// The whole answer to a heartbeat: 1024, eleven bytes, `{"error":0}`.
pub const HEARTBEAT_OK: Bytes = Bytes::from_static(b"\x04\x00\x00\x0b{\"error\":0}");

#[derive(Serialize)]
struct Body<'a> {
    error: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Address of the node to go to instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
}

/// A frame that refuses a request.
pub fn refusal(id: u16, code: ReplyCode, reason: Option<&str>) -> Bytes {
    frame(id, &Body { error: code.number(), reason, retry_after_ms: None, node: None })
}

/// A frame that asks the client to send its request again later.
pub fn try_again(id: u16, retry_after_ms: u64) -> Bytes {
    let body =
        Body { error: ReplyCode::TryAgain.number(), reason: None, retry_after_ms: Some(retry_after_ms), node: None };
    frame(id, &body)
}

/// A frame that asks the client to send its request to another node; to whichever it is told next, where none is known.
pub fn refusal_elsewhere(id: u16, reason: Reason, retry_after_ms: u64, node: Option<&str>) -> Bytes {
    let (error, reason) = (code_of(reason).number(), Some(reason.as_str()));
    frame(id, &Body { error, reason, retry_after_ms: Some(retry_after_ms), node })
}

/// The last frame of a session that goes on elsewhere.
pub fn goodbye_elsewhere(reason: Reason, retry_after_ms: u64, node: Option<&str>) -> Bytes {
    refusal_elsewhere(message::GOODBYE, reason, retry_after_ms, node)
}

/// The last frame before this side closes, with the code that goes with the reason.
pub fn goodbye(reason: Reason) -> Bytes {
    goodbye_with(reason, code_of(reason))
}

/// The last frame before this side closes.
pub fn goodbye_with(reason: Reason, code: ReplyCode) -> Bytes {
    let retry_after_ms = code.is_retryable().then_some(RETURN_AFTER_MS);
    frame(message::GOODBYE, &Body { error: code.number(), reason: Some(reason.as_str()), retry_after_ms, node: None })
}

const fn code_of(reason: Reason) -> ReplyCode {
    match reason {
        Reason::Displaced | Reason::Resumed | Reason::Kicked | Reason::Expired => ReplyCode::Success,
        Reason::AuthTimeout => ReplyCode::NotLoggedIn,
        Reason::Protocol => ReplyCode::TooLarge,
        Reason::Slow => ReplyCode::TooMany,
        Reason::Shutdown | Reason::Drained | Reason::Fenced => ReplyCode::TryAgain,
        Reason::Internal => ReplyCode::Internal,
    }
}

fn frame(id: u16, body: &Body<'_>) -> Bytes {
    let body = serde_json::to_vec(body).expect("numbers and texts always become JSON");
    encode(id, &body).expect("these bodies are far below the limit of a frame")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_static_answer_to_a_heartbeat_is_the_frame_it_says() {
        assert_eq!(encode(message::HEARTBEAT_REPLY, br#"{"error":0}"#), Some(HEARTBEAT_OK));
    }

    #[test]
    fn bodies_say_only_what_is_known() {
        let body = |frame: Bytes| String::from_utf8(frame[4..].to_vec()).expect("JSON is UTF-8");
        assert_eq!(body(refusal(1018, ReplyCode::OtherUid, None)), r#"{"error":1104}"#);
        assert_eq!(
            body(refusal(1018, ReplyCode::NotAllowed, Some("not_served"))),
            r#"{"error":1107,"reason":"not_served"}"#
        );
        assert_eq!(body(try_again(1006, 250)), r#"{"error":1101,"retry_after_ms":250}"#);
        assert_eq!(body(goodbye(Reason::Expired)), r#"{"error":0,"reason":"expired"}"#);
        assert_eq!(body(goodbye(Reason::Shutdown)), r#"{"error":1101,"reason":"shutdown","retry_after_ms":1000}"#);
    }
}

//! Message ids, and what Rust itself reads of a client's body: who logs in, and which users a request names.
//!
//! Everything else in a body is for scripts. Reading is strict where the original was lenient: one whole JSON object,
//! valid UTF-8, bounded nesting, and numbers that are numbers.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use thiserror::Error;

use crate::id::Uid;
use crate::wire::code::ReplyCode;

pub const LOGIN: u16 = 1005;
pub const LOGIN_REPLY: u16 = 1006;
pub const SEARCH: u16 = 1007;
pub const SEARCH_REPLY: u16 = 1008;
pub const APPLY: u16 = 1009;
pub const APPLY_REPLY: u16 = 1010;
pub const APPROVE: u16 = 1013;
pub const APPROVE_REPLY: u16 = 1014;
pub const TEXT: u16 = 1017;
pub const TEXT_REPLY: u16 = 1018;
pub const OFFLINE: u16 = 1021;
pub const HEARTBEAT: u16 = 1023;
pub const HEARTBEAT_REPLY: u16 = 1024;
pub const GOODBYE: u16 = 1101;

/// Largest user id of this wire: the largest integer that every JSON reader keeps exactly.
pub const UID_MAX: u64 = (1 << 53) - 1;
/// Objects and arrays inside each other, at most. Real bodies nest two deep.
pub const DEPTH_MAX: usize = 32;

/// Why a body cannot be served. Every one of them is answered with error 1001.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Flaw {
    #[error("the body is not UTF-8")]
    Utf8,
    #[error("the body nests deeper than {DEPTH_MAX} levels")]
    Depth,
    #[error("the body is not a JSON object")]
    Object,
    #[error("the body is not whole JSON, or a field is missing or has the wrong type or range")]
    Field,
}

impl Flaw {
    /// The word that tells the author of a client what is wrong.
    pub const fn word(self) -> &'static str {
        match self {
            Flaw::Utf8 => "utf8",
            Flaw::Depth => "depth",
            Flaw::Object => "object",
            Flaw::Field => "field",
        }
    }
}

/// What a client shows to log in. The token is kept only until its digest is made.
pub struct LoginRequest {
    /// Who the client says it is.
    pub uid: Uid,
    /// The ticket's token, as the client sent it.
    pub token: String,
    /// What the client says it understands beyond the old wire, as words with commas between.
    pub features: String,
}

/// Words of `features` that one login may have, and bytes of each.
const FEATURES_MAX: usize = 16;
const FEATURE_BYTES_MAX: usize = 32;

/// Reads the body of 1005. A device class in it is ignored: the ticket knows its class.
pub fn parse_login(body: &[u8]) -> Result<LoginRequest, Flaw> {
    #[derive(Deserialize)]
    struct Body {
        uid: u64,
        token: String,
        #[serde(default)]
        features: Vec<String>,
    }
    let Body { uid, token, features } = parse(body)?;
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_word = |word: &String| (1..=FEATURE_BYTES_MAX).contains(&word.len()) && word.bytes().all(letter);
    if features.len() > FEATURES_MAX || !features.iter().all(is_word) {
        return Err(Flaw::Field);
    }
    Ok(LoginRequest { uid: uid_of(uid)?, token, features: features.join(",") })
}

/// Reads who a heartbeat says its sender is. `None` where it does not say: without a body or without the field.
pub fn parse_heartbeat(body: &[u8]) -> Result<Option<Uid>, Flaw> {
    #[derive(Deserialize)]
    struct Body {
        fromuid: Option<u64>,
    }
    match body {
        [] => Ok(None),
        body => parse::<Body>(body)?.fromuid.map(uid_of).transpose(),
    }
}

/// Reads which users a request names in these fields; an empty field name stands for none. The whole body has to be one
/// JSON object, and what is read from it has to be there once.
pub fn parse_users<const N: usize>(body: &[u8], fields: [&str; N]) -> Result<[Option<Uid>; N], Flaw> {
    let mut reader = serde_json::Deserializer::from_str(check(body)?);
    let numbers = reader.deserialize_map(Numbers(fields)).map_err(|_| Flaw::Field)?;
    reader.end().map_err(|_| Flaw::Field)?;
    let mut users = [const { None }; N];
    for (index, number) in numbers.into_iter().enumerate().filter(|(index, _)| !fields[*index].is_empty()) {
        users[index] = Some(uid_of(number.ok_or(Flaw::Field)?)?);
    }
    Ok(users)
}

/// Takes the numbers of some fields out of an object and passes over the rest.
struct Numbers<'a, const N: usize>([&'a str; N]);

impl<'de, const N: usize> Visitor<'de> for Numbers<'_, N> {
    type Value = [Option<u64>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name.is_empty() || !self.0.contains(&&*name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let number: u64 = map.next_value()?;
            for (index, _) in self.0.iter().enumerate().filter(|(_, field)| **field == name) {
                if found[index].replace(number).is_some() {
                    return Err(A::Error::custom("a field is given twice"));
                }
            }
        }
        Ok(found)
    }
}

/// Reads the `error` of a body that a script made. What is not there or unknown counts as a fault of this side.
pub fn parse_code(body: &[u8]) -> ReplyCode {
    #[derive(Deserialize)]
    struct Body {
        error: u16,
    }
    let number = serde_json::from_slice::<Body>(body).map(|body| body.error).ok();
    ReplyCode::ALL.into_iter().find(|code| Some(code.number()) == number).unwrap_or(ReplyCode::Internal)
}

/// What a notice says of the script that decided. What the body does not say is empty.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub struct Decision {
    /// The version, as `login@1`.
    pub script: String,
    /// Redis' clock in milliseconds when it ran; 0 where it does not say.
    pub at: u64,
}

/// Reads what a notice says of the script that decided.
pub fn parse_decision(body: &[u8]) -> Decision {
    serde_json::from_slice(body).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Flaw> {
    serde_json::from_str(check(body)?).map_err(|_| Flaw::Field)
}

fn uid_of(number: u64) -> Result<Uid, Flaw> {
    let fits = (1..=UID_MAX).contains(&number);
    fits.then(|| Uid::parse(&number.to_string())).flatten().ok_or(Flaw::Field)
}

/// What serde would let through: it neither checks UTF-8 nor counts levels in fields that nobody asked for, and it
/// reads an array as a struct.
fn check(body: &[u8]) -> Result<&str, Flaw> {
    let text = std::str::from_utf8(body).map_err(|_| Flaw::Utf8)?;
    let start = text.trim_start_matches([' ', '\t', '\n', '\r']);
    if !start.starts_with('{') {
        return Err(Flaw::Object);
    }
    if depth(text.as_bytes()) > DEPTH_MAX {
        return Err(Flaw::Depth);
    }
    Ok(text)
}

/// Deepest level of nesting of a JSON text; for a broken one some number, which the parser's refusal makes harmless.
fn depth(text: &[u8]) -> usize {
    let (mut level, mut deepest) = (0usize, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => level += 1,
            b'}' | b']' if !is_text => level = level.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(level);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(body: &str) -> Result<(String, String), Flaw> {
        parse_login(body.as_bytes()).map(|login| (login.uid.to_string(), login.token))
    }

    #[test]
    fn a_login_is_read_whatever_its_layout_and_further_fields() {
        for body in [
            r#"{"uid":1001,"token":"t"}"#,
            "{\n    \"token\": \"t\",\n    \"uid\": 1001\n}\n",
            r#"{"uid":1001,"token":"t","class":"phone","extra":[1,{"a":null}]}"#,
        ] {
            assert_eq!(login(body), Ok(("1001".into(), "t".into())), "{body}");
        }
    }

    #[test]
    fn uids_are_integers_from_1_to_2_to_the_53rd() {
        let body = |uid: &str| format!(r#"{{"uid":{uid},"token":"t"}}"#);
        assert!(login(&body("9007199254740991")).is_ok());
        for uid in [
            "0",
            "-1",
            "-0",
            "9007199254740992",
            "18446744073709551616",
            "1001.0",
            "1001.5",
            "1e3",
            "true",
            "null",
            "\"1001\"",
            "[1001]",
            "{}",
            "01",
            "+1",
            "0x3e9",
            "NaN",
        ] {
            assert_eq!(login(&body(uid)), Err(Flaw::Field), "{uid}");
        }
    }

    #[test]
    fn defect_42_no_body_ends_the_process() {
        for body in ["", "null", "[]", "1", "\"x\"", "true", r#"[1001,"t"]"#, "  ", "// {}"] {
            assert_eq!(login(body), Err(Flaw::Object), "{body:?}");
        }
        for body in ["{}", r#"{"uid":1}"#, r#"{"uid":1,"token":5}"#, r#"{"uid":1,"token":null}"#, "{'uid':1}"] {
            assert_eq!(login(body), Err(Flaw::Field), "{body:?}");
        }
    }

    #[test]
    fn defect_45_truncated_json_and_trailing_garbage_are_refused() {
        let whole = r#"{"uid":1001,"token":"t"}"#;
        for end in 1..whole.len() {
            assert!(login(&whole[..end]).is_err(), "{}", &whole[..end]);
        }
        for tail in ["x", "{}", ",", "\0", whole] {
            assert_eq!(login(&format!("{whole}{tail}")), Err(Flaw::Field), "{tail:?}");
        }
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        assert_eq!(login(r#"{"uid":1,"uid":2,"token":"t"}"#), Err(Flaw::Field));
    }

    #[test]
    fn utf8_is_checked_even_in_fields_that_nobody_reads() {
        let mut body = br#"{"uid":1,"token":"t","x":"?"}"#.to_vec();
        let at = body.iter().position(|byte| *byte == b'?').expect("the mark is there");
        body[at] = 0xff;
        assert_eq!(parse_login(&body).err(), Some(Flaw::Utf8));
    }

    #[test]
    fn nesting_is_bounded_even_in_fields_that_nobody_reads() {
        let nested =
            |levels: usize| format!(r#"{{"uid":1,"token":"t","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(login(&nested(DEPTH_MAX - 1)).is_ok());
        assert_eq!(login(&nested(DEPTH_MAX)), Err(Flaw::Depth));
        assert_eq!(login(&nested(5_000)), Err(Flaw::Depth));
        assert!(login(r#"{"uid":1,"token":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[{"}"#).is_ok());
    }

    #[test]
    fn the_code_of_a_scripts_answer_is_read_and_an_odd_one_is_a_fault() {
        assert_eq!(parse_code(br#"{"error":0,"uid":7}"#), ReplyCode::Success);
        assert_eq!(parse_code(br#"{"uid":7,"error":1010}"#), ReplyCode::TicketInvalid);
        for body in [&b"{}"[..], b"[]", b"{\"error\":7}", b"{\"error\":\"0\"}"] {
            assert_eq!(parse_code(body), ReplyCode::Internal);
        }
    }

    #[test]
    fn a_heartbeat_may_say_who_sends_it() {
        let seven = Ok(Uid::parse("7"));
        assert_eq!(parse_heartbeat(br#"{"fromuid":7}"#), seven);
        assert_eq!(parse_heartbeat(b""), Ok(None));
        assert_eq!(parse_heartbeat(b"{}"), Ok(None));
        assert_eq!(parse_heartbeat(b"x"), Err(Flaw::Object));
    }

    #[test]
    fn users_are_read_from_the_fields_that_name_them() {
        let uid = |number: &str| Some(Uid::parse(number).expect("digits"));
        let body = br#"{"fromuid":7,"touid":8,"text_array":[{"fromuid":"x"}]}"#;
        assert_eq!(parse_users(body, ["fromuid", "touid"]), Ok([uid("7"), uid("8")]));
        assert_eq!(parse_users(body, ["", "touid"]), Ok([None, uid("8")]));
        assert_eq!(parse_users(body, ["", ""]), Ok([None, None]));
        assert_eq!(parse_users(br#"{"":"x","":1}"#, [""]), Ok([None]));
        for wrong in [
            r#"{"fromuid":"7"}"#,
            r#"{"touid":7}"#,
            r#"{"fromuid":7,"fromuid":7}"#,
            r#"{"fromuid":0}"#,
            r#"{"fromuid":7}x"#,
            r#"{"fromuid":7"#,
        ] {
            assert_eq!(parse_users(wrong.as_bytes(), ["fromuid"]), Err(Flaw::Field), "{wrong}");
        }
        assert_eq!(parse_users(b"[]", [""]), Err(Flaw::Object));
        assert_eq!(parse_users(b"{]", [""]), Err(Flaw::Field));
    }

    #[test]
    fn a_client_may_say_what_it_understands() {
        let features = |list: &str| {
            let body = format!(r#"{{"uid":7,"token":"t","features":{list}}}"#);
            parse_login(body.as_bytes()).map(|login| login.features)
        };
        assert_eq!(features(r#"["ack","batch"]"#), Ok("ack,batch".to_owned()));
        assert_eq!(features("[]"), Ok(String::new()));
        for wrong in ["\"ack\"", "[7]", "[\"a b\"]", "[\"a,b\"]", "[\"\"]", "null"] {
            assert_eq!(features(wrong), Err(Flaw::Field), "{wrong}");
        }
    }
}

//! What the user types: one line becomes a frame, a wish, or a refusal that says what is allowed. Nothing is sent here.

use serde_json::{Value, json};

use super::link::Message;
use crate::wire::message::{APPLY, APPROVE, SEARCH, TEXT, UID_MAX};

pub const RECEIPT: u16 = 1102;
pub const PAGE: u16 = 1104;
pub const UNFRIEND: u16 = 1106;
pub const BLOCK: u16 = 1108;

/// What may be typed, for the help.
pub const COMMANDS: &str = r#"  search WHO             find a user, by uid or by exact name
  apply UID [REMARK]     ask a user to become friends; REMARK is your own name for that one
  approve UID [REMARK]   become friends with a user who applied
  decline UID            do not
  text UID WORDS...      send a text to a friend, who reads it at the next login if off line
  friends [AFTER]        list friends, AFTER the last one of the page before
  applications [AFTER]   list who applied, likewise
  unfriend UID           stop being friends
  block UID              take nothing from a user any more
  unblock UID            take it again
  ID JSON                send a frame as it stands, right or wrong: 1023 {"fromuid":1001}
  help                   show this
  quit                   leave"#;

/// What a line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Typed {
    Nothing,
    Help,
    Quit,
    Send(Message),
}

/// Reads a line that the user `own` typed. `msgid` makes the id of a text.
pub fn read(line: &str, own: u64, msgid: impl FnOnce() -> String) -> Result<Typed, String> {
    let (word, rest) = first_word(line);
    let (id, body) = match word {
        "" => return Ok(Typed::Nothing),
        "help" => return Ok(Typed::Help),
        "quit" | "exit" => return Ok(Typed::Quit),
        "search" => (SEARCH, json!({ "uid": needed(rest, "search WHO")? })),
        "apply" => {
            let (peer, remark) = user(rest, "apply UID [REMARK]")?;
            (APPLY, json!({ "uid": own, "touid": peer, "applyname": "", "bakname": remark }))
        }
        "approve" => {
            let (peer, remark) = user(rest, "approve UID [REMARK]")?;
            (APPROVE, json!({ "fromuid": own, "touid": peer, "back": remark }))
        }
        "decline" => (APPROVE, json!({ "fromuid": own, "touid": lone_user(rest, "decline UID")?, "accept": false })),
        "text" => {
            let (peer, words) = user(rest, "text UID WORDS...")?;
            let text = json!({ "content": needed(words, "text UID WORDS...")?, "msgid": msgid() });
            (TEXT, json!({ "fromuid": own, "touid": peer, "text_array": [text] }))
        }
        "friends" => (PAGE, page("friend_list", rest, "friends [AFTER]")?),
        "applications" => (PAGE, page("apply_list", rest, "applications [AFTER]")?),
        "unfriend" => (UNFRIEND, json!({ "fromuid": own, "touid": lone_user(rest, "unfriend UID")? })),
        "block" => (BLOCK, json!({ "fromuid": own, "touid": lone_user(rest, "block UID")?, "blocked": true })),
        "unblock" => (BLOCK, json!({ "fromuid": own, "touid": lone_user(rest, "unblock UID")?, "blocked": false })),
        _ => return raw(word, rest),
    };
    frame(id, &body.to_string())
}

/// A frame whose body goes out as it was typed.
fn raw(word: &str, body: &str) -> Result<Typed, String> {
    match word.parse() {
        Ok(id) => frame(id, body),
        Err(_) => {
            Err("allowed are `ID JSON` with an id up to 65535, for example 1023 {}, and the commands search, apply, \
                       approve, decline, text, friends, applications, unfriend, block, unblock, help and quit"
                .to_owned())
        }
    }
}

fn frame(id: u16, body: &str) -> Result<Typed, String> {
    match body.len() <= usize::from(u16::MAX) {
        true => Ok(Typed::Send(Message { id, body: body.as_bytes().to_vec() })),
        false => Err("a body has at most 65535 bytes".to_owned()),
    }
}

/// The first word of a text, and what comes after it.
fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn needed<'a>(text: &'a str, usage: &str) -> Result<&'a str, String> {
    if text.is_empty() { Err(format!("something is missing; allowed is `{usage}`")) } else { Ok(text) }
}

/// The user whom a command is about, and what comes after it.
fn user<'a>(text: &'a str, usage: &str) -> Result<(u64, &'a str), String> {
    let (word, rest) = first_word(needed(text, usage)?);
    let uid =
        word.parse().ok().filter(|uid| (1..=UID_MAX).contains(uid) && word.starts_with(|c: char| c.is_ascii_digit()));
    let uid = uid.ok_or_else(|| format!("{word} is no uid, an integer from 1 to {UID_MAX}; allowed is `{usage}`"))?;
    Ok((uid, rest))
}

/// As `user`, where nothing comes after it.
fn lone_user(text: &str, usage: &str) -> Result<u64, String> {
    match user(text, usage)? {
        (uid, "") => Ok(uid),
        (_, rest) => Err(format!("{rest} is too much; allowed is `{usage}`")),
    }
}

/// A request for a page of a list.
fn page(list: &str, after: &str, usage: &str) -> Result<Value, String> {
    match first_word(after) {
        (after, "") => Ok(json!({ "list": list, "after": after })),
        (_, rest) => Err(format!("{rest} is too much; allowed is `{usage}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<Typed, String> {
        read(line, 1001, || "{id}".to_owned())
    }

    /// Id and body of the frame that a line becomes.
    fn sent(line: &str) -> (u16, Value) {
        match typed(line) {
            Ok(Typed::Send(Message { id, body })) => (id, serde_json::from_slice(&body).expect("JSON")),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn commands_become_frames() {
        for (line, id, body) in [
            ("search 1002", 1007, json!({ "uid": "1002" })),
            ("  search  Bob  the Builder ", 1007, json!({ "uid": "Bob  the Builder" })),
            ("apply 1002", 1009, json!({ "uid": 1001, "touid": 1002, "applyname": "", "bakname": "" })),
            ("apply 1002 my Bob", 1009, json!({ "uid": 1001, "touid": 1002, "applyname": "", "bakname": "my Bob" })),
            ("approve 1002", 1013, json!({ "fromuid": 1001, "touid": 1002, "back": "" })),
            ("approve\t1002\tmy Bob", 1013, json!({ "fromuid": 1001, "touid": 1002, "back": "my Bob" })),
            ("decline 1002", 1013, json!({ "fromuid": 1001, "touid": 1002, "accept": false })),
            ("friends", 1104, json!({ "list": "friend_list", "after": "" })),
            ("friends 1002", 1104, json!({ "list": "friend_list", "after": "1002" })),
            ("applications", 1104, json!({ "list": "apply_list", "after": "" })),
            ("unfriend 1002", 1106, json!({ "fromuid": 1001, "touid": 1002 })),
            ("block 1002", 1108, json!({ "fromuid": 1001, "touid": 1002, "blocked": true })),
            ("unblock 9007199254740991", 1108, json!({ "fromuid": 1001, "touid": UID_MAX, "blocked": false })),
        ] {
            assert_eq!(sent(line), (id, body), "{line}");
        }
    }

    #[test]
    fn a_text_is_the_rest_of_the_line() {
        let text = |content: &str| {
            let array = json!([{ "content": content, "msgid": "{id}" }]);
            json!({ "fromuid": 1001, "touid": 1002, "text_array": array })
        };
        assert_eq!(sent("text 1002 hello,  \"you\" {}"), (1017, text("hello,  \"you\" {}")));
        assert_eq!(sent("text 1002 1003 é"), (1017, text("1003 é")));
    }

    #[test]
    fn an_id_and_a_body_go_out_as_they_stand() {
        for (line, id, body) in [
            ("1023 {\"fromuid\":1001}", 1023, "{\"fromuid\":1001}"),
            ("1017  {\"a\": ", 1017, "{\"a\":"),
            ("65535", 65535, ""),
        ] {
            assert_eq!(typed(line), Ok(Typed::Send(Message { id, body: body.as_bytes().to_vec() })), "{line}");
        }
    }

    #[test]
    fn some_lines_send_nothing() {
        for (line, expected) in [
            ("", Typed::Nothing),
            ("  ", Typed::Nothing),
            ("help", Typed::Help),
            ("quit", Typed::Quit),
            ("exit", Typed::Quit),
        ] {
            assert_eq!(typed(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        for (line, part) in [
            ("hello", "`ID JSON`"),
            ("65536 {}", "`ID JSON`"),
            ("-1 {}", "unblock, help and quit"),
            ("search", "`search WHO`"),
            ("apply", "something is missing; allowed is `apply UID [REMARK]`"),
            ("apply bob", "bob is no uid, an integer from 1 to 9007199254740991; allowed is `apply UID [REMARK]`"),
            ("approve 0", "`approve UID [REMARK]`"),
            ("decline +5", "+5 is no uid"),
            ("decline 5 6", "6 is too much; allowed is `decline UID`"),
            ("unfriend 9007199254740992", "`unfriend UID`"),
            ("block -1", "`block UID`"),
            ("unblock 1.5", "`unblock UID`"),
            ("text 1002", "something is missing; allowed is `text UID WORDS...`"),
            ("text hello", "hello is no uid"),
            ("friends 1 2", "`friends [AFTER]`"),
            ("applications 1 2", "`applications [AFTER]`"),
        ] {
            let refusal = typed(line).expect_err(line);
            assert!(refusal.contains(part), "{line}: {refusal}");
        }
    }

    #[test]
    fn a_body_has_to_fit_into_a_frame() {
        let raw = |length: usize| typed(&format!("1017 {}", "x".repeat(length)));
        assert!(raw(65_535).is_ok());
        assert_eq!(raw(65_536), Err("a body has at most 65535 bytes".to_owned()));
        assert_eq!(typed(&format!("text 1 {}", "x".repeat(65_500))), raw(65_536));
    }

    #[test]
    fn the_help_has_every_command() {
        for word in
            "search apply approve decline text friends applications unfriend block unblock ID help quit".split(' ')
        {
            assert!(COMMANDS.lines().any(|line| line.starts_with(&format!("  {word} "))), "{word}");
        }
    }
}

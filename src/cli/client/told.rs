//! The frames of a chat as lines for people. What a text says comes from a stranger: a line of it begins with the uid of
//! who wrote it, a line of this program with `* `, so that no text can pass for the other.

use serde_json::Value;

use super::super::output;
use super::screen::Direction;
use crate::wire::message::{LOGIN_REPLY, TEXT, TEXT_REPLY};

/// A text that was written longer ago says when.
const RECENT_MS: u64 = 60_000;

/// The lines that a frame is for people; none where they have to see it as it stands.
pub fn lines(direction: Direction, id: u16, body: &Value, now_ms: u64) -> Vec<String> {
    match (direction, id) {
        (Direction::Out, TEXT) => texts(&body["touid"], body, now_ms),
        (Direction::Out, _) => Vec::new(),
        (Direction::In, LOGIN_REPLY) => welcome(body, now_ms),
        (Direction::In, 1011) if is_done(body) => vec![application(&body["applyuid"], body)],
        (Direction::In, 1015) if is_done(body) => vec![format!("* {} is your friend now", who(&body["fromuid"], body))],
        (Direction::In, TEXT_REPLY) => outcome(body).into_iter().collect(),
        (Direction::In, 1019) => texts(&body["fromuid"], body, now_ms),
        (Direction::In, 1025) => notice(body).into_iter().collect(),
        (Direction::In, 1105) if is_done(body) => page(body),
        (Direction::In, _) => Vec::new(),
    }
}

fn is_done(body: &Value) -> bool {
    body["error"] == 0
}

/// The texts of one frame, each after the uid of the other side.
fn texts(peer: &Value, body: &Value, now_ms: u64) -> Vec<String> {
    let text = |text: &Value| text["content"].as_str().map(|content| said(peer, content, &body["timestamp"], now_ms));
    // Where one is no text the whole frame has to be seen.
    let lines: Option<Vec<String>> = items(&body["text_array"]).iter().map(text).collect();
    lines.unwrap_or_default()
}

fn said(from: &Value, content: &str, at: &Value, now_ms: u64) -> String {
    let at = at.as_u64().filter(|at| at.saturating_add(RECENT_MS) < now_ms);
    let when = at.map(|at| format!(" ({})", output::moment(at))).unwrap_or_default();
    format!("{}: {content}{when}", plain(from))
}

/// What became of the texts that the user sent.
fn outcome(body: &Value) -> Option<String> {
    let results: Vec<&str> = items(&body["results"]).iter().filter_map(|item| item["result"].as_str()).collect();
    let dropped =
        body["dropped"].as_u64().map(|count| format!("; {count} older ones were dropped")).unwrap_or_default();
    (!results.is_empty()).then(|| format!("* to {}: {}{dropped}", plain(&body["touid"]), results.join(", ")))
}

/// Somebody came or went, or something happened.
fn notice(body: &Value) -> Option<String> {
    let friends: Vec<String> = items(&body["friends"]).iter().map(|friend| plain(&friend["uid"])).collect();
    let (message, uid) = (body["message"].as_str().unwrap_or_default(), plain(&body["uid"]));
    match (friends.is_empty(), message) {
        (false, _) => Some(format!("* on line: {}", friends.join(", "))),
        (true, "") => None,
        // It names the user by name, or by uid where there is none.
        (true, message) if message.split(' ').next() == Some(&uid) => Some(format!("* {message}")),
        (true, message) => Some(format!("* {message} ({uid})")),
    }
}

/// What came with a login.
fn welcome(body: &Value, now_ms: u64) -> Vec<String> {
    let mut lines = lists(body);
    for (name, usage) in [("friend_list", "friends"), ("apply_list", "applications")] {
        lines.extend(body["more"][name].as_str().map(|after| rest(usage, after)));
    }
    lines.extend(items(&body["notifications"]).iter().filter_map(notice));
    let unread = |text: &Value| {
        text["content"].as_str().map(|content| said(&text["from_id"], content, &text["timestamp"], now_ms))
    };
    lines.extend(items(&body["unread_messages"]).iter().filter_map(unread));
    lines
}

/// A page of friends or of applications.
fn page(body: &Value) -> Vec<String> {
    let mut lines = lists(body);
    if lines.is_empty() {
        lines.push("* nobody".to_owned());
    }
    let usage = if body["list"] == "friend_list" { "friends" } else { "applications" };
    lines.extend(body["more"].as_str().map(|after| rest(usage, after)));
    lines
}

fn lists(body: &Value) -> Vec<String> {
    let friends: Vec<String> = items(&body["friend_list"]).iter().map(|friend| who(&friend["uid"], friend)).collect();
    let friends = (!friends.is_empty()).then(|| format!("* friends: {}", friends.join(", ")));
    let applications = items(&body["apply_list"]).iter().map(|item| application(&item["uid"], item));
    friends.into_iter().chain(applications).collect()
}

fn application(uid: &Value, body: &Value) -> String {
    let number = plain(uid);
    format!("* {} would like to be your friend: `approve {number}` or `decline {number}`", who(uid, body))
}

fn rest(usage: &str, after: &str) -> String {
    format!("* there are more: `{usage} {after}`")
}

/// A user with the remark or else the name, where one is known.
fn who(uid: &Value, body: &Value) -> String {
    let names = [&body["back"], &body["name"]].into_iter().filter_map(Value::as_str);
    match names.into_iter().find(|name| !name.is_empty()) {
        Some(name) => format!("{} ({name})", plain(uid)),
        None => plain(uid),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A uid is a number, or a text where it is not one of digits.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW_MS: u64 = 1_735_689_600_000;

    fn came(id: u16, body: &Value) -> Vec<String> {
        lines(Direction::In, id, body, NOW_MS)
    }

    #[test]
    fn a_text_is_one_line() {
        let body = json!({ "error": 0, "fromuid": 1001, "touid": 1002, "id": 5, "timestamp": NOW_MS - 5,
            "text_array": [{ "content": "hello", "msgid": "a" }, { "content": "you", "msgid": "b" }] });
        assert_eq!(came(1019, &body), ["1001: hello", "1001: you"]);
        assert_eq!(lines(Direction::Out, 1017, &body, NOW_MS), ["1002: hello", "1002: you"]);
    }

    #[test]
    fn an_old_text_says_when_it_was_written() {
        let body = json!({ "error": 0, "fromuid": "bob", "timestamp": NOW_MS - 120_000,
            "text_array": [{ "content": "hello" }] });
        assert_eq!(came(1019, &body), ["bob: hello (2024-12-31 23:58:00 UTC)"]);
    }

    #[test]
    fn what_became_of_a_text_is_told_by_its_word() {
        let body = |results: Value| json!({ "error": 0, "touid": 1002, "results": results });
        assert_eq!(came(1018, &body(json!([{ "msgid": "a", "result": "accepted" }]))), ["* to 1002: accepted"]);
        let two = json!([{ "result": "accepted" }, { "result": "duplicate" }]);
        assert_eq!(came(1018, &body(two)), ["* to 1002: accepted, duplicate"]);
        let dropped = json!({ "error": 0, "touid": 1002, "results": [{ "result": "accepted" }], "dropped": 2 });
        assert_eq!(came(1018, &dropped), ["* to 1002: accepted; 2 older ones were dropped"]);
        assert!(came(1018, &json!({ "error": 1106, "reason": "rate" })).is_empty(), "it is shown as it stands");
    }

    #[test]
    fn a_login_tells_who_and_what_waits() {
        let body = json!({ "error": 0, "uid": 1002, "friend_list": [{ "uid": 1001, "name": "al", "back": "my Al" },
            { "uid": 1004, "name": "dan", "back": "" }, { "uid": 1005 }], "more": { "friend_list": "1005" },
            "apply_list": [{ "uid": 1003, "name": "cy" }],
            "notifications": [{ "uid": 1006, "type": 1002, "message": "eve is your friend", "time": 5 }],
            "unread_messages": [{ "id": 5, "from_id": 1001, "to_id": 1002, "timestamp": NOW_MS, "content": "hi" }] });
        assert_eq!(
            came(1006, &body),
            [
                "* friends: 1001 (my Al), 1004 (dan), 1005",
                "* 1003 (cy) would like to be your friend: `approve 1003` or `decline 1003`",
                "* there are more: `friends 1005`",
                "* eve is your friend (1006)",
                "1001: hi",
            ]
        );
        assert!(came(1006, &json!({ "error": 1010 })).is_empty());
    }

    #[test]
    fn friends_and_presence_are_told_in_sentences() {
        for (id, body, line) in [
            (1011, json!({ "error": 0, "applyuid": 1003, "name": "cy" }), "* 1003 (cy) would like to be your friend: "),
            (1015, json!({ "error": 0, "fromuid": 1003, "name": "" }), "* 1003 is your friend now"),
            (1025, json!({ "error": 0, "uid": 7, "type": 1003, "message": "al is on line" }), "* al is on line (7)"),
            (1025, json!({ "error": 0, "uid": 7, "type": 1101, "message": "7 is off line" }), "* 7 is off line"),
            (1025, json!({ "error": 0, "message": "", "friends": [{ "uid": 7 }, { "uid": 8 }] }), "* on line: 7, 8"),
            (1105, json!({ "error": 0, "list": "friend_list", "friend_list": [{ "uid": 7 }] }), "* friends: 7"),
            (1105, json!({ "error": 0, "list": "apply_list", "apply_list": [] }), "* nobody"),
        ] {
            let lines = came(id, &body);
            let rest = lines[0].strip_prefix(line).unwrap_or_else(|| panic!("{line}: {lines:?}"));
            assert!(lines.len() == 1 && (id == 1011 || rest.is_empty()), "{lines:?}");
        }
        let body = json!({ "error": 0, "list": "apply_list", "apply_list": [{ "uid": 7 }], "more": "7" });
        assert_eq!(came(1105, &body)[1], "* there are more: `applications 7`");
    }

    #[test]
    fn what_is_not_as_expected_is_shown_as_it_stands() {
        for id in [1011, 1015, 1018, 1019, 1025, 1105] {
            for body in [json!(null), json!([]), json!({ "error": 1102 }), json!({ "text_array": [5], "results": 5 })] {
                assert!(came(id, &body).is_empty(), "{id}: {body}");
            }
        }
    }
}

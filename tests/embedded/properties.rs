//! What must hold for any input: codecs give back what they were given, and no bytes bring the engine down.

use std::cell::RefCell;

use oneseat::embedded::{Engine, EngineOptions, Reply};
use proptest::collection::vec;
use proptest::prelude::*;

thread_local! {
    static ENGINE: RefCell<Engine> = RefCell::new(Engine::new(EngineOptions::default()));
}

/// Runs a script with one argument; a panic inside would be answered as an internal error.
fn eval(script: &str, argument: &[u8]) -> Reply {
    let reply = ENGINE.with_borrow_mut(|engine| engine.execute(&[b"EVAL", script.as_bytes(), b"0", argument]));
    if let Reply::Error(text) = &reply {
        assert!(!text.contains("internal error"), "{text}");
    }
    reply
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-99_999_999_999_999_i64..99_999_999_999_999).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    // Empty tables are objects to Lua, so no collection is empty.
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z\\PC]{1,6}[a-z]", inner, 1..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A simple matcher for patterns without brackets.
fn is_match(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skipped| is_match(rest, &text[skipped..])),
        ([b'?', rest @ ..], [_, after @ ..]) => is_match(rest, after),
        ([b'\\', literal, rest @ ..], _) => text.first() == Some(literal) && is_match(rest, &text[1..]),
        ([literal, rest @ ..], _) => text.first() == Some(literal) && is_match(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn json_comes_back(value in json()) {
        let text = value.to_string();
        for script in [
            "return cjson.encode(cjson.decode(ARGV[1]))",
            "return cjson.encode(cmsgpack.unpack(cmsgpack.pack(cjson.decode(ARGV[1]))))",
        ] {
            let Reply::Bulk(found) = eval(script, text.as_bytes()) else { panic!("{text} is refused") };
            let found: serde_json::Value = serde_json::from_slice(&found).expect("what is encoded is JSON");
            prop_assert_eq!(&found, &value);
        }
    }

    #[test]
    fn no_bytes_bring_a_decoder_down(bytes in vec(any::<u8>(), 0..200), near in "[\\[\\]{}:,\"\\\\u0-9a-f. eE+\\-]{0,40}") {
        let script = "return {pcall(cjson.decode, ARGV[1]), pcall(cmsgpack.unpack, ARGV[1]), \
                      pcall(struct.unpack, ARGV[1], ARGV[1]), pcall(struct.size, ARGV[1]), \
                      pcall(loadstring, ARGV[1]), pcall(string.format, ARGV[1], 1, 2, 3)}";
        eval(script, &bytes);
        eval(script, near.as_bytes());
        eval(&near, &bytes);
    }

    #[test]
    fn packed_numbers_come_back(number in any::<i32>(), size in 4_usize..9, order in "[<>]", align in 0_u32..4) {
        let format = format!("{order}!{} b i{size} d s", 1 << align);
        let script = "local a, b, c, d = struct.unpack(ARGV[1], struct.pack(ARGV[1], 7, NUMBER, NUMBER / 2, 'abc')) \
                      return {a, b, tostring(c * 2), d}";
        let script = script.replace("NUMBER", &number.to_string());
        let texts = [number.to_string(), "abc".to_string()].map(|text| Reply::Bulk(text.into_bytes()));
        let [double, word] = texts;
        let expected = Reply::Array(vec![Reply::Integer(7), Reply::Integer(number.into()), double, word]);
        prop_assert_eq!(eval(&script.replace("tostring(c * 2)", "('%d'):format(c * 2)"), format.as_bytes()), expected);
    }

    #[test]
    fn patterns_match_as_the_simple_matcher_says(pattern in "[ab*?\\\\]{0,8}[ab*?]", text in "[ab*]{1,10}") {
        let keys = ENGINE.with_borrow_mut(|engine| {
            engine.execute(&[b"FLUSHALL"]);
            engine.execute(&[b"SET", text.as_bytes(), b"1"]);
            engine.execute(&[b"KEYS", pattern.as_bytes()])
        });
        let expected = if is_match(pattern.as_bytes(), text.as_bytes()) { vec![Reply::Bulk(text.into_bytes())] } else { vec![] };
        prop_assert_eq!(keys, Reply::Array(expected));
    }
}

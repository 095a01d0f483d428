//! Searching for users: by uid or exact name, always answered, public fields only.

use serde_json::json;

use crate::town::{Town, everywhere};

everywhere!(
    a_user_is_found_by_uid_and_by_exact_name,
    defect_42_every_search_is_answered,
    defect_46_a_search_shows_no_secret
);

fn a_user_is_found_by_uid_and_by_exact_name(town: &Town) {
    town.profile(1002, "Bob");
    let mut ann = town.actor(1001);
    for who in ["1002", "Bob"] {
        let reply = ann.ask(1007, 1008, &json!({ "uid": who }));
        assert_eq!(
            (&reply["error"], &reply["uid"], &reply["name"]),
            (&json!(0), &json!(1002), &json!("Bob")),
            "{reply}"
        );
        assert_eq!((&reply["nick"], &reply["sex"]), (&json!("Boby"), &json!(1)), "{reply}");
    }
    for who in ["bob", "Bo", "1003", "Bob "] {
        assert_eq!(ann.ask(1007, 1008, &json!({ "uid": who }))["error"], 1011, "{who}");
    }
}

/// The old process ended for an empty text or a long number, and its client waited for ever for what was not answered.
fn defect_42_every_search_is_answered(town: &Town) {
    let mut ann = town.actor(1001);
    for (who, error) in [
        (json!(""), 1011),
        (json!("99999999999999999999999"), 1011),
        (json!("a|b#{c}"), 1011),
        (json!("\u{0}"), 1011),
        (json!("x".repeat(500)), 1011),
        (json!(1002), 1001),
        (json!(null), 1001),
    ] {
        let reply = ann.ask(1007, 1008, &json!({ "uid": who }));
        assert_eq!(reply["error"], error, "{who}: {reply}");
    }
    assert_eq!(ann.ask(1007, 1008, &json!({}))["error"], 1001);
    ann.settle();
}

/// The old server sent password and e-mail of anybody to anybody.
fn defect_46_a_search_shows_no_secret(town: &Town) {
    town.profile(1002, "Bob");
    town.look().run(&["HSET", "os:{0}:user:1002", "pwd", "hunter2"]);
    let mut ann = town.actor(1001);
    for who in ["1002", "Bob"] {
        let reply = ann.ask(1007, 1008, &json!({ "uid": who })).to_string();
        assert!(!reply.contains("secret") && !reply.contains("hunter2") && !reply.contains("pwd"), "{reply}");
    }
}

//! Lists that are longer than a frame: the first page is in the login's answer, the rest is asked for.

use serde_json::json;

use crate::talker::{Talker, uids};
use crate::town::{Town, everywhere};

everywhere!(defect_43_a_user_with_many_friends_logs_in_and_pages_through_them);

/// The old process ended when a user with some 160 friends logged in.
fn defect_43_a_user_with_many_friends_logs_in_and_pages_through_them(town: &Town) {
    const FRIENDS: u64 = 900;
    let element = |uid: u64| format!(r#"{{"uid":{uid},"name":"user {uid}","icon":":/{uid}.png","since":{uid}}}"#);
    let pairs: Vec<String> = (0..FRIENDS).flat_map(|n| [(2000 + n).to_string(), element(2000 + n)]).collect();
    for chunk in pairs.chunks(200) {
        let words: Vec<&str> =
            ["HSET", "os:{0}:friends:1001"].into_iter().chain(chunk.iter().map(String::as_str)).collect();
        town.look().run(&words);
    }
    let old = Talker::old(town.here(), 1001);
    let first = old.list("friend_list");
    assert!(!first.is_empty() && first.len() < 900, "an old client gets the first page: {}", first.len());
    old.leave();
    let mut ann = town.actor(1001);
    let mut found = ann.list("friend_list");
    let mut cursor = ann.reply["more"]["friend_list"].clone();
    while !cursor.is_null() {
        let page = ann.ask(1104, 1105, &json!({ "list": "friend_list", "after": cursor }));
        assert_eq!(page["error"], 0, "{page}");
        found.extend(uids(&page["friend_list"]));
        cursor = page["more"].clone();
    }
    assert_eq!(found, (2000..2000 + FRIENDS).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(ann.ask(1104, 1105, &json!({ "list": "seats", "after": "" }))["error"], 1001);
}

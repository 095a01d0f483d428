//! Profiles, erasure, messages and watchers, as a backend asks for them.

use oneseat::id::Uid;
use oneseat::script::{Argument, Arguments};
use serde_json::{Value, json};

use super::login;
use super::stand::Stand;

/// Sets fields of a profile and expects that to work.
async fn put(stand: &Stand, uid: u64, fields: Value) -> Value {
    let answer = stand.put(&format!("/v1/users/{uid}"), &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn profile(stand: &Stand, uid: u64) -> Value {
    stand.get(&format!("/v1/users/{uid}")).await.json()["profile"].clone()
}

/// What a search for a name answers, as the two scripts of it do.
async fn found(stand: &Stand, name: &str) -> Value {
    let name = Uid::parse(name).expect("a name");
    let effects = stand.caller.run("find_name", Some(&name), Arguments::new()).await.expect("it answers").effects;
    for effect in effects {
        if let oneseat::script::Effect::Call { script, uid, arguments } = effect {
            return stand.caller.ask(&script, Some(&uid), arguments).await.expect("it answers");
        }
    }
    json!({ "error": 1011 })
}

/// Makes two users friends, as an approval does on both shards.
async fn befriend(stand: &Stand, one: u64, other: u64) {
    for (uid, peer) in [(one, other), (other, one)] {
        let arguments = Arguments::new()
            .with(Argument::Uid, uid.to_string())
            .with(Argument::Peer, peer.to_string())
            .with(Argument::Since, "1700000000001")
            .with(Argument::NotAfter, "99999999999999")
            .with(Argument::Body, json!({ "theirs": profile(stand, peer).await }).to_string());
        let uid = Uid::parse(&uid.to_string()).expect("digits");
        stand.caller.run("befriend", Some(&uid), arguments).await.expect("befriend answers");
    }
    assert_eq!(friends(stand, one).await, [other.to_string()]);
}

async fn friends(stand: &Stand, uid: u64) -> Vec<String> {
    let uid = Uid::parse(&uid.to_string()).expect("digits");
    let arguments = Arguments::new().with(Argument::PageMax, "100");
    let answer = stand.caller.ask("friends_of", Some(&uid), arguments).await.expect("it answers");
    let names = answer["friends"].as_array().expect("a list").iter();
    names.map(|name| name.as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_very_many_fields_is_refused() {
    let stand = Stand::with_node(&[]).await;
    let fields: serde_json::Map<_, _> = (0..8_000).map(|number| (format!("k{number}"), Value::Null)).collect();
    stand.put("/v1/users/5", &Value::Object(fields)).await.problem(400);
    assert_eq!(put(&stand, 5, json!({ "nick": "n" })).await["public"]["nick"], "n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_set_shown_and_removed_field_by_field() {
    let stand = Stand::with_node(&[]).await;
    let set =
        put(&stand, 1001, json!({ "name": "ada", "sex": 1, "email": "a@b", "level": 9_007_199_254_740_993_u64 })).await;
    assert_eq!(set, json!({ "uid": "1001", "public": { "name": "ada", "sex": 1 }, "friends_refreshed": 0 }));
    let shown = profile(&stand, 1001).await;
    assert_eq!(shown, json!({ "name": "ada", "sex": 1, "email": "a@b", "level": "9007199254740993" }));
    put(&stand, 1001, json!({ "email": null, "nick": "A" })).await;
    assert_eq!(
        profile(&stand, 1001).await,
        json!({ "name": "ada", "sex": 1, "nick": "A", "level": "9007199254740993" })
    );
    assert_eq!(put(&stand, 1001, json!({})).await["public"]["nick"], "A", "nothing to set is no error");
    assert_eq!(profile(&stand, 1002).await, json!({}), "who is not known has none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_one_users_until_it_is_given_up() {
    let stand = Stand::with_node(&[]).await;
    put(&stand, 1001, json!({ "name": "ada" })).await;
    let taken = stand.put("/v1/users/1002", &json!({ "name": "ada", "nick": "B" })).await.problem(409);
    assert_eq!((&taken["type"], &taken["uid"]), (&json!("urn:oneseat:problem:name_taken"), &json!("1001")));
    assert_eq!(profile(&stand, 1002).await, json!({}), "nothing of it is written");
    put(&stand, 1001, json!({ "name": "eve" })).await;
    put(&stand, 1002, json!({ "name": "ada" })).await;
    put(&stand, 1001, json!({ "name": "eve" })).await;
    assert_eq!(
        (found(&stand, "ada").await["uid"].clone(), found(&stand, "eve").await["uid"].clone()),
        (json!(1002), json!(1001))
    );
    put(&stand, 1002, json!({ "name": null })).await;
    assert_eq!(found(&stand, "ada").await["error"], 1011);
    put(&stand, 1003, json!({ "name": "ada" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_never_became_a_name_is_taken_over_once_it_has_aged() {
    let stand = Stand::with_node(&[]).await;
    put(&stand, 1009, json!({ "name": "eve" })).await;
    stand.write("os:{0}:name:ada", "1009|1700000000000");
    put(&stand, 1001, json!({ "name": "ada" })).await;
    assert_eq!(found(&stand, "ada").await["uid"], 1001);
    let name = Uid::parse("bob").expect("a name");
    let claim = Arguments::new().with(Argument::Who, "1009");
    stand.caller.ask("claim_name", Some(&name), claim).await.expect("it answers");
    let fresh = stand.put("/v1/users/1001", &json!({ "name": "bob" })).await.problem(409);
    assert_eq!(fresh["uid"], "1009", "somebody may be about to write it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_profile_leaves_its_name_free() {
    let stand = Stand::with_node(&[]).await;
    let long = "x".repeat(200);
    stand.put("/v1/users/1001", &json!({ "name": "ada", "nick": long })).await.problem(400);
    put(&stand, 1002, json!({ "name": "ada" })).await;
    let problem = stand.put("/v1/users/1002", &json!({ "name": "ada", "nick": long })).await.problem(400);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("nick ")), "{problem}");
    assert_eq!(found(&stand, "ada").await["uid"], 1002, "a name that the user had before stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_that_make_no_sense_are_refused() {
    let stand = Stand::with_node(&[]).await;
    for body in [
        "",
        "x",
        "[]",
        "5",
        "{\"name\":\"\"}",
        "{\"name\":\"1001\"}",
        "{\"name\":\"a|b\"}",
        "{\"a\":[]}",
        "{\"a\":true}",
        "{\"a b\":\"c\"}",
        "{\"|erasing\":\"1\"}",
        "{\"sex\":\"f\"}",
    ] {
        stand.send("PUT", "/v1/users/1001", &[], body).await.problem(400);
    }
    stand.put("/v1/users/a%7Cb", &json!({})).await.problem(400);
    assert_eq!(profile(&stand, 1001).await, json!({}));
    let wrong = stand.send("PATCH", "/v1/users/1001", &[], "{}").await;
    wrong.problem(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_get_the_new_copy() {
    let stand = Stand::with_node(&[]).await;
    put(&stand, 1001, json!({ "name": "ada", "nick": "A" })).await;
    put(&stand, 1002, json!({ "name": "eve" })).await;
    befriend(&stand, 1001, 1002).await;
    let set = put(&stand, 1001, json!({ "nick": "B" })).await;
    assert_eq!(set["friends_refreshed"], 1);
    let private = put(&stand, 1001, json!({ "email": "a@b" })).await;
    assert_eq!(private["friends_refreshed"], 0, "nobody has a copy of that");
    let again = put(&stand, 1001, json!({ "nick": "B" })).await;
    assert_eq!(again["friends_refreshed"], 0, "all have it");
    let uid = Uid::parse("1001").expect("digits");
    let written = Arguments::new().with(Argument::Body, json!({ "nick": "C" }).to_string());
    stand.caller.ask("put_profile", Some(&uid), written).await.expect("it answers");
    let after_a_crash = put(&stand, 1001, json!({ "nick": "C" })).await;
    assert_eq!(after_a_crash["friends_refreshed"], 1, "whoever wrote it got no further");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_profiles_are_answered_in_order_with_problems_in_their_place() {
    let stand = Stand::with_node(&[]).await;
    let mut users: Vec<Value> = (1..=300).map(|uid| json!({ "uid": uid, "name": format!("user {uid}") })).collect();
    users[3] = json!({ "uid": "4", "nick": "four" });
    users[7] = json!({ "uid": 0 });
    users[9] = json!({ "uid": 9, "nick": "x" });
    users[11] = json!(12);
    let answer = stand.post("/v1/users", &Value::Array(users)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answers = answer.json();
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 300);
    for index in [7, 9, 11] {
        assert_eq!(answers[index]["status"], 400, "{}", answers[index]);
    }
    assert_eq!((&answers[0]["uid"], &answers[0]["public"]["name"]), (&json!(1), &json!("user 1")));
    assert_eq!((&answers[3]["uid"], &answers[3]["public"]["nick"]), (&json!("4"), &json!("four")));
    assert_eq!(found(&stand, "user 300").await["uid"], 300);
    let taken = stand.post("/v1/users", &json!([{ "uid": 400, "name": "user 1" }])).await.json();
    assert_eq!((&taken[0]["status"], &taken[0]["uid"]), (&json!(409), &json!("1")));
    let many = Value::Array(vec![json!({ "uid": 1 }); 1001]);
    stand.post("/v1/users", &many).await.problem(400);
    stand.post("/v1/users", &json!({ "uid": 1 })).await.problem(400);
    assert_eq!(stand.post("/v1/users", &json!([])).await.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_user_is_gone_everywhere_and_may_begin_anew() {
    let stand = Stand::with_node(&[]).await;
    put(&stand, 1001, json!({ "name": "ada", "email": "a@b" })).await;
    put(&stand, 1002, json!({ "name": "eve" })).await;
    befriend(&stand, 1001, 1002).await;
    let ticket = stand.ticket(1001).await;
    login(&stand, &ticket).await;
    stand.post("/v1/users/1001/messages", &json!({ "content": "hello" })).await;
    for kicked in [1, 0] {
        let erased = stand.delete("/v1/users/1001").await;
        assert_eq!((erased.status, erased.json()), (200, json!({ "uid": "1001", "erased": true, "kicked": kicked })));
    }
    let user = stand.get("/v1/users/1001").await.json();
    for (name, empty) in [("seats", json!([])), ("trail", json!([])), ("profile", json!({})), ("erasing", json!(false))]
    {
        assert_eq!(user[name], empty, "{name}: {user}");
    }
    assert_eq!(friends(&stand, 1002).await, [] as [String; 0]);
    assert_eq!(stand.get("/v1/users/1001/inbox").await.json()["count"], 0);
    assert_eq!(found(&stand, "ada").await["error"], 1011);
    put(&stand, 1001, json!({ "name": "ada" })).await;
    assert_eq!(profile(&stand, 1001).await, json!({ "name": "ada" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_erasure_was_cut_off_is_not_written_until_it_is_done() {
    let stand = Stand::with_node(&[]).await;
    put(&stand, 1001, json!({ "name": "ada" })).await;
    let uid = Uid::parse("1001").expect("digits");
    let page = Arguments::new().with(Argument::Uid, "1001").with(Argument::PageMax, "1");
    stand.caller.run("erase", Some(&uid), page).await.expect("erase answers");
    let problem = stand.put("/v1/users/1001", &json!({ "nick": "A" })).await.problem(409);
    assert_eq!(problem["type"], "urn:oneseat:problem:erasing");
    assert_eq!(stand.get("/v1/users/1001").await.json()["erasing"], true);
    assert_eq!(stand.delete("/v1/users/1001").await.status, 200);
    put(&stand, 1001, json!({ "nick": "A" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_waits_in_the_inbox_and_is_accepted_once() {
    let stand = Stand::with_node(&[]).await;
    put(&stand, 1001, json!({ "name": "ada" })).await;
    let message = json!({ "content": "hello \"you\"", "from": 7, "msgid": "m1", "ttl_ms": 60_000 });
    let sent = stand.post("/v1/users/1001/messages", &message).await.json();
    assert_eq!((&sent["uid"], &sent["msgid"], &sent["result"]), (&json!("1001"), &json!("m1"), &json!("accepted")));
    assert!(sent["id"].is_u64() && sent["error"].is_null(), "{sent}");
    let again = stand.post("/v1/users/1001/messages", &message).await.json();
    assert_eq!(again["result"], "duplicate");
    let unsigned = stand.post("/v1/users/1001/messages", &json!({ "content": "bye" })).await.json();
    assert!(unsigned["msgid"].as_str().is_some_and(|id| id.len() == 38), "{unsigned}");
    let inbox = stand.get("/v1/users/1001/inbox").await.json();
    assert_eq!((&inbox["uid"], &inbox["count"], &inbox["cursor"]), (&json!("1001"), &json!(2), &json!("")));
    let entries = inbox["entries"].as_array().expect("a list");
    assert_eq!((&entries[0]["from"], &entries[1]["from"]), (&json!("7"), &json!("0")));
    assert_eq!(entries[0]["texts"], json!([{ "content": "hello \"you\"", "msgid": "m1" }]));
    let rest = stand.get(&format!("/v1/users/1001/inbox?cursor={}", entries[0]["id"])).await.json();
    assert_eq!(rest["entries"][0]["texts"][0]["content"], "bye");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cannot_be_taken_are_told_apart() {
    let stand = Stand::with_node(&[("INBOX__COUNT_MAX", "1"), ("TEXT__BYTES_MAX", "100")]).await;
    let unknown = stand.post("/v1/users/1001/messages", &json!({ "content": "x" })).await.problem(404);
    assert_eq!(unknown["type"], "urn:oneseat:problem:no_such_user");
    put(&stand, 1001, json!({ "nick": "A" })).await;
    let long = "x".repeat(101);
    stand.post("/v1/users/1001/messages", &json!({ "content": long })).await.problem(413);
    stand.post("/v1/users/1001/messages", &json!({ "content": "first" })).await.json();
    let full = stand.post("/v1/users/1001/messages", &json!({ "content": "second" })).await.problem(409);
    assert_eq!(full["type"], "urn:oneseat:problem:full");
    for body in [
        json!({}),
        json!([]),
        json!({ "content": 5 }),
        json!({ "content": "x", "from": 0 }),
        json!({ "content": "x", "msgid": "" }),
        json!({ "content": "x", "msgid": long }),
        json!({ "content": "x", "ttl_ms": 0 }),
        json!({ "content": "x", "form": 5 }),
    ] {
        stand.post("/v1/users/1001/messages", &body).await.problem(400);
    }
    for query in ["cursor=x", "curser=1", "cursor=99999999999999999"] {
        stand.get(&format!("/v1/users/1001/inbox?{query}")).await.problem(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_come_and_go_within_a_bound() {
    let stand = Stand::with_node(&[("FRIENDS__MAX", "1")]).await;
    for _ in 0..2 {
        let answer = stand.put("/v1/users/1001/watchers/ops%2F1", &json!({})).await;
        assert_eq!(answer.json(), json!({ "uid": "1001", "watcher": "ops/1", "watching": true }));
    }
    stand.put("/v1/users/1001/watchers/ops2", &json!({})).await.problem(409);
    for _ in 0..2 {
        let answer = stand.delete("/v1/users/1001/watchers/ops%2F1").await;
        assert_eq!(answer.json(), json!({ "uid": "1001", "watcher": "ops/1", "watching": false }));
    }
    stand.put("/v1/users/1001/watchers/a%7Cb", &json!({})).await.problem(400);
    stand.get("/v1/users/1001/watchers/1").await.problem(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_told_for_users_too() {
    let mut stand = Stand::with_node(&[]).await;
    stand.kill_redis().await;
    for answer in [
        stand.put("/v1/users/1", &json!({ "name": "ada" })).await,
        stand.delete("/v1/users/1").await,
        stand.post("/v1/users/1/messages", &json!({ "content": "x" })).await,
        stand.get("/v1/users/1/inbox").await,
        stand.put("/v1/users/1/watchers/2", &json!({})).await,
    ] {
        assert!(answer.problem(503)["retry_after_ms"].is_u64());
    }
    let each = stand.post("/v1/users", &json!([{ "uid": 1 }])).await.json();
    assert_eq!((&each[0]["status"], each[0]["retry_after_ms"].is_u64()), (&json!(503), true));
}

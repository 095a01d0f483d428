//! What Rust does with what a script says, odd scripts included. Each test changes a copy of `lua/`.

use std::path::Path;

use oneseat::id::Sid;
use oneseat::reason::Reason;
use oneseat::script::{Catalogue, Effect};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Node};

/// Where in `login` the odd part is put: after its guard has a clock, before it looks at any ticket.
const PLACE: &str = "local seat, ticket = read_hash(seat_key), read_hash(ticket_key)\n";
/// A script that a login may call.
const WELCOME: &str = "-- welcome v1: answer a login in another way.
--
-- @since 0.1.0
-- @mode read
-- @key user hash profile of the user
-- @arg uid text the user
-- @effect reply 1006
-- @effect call itself
local user_key = KEYS[1]
local uid = ARGV[1]

BODY
";

/// A node whose login does this for uid 13 instead.
async fn node_with(lua: &str, settings: &[(&str, &str)]) -> Node {
    node_with_at(PLACE, lua, settings).await
}

/// As before, behind another line of the script.
async fn node_with_at(place: &str, lua: &str, settings: &[(&str, &str)]) -> Node {
    let folder = scripts();
    let login = folder.path().join("login/v2.lua");
    let text = std::fs::read_to_string(&login).expect("the login script");
    let odd = text.replacen(place, &format!("{place}if uid == '13' then {lua} end\n"), 1);
    assert_ne!(text, odd, "the script has the place");
    std::fs::write(&login, odd).expect("the folder takes it");
    Node::with_scripts(settings, Catalogue::from_dir(folder.path()).expect("it is still a script")).await
}

fn scripts() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(Path::new("lua"), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder takes it");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(std::fs::copy(from, to).expect("a file")),
        }
    }
}

/// A connection that has asked to log in as uid 13, and the answer.
async fn odd_login(node: &Node) -> (Client, Value) {
    let mut client = node.connect().await;
    let reply = client.login(13, "any").await;
    (client, reply)
}

/// The script may have written before it failed, so the sid is ended for good; everybody else goes on.
#[tokio::test]
async fn a_broken_script_costs_its_caller_an_answer_and_nobody_a_connection() {
    let node = node_with("error('broken')", &[]).await;
    let mut session = node.session(1).await;
    let (mut unlucky, reply) = odd_login(&node).await;
    assert_eq!(reply, json!({"error": 1100}));
    assert_eq!(unlucky.expect(1101).await["reason"], "internal");
    unlucky.expect_end().await;
    session.expect_alive().await;
    node.session(14).await.expect_alive().await;
}

#[tokio::test]
async fn a_login_that_fails_after_its_writes_leaves_no_ghost() {
    let node = node_with_at("-- 3. Answer.\n", "error('too late')", &[]).await;
    let token = node.ticket(13).await;
    let mut unlucky = node.connect().await;
    assert_eq!(unlucky.login(13, &token).await, json!({"error": 1100}));
    assert_eq!(unlucky.expect(1101).await["reason"], "internal");
    node.endings.drained().await;
    assert_eq!(node.roster(), 0);
}

#[tokio::test]
async fn answers_that_break_the_contract_are_a_fault_of_this_side() {
    for lua in ["return 1", "return { 2 }", "return { 1, { 'reply', 1006 } }", "return { 1, { 'bo', 1 } }"] {
        let node = node_with(lua, &[]).await;
        let (mut client, reply) = odd_login(&node).await;
        assert_eq!(reply, json!({"error": 1100}), "{lua}");
        assert_eq!(client.expect(1101).await["reason"], "internal");
    }
    let node = node_with("return { 1 }", &[]).await;
    let (mut client, reply) = odd_login(&node).await;
    assert_eq!(reply, json!({"error": 1100}), "no answer at all");
    client.expect_alive().await;
}

/// The original ended its process over it.
#[tokio::test]
async fn defect_43_an_answer_over_the_limit_of_a_frame_is_a_fault_of_this_side() {
    let lua = "return { 1, { 'reply', 1006, cjson.encode(string.rep('x', 70000)) } }";
    let node = node_with(lua, &[]).await;
    let (mut client, reply) = odd_login(&node).await;
    assert_eq!(reply, json!({"error": 1100}));
    client.expect_alive().await;
}

/// The second of two binds carries the lower rank, as if the scripts had run in the other order.
const OVERTAKEN: &str = "local turn = redis.call('HINCRBY', user_key, 'turn', 1)
  return { 1, { 'bind', uid, 'main', 1, 100 - turn }, { 'reply', 1006, cjson.encode({ error = 0, sid = sid }) } }";

#[tokio::test]
async fn a_login_that_was_overtaken_is_told_by_its_kick_and_not_served_before() {
    let node = node_with(OVERTAKEN, &[("KICK__GRACE_MS", "3000")]).await;
    let (mut first, _) = odd_login(&node).await;
    let (mut second, reply) = odd_login(&node).await;
    second.send(1023, "").await;
    first.expect_alive().await;
    let sid = Sid::parse(reply["sid"].as_str().expect("a sid")).expect("a sid");
    assert!(node.gateway.sessions().iter().any(|session| session.sid == sid), "verify may look at it");
    let body = r#"{"error":0,"uid":13}"#.into();
    node.gateway.apply(vec![Effect::Kick { sid, reason: Reason::Displaced, id: 1021, body }]);
    assert_eq!(second.expect(1021).await["uid"], 13);
    drop(second);
    node.wait_for_connections(1).await;
    assert!(node.endings.is_empty(), "the kick came from the store, which knows");
    first.expect_alive().await;
}

#[tokio::test]
async fn a_login_that_was_overtaken_and_is_never_kicked_is_sent_away_after_the_grace() {
    let node = node_with(OVERTAKEN, &[]).await;
    let (mut first, _) = odd_login(&node).await;
    let (mut second, reply) = odd_login(&node).await;
    assert_eq!(reply["error"], 0);
    assert_eq!(second.expect(1101).await["reason"], "internal", "only the store says who was displaced");
    second.expect_end().await;
    first.expect_alive().await;
    assert_eq!(node.gateway.session_count(), 1);
}

/// What the channel brings may be here before the answer of the login that it speaks of, or after it.
#[tokio::test]
async fn notices_for_a_login_in_flight_come_after_its_answer() {
    let lua = "redis.call('PUBLISH', channel_prefix .. node, cjson.encode({ { 'deliver', sid, 1019, '{\"error\":0}' } }))
      redis.call('PUBLISH', channel_prefix .. node, cjson.encode({ { 'kick', sid, 'displaced', 1021, '{\"error\":0}' } }))
      for _ = 1, 200000 do end
      return { 1, { 'bind', uid, 'main', 1, now }, { 'reply', 1006, '{\"error\":0}' } }";
    let node = node_with(lua, &[]).await;
    for _ in 0..20 {
        let (mut client, reply) = odd_login(&node).await;
        assert_eq!(reply["error"], 0);
        let next = client.receive().await.expect("a notice");
        if next.0 == 1019 {
            client.expect(1021).await;
        } else {
            assert_eq!(next.0, 1021, "the message came when nobody was there to take it");
        }
    }
}

#[tokio::test]
async fn a_close_of_a_script_follows_its_answer() {
    let lua = "return { 1, { 'reply', 1006, '{\"error\":1010}' }, { 'close', 'displaced' } }";
    let node = node_with(lua, &[]).await;
    let (mut client, reply) = odd_login(&node).await;
    assert_eq!(reply["error"], 1010);
    assert_eq!(client.expect(1101).await["reason"], "displaced");
    client.expect_end().await;
}

async fn node_with_welcome(body: &str) -> Node {
    let folder = scripts();
    let welcome = folder.path().join("welcome");
    std::fs::write(welcome.join("v1.lua"), WELCOME.replace("BODY", body)).expect("the folder takes it");
    let catalogue = Catalogue::from_dir(folder.path()).expect("it is a script");
    Node::with_scripts(&[("LOGIN__WELCOME", "welcome")], catalogue).await
}

#[tokio::test]
async fn a_welcome_script_answers_instead() {
    let body = "return { 1, { 'reply', 1006, cjson.encode({ error = 0, of = uid, name = redis.call('HGET', user_key, 'name') }) } }";
    let node = node_with_welcome(body).await;
    let token = node.ticket(7).await;
    let mut client = node.connect().await;
    assert_eq!(client.login(7, &token).await, json!({"error": 0, "of": "7", "name": false}));
    client.expect_alive().await;
    assert_eq!((node.gateway.session_count(), node.roster()), (1, 1));
}

/// The seat was taken before the welcome failed: the session stays, the displaced is told, the client may ask again.
#[tokio::test]
async fn a_broken_welcome_loses_neither_the_session_nor_the_kick() {
    let body =
        "if redis.call('HGET', user_key, 'name') then error(uid) end return { 1, { 'reply', 1006, '{\"error\":0}' } }";
    let node = node_with_welcome(body).await;
    let mut older = node.session(7).await;
    node.store.command(&["hset", "os:{0}:user:7", "name", "x"]);
    let token = node.ticket(7).await;
    let mut newer = node.connect().await;
    assert_eq!(newer.login(7, &token).await, json!({"error": 1100}));
    assert_eq!(older.expect(1021).await["reason"], "displaced");
    node.store.command(&["del", "os:{0}:user:7"]);
    assert_eq!(newer.login(7, &token).await, json!({"error": 0}));
    newer.expect_alive().await;
    assert_eq!(node.gateway.session_count(), 1);
}

#[tokio::test]
async fn scripts_that_call_each_other_for_ever_are_stopped() {
    let node = node_with_welcome("return { 1, { 'call', 'welcome', uid, 'uid', uid .. user_key } }").await;
    let token = node.ticket(7).await;
    let mut client = node.connect().await;
    assert_eq!(client.login(7, &token).await, json!({"error": 1100}));
    client.expect_alive().await;
}

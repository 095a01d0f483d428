//! The admin HTTP over a real socket, with the built-in scripts on a real redis-server behind it.

mod stand;
mod users;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use oneseat::digest::TokenDigest;
use oneseat::id::{Sid, Uid};
use oneseat::readiness::Condition;
use oneseat::script::{Argument, Arguments, Effect};
use serde_json::{Value, json};
use stand::Stand;

/// Logs a user in with a ticket, as the gateway would, and answers the session's id.
async fn login(stand: &Stand, ticket: &Value) -> Sid {
    login_at(stand, ticket, "node1").await
}

/// As [`login`], on a node of the test's choice.
async fn login_at(stand: &Stand, ticket: &Value, node: &'static str) -> Sid {
    let uid = Uid::parse(&ticket["uid"].to_string()).expect("digits");
    let sid = Sid::new();
    // This node holds no lease of its own here, so the claim says by itself until when it is good.
    let arguments = Arguments::new()
        .with(Argument::Uid, uid.to_string())
        .with(Argument::Node, node)
        .with(Argument::Sid, sid.to_string())
        .with(Argument::TokenDigest, TokenDigest::of(ticket["token"].as_str().expect("a text")).to_string())
        .with(Argument::Address, "192.0.2.7:40000")
        .with(Argument::NotAfter, "99999999999999")
        .with(Argument::Policy, "takeover")
        .with(Argument::IntervalMs, "10000")
        .with(Argument::LimitMs, "60000");
    let effects = stand.caller.run("login", Some(&uid), arguments).await.expect("login answers").effects;
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Bind { .. })), "{effects:?}");
    sid
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_names_the_node_and_opens_the_seat() {
    let stand = Stand::with_node(&[]).await;
    let ticket = stand.ticket(1001).await;
    assert_eq!(ticket["uid"], 1001);
    assert_eq!(ticket["class"], "main");
    assert_eq!(ticket["host"], "chat.example");
    assert_eq!(ticket["port"], 8090);
    assert!(ticket["expires_at_ms"].as_u64().is_some_and(|ms| ms > 1_700_000_000_000));
    login(&stand, &ticket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_may_bring_its_own_token_class_and_life() {
    let stand = Stand::with_node(&[]).await;
    let wanted = json!({ "uid": "1001", "class": "phone", "token": "from-the-backend", "ttl_ms": 60_000 });
    let ticket = stand.post("/v1/tickets", &wanted).await.json();
    assert_eq!(ticket["uid"], "1001", "a uid comes back in the form in which it was given");
    assert_eq!((&ticket["class"], &ticket["token"]), (&json!("phone"), &json!("from-the-backend")));
    let longer = stand.ticket(1001).await["expires_at_ms"].as_u64().expect("a number");
    assert!(longer > ticket["expires_at_ms"].as_u64().expect("a number") + 60_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_answered_in_order_with_problems_in_their_place() {
    let stand = Stand::with_node(&[]).await;
    let mut wanted: Vec<Value> = (1..=300).map(|uid| json!({ "uid": uid })).collect();
    wanted[7] = json!({ "uid": 0 });
    wanted[9] = json!({ "uid": 9 });
    let answer = stand.post("/v1/tickets", &Value::Array(wanted)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tickets = answer.json();
    let tickets = tickets.as_array().expect("an array");
    assert_eq!(tickets.len(), 300);
    for (index, ticket) in tickets.iter().enumerate().filter(|(index, _)| ![7, 9].contains(index)) {
        assert_eq!(ticket["uid"], index + 1);
    }
    assert_eq!(tickets[7]["type"], "urn:oneseat:problem:invalid");
    assert!(tickets[9]["detail"].as_str().is_some_and(|text| text.contains("earlier item")), "{}", tickets[9]);
    let tokens: HashSet<_> = tickets.iter().filter_map(|ticket| ticket["token"].as_str()).collect();
    assert_eq!(tokens.len(), 298, "no token is given twice");
    assert_eq!(stand.post("/v1/tickets", &json!([])).await.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense_are_refused_with_a_problem() {
    let stand = Stand::with_node(&[]).await;
    for body in ["", "x", "[", "{\"uid\":1}x", "5", "null", "{\"uid\":[]}", "{\"uid\":1,\"ttl_ms\":\"5\"}", "[1,2"] {
        stand.send("POST", "/v1/tickets", &[], body).await.problem(400);
    }
    let deep = "[".repeat(100_000);
    stand.send("POST", "/v1/tickets", &[], &deep).await.problem(400);
    let many = Value::Array(vec![json!({ "uid": 1 }); 1001]);
    stand.post("/v1/tickets", &many).await.problem(400);
    let large = "x".repeat((1 << 20) + 1);
    stand.send("POST", "/v1/tickets", &[], &large).await.problem(413);
    stand.get("/v1/nothing").await.problem(404);
    stand.get("/").await.problem(404);
    stand.get("/v1/users/").await.problem(404);
    let wrong = stand.get("/v1/tickets").await;
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_content_type_is_read_all_the_same() {
    let stand = Stand::with_node(&[]).await;
    let answer = stand.send("POST", "/v1/tickets", &[], "{\"uid\":5}").await;
    assert_eq!((answer.status, &answer.json()["uid"]), (200, &json!(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_looked_up_with_seats_and_trail() {
    let stand = Stand::with_node(&[]).await;
    assert_eq!(stand.get("/v1/users/1001").await.json()["seats"], json!([]));
    let ticket = stand.ticket(1001).await;
    let sid = login(&stand, &ticket).await;
    let user = stand.get("/v1/users/1001").await.json();
    let seat = &user["seats"][0];
    assert_eq!(seat["sid"], sid.to_string());
    assert_eq!((&seat["class"], &seat["node"]), (&json!("main"), &json!("node1")));
    assert_eq!((&seat["address"], &seat["node_state"]), (&json!("192.0.2.7:40000"), &json!("live")));
    assert_eq!(user["unseated"], json!([]));
    assert!(seat["epoch"].is_u64() && seat["since"].is_u64(), "{seat}");
    assert_eq!(user["trail"][0]["event"], "taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_uids_are_decoded_and_checked() {
    let stand = Stand::with_node(&[]).await;
    for (path, uid) in [("a%2Fb", "a/b"), ("%C3%A9%20x", "é x"), ("%3Cb%3E%22", "<b>\""), ("a%25b", "a%b")] {
        let answer = stand.get(&format!("/v1/users/{path}")).await;
        assert_eq!((answer.status, &answer.json()["uid"]), (200, &json!(uid)), "{path}");
    }
    let long = "x".repeat(65);
    for path in ["%FF", "a%7Cb", "a%23b", "%7Ba%7D", "a%00", "a%0Ab", long.as_str()] {
        stand.get(&format!("/v1/users/{path}")).await.problem(400);
        stand.delete(&format!("/v1/users/{path}/session")).await.problem(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_ends_the_session_and_voids_the_ticket() {
    let stand = Stand::with_node(&[]).await;
    let ticket = stand.ticket(1001).await;
    let sid = login(&stand, &ticket).await;
    let none = stand.delete("/v1/users/1001/session?class=phone").await;
    assert_eq!(none.json(), json!({ "kicked": [] }), "nobody of that class is there");
    let kicked = stand.delete("/v1/users/1001/session?note=spam%20%26%20more").await;
    assert_eq!(kicked.json(), json!({ "kicked": [{ "class": "main", "sid": sid.to_string(), "node": "node1" }] }));
    let user = stand.get("/v1/users/1001").await.json();
    assert_eq!(user["seats"], json!([]));
    assert_eq!((&user["trail"][0]["event"], &user["trail"][0]["note"]), (&json!("kicked"), &json!("spam & more")));
    let again = stand.delete("/v1/users/1001/session").await;
    assert_eq!(again.json(), json!({ "kicked": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_kick_kicks_nobody() {
    let stand = Stand::with_node(&[]).await;
    let ticket = stand.ticket(1001).await;
    login(&stand, &ticket).await;
    let long = format!("note={}", "x".repeat(201));
    for query in ["clas=phone", "class=", "class=a%20b", "class=a&class=b", "note=a%0Ab", long.as_str()] {
        stand.delete(&format!("/v1/users/1001/session?{query}")).await.problem(400);
    }
    let seats = stand.get("/v1/users/1001").await.json()["seats"].clone();
    assert_eq!(seats.as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_listed_with_what_they_said_last() {
    let stand = Stand::with_node(&[]).await;
    let nodes = stand.get("/v1/nodes").await.json();
    let node = &nodes["nodes"][0];
    assert_eq!((&node["name"], &node["address"]), (&json!("node1"), &json!("chat.example:8090")));
    assert_eq!((&node["live"], &node["draining"]), (&json!(true), &json!(false)));
    assert_eq!((&node["count"], &node["capacity"]), (&json!(0), &json!(1000)));
    assert!(node["incarnation"].is_u64(), "{node}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_gets_no_newcomers_until_the_drain_is_ended() {
    let stand = Stand::with_node(&[]).await;
    let drained = stand.post("/v1/nodes/node1/drain", &json!({ "over_ms": 5000 })).await.json();
    let expected = json!({ "node": "node1", "draining": true, "over_ms": 5000, "count": 0, "others": 0 });
    assert_eq!(drained, expected);
    let node = stand.get("/v1/nodes").await.json()["nodes"][0].clone();
    assert_eq!((&node["state"], &node["live"], &node["over_ms"]), (&json!("draining"), &json!(true), &json!(5000)));
    stand.post("/v1/tickets", &json!({ "uid": 1 })).await.problem(503);
    let open = stand.delete("/v1/nodes/node1/drain").await.json();
    assert_eq!(open, json!({ "node": "node1", "draining": false, "count": 0, "others": 0 }));
    stand.ticket(1).await;
    // Without a body, or with an empty one, it takes a minute.
    for body in ["", "{}"] {
        let drained = stand.send("POST", "/v1/nodes/node1/drain", &[], body).await;
        assert_eq!(drained.json()["over_ms"], 60_000, "{}", drained.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_nodes_that_live_are_drained() {
    let stand = Stand::with_node(&[]).await;
    stand.register("node2", "1").await;
    wait_dead(&stand, "node2").await;
    for (name, why) in [("node2", "is dead"), ("node9", "knows no node")] {
        for answer in [
            stand.post(&format!("/v1/nodes/{name}/drain"), &json!({})).await,
            stand.delete(&format!("/v1/nodes/{name}/drain")).await,
        ] {
            let problem = answer.problem(404);
            assert_eq!(problem["type"], "urn:oneseat:problem:no_such_node");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{problem}");
        }
    }
    for body in ["x", "[1]", "{\"over_ms\":0}", "{\"over\":5}", "{\"over_ms\":\"5\"}", "{\"over_ms\":99999999999}"] {
        stand.send("POST", "/v1/nodes/node1/drain", &[], body).await.problem(400);
    }
    stand.post("/v1/nodes/a%20b/drain", &json!({})).await.problem(400);
    stand.get("/v1/nodes/node1/drain").await.problem(405);
    assert_eq!(stand.get("/v1/nodes").await.json()["nodes"][0]["state"], "live", "none of it had an effect");
}

/// Waits until the lease of a node is out.
async fn wait_dead(stand: &Stand, name: &str) {
    loop {
        let nodes = stand.get("/v1/nodes").await.json();
        let nodes = nodes["nodes"].as_array().expect("a list");
        if nodes.iter().any(|node| node["name"] == name && node["state"] == "dead") {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seat_of_a_dead_node_counts_for_nothing_and_that_of_an_unknown_one_does() {
    let stand = Stand::with_node(&[]).await;
    stand.register("node2", "1").await;
    for (uid, node) in [(1001, "node2"), (1002, "node9")] {
        let ticket = stand.ticket(uid).await;
        login_at(&stand, &ticket, node).await;
    }
    wait_dead(&stand, "node2").await;
    let user = stand.get("/v1/users/1001").await.json();
    assert_eq!(user["seats"], json!([]), "{user}");
    let unseated = &user["unseated"][0];
    assert_eq!((&unseated["node"], &unseated["reason"]), (&json!("node2"), &json!("dead")), "{user}");
    assert_eq!(user["trail"][0]["event"], "taken", "nobody has reaped it yet");
    let user = stand.get("/v1/users/1002").await.json();
    assert_eq!((&user["seats"][0]["node_state"], &user["unseated"]), (&json!("unknown"), &json!([])), "{user}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_node_no_ticket_is_given_and_the_caller_is_told_when_to_ask_again() {
    let stand = Stand::start(&[]).await;
    let answer = stand.post("/v1/tickets", &json!({ "uid": 1 })).await;
    assert_eq!(answer.problem(503)["retry_after_ms"], 1000);
    assert_eq!(answer.header("retry-after"), "1");
    let each = stand.post("/v1/tickets", &json!([{ "uid": 1 }])).await.json();
    assert_eq!((&each[0]["status"], &each[0]["retry_after_ms"]), (&json!(503), &json!(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_told_at_once_and_health_stays() {
    let mut stand = Stand::with_node(&[]).await;
    stand.kill_redis().await;
    for answer in [
        stand.post("/v1/tickets", &json!({ "uid": 1 })).await,
        stand.get("/v1/users/1").await,
        stand.get("/v1/nodes").await,
        stand.delete("/v1/users/1/session").await,
    ] {
        assert!(answer.problem(503)["retry_after_ms"].is_u64());
        assert!(!answer.header("retry-after").is_empty());
    }
    assert_eq!(stand.get("/healthz").await.status, 200);
    let ready = stand.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["missing"][0]["name"]), (503, &json!("redis")));
    assert!(stand.get("/metrics").await.text.contains("oneseat_redis_connected 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_lists_what_is_missing() {
    let stand = Stand::start(&[]).await;
    let ready = stand.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (503, &json!(false)));
    let names = |body: &Value| -> Vec<String> {
        let list = body["missing"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(&ready.json()), ["redis", "scripts", "node", "channel", "gateway"]);
    for condition in Condition::ALL {
        stand.readiness.set(condition, true);
    }
    let ready = stand.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({ "ready": true, "missing": [] })));
    stand.readiness.set(Condition::Channel, false);
    assert_eq!(names(&stand.get("/readyz").await.json()), ["channel"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_everywhere_but_for_health() {
    let stand = Stand::with_node(&[("ADMIN__TOKEN", "12345")]).await;
    for (method, path) in [
        ("GET", "/v1/nodes"),
        ("GET", "/metrics"),
        ("GET", "/v1/nothing"),
        ("POST", "/v1/tickets"),
        ("DELETE", "/v1/users/1/session"),
        ("PUT", "/v1/users/1"),
        ("DELETE", "/v1/users/1"),
        ("POST", "/v1/users"),
        ("POST", "/v1/users/1/messages"),
        ("GET", "/v1/users/1/inbox"),
        ("PUT", "/v1/users/1/watchers/2"),
        ("POST", "/v1/nodes/node1/drain"),
        ("DELETE", "/v1/nodes/node1/drain"),
    ] {
        for headers in [&[] as &[_], &[("authorization", "Bearer 1234")], &[("authorization", "Basic MTIzNDU=")]] {
            let answer = stand.send(method, path, headers, "").await;
            answer.problem(401);
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    let open = stand.send("GET", "/v1/nodes", &[("authorization", "Bearer 12345")], "").await;
    assert_eq!(open.status, 200);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(stand.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_get_nothing_from_a_server_without_a_token() {
    let stand = Stand::with_node(&[]).await;
    let body = "{\"uid\":1}";
    stand.send("POST", "/v1/tickets", &[("origin", "http://evil.example")], body).await.problem(403);
    stand.send("POST", "/v1/tickets", &[("host", "evil.example")], body).await.problem(403);
    let own = format!("http://{}", stand.address);
    assert_eq!(stand.send("POST", "/v1/tickets", &[("origin", &own)], body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_come_in_the_text_form_with_their_meaning() {
    let stand = Stand::with_node(&[]).await;
    stand.ticket(1).await;
    let metrics = stand.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("text/plain"), "{}", metrics.header("content-type"));
    for line in [
        "# TYPE oneseat_script_seconds histogram",
        "oneseat_redis_connected 1",
        "oneseat_script_calls_total{script=\"ticket\",version=\"1\",outcome=\"ok\"}",
    ] {
        assert!(metrics.text.contains(line), "{line}\n{}", metrics.text);
    }
    assert!(metrics.text.contains("# HELP oneseat_redis_connected 1 while"), "{}", metrics.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_http_end_only_their_own_connection() {
    let stand = Stand::with_node(&[]).await;
    let address = stand.address;
    let send = move |bytes: &'static [u8]| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(bytes).expect("it reads");
        stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        let mut answer = Vec::new();
        // A reset is as good an end as any.
        let _ = stream.read_to_end(&mut answer);
    };
    for bytes in [
        &b"\x03\xed\x00\x02{}"[..],
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/tickets HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999\r\n\r\n{",
    ] {
        tokio::task::spawn_blocking(move || send(bytes)).await.expect("the peer does not panic");
    }
    assert_eq!(stand.get("/healthz").await.status, 200);
}

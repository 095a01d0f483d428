//! What a backend does with users: messages from the server, events of seats.

use serde_json::{Value, json};

use crate::town::{Town, everywhere};

everywhere!(a_backend_sends_a_message_once, a_backend_reads_the_events_of_seats);

fn a_backend_sends_a_message_once(town: &Town) {
    let mut bob = town.other(1002);
    let message = json!({ "from": 1, "content": "welcome", "msgid": "m1" });
    for result in ["accepted", "duplicate"] {
        let (status, answer) = town.here().admin.post("/v1/users/1002/messages", &message);
        assert_eq!(status, 200, "{answer}");
        assert!(answer.to_string().contains(result), "{result}: {answer}");
    }
    assert_eq!(bob.texts(1), ["welcome"]);
    bob.settle();
    let inbox = town.here().admin.get("/v1/users/1002/inbox");
    assert!(!inbox.to_string().contains("welcome"), "it was acknowledged: {inbox}");
}

fn a_backend_reads_the_events_of_seats(town: &Town) {
    let one = town.actor(1001);
    let two = town.other(1001);
    drop(one);
    two.leave();
    let events = crate::support::wait_until("the events are there", || {
        let events = town.look().run(&["XRANGE", "os:{0}:events", "-", "+"]);
        let words: Vec<String> = entries(&events).iter().map(|entry| entry["event"].to_string()).collect();
        words.iter().any(|word| word.contains("left")).then_some(events)
    });
    let words: Vec<Value> = entries(&events).into_iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(words, ["taken", "displaced", "taken", "left"], "{events}");
    let first = &entries(&events)[0];
    assert_eq!(
        (&first["uid"], &first["class"], &first["node"]),
        (&json!("1001"), &json!("main"), &json!("t1")),
        "{first}"
    );
}

/// Each entry of a stream as an object.
fn entries(events: &Value) -> Vec<Value> {
    let entries = events.as_array().map(Vec::as_slice).unwrap_or_default();
    let object = |entry: &Value| -> Value {
        let words = entry[1].as_array().expect("fields and values");
        let pairs = words.chunks(2).map(|pair| (pair[0].as_str().expect("a field").to_owned(), pair[1].clone()));
        Value::Object(pairs.collect())
    };
    entries.iter().map(object).collect()
}

//! Messages while the receiver changes devices: what was accepted reaches the user, whoever holds the seat.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Client, Seen, Server};
use crate::town::{Town, everywhere, text};

everywhere!(
    what_was_not_acknowledged_follows_the_user_to_the_next_device,
    g10_texts_sent_during_takeovers_all_arrive_and_keep_their_order
);

fn what_was_not_acknowledged_follows_the_user_to_the_next_device(town: &Town) {
    let (mut ann, mut phone) = town.pair();
    phone.stop_acknowledging();
    assert_eq!(ann.say(1002, &[text("one", 1)])["error"], 0);
    assert_eq!(phone.texts(1), ["one"]);
    let mut desktop = town.actor(1002);
    assert_eq!(desktop.unread(), ["one"]);
    assert_eq!(phone.until(1021)["reason"], "displaced");
    assert_eq!(ann.say(1002, &[text("two", 2)])["error"], 0);
    assert_eq!(desktop.texts(1), ["two"]);
}

/// What a device was shown, in order, until it was displaced.
fn watch(server: &Server, uid: u64, done: &AtomicBool, shown: &mut Vec<String>) {
    let token = server.admin.token(uid);
    let mut client = Client::connect(server.address());
    client.send(1005, &serde_json::json!({ "uid": uid, "token": token, "features": ["ack"] }));
    loop {
        match client.next_within(Duration::from_millis(50)) {
            Some(Seen::Frame(id, body)) => {
                let list = if id == 1006 { &body["unread_messages"] } else { &body["text_array"] };
                if id == 1006 || id == 1019 {
                    shown.extend(crate::talker::contents(list));
                }
                if let (1006 | 1019, Some(position)) = (id, body["id"].as_u64()) {
                    // The other side may have closed meanwhile.
                    let ack = crate::support::frame(1102, format!(r#"{{"id":{position}}}"#).as_bytes());
                    let _ = client.try_send(&ack);
                }
            }
            Some(Seen::End) => return,
            None if done.load(Ordering::Acquire) => return,
            None => {}
        }
    }
}

fn g10_texts_sent_during_takeovers_all_arrive_and_keep_their_order(town: &Town) {
    const TEXTS: u64 = 120;
    let (mut ann, bob) = town.pair();
    bob.leave();
    let done = AtomicBool::new(false);
    let shown: Vec<Vec<String>> = thread::scope(|scope| {
        let device = |server| {
            let done = &done;
            move || {
                let mut all = Vec::new();
                while !done.load(Ordering::Acquire) {
                    let mut shown = Vec::new();
                    watch(server, 1002, done, &mut shown);
                    all.push(shown);
                }
                all
            }
        };
        let devices = [scope.spawn(device(town.here())), scope.spawn(device(town.there()))];
        for number in 0..TEXTS {
            let reply = ann.say(1002, &[text(&number.to_string(), number)]);
            if reply["error"] == 1106 {
                ann.settle();
            }
            assert!(reply["error"] == 0 || reply["error"] == 1106, "{reply}");
            if reply["error"] == 1106 {
                crate::support::wait_until("the rate allows it", || {
                    let again = ann.say(1002, &[text(&number.to_string(), number)]);
                    (again["error"] == 0).then_some(())
                });
            }
        }
        done.store(true, Ordering::Release);
        devices.into_iter().flat_map(|device| device.join().expect("the device does not panic")).collect()
    });
    let last = town.other(1002).unread();
    let all: HashSet<&String> = shown.iter().flatten().chain(&last).collect();
    assert_eq!(all.len(), usize::try_from(TEXTS).expect("a small number"), "every text was shown to somebody");
    for session in shown.iter().chain([&last]) {
        let numbers: Vec<u64> = session.iter().map(|text| text.parse().expect("a number")).collect();
        assert!(numbers.is_sorted_by(|one, other| one < other), "in order, and once: {numbers:?}");
    }
}

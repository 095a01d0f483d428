//! A client that chats: it waits for the frame that it wants, keeps what else comes, and acknowledges as it was told to.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, PATIENCE, Seen, Server};

/// A logged-in client of the chat.
pub struct Talker {
    pub uid: u64,
    pub token: String,
    pub client: Client,
    /// The body of its 1006.
    pub reply: Value,
    /// Whether it acknowledges what it is shown.
    acks: bool,
    /// What came and was not asked for yet.
    kept: VecDeque<(u16, Value)>,
}

impl Talker {
    /// Logs in with a fresh ticket, saying that it understands these features. With `ack` it acknowledges.
    pub fn new(server: &Server, uid: u64, features: &[&str]) -> Self {
        Self::with(server, uid, server.admin.token(uid), features)
    }

    /// As an old client does, which says nothing and acknowledges nothing.
    pub fn old(server: &Server, uid: u64) -> Self {
        Self::new(server, uid, &[])
    }

    /// Logs in with a ticket that the test has.
    pub fn with(server: &Server, uid: u64, token: String, features: &[&str]) -> Self {
        let mut client = server.connect();
        let mut body = json!({ "uid": uid, "token": token });
        if !features.is_empty() {
            body["features"] = json!(features);
        }
        client.send(1005, &body);
        let reply = client.expect(1006);
        assert_eq!(reply["error"], 0, "{reply}");
        let mut talker =
            Self { uid, token, client, reply: reply.clone(), acks: features.contains(&"ack"), kept: VecDeque::new() };
        talker.acknowledge(&reply);
        talker
    }

    /// From now on nothing is acknowledged.
    pub fn stop_acknowledging(&mut self) {
        self.acks = false;
    }

    pub fn send(&mut self, id: u16, body: &Value) {
        self.client.send(id, body);
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, id: u16, reply: u16, body: &Value) -> Value {
        self.send(id, body);
        self.until(reply)
    }

    /// Sends texts and waits for the answer.
    pub fn say(&mut self, to: u64, texts: &[Value]) -> Value {
        self.ask(1017, 1018, &json!({ "fromuid": self.uid, "touid": to, "text_array": texts }))
    }

    /// Waits for the next frame of this id; others are kept.
    pub fn until(&mut self, id: u16) -> Value {
        self.within(id, PATIENCE).unwrap_or_else(|| panic!("no frame {id} came to {}, but {:?}", self.uid, self.kept))
    }

    /// The next frame of this id, if it comes in time.
    pub fn within(&mut self, id: u16, time: Duration) -> Option<Value> {
        if let Some(index) = self.kept.iter().position(|(kept, _)| *kept == id) {
            return self.kept.remove(index).map(|(_, body)| body);
        }
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.client.next_within(left)? {
                Seen::Frame(got, body) => {
                    self.acknowledge(&body);
                    if got == id {
                        return Some(body);
                    }
                    if got != 1103 {
                        self.kept.push_back((got, body));
                    }
                }
                Seen::End => panic!("{} was closed: {:?}", self.uid, self.kept),
            }
        }
    }

    /// All contents of texts that come until `count` are there.
    pub fn texts(&mut self, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        while found.len() < count {
            let frame = self.until(1019);
            found.extend(contents(&frame["text_array"]));
        }
        found
    }

    /// Contents of the texts that the login brought.
    pub fn unread(&self) -> Vec<String> {
        contents(&self.reply["unread_messages"])
    }

    /// Waits until the server has answered everything before, so that no acknowledgement is under way any more.
    pub fn settle(&mut self) {
        self.send(1023, &json!({ "fromuid": self.uid }));
        self.until(1024);
    }

    /// Leaves, once all that it said was heard.
    pub fn leave(mut self) {
        self.settle();
    }

    /// Uids of one of the lists of the login's answer.
    pub fn list(&self, name: &str) -> Vec<u64> {
        uids(&self.reply[name])
    }

    fn acknowledge(&mut self, body: &Value) {
        if let (true, Some(id)) = (self.acks, body["id"].as_u64()) {
            self.client.send(1102, &json!({ "id": id }));
        }
    }
}

/// Contents of a list of texts.
pub fn contents(texts: &Value) -> Vec<String> {
    let texts = texts.as_array().map(Vec::as_slice).unwrap_or_default();
    texts.iter().map(|text| text["content"].as_str().expect("a text has content").to_owned()).collect()
}

/// Uids of a list of users.
pub fn uids(list: &Value) -> Vec<u64> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|user| user["uid"].as_u64().expect("a user has a uid")).collect()
}

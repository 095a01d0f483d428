//! The admin API as a backend calls it.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use super::wait::{PATIENCE, wait_until};

/// A server's admin API.
pub struct Admin {
    base: String,
    agent: Agent,
}

impl Admin {
    pub fn new(port: u16) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(Duration::from_secs(5)))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .new_agent();
        Self { base: format!("http://127.0.0.1:{port}"), agent }
    }

    /// Status and body; `None` where nobody answers.
    pub fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let mut answer = self.agent.get(self.url(path)).call().ok()?;
        let status = answer.status().as_u16();
        answer.body_mut().read_to_string().ok().map(|text| (status, text))
    }

    /// The document at a path.
    pub fn get(&self, path: &str) -> Value {
        let (status, text) = self.try_get(path).unwrap_or_else(|| panic!("nobody answers GET {path}"));
        assert_eq!(status, 200, "GET {path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("GET {path} answers {text}: {error}"))
    }

    /// Sends a document; answers with status and document.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let mut answer = self.agent.post(self.url(path)).send_json(body).expect("the admin API answers");
        (answer.status().as_u16(), answer.body_mut().read_json().expect("a JSON document"))
    }

    /// Takes a user off line; answers with status and document.
    pub fn kick(&self, uid: u64, query: &str) -> (u16, Value) {
        let path = format!("/v1/users/{uid}/session{query}");
        let mut answer = self.agent.delete(self.url(&path)).call().expect("the admin API answers");
        (answer.status().as_u16(), answer.body_mut().read_json().expect("a JSON document"))
    }

    /// A ticket as the API gives it.
    pub fn ticket(&self, wanted: &Value) -> Value {
        let (status, ticket) = self.post("/v1/tickets", wanted);
        assert_eq!(status, 200, "POST /v1/tickets {wanted}: {ticket}");
        ticket
    }

    /// The token of a new ticket of the default class.
    pub fn token(&self, uid: u64) -> String {
        token(&self.ticket(&json!({ "uid": uid })))
    }

    /// The seats that a user holds.
    pub fn seats(&self, uid: u64) -> Vec<Value> {
        list(&self.get(&format!("/v1/users/{uid}")), "seats")
    }

    /// What happened to a user's seats, newest first: the events alone.
    pub fn events(&self, uid: u64) -> Vec<String> {
        let trail = list(&self.get(&format!("/v1/users/{uid}")), "trail");
        trail.iter().map(|entry| entry["event"].as_str().expect("an event is a word").to_owned()).collect()
    }

    /// What the directory says of a node; `None` where it does not know it, or the store is away.
    pub fn node(&self, name: &str) -> Option<Value> {
        let (_, text) = self.try_get("/v1/nodes").filter(|(status, _)| *status == 200)?;
        let nodes = serde_json::from_str(&text).unwrap_or_else(|error| panic!("/v1/nodes answers {text}: {error}"));
        list(&nodes, "nodes").into_iter().find(|node| node["name"] == name)
    }

    /// Waits until the node takes newcomers.
    pub fn wait_ready(&self) {
        wait_until("the node is ready", || self.try_get("/readyz").filter(|(status, _)| *status == 200));
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The token of a ticket.
pub fn token(ticket: &Value) -> String {
    ticket["token"].as_str().unwrap_or_else(|| panic!("a ticket has a token: {ticket}")).to_owned()
}

fn list(document: &Value, name: &str) -> Vec<Value> {
    document[name].as_array().unwrap_or_else(|| panic!("{name} is a list: {document}")).clone()
}

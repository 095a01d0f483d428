//! Where the nodes are at the moment, for clients that come and go while nodes die and return on other ports; and the
//! tickets, as a backend asks for them.

use std::net::SocketAddr;
use std::sync::RwLock;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

/// How long a backend waits for a ticket.
const TICKET_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses of one node.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub clients: SocketAddr,
    pub admin: SocketAddr,
}

/// Addresses of all nodes, by their position in the fleet.
pub struct Board {
    places: RwLock<Vec<Place>>,
    agent: Agent,
}

impl Board {
    pub fn new(places: Vec<Place>) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(TICKET_TIMEOUT))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .new_agent();
        Self { places: RwLock::new(places), agent }
    }

    /// Nodes of the fleet, dead ones included.
    pub fn count(&self) -> usize {
        self.places.read().expect("nobody panics while writing").len()
    }

    pub fn place(&self, node: usize) -> Place {
        self.places.read().expect("nobody panics while writing")[node]
    }

    /// The node came back elsewhere.
    pub fn moved(&self, node: usize, place: Place) {
        self.places.write().expect("nobody panics while writing")[node] = place;
    }

    /// A new token, asked of this node; `None` where it cannot give one now.
    pub fn token(&self, node: usize, uid: u64) -> Option<String> {
        self.tickets(node, &json!([{ "uid": uid }]))?.pop()?["token"].as_str().map(str::to_owned)
    }

    /// Tickets as the node gives them; `None` where it does not answer.
    pub fn tickets(&self, node: usize, wanted: &Value) -> Option<Vec<Value>> {
        let url = format!("http://{}/v1/tickets", self.place(node).admin);
        let mut answer = self.agent.post(url).send_json(wanted).ok()?;
        let given: Value = answer.body_mut().read_json().ok()?;
        given.as_array().cloned()
    }
}

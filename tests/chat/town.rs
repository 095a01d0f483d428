//! Where the two sides of a chat sit: one node or two, on the embedded store or on a `redis-server`.

use serde_json::{Value, json};

use crate::support::{RedisServer, Resp, Server, Setup, StoreKind, wait_until};
use crate::talker::Talker;

/// Milliseconds of absence that friends are not told of, in these tests.
pub const GRACE_MS: u64 = 300;

/// Which nodes there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// One node, embedded store.
    Embedded,
    /// One node on a `redis-server`.
    OneNode,
    /// Two nodes on a `redis-server`.
    TwoNodes,
}

/// Nodes on one store.
pub struct Town {
    pub nodes: Vec<Server>,
    redis: Option<RedisServer>,
}

impl Town {
    pub fn new(place: Place) -> Self {
        Self::with(place, |setup| setup)
    }

    /// With settings of its own.
    pub fn with(place: Place, change: impl Fn(Setup) -> Setup) -> Self {
        // As often as a test likes.
        let route = r#"{ script = "text", reply = 1018, sender = "fromuid", per_second = 0 }"#;
        let change = |setup: Setup| change(setup.set("presence.grace_ms", GRACE_MS).set("routes.1017", route));
        if place == Place::Embedded {
            return Self { nodes: vec![change(Setup::new(StoreKind::Embedded)).start()], redis: None };
        }
        let redis = RedisServer::start();
        let names: &[&str] = if place == Place::OneNode { &["t1"] } else { &["t1", "t2"] };
        let node = |name: &&str| change(Setup::at(&redis.url()).set("node.name", name).set("node.lease_ms", 1_000));
        Self { nodes: names.iter().map(|name| node(name).start()).collect(), redis: Some(redis) }
    }

    /// The node of the one who acts.
    pub fn here(&self) -> &Server {
        &self.nodes[0]
    }

    /// The node of the other side.
    pub fn there(&self) -> &Server {
        self.nodes.last().expect("there is a node")
    }

    /// A look into the store.
    pub fn look(&self) -> Resp {
        self.redis.as_ref().map_or_else(|| self.here().look(), RedisServer::look)
    }

    /// A session of the one who acts; its client acknowledges.
    pub fn actor(&self, uid: u64) -> Talker {
        Talker::new(self.here(), uid, &["ack"])
    }

    /// A session of the other side; its client acknowledges.
    pub fn other(&self, uid: u64) -> Talker {
        Talker::new(self.there(), uid, &["ack"])
    }

    /// Gives a user a profile, as a backend does.
    pub fn profile(&self, uid: u64, name: &str) {
        let answer = ureq::put(format!("http://{}/v1/users/{uid}", self.here().admin_address()))
            .config()
            .http_status_as_error(false)
            .build()
            .send_json(
                json!({ "name": name, "nick": format!("{name}y"), "icon": ":/1.png", "sex": 1, "email": "secret@x" }),
            )
            .expect("the admin API answers");
        assert_eq!(answer.status().as_u16(), 200, "PUT /v1/users/{uid}");
    }

    /// Makes two users friends, by the wire.
    pub fn befriend(&self, one: &mut Talker, other: &mut Talker) {
        let reply = one.ask(1009, 1010, &json!({ "uid": one.uid, "touid": other.uid, "applyname": "x" }));
        assert_eq!(reply["error"], 0, "{reply}");
        other.until(1011);
        let reply = other.ask(1013, 1014, &json!({ "fromuid": other.uid, "touid": one.uid }));
        assert_eq!(reply["error"], 0, "{reply}");
        one.until(1015);
    }

    /// Waits until nobody has anything to be told of anybody.
    pub fn wait_told(&self) {
        wait_until("all are told", || (self.look().run(&["ZCARD", "os:{0}:presence"]) == json!(0)).then_some(()));
    }

    /// Waits until a user is off line.
    pub fn wait_away(&self, uid: u64) {
        wait_until("the user is off line", || self.here().admin.seats(uid).is_empty().then_some(()));
    }

    /// Two users who are friends, on line on their nodes.
    pub fn pair(&self) -> (Talker, Talker) {
        let (mut ann, mut bob) = (self.actor(1001), self.other(1002));
        self.befriend(&mut ann, &mut bob);
        (ann, bob)
    }
}

/// A text as it stands in `text_array`.
pub fn text(content: &str, msgid: u64) -> Value {
    json!({ "content": content, "msgid": format!("{{00000000-0000-0000-0000-{msgid:012}}}") })
}

/// Makes a test of each function for every place.
macro_rules! everywhere {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn embedded() {
                super::$name(&crate::town::Town::new(crate::town::Place::Embedded));
            }

            #[test]
            fn one_node() {
                super::$name(&crate::town::Town::new(crate::town::Place::OneNode));
            }

            #[test]
            fn two_nodes() {
                super::$name(&crate::town::Town::new(crate::town::Place::TwoNodes));
            }
        })+
    };
}
pub(crate) use everywhere;

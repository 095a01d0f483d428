//! The store behind the scripts: the embedded one in this process, or a server elsewhere; either way an endpoint.

use std::time::Duration;

use crate::config::{self, Config};
use crate::embedded::aof::load::LoadError;
use crate::embedded::aof::{AppendOnly, Fsync};
use crate::embedded::{EngineOptions, Server, ServerError, ServerOptions};
use crate::error::{Exit, Fatal};
use crate::script::redis::{Endpoint, StoreError};
use crate::serve::folder::DataFolder;

/// Time between two looks whether the embedded store still runs.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A store that runs, or is somebody else's to run.
pub struct Store {
    /// Where it is, without secrets, for people.
    pub place: String,
    pub endpoint: Endpoint,
    /// The embedded store; dropping it ends it.
    server: Option<Server>,
}

impl Store {
    /// Starts the embedded store in the data folder, or takes the address of an external one.
    pub fn open(config: &Config, folder: &DataFolder) -> Result<Self, Fatal> {
        let timeout = Duration::from_millis(config.redis.timeout_ms);
        if !config.redis.url.is_embedded() {
            let endpoint = Endpoint::new(config.redis.url.expose(), timeout).trusting(&config.redis.tls_ca);
            return Ok(Self { place: config.redis.url.to_string(), endpoint, server: None });
        }
        let socket = folder.path().join(SOCKET);
        let place = socket.display().to_string();
        let options = ServerOptions { socket, engine: engine(config), append_only: Some(append_only(config, folder)) };
        let server = Server::start(options).map_err(|error| refused(error, &place))?;
        let endpoint = Endpoint::new(format!("redis+unix://{place}"), timeout);
        Ok(Self { place, endpoint, server: Some(server) })
    }

    /// Waits until the embedded store has ended by itself, after SHUTDOWN or a fault; for ever when it is elsewhere.
    pub async fn ended(&self) {
        let Some(server) = &self.server else { return std::future::pending().await };
        while !server.is_finished() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The error that ends a start when this store cannot be used.
    pub fn unusable(&self, error: StoreError) -> Fatal {
        let hint = match error {
            StoreError::Evicts { .. } => "set `maxmemory-policy noeviction` there",
            StoreError::Unreachable(_) => "check redis.url, and that the server runs; \"embedded\" needs none",
            StoreError::Untrusted { .. } => {
                "name a PEM file with the certificate of the authority that signed the servers'"
            }
        };
        Fatal::new(Exit::Store, format!("the store at {} cannot be used", self.place)).because(error).hint(hint)
    }
}

/// The socket of the embedded store inside the data folder.
pub const SOCKET: &str = "redis.sock";

/// The folder of the append-only file inside the data folder, named as Redis names it.
pub const APPEND_ONLY_FOLDER: &str = "appendonlydir";

fn engine(config: &Config) -> EngineOptions {
    EngineOptions {
        memory_bytes_max: config.data.memory_bytes_max,
        script_ms_max: config.data.script_ms_max,
        ..EngineOptions::default()
    }
}

fn append_only(config: &Config, folder: &DataFolder) -> AppendOnly {
    let data = &config.data;
    AppendOnly {
        fsync: match data.fsync {
            config::Fsync::Always => Fsync::Always,
            config::Fsync::Everysec => Fsync::Everysec,
            config::Fsync::No => Fsync::No,
        },
        rewrite_percent: data.rewrite_percent,
        rewrite_bytes_min: data.rewrite_bytes_min,
        ..AppendOnly::new(folder.path().join(APPEND_ONLY_FOLDER))
    }
}

fn refused(error: ServerError, place: &str) -> Fatal {
    match error {
        ServerError::Socket(error) => {
            Fatal::new(Exit::DataUnusable, format!("the embedded store cannot listen on {place}"))
                .because(error)
                .hint("the path of a unix socket has at most 107 bytes; name a shorter data.dir")
        }
        ServerError::Load(error) => {
            let hint = match error {
                LoadError::Damaged { .. } => "`oneseat store check --fix` cuts it back to there and keeps the rest",
                _ => "`oneseat store check` reads the same files; another data.dir begins an empty store",
            };
            Fatal::new(Exit::DataUnusable, "the embedded store cannot be read").because(error).hint(hint)
        }
    }
}

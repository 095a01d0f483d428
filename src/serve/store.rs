//! The store behind the scripts: the embedded one in this process, or a server elsewhere; either way an endpoint.

use std::time::Duration;

use crate::config::Config;
use crate::embedded::{EngineOptions, Server, ServerOptions};
use crate::error::{Exit, Fatal};
use crate::script::redis::{Endpoint, StoreError};
use crate::serve::folder::DataFolder;

/// A store that runs, or is somebody else's to run.
pub struct Store {
    /// Where it is, without secrets, for people.
    pub place: String,
    pub endpoint: Endpoint,
    /// The embedded store; dropping it ends it.
    _server: Option<Server>,
}

impl Store {
    /// Starts the embedded store in the data folder, or takes the address of an external one.
    pub fn open(config: &Config, folder: &DataFolder) -> Result<Self, Fatal> {
        let timeout = Duration::from_millis(config.redis.timeout_ms);
        if !config.redis.url.is_embedded() {
            let endpoint = Endpoint::new(config.redis.url.expose(), timeout);
            return Ok(Self { place: config.redis.url.to_string(), endpoint, _server: None });
        }
        let socket = folder.path().join("redis.sock");
        let place = socket.display().to_string();
        let server = Server::start(ServerOptions { socket, engine: EngineOptions::default() }).map_err(|error| {
            Fatal::new(Exit::DataUnusable, format!("the embedded store cannot listen on {place}"))
                .because(error)
                .hint("the path of a unix socket has at most 107 bytes; name a shorter data.dir")
        })?;
        let endpoint = Endpoint::new(format!("redis+unix://{place}"), timeout);
        Ok(Self { place, endpoint, _server: Some(server) })
    }

    /// The error that ends a start when this store cannot be used.
    pub fn unusable(&self, error: StoreError) -> Fatal {
        let hint = match error {
            StoreError::Evicts { .. } => "set `maxmemory-policy noeviction` there",
            StoreError::Unreachable(_) => "check redis.url, and that the server runs; \"embedded\" needs none",
        };
        Fatal::new(Exit::Store, format!("the store at {} cannot be used", self.place)).because(error).hint(hint)
    }
}

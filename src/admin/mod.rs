//! The operator's HTTP: tickets, users and their profiles and messages, nodes, health and metrics.
//!
//! It asks scripts and shows what they answer; it decides nothing about sessions. Every error is a problem document
//! (RFC 9457), also those of the router. It is meant for a backend and an operator on a trusted network, not for
//! clients.

mod chain;
mod erase;
mod guard;
mod health;
mod listener;
mod message;
mod metric;
mod node;
mod problem;
mod profile;
mod ticket;
mod user;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{Config, Secret};
use crate::gateway::Gateway;
use crate::id::Name;
use crate::readiness::Readiness;
use crate::script::Caller;

pub use metric::install as install_metrics;

/// Largest body of a request: a thousand tickets with tokens of the longest kind.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What every request may use.
#[derive(Clone)]
pub struct AdminState {
    caller: Arc<Caller>,
    gateway: Arc<Gateway>,
    readiness: Arc<Readiness>,
    metrics: PrometheusHandle,
    settings: Arc<Settings>,
}

/// The part of the configuration that requests look at.
struct Settings {
    /// Empty: none is asked.
    token: Secret,
    /// Class of a ticket that names none.
    class: Name,
    /// Life of a ticket that names none.
    ttl_ms: u64,
    /// Zone of a ticket that names none: that of this node.
    zone: String,
    /// How long the place of a newcomer is kept.
    reserve: Duration,
}

impl AdminState {
    /// `caller` and the others are those of the server that this is the admin side of.
    pub fn new(config: &Config, caller: Arc<Caller>, gateway: Arc<Gateway>, readiness: Arc<Readiness>) -> Self {
        let settings = Settings {
            token: config.admin.token.clone(),
            class: config.seat.class.clone(),
            ttl_ms: config.ticket.ttl_ms,
            zone: config.node.zone.clone(),
            reserve: Duration::from_millis(config.ticket.reserve_ms),
        };
        Self { caller, gateway, readiness, metrics: install_metrics(), settings: Arc::new(settings) }
    }
}

/// Answers requests until `stopped` turns true, then finishes those that have begun.
pub async fn serve(listener: TcpListener, state: AdminState, stopped: watch::Receiver<bool>) {
    let upkeep = tokio::spawn(metric::upkeep(state.metrics.clone()));
    let service = router(state);
    let outcome = axum::serve(listener::Bounded::new(listener), service).with_graceful_shutdown(until(stopped)).await;
    if let Err(error) = outcome {
        tracing::error!(%error, "the admin HTTP ended");
    }
    upkeep.abort();
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the server.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn router(state: AdminState) -> Router {
    let guarded = from_fn_with_state(state.clone(), guard::check);
    Router::new()
        .route("/v1/tickets", post(ticket::issue))
        .route("/v1/users", post(profile::put_all))
        .route("/v1/users/{uid}", get(user::lookup).put(profile::put).delete(erase::erase))
        .route("/v1/users/{uid}/messages", post(message::send))
        .route("/v1/users/{uid}/inbox", get(message::inbox))
        .route("/v1/users/{uid}/watchers/{watcher}", put(watcher::add).delete(watcher::remove))
        .route("/v1/users/{uid}/session", delete(user::kick))
        .route("/v1/nodes", get(node::list))
        .route("/v1/nodes/{name}/drain", post(node::drain).delete(node::undrain))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metric::render))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(guarded)
        .layer(from_fn(guard::in_time))
        .with_state(state)
}

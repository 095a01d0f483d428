//! `/metrics`: what the rest of the process counted, in the text form of Prometheus.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::AdminState;
use crate::metric::{Metric, describe_all};

/// Bounds of every histogram, in seconds: scripts take tens of microseconds, logins over a network milliseconds.
const SECONDS: [f64; 13] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Time between two clean-ups. Samples of histograms wait in memory until one, or until somebody reads them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts counting for the whole process; further calls give the same handle. What is counted before the first call is
/// lost, so a server calls it before anything else.
pub fn install() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let handle = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .expect("the bounds are a constant and not empty")
            .install_recorder()
            .expect("nothing else in this process installs a recorder");
        describe_all();
        handle
    };
    HANDLE.get_or_init(install).clone()
}

/// Keeps the samples from piling up while nobody reads them.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut rhythm = tokio::time::interval(UPKEEP);
    loop {
        rhythm.tick().await;
        handle.run_upkeep();
    }
}

/// All series.
pub async fn render(State(state): State<AdminState>) -> impl IntoResponse {
    // Looked at now: what was true at the last beat is not what a reader asks for.
    Metric::RedisConnected.gauge().set(if state.caller.is_connected() { 1.0 } else { 0.0 });
    Metric::LeaseSeconds.gauge().set(Duration::from_millis(state.caller.standing().lease_left_ms()).as_secs_f64());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render())
}

//! What a newcomer reads first: what listens where, and what to try.

use crate::config::Config;

/// Prints it to standard output. A reader that has gone away is no reason to stop.
pub fn print(config: &Config, store: &str) {
    use std::io::Write;
    let _ = write!(std::io::stdout(), "{}", text(config, store));
}

fn text(config: &Config, store: &str) -> String {
    // As it was called, so that the lines can be pasted: cargo's build is not on the path.
    let program = std::env::args().next().unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
    format!(
        "oneseat {version} serves as {node}\n\
         \x20 clients   {clients}\n\
         \x20 admin     http://{admin}  (/healthz /readyz /metrics /v1/...)\n\
         \x20 store     {store}\n\
         try, each in a terminal of its own:\n\
         \x20 {program} client --uid 1001     # takes the seat of user 1001\n\
         \x20 {program} client --uid 1001     # takes it over; the first is told why\n\
         \x20 {program} who 1001              # who sits there, and what happened\n",
        version = env!("CARGO_PKG_VERSION"),
        node = config.node.name,
        clients = config.gateway.listen,
        admin = config.admin.listen,
    )
}

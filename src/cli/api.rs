//! The admin API as the subcommands call it: one request, one JSON answer, and errors that say what to do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Response;

use super::Shared;
use crate::config::{Loaded, Secret};
use crate::error::{Exit, Fatal};

/// Longest wait for an answer; the server gives up on Redis sooner.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A listing of all nodes with room to spare; more is no answer of ours.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Which server a subcommand talks to.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// Admin API to ask, instead of admin.listen of the configuration.
    #[arg(long, value_name = "URL", value_parser = base_url, display_order = 899)]
    pub admin: Option<String>,
}

/// A server's admin API.
pub struct Api {
    base: String,
    token: Secret,
    agent: Agent,
}

impl Api {
    /// Reads the configuration for what was not said on the command line.
    pub fn open(target: &Target, shared: &Shared) -> Result<Self, Fatal> {
        Ok(Self::of(target, &shared.load()?))
    }

    /// As [`Api::open`], for callers that have read the configuration.
    pub fn of(target: &Target, loaded: &Loaded) -> Self {
        let admin = &loaded.config.admin;
        let base = target.admin.clone().unwrap_or_else(|| format!("http://{}", reachable(admin.listen)));
        // A proxy of the environment must not see the token, and would not reach a loopback address anyway.
        let agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        Self { base, token: admin.token.clone(), agent }
    }

    /// Asks for a document.
    pub fn get(&self, path: &str) -> Result<Value, Fatal> {
        let request = self.agent.get(self.url(path)).header("authorization", self.bearer());
        self.read(request.call())
    }

    /// Sends a document.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Fatal> {
        let request = self.agent.post(self.url(path)).header("authorization", self.bearer());
        self.read(request.send_json(body))
    }

    /// Ends what the path names.
    pub fn delete(&self, path: &str) -> Result<Value, Fatal> {
        let request = self.agent.delete(self.url(path)).header("authorization", self.bearer());
        self.read(request.call())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A server without a token does not look at it.
    fn bearer(&self) -> String {
        format!("Bearer {}", self.token.expose())
    }

    fn read(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Value, Fatal> {
        let mut answer = answer.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| self.unreachable(error))?;
        let body: Result<Value, _> = serde_json::from_str(&text);
        match body {
            Ok(body) if status.is_success() => Ok(body),
            Ok(problem) => Err(refused(status.as_u16(), &problem)),
            Err(_) => Err(Fatal::new(Exit::NoServer, format!("{} is no admin API of oneseat", self.base))
                .hint("name the right one with --admin URL or admin.listen")),
        }
    }

    fn unreachable(&self, error: ureq::Error) -> Fatal {
        Fatal::new(Exit::NoServer, format!("no server answers at {}", self.base))
            .because(error)
            .hint("start one with `oneseat`, or name another with --admin URL")
    }
}

/// A problem document of the server, as our own error.
fn refused(status: u16, problem: &Value) -> Fatal {
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    let message = match text("detail") {
        detail if detail.is_empty() => format!("the server refused ({status} {})", text("title")),
        detail => detail,
    };
    let fatal = Fatal::new(Exit::Failed, message);
    match (status, problem["retry_after_ms"].as_u64()) {
        (401, _) => fatal.hint("give the server's admin.token in the configuration or as ONESEAT_ADMIN__TOKEN"),
        (_, Some(ms)) => fatal.hint(format!("try again in {ms} ms")),
        _ => fatal,
    }
}

/// A server that listens on all addresses is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn base_url(text: &str) -> Result<String, String> {
    match text.strip_prefix("http://") {
        Some(rest) if !rest.is_empty() => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("allowed is http://HOST:PORT; for TLS go through a tunnel".to_owned()),
    }
}

/// A text as one segment of a path or one value of a query.
pub fn encode(text: &str) -> String {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if letter(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_uids_travel_encoded() {
        assert_eq!(encode("a/b?é 1"), "a%2Fb%3F%C3%A9%201");
    }

    #[test]
    fn all_addresses_are_asked_on_loopback() {
        let asked = |listen: &str| reachable(listen.parse().expect("a constant address")).to_string();
        assert_eq!(asked("0.0.0.0:8091"), "127.0.0.1:8091");
        assert_eq!(asked("[::]:8091"), "[::1]:8091");
        assert_eq!(asked("10.0.0.7:1"), "10.0.0.7:1");
    }
}

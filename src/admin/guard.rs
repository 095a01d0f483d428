//! Who may ask, and for how long a request may take. Everything but the health checks passes here first.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::AdminState;
use super::problem::{Kind, Problem};

/// Longest time from the end of a request's head to the end of its answer. Script calls give up sooner.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(15);
/// Paths that a load balancer asks without a token.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Lets those pass who carry the token, and browsers only from pages of this very server.
pub async fn check(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    let token = state.settings.token.expose();
    let refusal = if OPEN.contains(&request.uri().path()) {
        None
    } else if token.is_empty() {
        refuse_foreign_page(request.headers())
    } else {
        refuse_wrong_token(request.headers(), token)
    };
    match refusal {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

/// Gives a request up that takes too long, so that a body that never ends holds nothing for ever.
pub async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Kind::Unknown, format!("not done within {} s", REQUEST_TIME_MAX.as_secs()))
            .retry_after(1000)
            .into_response(),
    }
}

fn refuse_wrong_token(headers: &HeaderMap, token: &str) -> Option<Problem> {
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let given = given.split_at_checked("Bearer ".len()).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    let fits = given.is_some_and(|(_, given)| same(given, token.as_bytes()));
    (!fits).then(|| Problem::new(Kind::Unauthorized, "send `Authorization: Bearer TOKEN` with admin.token"))
}

/// Takes the same time wherever the texts differ and however long they are: it compares digests, all bytes of them.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let (given, wanted) = (Sha256::digest(given), Sha256::digest(wanted));
    given.iter().zip(wanted.iter()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// Without a token, being on this machine is what counts as permission. A browser on this machine must not lend it to
/// pages of other sites: neither by a request that a page sends across (its origin differs from the host asked), nor
/// through a name of the page's own that leads here (the host is no loopback).
fn refuse_foreign_page(headers: &HeaderMap) -> Option<Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).unwrap_or("localhost");
    if !is_loopback(host) {
        return Some(Problem::new(
            Kind::Forbidden,
            "without admin.token the host of the URL must be a loopback address",
        ));
    }
    let origin = text(header::ORIGIN)?;
    let own = origin.strip_prefix("http://") == Some(host);
    (!own).then(|| Problem::new(Kind::Forbidden, format!("a page of {origin} asked; set admin.token to allow others")))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), header::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_the_whole_token_opens() {
        for (value, open) in [
            ("Bearer s3cret", true),
            ("bearer s3cret", true),
            ("Bearer s3cre", false),
            ("Bearer s3cret1", false),
            ("Bearer ", false),
            ("Basic s3cret", false),
            ("s3cret", false),
            ("", false),
        ] {
            let refused = refuse_wrong_token(&headers(&[(header::AUTHORIZATION, value)]), "s3cret");
            assert_eq!(refused.is_none(), open, "{value}");
        }
        assert!(refuse_wrong_token(&HeaderMap::new(), "s3cret").is_some());
    }

    #[test]
    fn without_a_token_pages_of_other_sites_are_refused() {
        let passes = |pairs: &[(header::HeaderName, &'static str)]| refuse_foreign_page(&headers(pairs)).is_none();
        assert!(passes(&[(header::HOST, "127.0.0.1:8091")]));
        assert!(passes(&[(header::HOST, "[::1]:8091")]));
        assert!(passes(&[(header::HOST, "localhost:8091"), (header::ORIGIN, "http://localhost:8091")]));
        assert!(!passes(&[(header::HOST, "localhost:8091"), (header::ORIGIN, "http://evil.example")]));
        assert!(!passes(&[(header::HOST, "localhost:8091"), (header::ORIGIN, "null")]));
        assert!(!passes(&[(header::HOST, "evil.example:8091")]));
        assert!(!passes(&[(header::HOST, "127.0.0.1.evil.example")]));
    }
}

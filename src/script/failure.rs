//! What an error of the client says about the script that was called: not run, perhaps run, or run and failed.
//!
//! The client takes the first word of an answer for the kind of an error, or has words of its own. It follows no
//! redirection of a cluster for a call (it would count one as a further attempt, and a call has only one), so such a
//! call was refused by the node that was asked, and its map of the cluster is fresh when the call is made again.

use fred::error::{Error, ErrorKind};

/// First words of errors with which Redis, asked for this script, says that it did not run it, and may soon do so.
const NOT_RUN: [&str; 6] = ["LOADING", "TRYAGAIN", "BUSY", "NOREPLICAS", NO_ROUTE, NO_CLIENT];
/// As before, of conditions that do not pass by themselves.
const NOT_WRITABLE: [&str; 2] = ["MISCONF", "OOM"];
/// As before, but the client ends the connection with such an answer and gives it to all calls that were under way there.
const CONNECTION_ENDED: [&str; 3] = ["CLUSTERDOWN", "READONLY", "MASTERDOWN"];
/// The client's own words, of kind `Unknown` like most errors of Redis, for a call that it had no connection for.
const NO_ROUTE: &str = "Failed to route command";
/// As before, for a call that came while the client was starting anew.
const NO_CLIENT: &str = "Client is not initialized";
/// The client's own words for a call that it may have written in part.
const NOT_ANSWERED: [&str; 2] = ["Too many failed write attempts", "Missing expected connection"];

/// Why a call gave no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// Redis does not know the script, and so did not run it.
    Forgotten,
    /// It surely did not run, and another try soon may help.
    NotRun(String),
    /// It surely did not run, and another try soon will not help.
    Refused(String),
    /// It did not run, unless it was one of many under way when the connection ended: some of those may have.
    Ended(String),
    /// Nobody knows.
    Lost(String),
    /// It ran, and this is what it raised.
    Raised(String),
}

impl Failure {
    /// Whether the same call may be made once more; `is_repeatable` says that running it twice does no harm.
    pub fn may_repeat(&self, is_repeatable: bool) -> bool {
        match self {
            Failure::Forgotten | Failure::NotRun(_) => true,
            Failure::Ended(_) | Failure::Lost(_) => is_repeatable,
            Failure::Refused(_) | Failure::Raised(_) => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let details = error.details();
        let starts = |words: &[&str]| words.iter().any(|word| details.starts_with(word));
        if details.starts_with("NOSCRIPT") {
            return Failure::Forgotten;
        }
        if starts(&NOT_RUN) {
            return Failure::NotRun(details.to_owned());
        }
        if starts(&NOT_WRITABLE) {
            return Failure::Refused(details.to_owned());
        }
        if starts(&CONNECTION_ENDED) {
            return Failure::Ended(details.to_owned());
        }
        if starts(&NOT_ANSWERED) {
            return Failure::Lost(error.to_string());
        }
        match error.kind() {
            ErrorKind::Backpressure | ErrorKind::Routing | ErrorKind::Cluster => Failure::NotRun(details.to_owned()),
            ErrorKind::Auth => Failure::Refused(details.to_owned()),
            ErrorKind::IO | ErrorKind::Canceled | ErrorKind::Timeout | ErrorKind::Tls | ErrorKind::Protocol => {
                Failure::Lost(error.to_string())
            }
            _ => Failure::Raised(details.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_did_not_run_is_repeated_whatever_it_is() {
        let of = |kind, text: &'static str| Failure::from(Error::new(kind, text));
        for text in
            ["TRYAGAIN Multiple keys request during rehashing of slot", "LOADING Redis is loading", "BUSY Redis"]
        {
            assert!(of(ErrorKind::Unknown, text).may_repeat(false), "{text}");
        }
        assert!(of(ErrorKind::Routing, "Too many redirections.").may_repeat(false));
        for (kind, text) in [
            (ErrorKind::Cluster, "CLUSTERDOWN The cluster is down"),
            (ErrorKind::IO, "Connection closed."),
            (ErrorKind::Timeout, "Request timed out."),
            (ErrorKind::Unknown, "Too many failed write attempts."),
        ] {
            assert!(!of(kind.clone(), text).may_repeat(false) && of(kind, text).may_repeat(true), "{text}");
        }
        for text in ["OOM command not allowed", "ERR user_script:3: boom", "MISCONF Redis is configured to save"] {
            assert!(!of(ErrorKind::Unknown, text).may_repeat(true), "{text}");
        }
    }
}

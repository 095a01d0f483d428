//! Every metric of the process: one enum of names, and the few helpers that count.
//!
//! Labels come from enums and script names only, so the number of series is bounded whatever clients send. Counting
//! before the recorder is installed is lost, so a process installs it first.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit};

/// What a metric is to a reader of `/metrics`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! metrics {
    ($($variant:ident: $kind:ident $name:literal [$($label:literal),*] $text:literal),+ $(,)?) => {
        /// A series, or a family of series where it has labels.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Metric { $(#[doc = $text] $variant),+ }

        impl Metric {
            /// Every metric, in the order of the README.
            pub const ALL: &[Metric] = &[$(Metric::$variant),+];

            /// The name in the text form.
            pub const fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name),+ }
            }

            /// Counter, gauge or histogram.
            pub const fn kind(self) -> Kind {
                match self { $(Metric::$variant => Kind::$kind),+ }
            }

            /// Names of its labels.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Metric::$variant => &[$($label),*]),+ }
            }

            /// What it counts.
            pub const fn text(self) -> &'static str {
                match self { $(Metric::$variant => $text),+ }
            }
        }
    };
}

metrics! {
    Connections: Gauge "oneseat_connections" [] "Client connections open now, logged in or not.",
    Sessions: Gauge "oneseat_sessions" [] "Sessions held now.",
    Logins: Counter "oneseat_logins_total" ["outcome"] "Logins answered: seated, the word of the refusal, away, lost, failed, elsewhere where this node lets nobody in, busy where too many wait.",
    Requests: Counter "oneseat_requests_total" ["outcome"] "Requests that scripts served for clients: ok, refused, away, lost, failed, busy where too many wait.",
    Takeovers: Counter "oneseat_takeovers_total" [] "Logins on this node that displaced another session.",
    Kicks: Counter "oneseat_kicks_total" ["outcome"]
        "Kicks: sent by a login here; of sessions here told, then closed by the client or forced, late where another close came first, repaired where only a verify brought it.",
    KickSeconds: Histogram "oneseat_kick_seconds" [] "Time from the script that displaced a session to the end of its connection.",
    Closes: Counter "oneseat_closes_total" ["reason"] "Connections that this side closed.",
    Expiries: Counter "oneseat_expiries_total" [] "Sessions closed because nothing was heard of them.",
    Frames: Counter "oneseat_frames_total" ["direction"] "Frames read from and written to clients.",
    Refusals: Counter "oneseat_refusals_total" ["cause"] "Frames, connections and logins that were refused.",
    MailboxDrops: Counter "oneseat_mailbox_drops_total" [] "Frames that were never written because a client did not read.",
    EndingDrops: Counter "oneseat_ending_drops_total" []
        "Ended sessions that were not reported because too many waited; the next verify mends them.",
    AcceptErrors: Counter "oneseat_accept_errors_total" [] "Connections that could not be accepted.",
    Assigned: Counter "oneseat_assigned_total" ["outcome"] "Newcomers that were placed on a node, or refused because none had room.",
    LeaseSeconds: Gauge "oneseat_lease_seconds" [] "What is left of this node's lease.",
    Registrations: Counter "oneseat_registrations_total" ["cause"]
        "Registrations with the directory: start, or anew where it did not know this node any more.",
    Reaped: Counter "oneseat_reaped_total" [] "Sessions of dead nodes, or of older runs of this one, that this node ended.",
    Verified: Counter "oneseat_verified_total" ["outcome"]
        "Sessions held against their seats: fine, repaired, closed, open where there was no answer, failed in the script.",
    Notices: Counter "oneseat_presence_notices_total" [] "Users who were looked up to tell them, or to learn, that a friend came or went.",
    ChannelLosses: Counter "oneseat_channel_losses_total" [] "Times that the node did not hear itself on its channel.",
    RedisConnected: Gauge "oneseat_redis_connected" [] "1 while a connection to Redis stands, else 0.",
    ScriptCalls: Counter "oneseat_script_calls_total" ["script", "version", "outcome"] "Script calls answered: ok, error.",
    ScriptSeconds: Histogram "oneseat_script_seconds" ["script", "version"] "Time from a script call to its answer.",
    ScriptRefusals: Counter "oneseat_script_refusals_total" ["script", "version"] "Script calls that answered a client with an error.",
    ScriptTakeovers: Counter "oneseat_script_takeovers_total" ["script", "version"] "Script calls that displaced a session.",
    ScriptRevision: Gauge "oneseat_script_revision" [] "Revision of the fleet's script versions that this node runs.",
    ScriptBehind: Gauge "oneseat_script_behind" [] "1 while this node cannot follow the fleet's script versions, else 0.",
}

impl Metric {
    /// The counter without labels.
    pub fn counter(self) -> Counter {
        metrics::counter!(self.name())
    }

    /// The counter for one value of its only label.
    pub fn counter_of(self, value: &'static str) -> Counter {
        let label = self.labels().first().copied().unwrap_or("kind");
        metrics::counter!(self.name(), label => value)
    }

    /// The histogram without labels.
    pub fn histogram(self) -> Histogram {
        metrics::histogram!(self.name())
    }

    /// The gauge.
    pub fn gauge(self) -> Gauge {
        metrics::gauge!(self.name())
    }
}

/// Tells the recorder what each metric means. Called once, after the recorder was installed.
pub fn describe_all() {
    for metric in Metric::ALL {
        match metric.kind() {
            Kind::Counter => metrics::describe_counter!(metric.name(), metric.text()),
            Kind::Gauge => metrics::describe_gauge!(metric.name(), metric.text()),
            Kind::Histogram => metrics::describe_histogram!(metric.name(), Unit::Seconds, metric.text()),
        }
    }
}

/// What one call of a script came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CallOutcome {
    /// It gave no effects.
    pub is_error: bool,
    /// It answered a client with an error.
    pub is_refusal: bool,
    /// It displaced a session.
    pub is_takeover: bool,
}

/// Counts a call of a script and the time that it took.
pub fn script_call(script: &str, version: u32, outcome: CallOutcome, elapsed: Duration) {
    let labels = [("script", script.to_owned()), ("version", version.to_string())];
    metrics::histogram!(Metric::ScriptSeconds.name(), &labels).record(elapsed);
    if outcome.is_refusal {
        metrics::counter!(Metric::ScriptRefusals.name(), &labels).increment(1);
    }
    if outcome.is_takeover {
        metrics::counter!(Metric::ScriptTakeovers.name(), &labels).increment(1);
    }
    let word = if outcome.is_error { "error" } else { "ok" };
    let [script, version] = labels;
    metrics::counter!(Metric::ScriptCalls.name(), &[script, version, ("outcome", word.to_owned())]).increment(1);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_scheme_and_are_distinct() {
        let names: HashSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            assert!(metric.name().starts_with("oneseat_"), "{metric:?}");
            assert_eq!(metric.name().ends_with("_total"), metric.kind() == Kind::Counter, "{metric:?}");
        }
    }
}

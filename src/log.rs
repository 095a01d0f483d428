//! One line per event on standard error: fields first, then a sentence; or one JSON object per event.
//!
//! Tokens are never given to it: what could hold one prints itself masked.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Format, Log};
use crate::error::{Exit, Fatal};

/// Starts logging for the whole process.
///
/// # Errors
/// Another logger was started before, which is a fault of ours.
pub fn start(log: &Log) -> Result<(), Fatal> {
    let bug =
        |cause: Box<dyn std::error::Error + Send + Sync>| Fatal::new(Exit::Bug, "cannot start logging").because(cause);
    let filter = EnvFilter::builder().parse(filter_of(log.level.as_str())).map_err(|cause| bug(cause.into()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        Format::Human => builder.event_format(Human).try_init(),
        Format::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    }
    .map_err(bug)
}

/// The Redis client tells of every lost connection in its own words; what matters of it is logged here. Whoever wants
/// to see it names it.
fn filter_of(level: &str) -> String {
    match level.contains("fred") {
        true => level.to_owned(),
        false => format!("{level},fred=error"),
    }
}

/// `2026-01-31T12:00:00.000000Z INFO gateway uid=1001 reason=displaced The session was displaced.`
struct Human;

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        SystemTime.format_time(&mut line)?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let target = fields.target.as_deref().unwrap_or(event.metadata().target());
        let target = target.strip_prefix("oneseat::").unwrap_or(target);
        write!(line, " {} {target}", event.metadata().level())?;
        writeln!(line, "{}{}", fields.named, fields.sentence)
    }
}

/// The fields of one event, written out.
#[derive(Default)]
struct Fields {
    /// ` name=value` of each.
    named: String,
    /// ` message`, which the macro hands over as one more field.
    sentence: String,
    /// Where an event of the `log` crate really comes from.
    target: Option<String>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
        let outcome = match field.name() {
            "log.target" => {
                self.target = Some(value.to_owned());
                Ok(())
            }
            // Source files of a library, as they lay on the machine that built this.
            name if name.starts_with("log.") => Ok(()),
            // A line break inside a sentence would look like another event.
            "message" if value.chars().any(char::is_control) => write!(self.sentence, " {}", value.escape_debug()),
            "message" => write!(self.sentence, " {value}"),
            name if !value.is_empty() && value.chars().all(plain) => write!(self.named, " {name}={value}"),
            name => write!(self.named, " {name}={value:?}"),
        };
        outcome.expect("writing to a String does not fail");
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.add(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no test panics while it writes").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(act: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt().event_format(Human).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, act);
        let bytes = sink.0.lock().expect("no test panics while it writes").clone();
        String::from_utf8(bytes).expect("log lines are UTF-8")
    }

    #[test]
    fn fields_stand_before_the_sentence() {
        let line = logged(|| tracing::info!(uid = "1001", frames = 3, note = "two words", "The session ended."));
        assert!(line.ends_with(" INFO log::tests uid=1001 frames=3 note=\"two words\" The session ended.\n"), "{line}");
    }

    #[test]
    fn events_of_other_loggers_tell_where_they_come_from_and_nothing_of_the_build() {
        let line = logged(|| {
            tracing::info!(log.target = "fred::router", log.file = "a/b.rs", log.line = 3, "Reconnecting.");
        });
        assert!(line.ends_with(" INFO fred::router Reconnecting.\n"), "{line}");
    }

    #[test]
    fn one_event_is_one_line_whatever_it_holds() {
        let line = logged(|| tracing::warn!(note = "a\nb", token = %"x\ry", "First.\nSecond."));
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("note=\"a\\nb\" token=\"x\\ry\" First.\\nSecond."), "{line}");
    }
}

//! What is wrong with a configuration: which key, what it says, where that stands, and what is allowed instead.

use std::fmt;
use std::path::PathBuf;

use figment::Figment;
use figment::error::Kind;
use thiserror::Error;

use super::{layer, show};

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}, line {line}: not TOML: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{}", list(.0))]
    Refused(Vec<Problem>),
}

/// One refused setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// `section.key`.
    pub key: String,
    /// As it would stand in the file, masked where it is secret; none where it must not be shown at all.
    pub value: Option<String>,
    /// `default`, `file PATH` or `environment NAME`.
    pub source: String,
    /// What is wrong or what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, source, message } = self;
        match value {
            Some(value) => write!(f, "{key} = {value} ({source}): {message}"),
            None => write!(f, "{key} ({source}): {message}"),
        }
    }
}

/// One problem stays on one line, for scripts that show only the first.
fn list(problems: &[Problem]) -> String {
    match problems {
        [only] => only.to_string(),
        several => several
            .iter()
            .fold("the configuration has several faults".to_owned(), |text, problem| format!("{text}\n  {problem}")),
    }
}

/// A setting that was given and is refused.
pub fn refuse(layers: &Figment, key: &str, message: impl Into<String>) -> Problem {
    let source = layers.find_metadata(key).map_or(layer::DEFAULT_SOURCE.to_owned(), |found| found.name.to_string());
    let value = layers.find_value(key).ok().map(|value| show::text(key, &value));
    Problem { key: key.to_owned(), value, source, message: message.into() }
}

/// Says in our words what the library found. Its own texts carry a `default.` in front of keys, and the value.
pub fn from_figment(layers: &Figment, error: figment::Error) -> ConfigError {
    let problem = |error: figment::Error| {
        let key = error.path.join(".");
        let message = match error.kind {
            Kind::Message(allowed) => format!("allowed is {allowed}"),
            Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) => format!("allowed is {}", kind(&wanted)),
            other => other.to_string(),
        };
        refuse(layers, &key, message)
    };
    ConfigError::Refused(error.into_iter().map(problem).collect())
}

fn kind(wanted: &str) -> &str {
    match wanted {
        "u64" | "usize" => "a whole number, 0 or more",
        "u32" => "a whole number from 0 to 4294967295",
        "a string" => "a text in quotes",
        "path string" => "a path in quotes",
        other => other,
    }
}

//! The layers of the configuration, merged, each value keeping its source.
//!
//! The embedded file decides which keys exist and of what kind each is; that is how a value of the environment, which
//! is always text, becomes a number or stays a text.

use std::collections::BTreeMap;
use std::path::Path;

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::problem::{ConfigError, Problem};

/// Source of the values that nobody changed.
pub const DEFAULT_SOURCE: &str = "default";

/// The section whose keys are not all known: each is a message id.
pub const ROUTES: &str = "routes";

const PREFIX: &str = "ONESEAT_";

/// The keys of the embedded file by section.
pub type Template = BTreeMap<String, Dict>;

/// Reads the embedded file.
pub fn template() -> Template {
    Toml::from_str(super::TEMPLATE).expect("the embedded default.toml is TOML: a test reads it")
}

/// One source of values.
struct Layer {
    source: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Merges all layers and refuses keys that the embedded file does not have.
pub fn merge(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Figment, ConfigError> {
    let template = template();
    let defaults = template.iter().map(|(section, keys)| (section.clone(), keys.clone().into())).collect();
    let mut layers = vec![Layer { source: DEFAULT_SOURCE.to_owned(), values: defaults }];
    let mut problems = Vec::new();
    if let Some(path) = file {
        layers.push(read_file(path)?);
    }
    let mut variables: Vec<_> = environment.into_iter().collect();
    // Of two with one name the later one stands, as what a command line says is behind the environment.
    variables.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, value) in variables {
        match read_variable(&template, &name, &value) {
            Variable::Setting(layer) => layers.push(layer),
            Variable::Mistyped(problem) => problems.push(problem),
            Variable::Foreign => {}
        }
    }
    problems.extend(layers.iter().flat_map(|layer| unknown_keys(&template, layer)));
    if !problems.is_empty() {
        return Err(ConfigError::Refused(problems));
    }
    Ok(layers.into_iter().fold(Figment::new(), Figment::merge))
}

fn read_file(path: &Path) -> Result<Layer, ConfigError> {
    // Read here and not by the library, whose file provider takes a missing file for an empty one.
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let values = Toml::from_str::<Dict>(&text).map_err(|error| {
        // The parser's own text quotes the line, which may hold a secret; its message and the line number do not.
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        ConfigError::Syntax { path: path.to_owned(), line, message: error.message().replace('\n', ", ") }
    })?;
    Ok(Layer { source: format!("file {}", path.display()), values })
}

enum Variable {
    Setting(Layer),
    Mistyped(Problem),
    /// Not ours.
    Foreign,
}

fn read_variable(template: &Template, name: &str, text: &str) -> Variable {
    let Some(rest) = name.strip_prefix(PREFIX) else { return Variable::Foreign };
    let source = format!("environment {name}");
    let Some((section, key)) = rest.split_once("__") else {
        return single_underscore(template, rest).map_or(Variable::Foreign, |(section, key)| {
            let meant = format!("{PREFIX}{}__{}", section.to_uppercase(), key.to_uppercase());
            let message = format!("two underscores stand between section and key: {meant}");
            Variable::Mistyped(Problem { key: rest.to_lowercase(), value: None, source, message })
        });
    };
    let (section, key) = (section.to_lowercase(), key.to_lowercase());
    let value = match section.as_str() {
        ROUTES => inline_table(text),
        _ => typed(template.get(&section).and_then(|keys| keys.get(&key)), text),
    };
    let values = Dict::from([(section, Dict::from([(key, value)]).into())]);
    Variable::Setting(Layer { source, values })
}

/// A variable such as `ONESEAT_ADMIN_TOKEN` is surely a slip. Others with one underscore are left alone: Kubernetes
/// gives every pod `ONESEAT_PORT` and the like when a service is called oneseat.
fn single_underscore<'a>(template: &'a Template, rest: &str) -> Option<(&'a str, &'a str)> {
    let rest = rest.to_lowercase();
    template.iter().find_map(|(section, keys)| {
        let key = rest.strip_prefix(section.as_str())?.strip_prefix('_')?;
        keys.get_key_value(key).map(|(key, _)| (section.as_str(), key.as_str()))
    })
}

/// A text of the environment becomes what the default is. What does not parse stays a text and is refused as one.
fn typed(default: Option<&Value>, text: &str) -> Value {
    match default {
        Some(Value::Num(..)) => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        Some(Value::Bool(..)) => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
        _ => Value::from(text),
    }
}

/// The value of a route: `{ script = "typing" }`. What is no such table stays a text and is refused as one.
fn inline_table(text: &str) -> Value {
    let table = Toml::from_str::<Dict>(&format!("route = {text}")).ok();
    table.and_then(|mut table| table.remove("route")).unwrap_or_else(|| Value::from(text))
}

fn unknown_keys(template: &Template, layer: &Layer) -> Vec<Problem> {
    // The value of an unknown key is not shown: it may be a misspelt secret.
    let problem = |key: String, message| Problem { key, value: None, source: layer.source.clone(), message };
    let mut found = Vec::new();
    for (section, value) in &layer.values {
        let Some(known) = template.get(section) else {
            found.push(problem(section.clone(), unknown("section", section, template.keys())));
            continue;
        };
        let Some(keys) = value.as_dict() else {
            found.push(problem(section.clone(), format!("is a section: write [{section}] and its keys below")));
            continue;
        };
        for key in keys.keys().filter(|key| section != ROUTES && !known.contains_key(*key)) {
            found.push(problem(format!("{section}.{key}"), unknown("key", key, known.keys())));
        }
    }
    found
}

fn unknown<'a>(what: &str, given: &str, known: impl Iterator<Item = &'a String>) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    // Half a word is the other frequent slip beside a wrong letter: `beat` for `beat_ms`.
    let steps = |word: &str| if !given.is_empty() && word.starts_with(given) { 1 } else { distance(given, word) };
    let nearest = known.iter().map(|word| (steps(word), *word)).min();
    let meant = match nearest {
        Some((steps, word)) if steps <= 1 + given.chars().count() / 3 => format!("did you mean `{word}`? "),
        _ => String::new(),
    };
    format!("unknown {what}; {meant}allowed are {}", known.join(", "))
}

/// Letters to insert, remove or replace to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_letters() {
        assert_eq!(distance("beat_ms", "beat_ms"), 0);
        assert_eq!(distance("bet_ms", "beat_ms"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}

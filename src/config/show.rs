//! Prints settings: in the order of the embedded file, with the source of each, secrets masked.

use figment::Figment;
use figment::value::Value;
use serde_json::{Map, json};

use super::layer::DEFAULT_SOURCE;
use super::url::mask_url;
use super::value::MASK;
use super::{SECRETS, TEMPLATE};

/// The merged settings as TOML.
pub fn toml(layers: &Figment) -> String {
    let mut text = String::from("# What is in force, and from where. Secrets are masked.\n");
    let mut section = "";
    for (name, key) in keys() {
        if name != section {
            section = name;
            text.push_str(&format!("\n[{section}]\n"));
        }
        let (value, source) = lookup(layers, &format!("{section}.{key}"));
        text.push_str(&format!("{key} = {value} # {source}\n"));
    }
    text
}

/// The merged settings as `{section: {key: {value, source}}}`.
pub fn json(layers: &Figment) -> serde_json::Value {
    let mut sections = Map::new();
    for (section, key) in keys() {
        let (text, source) = lookup(layers, &format!("{section}.{key}"));
        // TOML and JSON write texts, numbers and truth values alike.
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or(text.into());
        sections.entry(section).or_insert_with(|| json!({}))[key] = json!({ "value": value, "source": source });
    }
    sections.into()
}

/// A value as it would stand in the file, masked if its key is a secret one.
pub fn text(key: &str, value: &Value) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match value {
        Value::String(_, text) if text.is_empty() => quoted(""),
        Value::String(_, text) if key == "redis.url" => quoted(&mask_url(text)),
        _ if SECRETS.contains(&key) => quoted(MASK),
        Value::String(_, text) => quoted(text),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (Some(number), _, _) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (_, _, number) => number.unwrap_or_default().to_string(),
        },
        Value::Bool(_, truth) => truth.to_string(),
        Value::Char(_, letter) => quoted(&letter.to_string()),
        Value::Empty(..) => "(nothing)".to_owned(),
        Value::Dict(..) => "(a table)".to_owned(),
        Value::Array(..) => "(a list)".to_owned(),
    }
}

fn lookup(layers: &Figment, key: &str) -> (String, String) {
    let value = layers.find_value(key).map(|value| text(key, &value)).unwrap_or_default();
    let source = layers.find_metadata(key).map_or(DEFAULT_SOURCE.to_owned(), |found| found.name.to_string());
    (value, source)
}

/// Section and key of every setting, in the order of the embedded file.
fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut section = "";
    TEMPLATE.lines().filter_map(move |line| {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            return None;
        }
        let (key, _) = line.split_once(" = ").filter(|_| !line.starts_with('#'))?;
        Some((section, key))
    })
}

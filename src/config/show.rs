//! Prints settings: in the order of the embedded file, with the source of each, secrets masked.

use figment::Figment;
use figment::value::Value;
use serde_json::{Map, json};

use super::layer::{DEFAULT_SOURCE, ROUTES};
use super::url::mask_url;
use super::value::MASK;
use super::{SECRETS, TEMPLATE};

/// The merged settings as TOML.
pub fn toml(layers: &Figment) -> String {
    let mut text = String::from("# What is in force, and from where. Secrets are masked.\n");
    let mut section = "";
    for (name, key) in keys(layers) {
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
    for (section, key) in keys(layers) {
        let (text, source) = lookup(layers, &format!("{section}.{key}"));
        let value = match section {
            ROUTES => layers.extract_inner::<serde_json::Value>(&format!("{section}.{key}")).unwrap_or_default(),
            // TOML and JSON write texts, numbers and truth values alike.
            _ => serde_json::from_str(&text).unwrap_or(text.into()),
        };
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
        Value::Dict(_, fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name} = {}", self::text("", value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(..) => "(a list)".to_owned(),
    }
}

fn lookup(layers: &Figment, key: &str) -> (String, String) {
    let value = layers.find_value(key).map(|value| text(key, &value)).unwrap_or_default();
    let source = layers.find_metadata(key).map_or(DEFAULT_SOURCE.to_owned(), |found| found.name.to_string());
    (value, source)
}

/// Section and key of every setting, in the order of the embedded file, then the routes that others added.
fn keys(layers: &Figment) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let mut section = "";
    let known = TEMPLATE.lines().filter_map(move |line| {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            return None;
        }
        let (key, _) = line.split_once(" = ").filter(|_| !line.starts_with('#'))?;
        Some((section, key.to_owned()))
    });
    let known: Vec<_> = known.collect();
    let routes =
        layers.find_value(ROUTES).ok().and_then(|value| Some(value.as_dict()?.keys().cloned().collect::<Vec<_>>()));
    let added = routes.unwrap_or_default().into_iter().map(|key| (ROUTES, key));
    let added: Vec<_> = added.filter(|route| !known.contains(route)).collect();
    known.into_iter().chain(added)
}

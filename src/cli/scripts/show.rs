//! `oneseat scripts show` and `diff`: the text of versions.

use serde_json::json;
use similar::TextDiff;

use super::fleet::{self, Store};
use super::tell;
use crate::cli::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::script::release::{Fleet, Source};

/// Lines around a change.
const CONTEXT: usize = 3;

/// Prints a version, or the active one of a name.
pub fn show(script: &str, bundle: bool, shared: &Shared) -> Result<Exit, Fatal> {
    let store = Store::open(shared)?;
    let fleet = store.fleet()?;
    let (name, version) = match script.split_once('@') {
        Some(_) => fleet::parse_label(script)
            .ok_or_else(|| Fatal::new(Exit::Usage, format!("{script} names no version")).hint("write it as login@2"))?,
        None => (script, active(&fleet, script)?),
    };
    let source = store.source(name, version)?;
    let text = if bundle { source.text.clone() } else { own_text(&source) };
    let release = fleet.releases.get(&format!("{name}@{version}"));
    let answer = json!({ "name": name, "version": version, "release": release, "text": text });
    tell(shared, &answer, || output::line(text.trim_end()))?;
    Ok(Exit::Ok)
}

/// Prints what one version changes against another.
pub fn diff(name: &str, from: u32, to: u32, shared: &Shared) -> Result<Exit, Fatal> {
    let store = Store::open(shared)?;
    let (old, new) = (own_text(&store.source(name, from)?), own_text(&store.source(name, to)?));
    let labels = (format!("lua/{name}/v{from}.lua"), format!("lua/{name}/v{to}.lua"));
    let text = TextDiff::from_lines(old.as_str(), new.as_str())
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&labels.0, &labels.1)
        .to_string();
    let answer = json!({ "name": name, "from": from, "to": to, "diff": text });
    tell(shared, &answer, || output::line(text.trim_end()))?;
    Ok(Exit::Ok)
}

fn active(fleet: &Fleet, name: &str) -> Result<u32, Fatal> {
    fleet.chosen(name).map(|chosen| chosen.active.version).ok_or_else(|| {
        Fatal::new(Exit::Failed, format!("the fleet has no active version of {name}"))
            .hint("`oneseat scripts list` shows what it keeps")
    })
}

/// The script's own file, without helpers.
fn own_text(source: &Source) -> String {
    source.files().pop().map(|(_, text)| text).unwrap_or_default()
}

//! A version of a script as the fleet keeps it in Redis, and which versions it has chosen.
//!
//! These are the forms of `lua/push`, `lua/source` and `lua/versions`. What comes back is held against its digest and
//! its header before anybody runs it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::script::bundle::Bundle;
use crate::script::catalogue::{CatalogueError, Script};

/// Result of the tests that a version passed before it was pushed.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TestResult {
    pub passed: usize,
    pub failed: usize,
    /// Lines of its file and its helpers that they ran, in per cent; absent where nobody measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
}

/// What callers of a script rely on: the words of its keys and arguments, in order, joined by commas.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Contract {
    pub keys: String,
    pub arguments: String,
}

impl Contract {
    /// The contract that a header declares.
    pub fn of(script: &Script) -> Self {
        let keys: Vec<_> = script.header.keys.iter().map(|key| key.word()).collect();
        let arguments: Vec<_> = script.header.arguments.iter().map(|(argument, _)| argument.word()).collect();
        Self { keys: keys.join(","), arguments: arguments.join(",") }
    }
}

/// What is known of a version. What somebody wrote into the store by hand may lack anything.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Release {
    /// The sentence of its first line.
    pub summary: String,
    pub since: String,
    pub contract: Contract,
    pub tests: TestResult,
    /// SHA-1 of its text. The store adds these three.
    pub digest: String,
    pub who: String,
    /// When it was pushed, in Redis' milliseconds.
    pub at: u64,
}

impl Release {
    /// What a node or an operator says of a version.
    pub fn of(script: &Script, tests: TestResult) -> Self {
        let header = &script.header;
        Self {
            summary: header.summary.clone(),
            since: header.since.clone(),
            contract: Contract::of(script),
            tests,
            digest: script.sha1().to_owned(),
            who: String::new(),
            at: 0,
        }
    }
}

/// The text of a version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Helpers and script as Redis runs them.
    pub text: String,
    /// Path of each file in it, and the line on which it begins.
    pub parts: Vec<(String, usize)>,
    /// Test files of the name, by path.
    pub tests: BTreeMap<String, String>,
}

/// Why a version that the fleet keeps cannot be run here.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error("its text has the digest {found}, not {expected}")]
    Digest { expected: String, found: String },
    #[error("this binary cannot read it: {0}")]
    Header(#[from] CatalogueError),
}

impl Source {
    /// The text of a version, with the test files that go with it.
    pub fn of(script: &Script, tests: BTreeMap<String, String>) -> Self {
        let parts = script.bundle.parts().iter().map(|part| (part.path.clone(), part.start)).collect();
        Self { text: script.text().to_owned(), parts, tests }
    }

    /// The files that it is made of, each with its path; the script itself comes last.
    pub fn files(&self) -> Vec<(String, String)> {
        let bundle = Bundle::restore(self.text.clone(), self.parts.iter().cloned());
        bundle.files().map(|(path, text)| (path.to_owned(), text)).collect()
    }

    /// The script again, if the text has this digest and keeps to its header.
    pub fn restore(&self, name: &str, version: u32, digest: &str) -> Result<Script, SourceError> {
        let bundle = Bundle::restore(self.text.clone(), self.parts.iter().cloned());
        if bundle.sha1 != digest {
            return Err(SourceError::Digest { expected: digest.to_owned(), found: bundle.sha1 });
        }
        Ok(Script::restore(name, version, bundle)?)
    }
}

/// One version, by number and digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pointer {
    pub version: u32,
    pub digest: String,
}

/// What the fleet chose for one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    pub active: Pointer,
    /// A version that is tried out, and its share in per cent.
    pub canary: Option<(Pointer, u8)>,
    /// The version that a rollback leads to.
    pub before: Option<u32>,
    /// Revision with which it was chosen; 0 where nobody did.
    pub since: u64,
}

/// The answer of `versions`.
#[derive(Clone, Debug, Deserialize)]
pub struct Fleet {
    /// Grows with every change; 0 where nothing was ever chosen.
    pub revision: u64,
    pointers: BTreeMap<String, String>,
    /// All versions that the fleet keeps, by label, as `login@2`.
    #[serde(deserialize_with = "readable")]
    pub releases: BTreeMap<String, Release>,
}

/// One entry that cannot be read must not hide the others.
fn readable<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, Release>, D::Error> {
    let entries = BTreeMap::<String, serde_json::Value>::deserialize(input)?;
    let read = |(label, value)| match serde_json::from_value(value) {
        Ok(release) => Some((label, release)),
        Err(error) => {
            tracing::warn!(label, %error, "what the store keeps of a script version cannot be read");
            None
        }
    };
    Ok(entries.into_iter().filter_map(read).collect())
}

impl Fleet {
    /// Names that have an active version, in order.
    pub fn names(&self) -> BTreeSet<&str> {
        self.pointers.keys().filter_map(|field| field.strip_suffix(":active")).collect()
    }

    /// What was chosen for a name; none where nothing was, or where it cannot be read.
    pub fn chosen(&self, name: &str) -> Option<Chosen> {
        let field = |word: &str| self.pointers.get(&format!("{name}:{word}"));
        let pointer = |version: &str, digest: &str| -> Option<Pointer> {
            Some(Pointer { version: field(version)?.parse().ok()?, digest: field(digest)?.clone() })
        };
        let canary = match field("canary") {
            None => None,
            Some(_) => {
                let percent = field("percent")?.parse().ok().filter(|percent| *percent <= 100)?;
                Some((pointer("canary", "canary_digest")?, percent))
            }
        };
        let before = field("before").and_then(|text| text.split(' ').next()?.parse().ok());
        let since = field("since").and_then(|text| text.parse().ok()).unwrap_or(0);
        Some(Chosen { active: pointer("active", "digest")?, canary, before, since })
    }

    /// The versions of a name that the fleet keeps, in ascending order.
    pub fn versions(&self, name: &str) -> Vec<(u32, &Release)> {
        let version = |label: &str| label.strip_prefix(name)?.strip_prefix('@')?.parse().ok();
        let mut versions: Vec<_> =
            self.releases.iter().filter_map(|(label, release)| Some((version(label)?, release))).collect();
        versions.sort_by_key(|(version, _)| *version);
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::catalogue::Catalogue;

    #[test]
    fn a_version_comes_back_from_its_source_unchanged() {
        let catalogue = Catalogue::embedded().expect("the built-in scripts are well-formed");
        for script in catalogue.scripts() {
            let source = Source::of(script, BTreeMap::new());
            let back = source.restore(script.name(), script.version(), script.sha1()).expect("it is whole");
            assert_eq!(back.header, script.header);
            assert_eq!(back.bundle.parts(), script.bundle.parts());
            assert_eq!(back.text(), script.text());
        }
    }

    #[test]
    fn a_source_that_was_changed_on_the_way_is_refused() {
        let catalogue = Catalogue::embedded().expect("the built-in scripts are well-formed");
        let login = catalogue.get("login").expect("it is there");
        let mut source = Source::of(login, BTreeMap::new());
        source.text.push(' ');
        let error = source.restore("login", 1, login.sha1()).expect_err("it is another text");
        assert!(error.to_string().contains(login.sha1()), "{error}");
    }

    #[test]
    fn pointers_are_read_by_name() {
        let fleet: Fleet = serde_json::from_value(serde_json::json!({
            "revision": 7,
            "pointers": {
                "odd:active": "1", "odd:digest": "dd", "odd:canary": "2", "odd:canary_digest": "ee", "odd:percent": "300",
                "login:since": "6", "login:active": "2", "login:digest": "aa", "login:before": "1 3",
                "login:canary": "4", "login:canary_digest": "bb", "login:percent": "5",
                "kick:active": "1", "kick:digest": "cc",
            },
            "releases": { "login@2": { "summary": 3 }, "kick@1": {} },
        }))
        .expect("the form of the script");
        let canary = Some((Pointer { version: 4, digest: "bb".to_owned() }, 5));
        let active = Pointer { version: 2, digest: "aa".to_owned() };
        assert_eq!(fleet.chosen("login"), Some(Chosen { active, canary, before: Some(1), since: 6 }));
        assert_eq!(fleet.chosen("odd"), None, "a share of 300 % is no share");
        assert_eq!(fleet.releases.keys().collect::<Vec<_>>(), ["kick@1"], "what cannot be read hides nothing else");
        assert_eq!(fleet.chosen("kick").and_then(|chosen| chosen.before), None);
        assert_eq!(fleet.chosen("none"), None);
        assert_eq!(fleet.names().into_iter().collect::<Vec<_>>(), ["kick", "login", "odd"]);
    }
}

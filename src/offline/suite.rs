//! The tests of a catalogue: which files there are, which versions they run for, and what is judged by them.
//!
//! A folder is laid over the scripts inside the binary, so that it needs to hold no more than what it changes. The
//! built-in tests count for what it brings: a behaviour is changed by restating its test, never by leaving it out.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::offline::lint;
use crate::offline::place::Place;
use crate::script::catalogue::{Catalogue, CatalogueError};
use crate::script::problem::Problem;
use crate::script::tree::{Tree, test_layer};

/// Why there is nothing to run.
#[derive(Debug, Error)]
pub enum SuiteError {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error("no tests below {0}; expected are <name>/test.lua and <name>/v<N>.lua")]
    Empty(String),
    #[error("{label} tests `{script}`, of which there is no version")]
    Orphan { label: String, script: String },
}

/// The text of a file and how people know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Text {
    pub label: String,
    pub text: String,
}

/// One `test.lua` or `explore.lua`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TestFile {
    /// The script that it tests: the name of its folder.
    pub script: String,
    pub source: Text,
    /// Versions that its tests run for, in ascending order.
    pub versions: Vec<u32>,
    /// Files whose tests stand in for those of the same name here.
    pub replaced_by: Vec<Text>,
}

/// Scripts and their tests.
#[derive(Debug)]
pub struct Suite {
    pub catalogue: Rc<Catalogue>,
    /// The files that the catalogue was made of.
    pub tree: Tree,
    pub files: Vec<TestFile>,
    /// Names and versions whose effects and lines the tests have to reach.
    pub judged: BTreeSet<(String, u32)>,
    /// What the lint says against the scripts.
    pub problems: Vec<Problem>,
}

impl Suite {
    /// The tests of the scripts inside the binary, or of what a path brings beside them; see [`Place::of`] for what a
    /// path may be.
    pub fn find(path: Option<&Path>) -> Result<Self, SuiteError> {
        let builtin = Tree::embedded();
        let Some(path) = path else { return Self::from_tree(&builtin, None) };
        let place = Place::of(path)?;
        Self::overlay(&builtin, &place.read()?, place.script.as_deref(), place.version)
    }

    /// The tests in a tree, all or those of one script.
    pub fn from_tree(tree: &Tree, only: Option<&str>) -> Result<Self, SuiteError> {
        let catalogue = Catalogue::from_tree(tree)?;
        let names: Vec<_> = match only {
            Some(name) => vec![name.to_owned()],
            None => catalogue.names().map(str::to_owned).chain(names_in(tree)).collect(),
        };
        let layers = Layers { catalogue, former: None, tree: tree.clone(), upper: tree, version: None };
        layers.suite(&names.into_iter().collect())
    }

    /// The tests of what `upper` brings, laid over `lower`: of one script, or of every script that is not what it was;
    /// of one version of it, or of all.
    pub fn overlay(lower: &Tree, upper: &Tree, script: Option<&str>, version: Option<u32>) -> Result<Self, SuiteError> {
        let tree = lower.clone().overlaid(upper);
        let (catalogue, former) = (Catalogue::from_tree(&tree)?, Catalogue::from_tree(lower)?);
        let layers = Layers { catalogue, former: Some((lower, former)), tree, upper, version };
        let names = match script {
            Some(name) => BTreeSet::from([name.to_owned()]),
            None => layers.touched(),
        };
        layers.suite(&names)
    }
}

/// A tree, what it lies over, and which version of its scripts is asked for.
struct Layers<'a> {
    catalogue: Catalogue,
    /// What the scripts were before.
    former: Option<(&'a Tree, Catalogue)>,
    tree: Tree,
    upper: &'a Tree,
    version: Option<u32>,
}

impl Layers<'_> {
    /// Scripts that the upper tree has files of, or whose helpers it changes.
    fn touched(&self) -> BTreeSet<String> {
        let changed = self.catalogue.names().filter(|name| !self.brought(name).is_empty()).map(str::to_owned);
        changed.chain(names_in(self.upper)).collect()
    }

    /// Versions of a script that are new, or not what they were.
    fn brought(&self, name: &str) -> Vec<u32> {
        let Some((_, former)) = &self.former else { return Vec::new() };
        let known: BTreeSet<_> = former.versions(name).iter().map(|script| (script.version(), script.sha1())).collect();
        let scripts = self.catalogue.versions(name).iter();
        let changed = scripts.filter(|script| !known.contains(&(script.version(), script.sha1())));
        self.wanted(changed.map(|script| script.version()))
    }

    fn all(&self, name: &str) -> Vec<u32> {
        self.wanted(self.catalogue.versions(name).iter().map(|script| script.version()))
    }

    /// What the tests are there for: what is new, or everything where nothing is.
    fn judged(&self, name: &str) -> Vec<u32> {
        let brought = self.brought(name);
        if brought.is_empty() { self.all(name) } else { brought }
    }

    fn wanted(&self, versions: impl Iterator<Item = u32>) -> Vec<u32> {
        versions.filter(|version| self.version.is_none_or(|wanted| wanted == *version)).collect()
    }

    fn suite(self, names: &BTreeSet<String>) -> Result<Suite, SuiteError> {
        let (mut files, mut judged) = (Vec::new(), BTreeSet::new());
        for name in names {
            let found = self.tests_of(name);
            if let (Some(file), true) = (found.first(), self.catalogue.get(name).is_none()) {
                let (label, script) = (file.source.label.clone(), name.clone());
                return Err(SuiteError::Orphan { label, script });
            }
            files.extend(found);
            judged.extend(self.judged(name).into_iter().map(|version| (name.clone(), version)));
        }
        if files.is_empty() {
            return Err(SuiteError::Empty(self.upper.label("")));
        }
        let problems = lint::check_all(&self.tree, &self.catalogue);
        Ok(Suite { catalogue: Rc::new(self.catalogue), tree: self.tree, files, judged, problems })
    }

    /// The test files of a script, lowest layer first: those that it had, by the versions that they came with, and those
    /// that are brought. A test is replaced by one of its name in a higher layer. What is brought runs for every
    /// version, the others for what they have not been run for.
    fn tests_of(&self, name: &str) -> Vec<TestFile> {
        let former = |path: &str| self.former.as_ref().and_then(|(lower, _)| lower.get(path));
        let mut layers = Vec::new();
        for (path, text) in self.upper.tests_of(name) {
            let is_new = self.former.is_none() || former(path) != Some(text);
            layers.push((is_new, layer_of(path), text_of(self.upper, path, text), self.all(name)));
        }
        for (path, text) in self.former.iter().flat_map(|(lower, _)| lower.tests_of(name)) {
            if self.upper.get(path) != Some(text) {
                let lower = self.former.as_ref().map_or(self.upper, |(lower, _)| lower);
                layers.push((false, layer_of(path), text_of(lower, path, text), self.judged(name)));
            }
        }
        // Explorations come last, as they take longest to read.
        layers.sort_by_key(|(is_new, layer, source, _)| (*is_new, *layer, source.label.contains("/explore")));
        let sources: Vec<Text> = layers.iter().map(|(_, _, source, _)| source.clone()).collect();
        let layers = layers.into_iter().enumerate();
        layers
            .map(|(index, (_, _, source, versions))| TestFile {
                script: name.to_owned(),
                source,
                versions,
                replaced_by: sources[index + 1..].to_vec(),
            })
            .collect()
    }
}

fn layer_of(path: &str) -> u32 {
    path.rsplit('/').next().and_then(test_layer).unwrap_or(0)
}

fn text_of(tree: &Tree, path: &str, text: &str) -> Text {
    Text { label: tree.label(path), text: text.to_owned() }
}

/// The scripts that a tree has files of.
fn names_in(tree: &Tree) -> impl Iterator<Item = String> {
    let folders = tree.files().filter_map(|(path, _)| path.split_once('/')).map(|(folder, _)| folder);
    folders.filter(|folder| *folder != "lib").map(str::to_owned)
}

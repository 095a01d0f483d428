//! The tests of a catalogue: which files there are, and the scripts that they belong to.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thiserror::Error;

use crate::offline::lint;
use crate::script::catalogue::{Catalogue, CatalogueError};
use crate::script::problem::Problem;
use crate::script::tree::Tree;

/// Why there is nothing to run.
#[derive(Debug, Error)]
pub enum SuiteError {
    #[error("cannot read the scripts: {0}")]
    Unreadable(#[from] io::Error),
    #[error("{0}")]
    Catalogue(#[from] CatalogueError),
    #[error("no test.lua below {0}")]
    Empty(String),
    #[error("{label} tests `{script}`, of which there is no version")]
    Orphan { label: String, script: String },
}

/// One `test.lua`.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The script that it tests: the name of its folder.
    pub script: String,
    /// The path as people know it.
    pub label: String,
    pub text: String,
}

/// Scripts and their tests.
#[derive(Debug)]
pub struct Suite {
    pub catalogue: Rc<Catalogue>,
    pub files: Vec<TestFile>,
    /// What the lint says against the scripts.
    pub problems: Vec<Problem>,
}

impl Suite {
    /// Finds the tests of the built-in scripts, of a folder laid out as `lua/` is, or of one script in such a folder.
    pub fn find(path: Option<&Path>) -> Result<Self, SuiteError> {
        match path {
            None => Self::from_tree(&Tree::embedded(), None),
            Some(path) => {
                let (root, only) = split(path);
                Self::from_tree(&Tree::read(&root)?, only.as_deref())
            }
        }
    }

    /// Finds the tests in a tree, all or those of one script.
    pub fn from_tree(tree: &Tree, only: Option<&str>) -> Result<Self, SuiteError> {
        let catalogue = Rc::new(Catalogue::from_tree(tree)?);
        let mut files = Vec::new();
        for (path, text) in tree.files() {
            let Some((script, "test.lua" | "explore.lua")) = path.split_once('/') else { continue };
            if only.is_some_and(|only| only != script) {
                continue;
            }
            let (script, label, text) = (script.to_owned(), tree.label(path), text.to_owned());
            if catalogue.get(&script).is_none() {
                return Err(SuiteError::Orphan { label, script });
            }
            files.push(TestFile { script, label, text });
        }
        if files.is_empty() {
            return Err(SuiteError::Empty(tree.label(only.unwrap_or(""))));
        }
        let problems = lint::check_all(tree, &catalogue);
        Ok(Self { catalogue, files, problems })
    }
}

/// The folder of the catalogue, and the one script that is meant, if the path is its folder or its test.
fn split(path: &Path) -> (PathBuf, Option<String>) {
    let is_test = path.file_name().is_some_and(|name| name == "test.lua");
    let folder = if is_test { path.parent().unwrap_or(Path::new("")) } else { path };
    let holds_versions = folder.join("test.lua").is_file();
    match (holds_versions, folder.file_name()) {
        (true, Some(name)) => {
            let root = folder.parent().filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
            (root.to_owned(), Some(name.to_string_lossy().into_owned()))
        }
        _ => (folder.to_owned(), None),
    }
}

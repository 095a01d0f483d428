//! The Lua files of a catalogue: those inside the binary, or a folder.
//!
//! Paths are relative and use `/`; a file's label is what people are shown: `lua/login/v1.lua`. It reads files and
//! nothing else, and never interprets them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use include_dir::{Dir, include_dir};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lua");

/// Deepest folder that is looked into; a catalogue needs one level.
const DEPTH_MAX: usize = 4;

/// Names of the files beside the versions that hold tests.
pub const TEST_FILES: [&str; 2] = ["test.lua", "explore.lua"];

/// Every `.lua` file by its relative path.
#[derive(PartialEq, Eq)]
pub struct Tree {
    label: String,
    files: BTreeMap<String, String>,
}

impl Tree {
    /// The files that are part of the binary.
    pub fn embedded() -> Self {
        let mut files = BTreeMap::new();
        collect(&EMBEDDED, &mut files);
        Self { label: "lua".to_owned(), files }
    }

    /// The files below a folder. Fails when a folder or a `.lua` file cannot be read as text.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        read_into(root, "", 0, &mut files)?;
        let label = root.to_string_lossy().trim_end_matches('/').to_owned();
        Ok(Self { label, files })
    }

    /// Files given by hand, as the tests of the catalogue do.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let own = |(path, text): (&str, &str)| (path.to_owned(), text.to_owned());
        Self { label: "lua".to_owned(), files: files.into_iter().map(own).collect() }
    }

    /// What people are shown for a relative path.
    pub fn label(&self, path: &str) -> String {
        format!("{}/{path}", self.label)
    }

    /// The text of one file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The test files of a script, by path.
    pub fn tests_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_test = move |path: &str| {
            path.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')).is_some_and(|file| TEST_FILES.contains(&file))
        };
        self.files().filter(move |(path, _)| is_test(path))
    }

    /// Every path with its text, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

fn collect(dir: &Dir<'_>, files: &mut BTreeMap<String, String>) {
    for file in dir.files() {
        let path = file.path().to_string_lossy().replace('\\', "/");
        if let (true, Some(text)) = (path.ends_with(".lua"), file.contents_utf8()) {
            files.insert(path, text.to_owned());
        }
    }
    dir.dirs().for_each(|inner| collect(inner, files));
}

fn read_into(dir: &Path, prefix: &str, depth: usize, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir).map_err(|error| at(dir, error))? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        if path.is_dir() && depth < DEPTH_MAX {
            read_into(&path, &format!("{name}/"), depth + 1, files)?;
        } else if name.ends_with(".lua") {
            files.insert(name, std::fs::read_to_string(&path).map_err(|error| at(&path, error))?);
        }
    }
    Ok(())
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

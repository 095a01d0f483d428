//! The Lua files of a catalogue: those inside the binary, a folder, or a folder laid over the former.
//!
//! Paths are relative and use `/`; a file's label is what people are shown: `lua/login/v1.lua`. It reads and writes
//! files and nothing else, and never interprets them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lua");

/// Deepest folder that is looked into; a catalogue needs one level.
const DEPTH_MAX: usize = 4;
/// Longest file that is read, in bytes. A script is far shorter, and what a link leads to may have no end.
pub const FILE_BYTES_MAX: usize = 128 << 10;
/// A folder directly below the root that holds trees of its own, and so is no part of this one.
const EXAMPLES: &str = "examples";

/// Every `.lua` file by its relative path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tree {
    label: String,
    files: BTreeMap<String, Leaf>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Leaf {
    label: String,
    text: String,
}

impl Tree {
    /// The files that are part of the binary.
    pub fn embedded() -> Self {
        let mut tree = Self::empty("lua");
        tree.collect(&EMBEDDED);
        tree
    }

    /// The files below a folder; those whose name begins with a dot are left to the editors that made them.
    ///
    /// # Errors
    /// A folder cannot be read, or a `.lua` file is no regular one, too long, or no text. The message begins with its
    /// path.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::empty(root.to_string_lossy().trim_end_matches('/'));
        tree.read_into(root, "", 0)?;
        Ok(tree)
    }

    /// The files of one script below a folder, and the helpers beside it.
    pub fn read_script(root: &Path, name: &str) -> io::Result<Self> {
        let mut tree = Self::empty(root.to_string_lossy().trim_end_matches('/'));
        tree.read_into(&root.join(name), &format!("{name}/"), DEPTH_MAX)?;
        let helpers = root.join("lib");
        if helpers.is_dir() {
            tree.read_into(&helpers, "lib/", DEPTH_MAX)?;
        }
        Ok(tree)
    }

    /// Writes the files below a folder, so that [`Tree::read`] finds them there. The message of an error begins with the
    /// path of what cannot be written.
    pub fn write(&self, root: &Path) -> io::Result<()> {
        self.files().try_for_each(|(name, text)| {
            let path = root.join(name);
            let folder = path.parent().unwrap_or(root);
            fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).map_err(|error| at(&path, error))
        })
    }

    /// Files given by hand, as the tests of the catalogue do.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::labelled("lua", files)
    }

    /// Files from elsewhere, shown to people as `label/<path>`.
    pub fn labelled<'a>(label: &str, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut tree = Self::empty(label);
        files.into_iter().for_each(|(path, text)| tree.add(path.to_owned(), text.to_owned()));
        tree
    }

    /// This tree with the files of another one laid over it; where both have a path, the other's file counts.
    #[must_use]
    pub fn overlaid(mut self, upper: &Tree) -> Self {
        self.label.clone_from(&upper.label);
        self.files.extend(upper.files.iter().map(|(path, file)| (path.clone(), file.clone())));
        self
    }

    /// What people are shown for a relative path.
    pub fn label(&self, path: &str) -> String {
        self.files.get(path).map_or_else(|| format!("{}/{path}", self.label), |file| file.label.clone())
    }

    /// The text of one file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.text.as_str())
    }

    /// The test files of a script, by path.
    pub fn tests_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let file_of = move |path: &'a str| path.strip_prefix(name)?.strip_prefix('/');
        self.files().filter(move |(path, _)| file_of(path).and_then(test_layer).is_some())
    }

    /// Every path with its text, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file.text.as_str()))
    }

    fn empty(label: &str) -> Self {
        Self { label: label.to_owned(), files: BTreeMap::new() }
    }

    fn add(&mut self, path: String, text: String) {
        let label = format!("{}/{path}", self.label);
        self.files.insert(path, Leaf { label, text });
    }

    fn collect(&mut self, dir: &Dir<'_>) {
        for file in dir.files() {
            let path = file.path().to_string_lossy().replace('\\', "/");
            if let (true, Some(text)) = (path.ends_with(".lua"), file.contents_utf8()) {
                self.add(path, text.to_owned());
            }
        }
        dir.dirs().filter(|inner| inner.path() != Path::new(EXAMPLES)).for_each(|inner| self.collect(inner));
    }

    fn read_into(&mut self, dir: &Path, prefix: &str, depth: usize) -> io::Result<()> {
        for entry in fs::read_dir(dir).map_err(|error| at(dir, error))? {
            let entry = entry.map_err(|error| at(dir, error))?;
            let own = entry.file_name().to_string_lossy().into_owned();
            // Editors keep locks and copies under such names, as `.#v2.lua`.
            if own.starts_with('.') {
                continue;
            }
            let (name, path) = (format!("{prefix}{own}"), entry.path());
            if path.is_dir() {
                if depth < DEPTH_MAX && name != EXAMPLES {
                    self.read_into(&path, &format!("{name}/"), depth + 1)?;
                }
            } else if name.ends_with(".lua") {
                self.add(name, read_text(&path).map_err(|error| at(&path, error))?);
            }
        }
        Ok(())
    }
}

/// The text of a regular file; links are followed.
fn read_text(path: &Path) -> io::Result<String> {
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    // To open a pipe would wait for somebody who writes.
    if !fs::metadata(path)?.is_file() {
        return refused("is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    // A file that grows, or has no end, is left after one byte too many.
    File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > FILE_BYTES_MAX {
        return refused(format!("is longer than {FILE_BYTES_MAX} bytes, which is the most that one file may have"));
    }
    String::from_utf8(bytes).or_else(|_| refused("is not valid UTF-8".to_owned()))
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What the name of a file says if it holds tests: 0 for `test.lua` and `explore.lua`, the version that they came with
/// for `test_v2.lua` and `explore_v2.lua`. Of two tests of one name the one of the higher layer counts.
pub fn test_layer(file: &str) -> Option<u32> {
    let stem = file.strip_suffix(".lua")?;
    let rest = stem.strip_prefix("test").or_else(|| stem.strip_prefix("explore"))?;
    if rest.is_empty() {
        return Some(0);
    }
    rest.strip_prefix("_v").filter(|number| !number.starts_with(['0', '+']))?.parse().ok()
}

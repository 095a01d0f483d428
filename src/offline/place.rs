//! What a path on the command line means: a folder of scripts, one script, or one version of it.

use std::io;
use std::path::{Path, PathBuf};

use crate::script::tree::{Tree, test_layer};

/// Where scripts are, and which of them are meant.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder that is laid out as `lua/` is.
    root: PathBuf,
    /// The one script that is meant; none for all.
    pub script: Option<String>,
    /// The one version of it that is meant; none for all.
    pub version: Option<u32>,
}

impl Place {
    /// Looks at a path: a folder laid out as `lua/`, the folder of one script, its `test.lua` or `explore.lua`, or the
    /// file of one version.
    pub fn of(path: &Path) -> io::Result<Self> {
        let is_file = std::fs::metadata(path).map_err(|error| named(path, error))?.is_file();
        if !is_file {
            let holds_script = holds_script(path)?;
            return if holds_script { Self::script(path, None) } else { Ok(Self::whole(path)) };
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let version = version_of(&name);
        if version.is_none() && test_layer(&name).is_none() {
            let message = "is neither a version of a script (v<N>.lua) nor its test.lua or explore.lua";
            return Err(named(path, io::Error::new(io::ErrorKind::InvalidInput, message)));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::script(folder, version)
    }

    /// Reads the files that the path stands for, and no others.
    pub fn read(&self) -> io::Result<Tree> {
        match &self.script {
            None => Tree::read(&self.root),
            Some(name) => Tree::read_script(&self.root, name),
        }
    }

    fn whole(root: &Path) -> Self {
        Self { root: root.to_owned(), script: None, version: None }
    }

    fn script(folder: &Path, version: Option<u32>) -> io::Result<Self> {
        let (root, name) = match folder.file_name() {
            Some(name) => (folder.parent().unwrap_or(Path::new("")).to_owned(), name.to_owned()),
            // `.` and `..` have no name of their own.
            None => {
                let name = folder.canonicalize()?.file_name().map(ToOwned::to_owned).unwrap_or_default();
                (folder.join(".."), name)
            }
        };
        let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
        Ok(Self { root, script: Some(name.to_string_lossy().into_owned()), version })
    }
}

fn holds_script(folder: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(folder).map_err(|error| named(folder, error))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if version_of(&name).is_some() || test_layer(&name).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number in `v2.lua`.
fn version_of(file: &str) -> Option<u32> {
    file.strip_prefix('v')?.strip_suffix(".lua")?.parse().ok()
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

//! `oneseat scripts export`: a folder to edit, laid out as `lua/` is.

use std::path::Path;

use serde_json::json;

use super::fleet::Store;
use super::tell;
use crate::cli::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::script::tree::Tree;

/// How to go on from here, for the one who opens the folder.
const README: &str = include_str!("../../../lua/README.md");

/// Writes all versions, helpers and tests: those of the fleet over those of this binary, or, while no server runs on
/// the embedded store, those of this binary.
pub fn run(dir: &Path, shared: &Shared) -> Result<Exit, Fatal> {
    let failed = |error: std::io::Error, path: &Path| {
        Fatal::new(Exit::Failed, format!("cannot write {}", path.display())).because(error)
    };
    let is_taken = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || dir.is_file() {
        return Err(Fatal::new(Exit::Usage, format!("{} is there already, with something in it", dir.display()))
            .hint("name a folder that does not exist, so that nothing of yours is overwritten"));
    }
    let (tree, from) = match Store::open_if_served(shared)? {
        Some(store) => (store.tree(&store.fleet()?)?, store.place().to_owned()),
        None => (Tree::embedded(), "this binary (no server runs here)".to_owned()),
    };
    let mut count = 0;
    for (path, text) in tree.files().chain([("README.md", README)]) {
        let path = dir.join(path);
        let folder = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).map_err(|error| failed(error, folder))?;
        std::fs::write(&path, text).map_err(|error| failed(error, &path))?;
        count += 1;
    }
    let answer = json!({ "dir": dir.display().to_string(), "files": count, "from": from });
    tell(shared, &answer, || {
        output::line(format_args!("wrote {count} files to {}, from {from}", dir.display()))?;
        output::line(format_args!("next: copy a version to the next number, edit it, `oneseat test {}`", dir.display()))
    })?;
    Ok(Exit::Ok)
}

//! `oneseat scripts lint`: what can be said of scripts without running them.

use std::path::Path;

use serde_json::json;

use super::tell;
use crate::cli::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::offline::Suite;

/// Checks the scripts of a path, or those inside the binary.
pub fn run(path: Option<&Path>, shared: &Shared) -> Result<Exit, Fatal> {
    let suite = Suite::find(path).map_err(|error| Fatal::new(Exit::Failed, format!("problems were found\n{error}")))?;
    let count = suite.catalogue.scripts().count();
    tell(shared, &json!({ "versions": count, "problems": [] }), || {
        output::line(format_args!("{count} versions, no problems"))
    })?;
    Ok(Exit::Ok)
}

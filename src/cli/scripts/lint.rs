//! `oneseat scripts lint`: what can be said of scripts without running them.

use std::path::Path;

use serde_json::json;

use super::tell;
use crate::cli::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::offline::suite::{Suite, SuiteError};
use crate::script::problem::Problem;

/// Checks the scripts of a path, or those inside the binary.
pub fn run(path: Option<&Path>, shared: &Shared) -> Result<Exit, Fatal> {
    let (count, problems) = match Suite::find(path) {
        Ok(suite) => (suite.catalogue.scripts().count(), suite.problems),
        Err(SuiteError::Catalogue(error)) => (0, error.problems),
        Err(error) => return Err(Fatal::new(Exit::Usage, "the scripts cannot be read").because(error)),
    };
    let to_json = |problem: &Problem| json!({ "file": problem.file, "line": problem.line, "message": problem.message });
    let answer = json!({ "versions": count, "problems": problems.iter().map(to_json).collect::<Vec<_>>() });
    tell(shared, &answer, || match problems.as_slice() {
        [] => output::line(format_args!("{count} versions, no problems")),
        _ => problems.iter().try_for_each(output::line),
    })?;
    if problems.is_empty() { Ok(Exit::Ok) } else { Ok(Exit::Failed) }
}

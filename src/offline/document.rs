//! Results as one JSON document, for machines.

use serde_json::{Value, json};

use crate::offline::coverage::Coverage;
use crate::offline::message::Outcome;
use crate::offline::runner::Results;
use crate::offline::verdict::Verdict;

/// `{passed, failed, embedded_only, seed, coverage, explored, tests}`; `coverage` is null where only a part of the tests ran.
pub fn of(results: &Results) -> Value {
    let tally = results.tally();
    json!({
        "passed": tally.passed,
        "failed": tally.failed,
        "embedded_only": tally.embedded_only,
        "seed": results.seed,
        "coverage": results.coverage.as_ref().map(coverage),
        "explored": { "orders": results.explored.orders, "states": results.explored.states },
        "tests": results.verdicts.iter().map(test).collect::<Vec<_>>(),
    })
}

fn coverage(coverage: &Coverage) -> Value {
    json!({ "percent": coverage.percent(), "lines": coverage.lines(), "missed": coverage.missed() })
}

fn test(verdict: &Verdict) -> Value {
    let outcome = match verdict.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::EmbeddedOnly => "embedded_only",
    };
    let (place, message) = verdict.failure().unzip();
    json!({
        "file": verdict.file,
        "line": verdict.line,
        "script": verdict.script,
        "name": verdict.name,
        "outcome": outcome,
        "place": place,
        "message": message,
        "took_ms": verdict.took.as_micros() as f64 / 1000.0,
    })
}

//! Results in the XML of JUnit, which build servers read.

use crate::offline::message::Outcome;
use crate::offline::runner::Results;
use crate::offline::verdict::Verdict;

/// One document; a suite for each test file and version.
pub fn of(results: &Results) -> String {
    let tally = results.tally();
    let count = results.verdicts.len();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"oneseat\" tests=\"{count}\" failures=\"{}\" skipped=\"{}\">\n",
        tally.failed, tally.embedded_only
    );
    for suite in results.verdicts.chunk_by(|a, b| (&a.file, &a.script) == (&b.file, &b.script)) {
        text.push_str(&suite_of(suite));
    }
    text.push_str("</testsuites>\n");
    text
}

fn suite_of(verdicts: &[Verdict]) -> String {
    let name = verdicts.first().map(|verdict| format!("{} {}", verdict.file, verdict.script)).unwrap_or_default();
    let failed = verdicts.iter().filter(|verdict| verdict.failure().is_some()).count();
    let skipped = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::EmbeddedOnly).count();
    let took: f64 = verdicts.iter().map(|verdict| verdict.took.as_secs_f64()).sum();
    let cases: String = verdicts.iter().map(case_of).collect();
    format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\" time=\"{took:.3}\">\n\
         {cases}  </testsuite>\n",
        escaped(&name),
        verdicts.len()
    )
}

fn case_of(verdict: &Verdict) -> String {
    let inner = match (&verdict.outcome, verdict.failure()) {
        (_, Some((place, what))) => {
            let first = what.lines().next().unwrap_or_default();
            let whole = format!("{place}: {what}");
            format!("<failure message=\"{}\">{}</failure>", escaped(first), escaped(&whole))
        }
        (Outcome::EmbeddedOnly, _) => "<skipped message=\"set the clock: ran on the embedded store only\"/>".to_owned(),
        _ => String::new(),
    };
    format!(
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.3}\">{inner}</testcase>\n",
        escaped(&verdict.script),
        escaped(&verdict.name),
        escaped(&verdict.file),
        verdict.line,
        verdict.took.as_secs_f64()
    )
}

/// A text as it may stand anywhere in XML 1.0, which has no place at all for most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_breaks_the_document() {
        assert_eq!(escaped("a<b> & \"c\"\n\u{1b}"), "a&lt;b&gt; &amp; &quot;c&quot;&#10;\u{fffd}");
    }
}

//! The code of a script held against its header: all of KEYS and ARGV become locals of their own names first, and
//! each of them is used; raw indexes stand nowhere else.

use crate::script::header::Header;
use crate::script::lexeme::{Kind, Lexeme, lexemes};
use crate::script::problem::{Problem, Problems};

/// Most lines of code in one file, comments and blank lines not counted.
pub const CODE_LINES_MAX: usize = 80;

/// Checks the code of a script.
pub fn check_script(file: &str, header: &Header, text: &str) -> Vec<Problem> {
    let mut problems = Problems::new(file);
    let code = lexemes(text);
    check_length(&code, &mut problems);
    let rest = check_bindings(&code, &expected_bindings(header), &mut problems);
    check_indexes(rest, &mut problems);
    for binding in expected_bindings(header) {
        if !is_used(rest, &binding.name) {
            problems.add(1, format!("`{}` is declared and bound, but never used", binding.name));
        }
    }
    check_includes(header.includes.iter().map(|include| (include.name.as_str(), include.line)), &code, &mut problems);
    problems.into_vec()
}

/// Checks the code of a helper: one local function of the file's name that knows no KEYS and no ARGV.
pub fn check_helper<'a>(
    file: &str,
    name: &str,
    includes: impl Iterator<Item = (&'a str, usize)>,
    text: &str,
) -> Vec<Problem> {
    let mut problems = Problems::new(file);
    let code = lexemes(text);
    check_length(&code, &mut problems);
    check_indexes(&code, &mut problems);
    let starts: Vec<_> = ["local", "function", name].into_iter().map(Kind::Name).collect();
    if !code.iter().map(|lexeme| lexeme.kind).take(3).eq(starts) {
        let line = code.first().map_or(1, |lexeme| lexeme.line);
        problems.add(line, format!("a helper file is one `local function {name}(...)`"));
    }
    check_includes(includes, &code, &mut problems);
    problems.into_vec()
}

/// A local that the first lines have to make, and what of.
struct Binding {
    name: String,
    source: &'static str,
    index: usize,
}

fn expected_bindings(header: &Header) -> Vec<Binding> {
    let keys = header.keys.iter().enumerate();
    let keys = keys.map(|(i, key)| Binding { name: format!("{}_key", key.word()), source: "KEYS", index: i + 1 });
    let arguments = header.arguments.iter().enumerate();
    let arguments =
        arguments.map(|(i, (word, _))| Binding { name: word.word().to_owned(), source: "ARGV", index: i + 1 });
    keys.chain(arguments).collect()
}

/// Reads the binding statements at the start and answers what follows them.
fn check_bindings<'a, 'b>(
    mut code: &'b [Lexeme<'a>],
    expected: &[Binding],
    problems: &mut Problems,
) -> &'b [Lexeme<'a>] {
    let mut bound = Vec::new();
    while let Some((statement, rest)) = binding_statement(code) {
        bound.extend(statement);
        code = rest;
    }
    let next_line = code.first().map_or(1, |lexeme| lexeme.line);
    for (position, wanted) in expected.iter().enumerate() {
        let Binding { name, source, index } = wanted;
        match bound.get(position) {
            Some(found) if found.name == *name && found.source == *source && found.index == *index => {}
            Some(found) => {
                let Found { name: other, source: from, index: at, line } = found;
                problems.add(*line, format!("`{other} = {from}[{at}]`: the header says `{name} = {source}[{index}]`"));
                return code;
            }
            None => {
                let message = format!("the first code lines bind `{name}` to `{source}[{index}]`, as the header says");
                problems.add(next_line, message);
                return code;
            }
        }
    }
    if let Some(Found { name, line, .. }) = bound.get(expected.len()) {
        problems.add(*line, format!("`{name}` is bound, but the header does not declare it"));
    }
    code
}

struct Found<'a> {
    name: &'a str,
    source: &'a str,
    index: usize,
    line: usize,
}

/// Reads `local a, b = KEYS[1], ARGV[1]`, if that is what comes next.
fn binding_statement<'a, 'b>(code: &'b [Lexeme<'a>]) -> Option<(Vec<Found<'a>>, &'b [Lexeme<'a>])> {
    let equals = code.iter().position(|lexeme| lexeme.is_symbol("="))?;
    let (left, right) = code.split_at(equals);
    let (first, names) = left.split_first()?;
    if first.kind != Kind::Name("local") {
        return None;
    }
    let mut rest = right.get(1..)?;
    let mut found = Vec::new();
    for name in names.split(|lexeme| lexeme.is_symbol(",")) {
        let [Lexeme { kind: Kind::Name(name), line }] = name else { return None };
        if !found.is_empty() {
            rest = rest.split_first().filter(|(comma, _)| comma.is_symbol(","))?.1;
        }
        let (value, after) = rest.split_at_checked(4)?;
        let [Lexeme { kind: Kind::Name(source @ ("KEYS" | "ARGV")), .. }, open, index, close] = value else {
            return None;
        };
        let Kind::Number(index) = index.kind else { return None };
        if !open.is_symbol("[") || !close.is_symbol("]") {
            return None;
        }
        found.push(Found { name, source, index: index.parse().ok()?, line: *line });
        rest = after;
    }
    Some((found, rest))
}

fn check_length(code: &[Lexeme<'_>], problems: &mut Problems) {
    let mut lines: Vec<_> = code.iter().map(|lexeme| lexeme.line).collect();
    lines.dedup();
    if let Some(line) = lines.get(CODE_LINES_MAX) {
        let count = lines.len();
        problems.add(*line, format!("{count} lines of code; at most {CODE_LINES_MAX} are allowed in one file"));
    }
}

fn check_indexes(code: &[Lexeme<'_>], problems: &mut Problems) {
    for lexeme in code {
        if let Kind::Name(name @ ("KEYS" | "ARGV")) = lexeme.kind {
            problems.add(lexeme.line, format!("`{name}` stands only in the binding lines at the top of a script"));
        }
    }
}

fn check_includes<'a>(includes: impl Iterator<Item = (&'a str, usize)>, code: &[Lexeme<'_>], problems: &mut Problems) {
    for (name, line) in includes {
        if !is_used(code, name) {
            problems.add(line, format!("`{name}` is included, but never used"));
        }
    }
}

/// Whether a local is read: not as a field after a dot, and not as the target of an assignment or a table's key.
fn is_used(code: &[Lexeme<'_>], name: &str) -> bool {
    code.iter().enumerate().any(|(index, lexeme)| {
        let after_dot = index > 0 && (code[index - 1].is_symbol(".") || code[index - 1].is_symbol(":"));
        let assigned = code.get(index + 1).is_some_and(|next| next.is_symbol("="));
        lexeme.kind == Kind::Name(name) && !after_dot && !assigned
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "-- kick v1: end a session.\n-- @since 0.1.0\n-- @mode write\n-- @key seat hash who\n\
        -- @key roster zset all\n-- @arg sid text which\n-- @effect reply the outcome\n";

    fn messages(code: &str) -> Vec<String> {
        let text = format!("{HEADER}{code}");
        let header = Header::parse("kick/v1.lua", "kick", 1, &text).expect("the header is right");
        check_script("kick/v1.lua", &header, &text).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn bindings_may_take_several_lines() {
        let none: [&str; 0] = [];
        assert_eq!(
            messages(
                "local seat_key,\n roster_key = KEYS[1], KEYS[2]\nlocal sid = ARGV[1]\nuse(seat_key, roster_key, sid)"
            ),
            none
        );
    }

    #[test]
    fn a_wrong_order_is_named() {
        let found = messages(
            "local roster_key, seat_key = KEYS[1], KEYS[2]\nlocal sid = ARGV[1]\nuse(seat_key, roster_key, sid)",
        );
        assert_eq!(found, ["kick/v1.lua:8: `roster_key = KEYS[1]`: the header says `seat_key = KEYS[1]`"]);
    }

    #[test]
    fn a_missing_binding_is_named() {
        let found = messages("local seat_key, roster_key = KEYS[1], KEYS[2]\nuse(seat_key, roster_key, sid)");
        assert_eq!(found, ["kick/v1.lua:9: the first code lines bind `sid` to `ARGV[1]`, as the header says"]);
    }

    #[test]
    fn raw_indexes_and_unused_names_are_errors() {
        let code = "local seat_key, roster_key = KEYS[1], KEYS[2]\nlocal sid = ARGV[1]\nuse(seat_key, { sid = ARGV[1] }, it.roster_key)";
        assert_eq!(
            messages(code),
            [
                "kick/v1.lua:1: `roster_key` is declared and bound, but never used",
                "kick/v1.lua:1: `sid` is declared and bound, but never used",
                "kick/v1.lua:10: `ARGV` stands only in the binding lines at the top of a script",
            ]
        );
    }

    #[test]
    fn code_beyond_the_limit_is_refused_with_its_length() {
        let code = format!(
            "local seat_key, roster_key = KEYS[1], KEYS[2]\nlocal sid = ARGV[1]\nuse(seat_key, roster_key, sid)\n{}",
            "f()\n".repeat(78)
        );
        assert_eq!(messages(&code), ["kick/v1.lua:88: 81 lines of code; at most 80 are allowed in one file"]);
    }

    #[test]
    fn helpers_are_one_function_of_their_name_without_keys() {
        let text = "-- add: sums.\nlocal function sum() return KEYS[1] end\n";
        let found = check_helper("lib/add.lua", "add", [("carry", 1)].into_iter(), text);
        let found: Vec<_> = found.into_iter().map(|problem| problem.to_string()).collect();
        assert_eq!(found.len(), 3, "{found:?}");
    }
}

//! The project's files as the laws see them: text, code without comments and strings, and the functions in it.

use std::fs;
use std::path::Path;

/// One Rust file.
pub struct Source {
    /// From the project's root, with `/`.
    pub path: String,
    pub text: String,
    /// The text with every comment and string blanked; lines and columns stay where they are.
    pub code: String,
}

/// One function with a body.
pub struct Function {
    pub name: String,
    /// First line, from 1.
    pub line: usize,
    /// Lines from the signature to the closing brace.
    pub lines: usize,
    /// Whether it carries a test attribute.
    pub is_test: bool,
    /// What stands between the braces, blanked as `Source::code`.
    pub body: String,
}

impl Source {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { path: path.into(), code: blank(&text), text }
    }

    /// Lines of code with their numbers, up to the tests of the module.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if self.is_test_file() { 0 } else { self.tests_from() };
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line)).take_while(move |(line, _)| *line < end)
    }

    /// Line on which the tests of the module start; past the end where there are none.
    pub fn tests_from(&self) -> usize {
        let lines: Vec<&str> = self.code.lines().collect();
        let starts = |index: &usize| {
            lines[*index].trim() == "#[cfg(test)]"
                && lines.get(index + 1).is_some_and(|next| next.trim_start().starts_with("mod "))
        };
        (0..lines.len()).find(starts).map_or(usize::MAX, |index| index + 1)
    }

    /// Whether nothing of the file is part of the product.
    pub fn is_test_file(&self) -> bool {
        !self.path.starts_with("src/") || self.path.ends_with("/tests.rs")
    }

    /// Every function, those inside of others too.
    pub fn functions(&self) -> Vec<Function> {
        let code: Vec<char> = self.code.chars().collect();
        let word = |at: usize| {
            let inside = |index: usize| code.get(index).is_some_and(|c| c.is_alphanumeric() || *c == '_');
            code[at] == 'f' && code.get(at + 1) == Some(&'n') && !inside(at + 2) && (at == 0 || !inside(at - 1))
        };
        (0..code.len()).filter(|at| word(*at)).filter_map(|at| function(&code, at)).collect()
    }
}

fn function(code: &[char], at: usize) -> Option<Function> {
    let name: String = code[at + 2..].iter().skip_while(|c| c.is_whitespace()).take_while(|c| is_name(**c)).collect();
    if name.is_empty() {
        return None;
    }
    let open = body_start(code, at)?;
    let close = body_end(code, open)?;
    let line_of = |index: usize| code[..index].iter().filter(|c| **c == '\n').count() + 1;
    let before = code[..at].iter().rposition(|c| matches!(c, '}' | ';' | '{')).map_or(0, |index| index + 1);
    let attributes: String = code[before..at].iter().collect();
    Some(Function {
        name,
        line: line_of(at),
        lines: line_of(close) - line_of(at) + 1,
        is_test: attributes.contains("#[test]") || attributes.contains("#[tokio::test"),
        body: code[open + 1..close].iter().collect(),
    })
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The brace that opens the body; none for a declaration.
fn body_start(code: &[char], at: usize) -> Option<usize> {
    let mut depth = 0;
    for (index, c) in code.iter().enumerate().skip(at) {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(index),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn body_end(code: &[char], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (index, c) in code.iter().enumerate().skip(open) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// Replaces comments and the insides of strings by blanks.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment, string or character that starts here ends; `at` itself where none does.
fn token_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    let is_inside_word = at > 0 && is_name(chars[at - 1]);
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |rest| rest[0] == '\n'),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => string_end(chars, at),
        'r' | 'b' | 'c' if !is_inside_word => prefixed_end(chars, at),
        '\'' => char_end(chars, at),
        _ => at,
    }
}

fn find(chars: &[char], from: usize, is_end: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|index| is_end(&chars[*index..])).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut index = at;
    while index < chars.len() {
        if chars[index..].starts_with(&['/', '*']) {
            depth += 1;
            index += 2;
        } else if chars[index..].starts_with(&['*', '/']) {
            depth -= 1;
            index += 2;
        } else {
            index += 1;
        }
        if depth == 0 {
            return index;
        }
    }
    index
}

/// `at` is the opening quote.
fn string_end(chars: &[char], at: usize) -> usize {
    let mut index = at + 1;
    while index < chars.len() && chars[index] != '"' {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    (index + 1).min(chars.len())
}

/// Raw and byte strings: `r"`, `r#"`, `b"`, `br#"`, `c"` and the like.
fn prefixed_end(chars: &[char], at: usize) -> usize {
    let letters = chars[at..].iter().take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
    let is_raw = chars[at..at + letters].contains(&'r');
    let hashes = if is_raw { chars[at + letters..].iter().take_while(|c| **c == '#').count() } else { 0 };
    let quote = at + letters + hashes;
    if letters > 2 || chars.get(quote) != Some(&'"') {
        return at;
    }
    if !is_raw {
        return string_end(chars, quote);
    }
    let is_end = |rest: &[char]| rest[0] == '"' && rest[1..].iter().take_while(|c| **c == '#').count() >= hashes;
    (find(chars, quote + 1, is_end) + 1 + hashes).min(chars.len())
}

/// A quote starts a character or a lifetime.
fn char_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => (find(chars, at + 3, |rest| rest[0] == '\'') + 1).min(chars.len()),
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// Every Rust file of the project.
pub fn rust_files() -> Vec<Source> {
    files(&["src", "tests", "benches"], "rs").into_iter().map(|(path, text)| Source::new(path, text)).collect()
}

/// Path and text of every file below the folders whose name ends so; all of them for an empty ending.
pub fn files(folders: &[&str], extension: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in folders {
        collect(root, &root.join(folder), extension, &mut found);
    }
    found.sort();
    found
}

fn collect(root: &Path, place: &Path, extension: &str, found: &mut Vec<(String, String)>) {
    // A folder that does not exist (yet) has no files.
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries {
        let path = entry.expect("the project's folders can be read").path();
        if path.is_dir() {
            collect(root, &path, extension, found);
        } else if extension.is_empty() || path.extension().is_some_and(|end| end == extension) {
            let name =
                path.strip_prefix(root).expect("the walk starts at the root").to_string_lossy().replace('\\', "/");
            let bytes = fs::read(&path).expect("the project's files can be read");
            found.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

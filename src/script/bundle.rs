//! A script with its helpers in front of it: one text for Redis, and the way back from its lines to the files.
//!
//! Helpers are spliced in whole, once each, dependencies first. The text depends on the files alone, so that every
//! node computes the same digest.

use crate::script::binding;
use crate::script::header::{self, Include};
use crate::script::problem::Problem;
use crate::script::tree::Tree;

/// Deepest chain of helpers that include each other.
pub const DEPTH_MAX: usize = 8;

/// How Redis and the embedded store call the text of a script.
const CHUNK: &str = "user_script:";

/// The text that Redis runs.
#[derive(Debug)]
pub struct Bundle {
    /// Helpers and script.
    pub text: String,
    /// Name for EVALSHA: the SHA-1 of the text, 40 lower-case hexadecimal digits.
    pub sha1: String,
    /// Where each spliced file begins, first to last.
    parts: Vec<Part>,
}

/// A file in the bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The file as the catalogue knows it, `lib/now_ms.lua`.
    pub path: String,
    /// The file as people know it, `lua/lib/now_ms.lua`.
    pub label: String,
    /// Line of the bundle on which the file begins, from 1.
    pub start: usize,
}

impl Bundle {
    /// Composes the script at `path`, whose header asked for `includes`.
    pub fn compose(tree: &Tree, path: &str, includes: &[Include]) -> Result<Self, Vec<Problem>> {
        let mut splice = Splice { tree, done: Vec::new(), chain: Vec::new(), parts: Vec::new(), text: String::new() };
        splice.include_all(&tree.label(path), includes)?;
        splice.append(path);
        let sha1 = sha1_smol::Sha1::from(&splice.text).digest().to_string();
        Ok(Self { text: splice.text, sha1, parts: splice.parts })
    }

    /// A text that was composed elsewhere, with what it was composed of: paths, and the lines on which they begin.
    pub fn restore(text: String, parts: impl IntoIterator<Item = (String, usize)>) -> Self {
        let sha1 = sha1_smol::Sha1::from(&text).digest().to_string();
        let part = |(path, start)| Part { label: format!("lua/{path}"), path, start };
        Self { text, sha1, parts: parts.into_iter().map(part).collect() }
    }

    /// What it is composed of, in order; the script itself comes last.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The files that it is composed of, each with its text.
    pub fn files(&self) -> impl Iterator<Item = (&str, String)> {
        let lines: Vec<_> = self.text.split_inclusive('\n').collect();
        self.parts.iter().enumerate().map(move |(index, part)| {
            let end = self.parts.get(index + 1).map_or(lines.len(), |next| next.start.saturating_sub(1));
            let own = lines.get(part.start.saturating_sub(1)..end).unwrap_or_default();
            (part.path.as_str(), own.concat())
        })
    }

    /// The file and line behind a line of the bundle, as `lua/login/v1.lua:16`.
    pub fn locate(&self, line: usize) -> String {
        let (label, line) = self.origin(line);
        format!("{label}:{line}")
    }

    /// The file behind a line of the bundle, and the line in it.
    pub fn origin(&self, line: usize) -> (&str, usize) {
        let after = self.parts.partition_point(|part| part.start <= line);
        match after.checked_sub(1).map(|index| &self.parts[index]) {
            Some(part) => (&part.label, line - part.start + 1),
            None => (self.label(), line),
        }
    }

    /// Whether a file is part of it.
    pub fn has(&self, label: &str) -> bool {
        self.parts.iter().any(|part| part.label == label)
    }

    /// The file of the script itself.
    pub fn label(&self) -> &str {
        self.parts.last().map_or("", |part| &part.label)
    }

    /// Splits an error text of Redis into where it happened and what it says.
    ///
    /// The place is that of the message if it names one, else that of the tail which Redis adds.
    pub fn translate(&self, error: &str) -> (String, String) {
        let (message, tail) = error.rsplit_once(" script: ").unwrap_or((error, ""));
        let message = message.strip_prefix("ERR ").unwrap_or(message);
        let message = message.strip_prefix("Error compiling script (new function): ").unwrap_or(message);
        let (at, message) = match message.strip_prefix(CHUNK).and_then(leading_line) {
            Some((line, rest)) => (Some(line), rest.trim_start_matches([':', ' '])),
            None => (tail.split_once(CHUNK).and_then(|(_, rest)| leading_line(rest)).map(|(line, _)| line), message),
        };
        let at = at.map_or_else(|| self.label().to_owned(), |line| self.locate(line));
        (at, self.rename(message))
    }

    /// Puts files in place of every other mention of the bundle's lines.
    fn rename(&self, message: &str) -> String {
        let mut pieces = message.split(CHUNK);
        let mut renamed = pieces.next().unwrap_or("").to_owned();
        for piece in pieces {
            match leading_line(piece) {
                Some((line, rest)) => renamed.extend([&self.locate(line), rest]),
                None => renamed.extend([CHUNK, piece]),
            }
        }
        renamed
    }
}

/// The number at the start of a text, and the rest.
fn leading_line(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    digits.parse().ok().map(|line| (line, rest))
}

struct Splice<'a> {
    tree: &'a Tree,
    /// Helpers that are in the text.
    done: Vec<String>,
    /// Helpers being included, outermost first.
    chain: Vec<String>,
    parts: Vec<Part>,
    text: String,
}

impl Splice<'_> {
    fn include_all(&mut self, file: &str, includes: &[Include]) -> Result<(), Vec<Problem>> {
        includes.iter().try_for_each(|include| self.include(file, include))
    }

    fn include(&mut self, file: &str, include: &Include) -> Result<(), Vec<Problem>> {
        let Include { name, line } = include;
        let problem = |message| vec![Problem { file: file.to_owned(), line: *line, message }];
        if self.chain.contains(name) {
            return Err(problem(format!("includes go round: {} -> {name}", self.chain.join(" -> "))));
        }
        if self.done.contains(name) {
            return Ok(());
        }
        if self.chain.len() == DEPTH_MAX {
            return Err(problem(format!("includes are more than {DEPTH_MAX} deep")));
        }
        let path = helper_path(name);
        let Some(text) = self.tree.get(&path) else {
            return Err(problem(format!("no helper `{name}`: {} does not exist", self.tree.label(&path))));
        };
        let label = self.tree.label(&path);
        let inner = header::helper_includes(&label, name, text)?;
        self.chain.push(name.clone());
        self.include_all(&label, &inner)?;
        self.chain.pop();
        self.append(&path);
        self.done.push(name.clone());
        Ok(())
    }

    fn append(&mut self, path: &str) {
        let start = self.text.matches('\n').count() + 1;
        self.parts.push(Part { path: path.to_owned(), label: self.tree.label(path), start });
        self.text.push_str(self.tree.get(path).unwrap_or(""));
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

/// Where the helper of a name lies.
pub fn helper_path(name: &str) -> String {
    format!("lib/{name}.lua")
}

/// Checks one helper file, whoever includes it.
pub fn check_helper(tree: &Tree, name: &str) -> Vec<Problem> {
    let path = helper_path(name);
    let (label, text) = (tree.label(&path), tree.get(&path).unwrap_or(""));
    match header::helper_includes(&label, name, text) {
        Ok(includes) => {
            let includes = includes.iter().map(|include| (include.name.as_str(), include.line));
            binding::check_helper(&label, name, includes, text)
        }
        Err(problems) => problems,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn includes(names: &[&str]) -> Vec<Include> {
        names.iter().enumerate().map(|(i, name)| Include { name: (*name).to_owned(), line: i + 2 }).collect()
    }

    fn diamond() -> Tree {
        Tree::of([
            ("lib/base.lua", "-- base: 1.\nlocal function base() end\n"),
            ("lib/left.lua", "-- left: 1.\n-- @include base\nlocal function left() base() end"),
            ("lib/right.lua", "-- right: 1.\n-- @include base\nlocal function right() base() end\n"),
            ("kick/v1.lua", "-- kick v1: x.\n-- @include left\n-- @include right\nleft(right())\n"),
        ])
    }

    #[test]
    fn helpers_come_once_each_dependencies_first() {
        let bundle = Bundle::compose(&diamond(), "kick/v1.lua", &includes(&["left", "right"])).expect("composes");
        let order: Vec<_> = bundle.text.lines().filter(|line| line.ends_with(".")).collect();
        assert_eq!(order, ["-- base: 1.", "-- left: 1.", "-- right: 1.", "-- kick v1: x."]);
        assert_eq!(bundle.sha1.len(), 40);
    }

    #[test]
    fn lines_lead_back_to_their_files() {
        let bundle = Bundle::compose(&diamond(), "kick/v1.lua", &includes(&["left", "right"])).expect("composes");
        assert_eq!(bundle.locate(2), "lua/lib/base.lua:2");
        assert_eq!(bundle.locate(5), "lua/lib/left.lua:3");
        assert_eq!(bundle.locate(12), "lua/kick/v1.lua:4");
    }

    #[test]
    fn error_texts_of_redis_name_the_file() {
        let bundle = Bundle::compose(&diamond(), "kick/v1.lua", &includes(&["left", "right"])).expect("composes");
        let tail = "script: 82903a04ffffffffffffffffffffffffffffffff, on @user_script:5.";
        for (error, at, message) in [
            (format!("ERR user_script:12: boom {tail}"), "lua/kick/v1.lua:4", "boom"),
            (format!("WRONGTYPE wrong kind {tail}"), "lua/lib/left.lua:3", "WRONGTYPE wrong kind"),
            ("ERR x script: on @user_script:2.".into(), "lua/lib/base.lua:2", "x"),
            (
                "ERR Error compiling script (new function): user_script:12: unexpected symbol near '<eof>'".into(),
                "lua/kick/v1.lua:4",
                "unexpected symbol near '<eof>'",
            ),
            ("NOSCRIPT No matching script.".into(), "lua/kick/v1.lua", "NOSCRIPT No matching script."),
            (format!("ERR a user_script:2: b {tail}"), "lua/lib/left.lua:3", "a lua/lib/base.lua:2: b"),
        ] {
            assert_eq!(bundle.translate(&error), (at.to_owned(), message.to_owned()), "{error}");
        }
    }

    #[test]
    fn a_missing_helper_fails_with_the_line_that_wants_it() {
        let problems = Bundle::compose(&diamond(), "kick/v1.lua", &includes(&["gone"])).expect_err("there is none");
        assert_eq!(problems[0].to_string(), "lua/kick/v1.lua:2: no helper `gone`: lua/lib/gone.lua does not exist");
    }

    #[test]
    fn a_cycle_fails_with_the_line_that_closes_it() {
        let tree = Tree::of([
            ("lib/a.lua", "-- a: 1.\n-- @include b\nlocal function a() b() end\n"),
            ("lib/b.lua", "-- b: 1.\n-- @include a\nlocal function b() a() end\n"),
            ("kick/v1.lua", ""),
        ]);
        let problems = Bundle::compose(&tree, "kick/v1.lua", &includes(&["a"])).expect_err("it goes round");
        assert_eq!(problems[0].to_string(), "lua/lib/b.lua:2: includes go round: a -> b -> a");
    }

    #[test]
    fn a_deep_chain_is_refused() {
        let files: Vec<_> = (0..10)
            .map(|i| {
                (format!("lib/h{i}.lua"), format!("-- h{i}: 1.\n-- @include h{}\nlocal function h{i}() end", i + 1))
            })
            .collect();
        let tree = Tree::of(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let problems = Bundle::compose(&tree, "kick/v1.lua", &includes(&["h0"])).expect_err("it is too deep");
        assert_eq!(problems[0].to_string(), "lua/lib/h7.lua:2: includes are more than 8 deep");
    }
}

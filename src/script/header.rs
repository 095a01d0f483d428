//! The comment header of a script: its name and version, and the contract by which Rust calls it.
//!
//! The header is the only place that says which keys and arguments a script takes and in which order, so it is read
//! strictly: a word that the tables do not have, or a tag that is not known, refuses the file. It never looks at code.

use crate::script::argument::Argument;
use crate::script::key::Key;
use crate::script::problem::{Problem, Problems};

/// Most keys of one script.
pub const KEYS_MAX: usize = 8;
/// Most arguments of one script.
pub const ARGUMENTS_MAX: usize = 16;
/// Most helpers that one file may include by itself.
pub const INCLUDES_MAX: usize = 10;
/// Every effect that a script may declare with `@effect`.
pub const EFFECTS: [&str; 7] = ["reply", "bind", "kick", "deliver", "call", "verify", "close"];

/// Whether a script may change state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Read,
    Write,
    /// It writes, and a second run with the same arguments changes nothing more and may follow a first whose answer was lost.
    Repeat,
}

/// What the text of an argument has to look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Any text.
    Text,
    /// An integer that a Lua number holds exactly.
    Int,
}

/// A helper that a file asks for, and the line on which it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Include {
    pub name: String,
    pub line: usize,
}

/// What the header of a script says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Name of the script; the contract goes by it.
    pub name: String,
    /// Which implementation of the contract this is, from 1.
    pub version: u32,
    /// The sentence of the first line.
    pub summary: String,
    /// Release that brought this version.
    pub since: String,
    pub mode: Mode,
    /// KEYS, in order.
    pub keys: Vec<Key>,
    /// ARGV, in order.
    pub arguments: Vec<(Argument, Form)>,
    /// Names of the effects that it may return.
    pub effects: Vec<&'static str>,
    pub includes: Vec<Include>,
}

impl Header {
    /// Reads the header of the version `version` of the script `name`. Reports everything that is wrong with it.
    pub fn parse(file: &str, name: &str, version: u32, text: &str) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(file, name, version);
        let first = comment_lines(text).next().map_or("", |(_, line)| line);
        reader.title(first);
        for (line, comment) in comment_lines(text) {
            if let Some(tag) = comment.strip_prefix('@') {
                reader.tag(line, tag);
            }
        }
        reader.finish()
    }
}

/// Reads the `@include` lines of a helper, the only tag that a helper has.
pub fn helper_includes(file: &str, name: &str, text: &str) -> Result<Vec<Include>, Vec<Problem>> {
    let mut problems = Problems::new(file);
    let mut includes = Vec::new();
    if !text.starts_with(&format!("-- {name}: ")) {
        problems.add(1, format!("a helper starts with `-- {name}: what it does`"));
    }
    for (line, comment) in comment_lines(text) {
        match comment.strip_prefix('@').map(|tag| tag.split_once(' ').unwrap_or((tag, ""))) {
            Some(("include", rest)) => include(&mut includes, &mut problems, line, rest.trim()),
            Some((tag, _)) => problems.add(line, format!("unknown tag `@{tag}`; a helper takes @include only")),
            None => {}
        }
    }
    problems.unless_any(includes)
}

/// The comment block at the top, without its dashes, with line numbers.
fn comment_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let comments = text.lines().map_while(|line| line.strip_prefix("--"));
    comments.enumerate().map(|(index, line)| (index + 1, line.trim()))
}

fn include(includes: &mut Vec<Include>, problems: &mut Problems, line: usize, name: &str) {
    if includes.iter().any(|include| include.name == name) {
        problems.add(line, format!("`{name}` is included twice"));
    } else if includes.len() == INCLUDES_MAX {
        problems.add(line, format!("more than {INCLUDES_MAX} includes in one file"));
    } else {
        includes.push(Include { name: name.to_owned(), line });
    }
}

struct Reader {
    header: Header,
    mode: Option<Mode>,
    changed: bool,
    problems: Problems,
}

impl Reader {
    fn new(file: &str, name: &str, version: u32) -> Self {
        let header = Header {
            name: name.to_owned(),
            version,
            summary: String::new(),
            since: String::new(),
            mode: Mode::Read,
            keys: Vec::new(),
            arguments: Vec::new(),
            effects: Vec::new(),
            includes: Vec::new(),
        };
        Self { header, mode: None, changed: false, problems: Problems::new(file) }
    }

    fn title(&mut self, line: &str) {
        let expected = format!("{} v{}: ", self.header.name, self.header.version);
        match line.strip_prefix(&expected) {
            Some(summary) if summary.ends_with('.') => self.header.summary = summary.to_owned(),
            Some(_) => self.problems.add(1, "the first line ends its sentence with a full stop"),
            None => self.problems.add(1, format!("the first line is `-- {expected}one sentence.`, as the path says")),
        }
    }

    fn tag(&mut self, line: usize, tag: &str) {
        let (word, rest) = split_word(tag);
        match word {
            "since" => self.since(line, rest),
            "mode" => self.mode(line, rest),
            "key" => self.key(line, rest),
            "arg" => self.argument(line, rest),
            "effect" => self.effect(line, rest),
            "include" => include(&mut self.header.includes, &mut self.problems, line, rest),
            "change" => self.change(line, rest),
            _ => {
                let allowed = "@since, @mode, @key, @arg, @effect, @include, @change";
                self.problems.add(line, format!("unknown tag `@{word}`; allowed are {allowed}"));
            }
        }
    }

    fn since(&mut self, line: usize, release: &str) {
        let parts: Vec<_> = release.split('.').map(str::parse::<u32>).collect();
        if parts.len() != 3 || parts.iter().any(Result::is_err) || !self.header.since.is_empty() {
            self.problems.add(line, format!("`@since {release}`: one release is expected, such as 0.1.0"));
        }
        self.header.since = release.to_owned();
    }

    fn mode(&mut self, line: usize, word: &str) {
        let mode = match word {
            "read" => Mode::Read,
            "write" => Mode::Write,
            "repeat" => Mode::Repeat,
            _ => return self.problems.add(line, format!("unknown mode `{word}`; allowed are read, write, repeat")),
        };
        if self.mode.replace(mode).is_some() {
            self.problems.add(line, "the mode is given twice");
        }
    }

    fn key(&mut self, line: usize, rest: &str) {
        let (word, rest) = split_word(rest);
        let (kind, description) = split_word(rest);
        let Some(key) = Key::parse(word) else {
            let words = list(Key::ALL.into_iter().map(Key::word));
            return self.problems.add(line, format!("unknown key `{word}`; allowed are {words}"));
        };
        if kind != key.kind() {
            self.problems.add(line, format!("key `{word}` is a {}, not `{kind}`", key.kind()));
        }
        self.described(line, word, description);
        if self.header.keys.contains(&key) {
            self.problems.add(line, format!("key `{word}` is declared twice"));
        } else if self.header.keys.len() == KEYS_MAX {
            self.problems.add(line, format!("more than {KEYS_MAX} keys"));
        } else {
            self.header.keys.push(key);
        }
    }

    fn argument(&mut self, line: usize, rest: &str) {
        let (word, rest) = split_word(rest);
        let (form, description) = split_word(rest);
        let Some(argument) = Argument::parse(word) else {
            let words = list(Argument::ALL.iter().map(|argument| argument.word()));
            return self.problems.add(line, format!("unknown argument `{word}`; allowed are {words}"));
        };
        let form = match form {
            "text" => Form::Text,
            "int" => Form::Int,
            _ => return self.problems.add(line, format!("argument `{word}` is text or int, not `{form}`")),
        };
        self.described(line, word, description);
        if self.header.arguments.iter().any(|(other, _)| *other == argument) {
            self.problems.add(line, format!("argument `{word}` is declared twice"));
        } else if self.header.arguments.len() == ARGUMENTS_MAX {
            self.problems.add(line, format!("more than {ARGUMENTS_MAX} arguments"));
        } else {
            self.header.arguments.push((argument, form));
        }
    }

    fn effect(&mut self, line: usize, rest: &str) {
        let (word, description) = split_word(rest);
        let Some(effect) = EFFECTS.into_iter().find(|effect| *effect == word) else {
            let words = list(EFFECTS.into_iter());
            return self.problems.add(line, format!("unknown effect `{word}`; allowed are {words}"));
        };
        self.described(line, word, description);
        if self.header.effects.contains(&effect) {
            self.problems.add(line, format!("effect `{word}` is declared twice"));
        } else {
            self.header.effects.push(effect);
        }
    }

    fn change(&mut self, line: usize, rest: &str) {
        let (word, description) = split_word(rest);
        let version = word.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
        match version {
            Some(version) if version <= self.header.version => self.changed |= version == self.header.version,
            _ => self.problems.add(line, format!("`@change {word}`: v1 to v{} expected", self.header.version)),
        }
        self.described(line, word, description);
    }

    fn described(&mut self, line: usize, word: &str, description: &str) {
        if description.is_empty() {
            self.problems.add(line, format!("`{word}` needs a description"));
        }
    }

    fn finish(mut self) -> Result<Header, Vec<Problem>> {
        match self.mode {
            Some(mode) => self.header.mode = mode,
            None => self.problems.add(1, "the header needs `@mode read`, `@mode write` or `@mode repeat`"),
        }
        if self.header.since.is_empty() {
            self.problems.add(1, "the header needs `@since` and a release");
        }
        if self.header.effects.is_empty() {
            self.problems.add(1, "the header needs at least one `@effect`");
        }
        if self.header.version > 1 && !self.changed {
            let version = self.header.version;
            self.problems.add(1, format!("the header needs `@change v{version}` and what is new in it"));
        }
        self.problems.unless_any(self.header)
    }
}

/// The first word and what follows it, both without blanks around them.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "-- kick v1: end a session.\n--\n-- @since 0.1.0\n-- @mode write\n\
        -- @key seat   hash  who sits\n-- @arg sid text which\n-- @arg epoch int when\n\
        -- @effect reply the outcome\n-- @include now_ms\nlocal seat_key = KEYS[1]\n";

    fn messages(text: &str) -> Vec<String> {
        let problems = Header::parse("lua/kick/v1.lua", "kick", 1, text).expect_err("the header is wrong");
        problems.into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn a_header_becomes_a_contract() {
        let header = Header::parse("lua/kick/v1.lua", "kick", 1, GOOD).expect("the header is right");
        assert_eq!(header.summary, "end a session.");
        assert_eq!(header.keys, [Key::Seat]);
        assert_eq!(header.arguments, [(Argument::Sid, Form::Text), (Argument::Epoch, Form::Int)]);
        assert_eq!(header.effects, ["reply"]);
        assert_eq!(header.includes, [Include { name: "now_ms".into(), line: 9 }]);
    }

    #[test]
    fn each_mistake_is_named_with_its_line_and_what_is_allowed() {
        for (from, to, expected) in [
            ("-- kick v1", "-- kick v2", "lua/kick/v1.lua:1: the first line is `-- kick v1: one sentence.`"),
            ("session.", "session", "lua/kick/v1.lua:1: the first line ends its sentence"),
            ("0.1.0", "1", "lua/kick/v1.lua:3: `@since 1`: one release"),
            ("@mode write", "@mode both", "lua/kick/v1.lua:4: unknown mode `both`; allowed are read, write, repeat"),
            ("@key seat ", "@key chair ", "lua/kick/v1.lua:5: unknown key `chair`; allowed are seat, ticket,"),
            ("hash", "list", "lua/kick/v1.lua:5: key `seat` is a hash, not `list`"),
            ("sid text which", "sid text", "lua/kick/v1.lua:6: `sid` needs a description"),
            ("@arg sid", "@arg side", "lua/kick/v1.lua:6: unknown argument `side`; allowed are node,"),
            ("epoch int", "epoch number", "lua/kick/v1.lua:7: argument `epoch` is text or int, not `number`"),
            ("@arg epoch int", "@arg sid text", "lua/kick/v1.lua:7: argument `sid` is declared twice"),
            ("@effect reply", "@effect answer", "lua/kick/v1.lua:8: unknown effect `answer`; allowed are reply,"),
            ("@include", "@includes", "lua/kick/v1.lua:9: unknown tag `@includes`; allowed are @since,"),
        ] {
            let found = messages(&GOOD.replace(from, to));
            assert!(found.iter().any(|message| message.starts_with(expected)), "{found:?} lacks {expected}");
        }
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let found = messages("-- kick v1: end a session.\nreturn {}");
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_later_version_says_what_changed() {
        let text = GOOD.replace("kick v1", "kick v2");
        let problems = Header::parse("lua/kick/v2.lua", "kick", 2, &text).expect_err("there is no @change");
        assert!(problems[0].message.contains("@change v2"));
        let text = text.replace("-- @mode", "-- @change v2 tells the other.\n-- @mode");
        assert!(Header::parse("lua/kick/v2.lua", "kick", 2, &text).is_ok());
    }

    #[test]
    fn helpers_take_includes_only() {
        let text = "-- add: sums.\n-- @include carry\n-- @key seat hash no\nlocal function add() end\n";
        let problems = helper_includes("lua/lib/add.lua", "add", text).expect_err("a helper declares no keys");
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].line, 3);
    }
}

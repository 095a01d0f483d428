//! The words of a Lua text: what is code and on which line, without comments and without the inside of strings.
//!
//! Enough to see which names a script binds and uses and how many lines of code it has. It does not judge the
//! grammar; the interpreter does, and says it better.

/// Operators of several characters, longer ones first.
const JOINED: [&str; 6] = ["...", "..", "==", "~=", "<=", ">="];

/// What a lexeme is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind<'a> {
    /// A name or a keyword.
    Name(&'a str),
    /// A number, as written.
    Number(&'a str),
    /// A string of any form.
    Text,
    /// Any other character, or several that are one operator.
    Symbol(&'a str),
}

/// One word of code and where its line is, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lexeme<'a> {
    pub kind: Kind<'a>,
    pub line: usize,
}

impl Lexeme<'_> {
    /// Whether this is that symbol.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.kind, Kind::Symbol(found) if found == symbol)
    }
}

/// Splits a text into its code words.
pub fn lexemes(text: &str) -> Vec<Lexeme<'_>> {
    let mut reader = Reader { rest: text, line: 1 };
    std::iter::from_fn(|| reader.next_word()).collect()
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn next_word(&mut self) -> Option<Lexeme<'a>> {
        self.skip_blanks_and_comments();
        let line = self.line;
        let first = self.rest.chars().next()?;
        let kind = if first.is_ascii_alphabetic() || first == '_' {
            Kind::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'))
        } else if first.is_ascii_digit() {
            Kind::Number(self.take_while(|c| c.is_ascii_alphanumeric() || c == '.'))
        } else if let Some(length) = long_bracket(self.rest) {
            self.take(length);
            Kind::Text
        } else if first == '"' || first == '\'' {
            self.take(quoted(self.rest, first));
            Kind::Text
        } else {
            let joined = JOINED.into_iter().find(|symbol| self.rest.starts_with(symbol));
            Kind::Symbol(self.take(joined.map_or(first.len_utf8(), str::len)))
        };
        Some(Lexeme { kind, line })
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            let Some(comment) = self.rest.strip_prefix("--") else { return };
            let length = long_bracket(comment).unwrap_or_else(|| comment.find('\n').unwrap_or(comment.len()));
            self.take(2 + length);
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        self.take(self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len()))
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken
    }
}

/// Length of a `[[...]]` or `[=[...]=]` at the start; one without end goes on to the end of the text.
fn long_bracket(text: &str) -> Option<usize> {
    let after = text.strip_prefix('[')?;
    let level = after.find(|c| c != '=')?;
    after[level..].strip_prefix('[')?;
    let close = format!("]{}]", "=".repeat(level));
    let length = text.find(&close).map_or(text.len(), |start| start + close.len());
    Some(length)
}

/// Length of a quoted string at the start; one without end stops at the end of its line.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return index,
            c if c == quote => return index + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(&str, usize)> {
        let name = |lexeme: Lexeme<'static>| match lexeme.kind {
            Kind::Name(name) => Some((name, lexeme.line)),
            _ => None,
        };
        lexemes(text.to_owned().leak()).into_iter().filter_map(name).collect()
    }

    #[test]
    fn comments_and_strings_hide_their_words() {
        let text = "-- a\nlocal b = 'c \\' d' --[[ e\nf ]] .. \"g\"\nh = [==[ i ]] \n]==] j";
        assert_eq!(names(text), [("local", 2), ("b", 2), ("h", 4), ("j", 5)]);
    }

    #[test]
    fn unfinished_text_ends_without_panic() {
        for text in ["'abc", "[[abc", "--[[", "\"é", "[=", "a\n'\\"] {
            lexemes(text);
        }
    }

    #[test]
    fn comparison_is_told_from_assignment() {
        let symbols: Vec<_> = lexemes("a == b = c").into_iter().map(|lexeme| lexeme.kind).collect();
        assert_eq!(symbols[1], Kind::Symbol("=="));
        assert_eq!(symbols[3], Kind::Symbol("="));
    }
}

//! JSON text to Lua values, with the leniency and the messages of lua-cjson.

use mlua::{Lua, Table, Value};

use super::cjson::Settings;
use super::raise::raise;

/// Decodes a text; errors carry the place in the text.
pub fn decode(lua: &Lua, text: &[u8], settings: &Settings) -> mlua::Result<Value> {
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(raise(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut decoder = Decoder { lua, text, at: 0, depth: 0, settings };
    let token = decoder.token();
    let value = decoder.value(token)?;
    let (found, start) = decoder.token();
    match found {
        Token::End => Ok(value),
        found => Err(decoder.unexpected("the end", &found, start)),
    }
}

enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(what) => what,
        }
    }
}

/// A token and where it stands, or where the mistake in it is.
type Placed = (Token, usize);

struct Decoder<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    depth: usize,
    settings: &'a Settings,
}

impl Decoder<'_> {
    fn unexpected(&self, expected: &str, found: &Token, start: usize) -> mlua::Error {
        let found = found.name();
        raise(self.lua, format_args!("Expected {expected} but found {found} at character {}", start + 1))
    }

    fn value(&mut self, (token, start): Placed) -> mlua::Result<Value> {
        match token {
            Token::String(text) => self.lua.create_string(text).map(Value::String),
            Token::Number(number) => Ok(Value::Number(number)),
            Token::Boolean(value) => Ok(Value::Boolean(value)),
            Token::Null => Ok(Value::NULL),
            Token::ObjectBegin => self.object().map(Value::Table),
            Token::ArrayBegin => self.array().map(Value::Table),
            other => Err(self.unexpected("value", &other, start)),
        }
    }

    fn descend(&mut self) -> mlua::Result<()> {
        self.depth += 1;
        if self.depth > self.settings.decode_depth_max {
            let (depth, at) = (self.depth, self.at);
            let text = format!("Found too many nested data structures ({depth}) at character {at}");
            return Err(raise(self.lua, text));
        }
        Ok(())
    }

    fn object(&mut self) -> mlua::Result<Table> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let (mut token, mut start) = self.token();
        if let Token::ObjectEnd = token {
            self.depth -= 1;
            return Ok(table);
        }
        loop {
            let Token::String(key) = token else {
                return Err(self.unexpected("object key string", &token, start));
            };
            match self.token() {
                (Token::Colon, _) => {}
                (other, start) => return Err(self.unexpected("colon", &other, start)),
            }
            let placed = self.token();
            let value = self.value(placed)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            match self.token() {
                (Token::ObjectEnd, _) => break,
                (Token::Comma, _) => (token, start) = self.token(),
                (other, start) => {
                    return Err(self.unexpected("comma or object end", &other, start));
                }
            }
        }
        self.depth -= 1;
        Ok(table)
    }

    fn array(&mut self) -> mlua::Result<Table> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut placed = self.token();
        if let Token::ArrayEnd = placed.0 {
            self.depth -= 1;
            return Ok(table);
        }
        for index in 1.. {
            let value = self.value(placed)?;
            table.raw_set(index, value)?;
            match self.token() {
                (Token::ArrayEnd, _) => break,
                (Token::Comma, _) => placed = self.token(),
                (other, start) => return Err(self.unexpected("comma or array end", &other, start)),
            }
        }
        self.depth -= 1;
        Ok(table)
    }

    fn token(&mut self) -> Placed {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let start = self.at;
        let Some(&byte) = self.text.get(start) else {
            return (Token::End, start);
        };
        let single = match byte {
            b'{' => Some(Token::ObjectBegin),
            b'}' => Some(Token::ObjectEnd),
            b'[' => Some(Token::ArrayBegin),
            b']' => Some(Token::ArrayEnd),
            b':' => Some(Token::Colon),
            b',' => Some(Token::Comma),
            _ => None,
        };
        if let Some(token) = single {
            self.at += 1;
            return (token, start);
        }
        match byte {
            0 => (Token::End, start),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => (self.number(), start),
            b'+' if self.settings.decode_invalid => (self.number(), start),
            _ => (self.word(), start),
        }
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        for (word, token) in [("true", Token::Boolean(true)), ("false", Token::Boolean(false)), ("null", Token::Null)] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return token;
            }
        }
        match special_number(rest) {
            Some((number, length)) if self.settings.decode_invalid => {
                self.at += length;
                Token::Number(number)
            }
            _ => Token::Error("invalid token"),
        }
    }

    fn number(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let unsigned = rest.strip_prefix(b"-").or(rest.strip_prefix(b"+")).unwrap_or(rest);
        if !self.settings.decode_invalid && is_invalid_number(unsigned) {
            return Token::Error("invalid number");
        }
        let sign = rest.len() - unsigned.len();
        if let Some((number, length)) = special_number(unsigned) {
            self.at += sign + length;
            return Token::Number(if rest[0] == b'-' { -number } else { number });
        }
        let length = sign + decimal_length(unsigned);
        let number = std::str::from_utf8(&rest[..length]).ok().and_then(|text| text.parse().ok());
        match number {
            Some(number) => {
                self.at += length;
                Token::Number(number)
            }
            None => Token::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Placed {
        let start = self.at;
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                None | Some(0) => return (Token::Error("unexpected end of string"), self.at),
                Some(b'"') => {
                    self.at += 1;
                    return (Token::String(text), start);
                }
                Some(b'\\') => {
                    if let Err(what) = self.escape(&mut text) {
                        return (Token::Error(what), self.at);
                    }
                }
                Some(byte) => {
                    text.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    /// Reads an escape at the cursor; on a mistake the cursor stays at the backslash.
    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = match self.text.get(self.at + 1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.unicode(text).ok_or("invalid unicode escape code"),
            _ => return Err("invalid escape code"),
        };
        text.push(byte);
        self.at += 2;
        Ok(())
    }

    fn unicode(&mut self, text: &mut Vec<u8>) -> Option<()> {
        let high = self.hex(self.at + 2)?;
        let mut length = 6;
        let code = match high {
            0xDC00..0xE000 => return None,
            0xD800..0xDC00 => {
                let low = self.text.get(self.at + 6..self.at + 8).filter(|mark| *mark == b"\\u");
                let low = low.and_then(|_| self.hex(self.at + 8)).filter(|low| (0xDC00..0xE000).contains(low))?;
                length = 12;
                0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            }
            code => code,
        };
        let mut buffer = [0; 4];
        text.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
        self.at += length;
        Some(())
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
    }
}

/// Length of the decimal number that a text begins with.
fn decimal_length(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    if text.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(text.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(length + 1), Some(b'+' | b'-')));
        let count = text.get(length + 1 + sign..).map_or(0, |_| digits(length + 1 + sign));
        if count > 0 {
            length += 1 + sign + count;
        }
    }
    length
}

/// Infinity, NaN and hexadecimal numbers, which JSON does not have; the value and its length.
fn special_number(text: &[u8]) -> Option<(f64, usize)> {
    let starts = |word: &str| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
    if starts("infinity") {
        return Some((f64::INFINITY, 8));
    }
    if starts("inf") {
        return Some((f64::INFINITY, 3));
    }
    if starts("nan") {
        return Some((f64::NAN, 3));
    }
    if starts("0x") { hexadecimal(text) } else { None }
}

/// A number as C's `strtod` reads it behind `0x`: hexadecimal digits, perhaps a fraction, perhaps a power of two.
fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let whole = digits(2);
    let part = if text.get(2 + whole) == Some(&b'.') { digits(3 + whole) } else { 0 };
    if whole + part == 0 {
        return None;
    }
    let mut length = 2 + whole + if text.get(2 + whole) == Some(&b'.') { 1 + part } else { 0 };
    let values = text[2..length].iter().filter_map(|byte| char::from(*byte).to_digit(16));
    let mantissa = values.fold(0.0, |sum, digit| sum * 16.0 + f64::from(digit));
    let mut exponent = -4 * part as i32;
    if matches!(text.get(length), Some(b'p' | b'P')) {
        let sign = usize::from(matches!(text.get(length + 1), Some(b'+' | b'-')));
        let rest = text.get(length + 1 + sign..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let power = std::str::from_utf8(&rest[..count]).ok().filter(|digits| !digits.is_empty());
        if let Some(power) = power {
            let power = power.parse::<i32>().unwrap_or(9999).min(9999);
            exponent += if text[length + 1] == b'-' { -power } else { power };
            length += 1 + sign + count;
        }
    }
    Some((mantissa * 2_f64.powi(exponent), length))
}

/// What a strict reader refuses: leading zeros and the numbers above.
fn is_invalid_number(text: &[u8]) -> bool {
    match text {
        [b'0', next, ..] => next.is_ascii_digit() || next.eq_ignore_ascii_case(&b'x'),
        [b'0'..=b'9', ..] => false,
        _ => special_number(text).is_some(),
    }
}

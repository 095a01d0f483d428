//! Errors that a command answers with: a code, a blank, a sentence.

use std::borrow::Cow;

/// An error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Begins with the error's code. Scripts may put any bytes behind it.
    pub text: Cow<'static, [u8]>,
    /// The statistics have counted it already, when a script's command failed with it.
    pub counted: bool,
}

impl Fault {
    pub const WRONG_TYPE: Fault = fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const NOT_INTEGER: Fault = fixed("ERR value is not an integer or out of range");
    pub const NOT_FLOAT: Fault = fixed("ERR value is not a valid float");
    pub const OUT_OF_RANGE: Fault = fixed("ERR value is out of range");
    pub const NOT_POSITIVE: Fault = fixed("ERR value is out of range, must be positive");
    pub const SYNTAX: Fault = fixed("ERR syntax error");
    pub const NO_KEY: Fault = fixed("ERR no such key");
    pub const INDEX: Fault = fixed("ERR index out of range");
    pub const OVERFLOW: Fault = fixed("ERR increment or decrement would overflow");
    pub const NAN: Fault = fixed("ERR increment would produce NaN or Infinity");
    pub const CURSOR: Fault = fixed("ERR invalid cursor");
    pub const INTERNAL: Fault = fixed("ERR internal error");

    /// An error whose text is put together at run time.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Fault {
        let text = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Fault { text, counted: false }
    }

    /// The error of a command with too few or too many arguments.
    pub fn arity(name: &str) -> Fault {
        Fault::new(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// The first word of the text.
    pub fn code(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.text.split(|byte| *byte == b' ').next().unwrap_or_default())
    }

    /// The text for a sentence of ours or for Lua, without what is no text.
    pub fn into_text(self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// An error with a text known at compile time.
pub const fn fixed(text: &'static str) -> Fault {
    Fault { text: Cow::Borrowed(text.as_bytes()), counted: false }
}

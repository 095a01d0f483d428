//! Errors that our functions raise in Lua, and how they become what Redis' scripts see.
//!
//! mlua carries an error of a Rust function through Lua as a userdata. Every place where a script can catch one goes
//! through [`translate`] first, so scripts only meet the tables and strings that Redis would give them.

use mlua::{Error, Lua, Value};
use thiserror::Error as ThisError;

/// What our functions raise.
#[derive(Clone, Debug, ThisError)]
pub enum Raised {
    /// A failed command, or a wrong call of a function of `redis`: a table with `err`, and whether the statistics have
    /// counted it.
    #[error("{0}")]
    Command(String, bool),
    /// A plain message, with its position already in front.
    #[error("{0}")]
    Message(String),
    /// The end of the script; no `pcall` may hold it.
    #[error("{0}")]
    Fatal(String),
}

/// A message with the position of the function that called ours, as `luaL_error` makes it.
pub fn raise(lua: &Lua, message: impl std::fmt::Display) -> Error {
    Error::external(Raised::Message(format!("{}{message}", position(lua, 1))))
}

/// `bad argument #n to 'name' (why)`.
pub fn bad_argument(lua: &Lua, number: usize, name: &str, why: &str) -> Error {
    raise(lua, format_args!("bad argument #{number} to '{name}' ({why})"))
}

/// The name of a value's type as scripts know it.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        Value::LightUserData(_) => "userdata",
        other => other.type_name(),
    }
}

/// `source:line: ` of the function at a level, or nothing when it has no line.
fn position(lua: &Lua, level: usize) -> String {
    let found = lua.inspect_stack(level, |debug| {
        let line = debug.current_line()?;
        Some(format!("{}:{line}: ", debug.source().short_src?))
    });
    found.flatten().unwrap_or_default()
}

/// The innermost function of the script: its place as messages begin with it, its source, and its line.
///
/// A function that was left by a tail call cannot be found any more; the first line stands for it.
pub fn origin(lua: &Lua) -> (String, String, usize) {
    let unknown = || ("user_script:1: ".into(), "@user_script".into(), 1);
    let mut level = 1;
    loop {
        let found = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.as_deref().unwrap_or_default().to_string();
            let own = source.what == "C" || name == super::host::PRELUDE_NAME;
            let line = debug.current_line().filter(|_| !own)?;
            Some((format!("{}:{line}: ", source.short_src.as_deref().unwrap_or_default()), name, line))
        });
        match found {
            None => return unknown(),
            Some(Some(found)) => return found,
            Some(None) => level += 1,
        }
    }
}

/// Raises a message at the place of the innermost function of the script.
pub fn complain(lua: &Lua, message: mlua::LuaString) -> mlua::Result<()> {
    Err(Error::external(Raised::Message(origin(lua).0 + &message.to_string_lossy())))
}

/// Finds what one of our functions raised under mlua's wrapping.
pub fn unwrap(error: &Error) -> Raised {
    match error {
        Error::CallbackError { cause, .. } => unwrap(cause),
        Error::WithContext { cause, .. } => unwrap(cause),
        Error::ExternalError(inner) => match inner.downcast_ref::<Raised>() {
            Some(raised) => raised.clone(),
            None => Raised::Message(inner.to_string()),
        },
        Error::RuntimeError(text) | Error::MemoryError(text) => Raised::Message(text.clone()),
        other => Raised::Message(other.to_string()),
    }
}

/// A caught error as the script may see it, and whether it must go on up.
pub fn translate(lua: &Lua, caught: Value) -> mlua::Result<(Value, bool)> {
    let Value::Error(error) = &caught else {
        return Ok((caught, false));
    };
    match unwrap(error) {
        Raised::Fatal(_) => Ok((caught, true)),
        Raised::Message(text) => Ok((Value::String(lua.create_string(text)?), false)),
        Raised::Command(text, counted) => Ok((Value::Table(error_table(lua, &text, counted)?), false)),
    }
}

/// The table that stands for a failed command.
pub fn error_table(lua: &Lua, text: &str, counted: bool) -> mlua::Result<mlua::Table> {
    let table = lua.create_table()?;
    table.raw_set("err", text)?;
    if counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}

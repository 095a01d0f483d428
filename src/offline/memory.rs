//! Plain Lua values outside of Lua: what a test keeps in a table, copied, put back and told apart.
//!
//! The explorer undoes steps, so it has to undo what they noted, too. It can do so for texts, numbers, truth values
//! and tables of them; anything else is refused by name.

use std::hash::{Hash, Hasher};

use mlua::{Table, Value};

/// Deepest nesting; a table that holds itself has no other end.
const DEPTH_MAX: usize = 16;

/// A copy of a plain value.
#[derive(Clone, PartialEq, PartialOrd, Debug)]
pub enum Kept {
    Boolean(bool),
    Number(f64),
    Text(Vec<u8>),
    Table(Vec<(Kept, Kept)>),
}

impl Kept {
    /// Copies a table. The error names what is not plain, as `memory.holder.sid`.
    pub fn copy(table: &Table, name: &str) -> Result<Self, String> {
        copy_table(table, name, 0)
    }

    /// Makes a table hold this again, and nothing else. Tables inside it are made anew.
    pub fn put_back(&self, lua: &mlua::Lua, table: &Table) -> mlua::Result<()> {
        table.clear()?;
        let Kept::Table(pairs) = self else { return Ok(()) };
        pairs.iter().try_for_each(|(key, value)| table.raw_set(key.to_lua(lua)?, value.to_lua(lua)?))
    }

    fn to_lua(&self, lua: &mlua::Lua) -> mlua::Result<Value> {
        Ok(match self {
            Kept::Boolean(flag) => Value::Boolean(*flag),
            Kept::Number(number) => Value::Number(*number),
            Kept::Text(bytes) => Value::String(lua.create_string(bytes)?),
            Kept::Table(pairs) => {
                let table = lua.create_table_with_capacity(0, pairs.len())?;
                pairs.iter().try_for_each(|(key, value)| table.raw_set(key.to_lua(lua)?, value.to_lua(lua)?))?;
                Value::Table(table)
            }
        })
    }
}

fn copy_table(table: &Table, name: &str, depth: usize) -> Result<Kept, String> {
    if depth == DEPTH_MAX {
        return Err(format!("{name} is nested too deep, or holds itself"));
    }
    if table.metatable().is_some() {
        return Err(format!("{name} is no plain table (effects are none): keep the fields that are needed"));
    }
    let mut pairs = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| error.to_string())?;
        let key = copy_value(key, &format!("a key of {name}"), DEPTH_MAX)?;
        let inner = match &key {
            Kept::Text(text) => format!("{name}.{}", String::from_utf8_lossy(text)),
            Kept::Number(number) => format!("{name}[{number}]"),
            _ => name.to_owned(),
        };
        pairs.push((key, copy_value(value, &inner, depth + 1)?));
    }
    // Lua walks a table in an order that depends on its past.
    pairs.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    Ok(Kept::Table(pairs))
}

fn copy_value(value: Value, name: &str, depth: usize) -> Result<Kept, String> {
    match value {
        Value::Boolean(flag) => Ok(Kept::Boolean(flag)),
        Value::Integer(number) => Ok(Kept::Number(number as f64)),
        Value::Number(number) => Ok(Kept::Number(number)),
        Value::String(text) => Ok(Kept::Text(text.as_bytes().to_vec())),
        Value::Table(table) => copy_table(&table, name, depth),
        other => {
            Err(format!("{name} is a {}, which cannot be kept; keep texts, numbers and tables", other.type_name()))
        }
    }
}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Kept::Boolean(flag) => flag.hash(state),
            Kept::Number(number) => number.to_bits().hash(state),
            Kept::Text(bytes) => bytes.hash(state),
            Kept::Table(pairs) => pairs.hash(state),
        }
    }
}

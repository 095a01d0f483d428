//! Conversions between replies and Lua values, both ways, by the rules of Redis.

use mlua::{Either, Lua, LuaString, Table, Value};
use smallvec::SmallVec;

use super::guard::real;
use crate::embedded::fault::Fault;
use crate::embedded::reply::{Output, Token, TokenReader};

/// Deepest nesting of a table that becomes a reply.
const DEPTH_MAX: usize = 1000;

/// A value on its way into Lua. Text goes straight onto Lua's stack; anything else, also bytes that are no UTF-8, has
/// to be made into a value first, which costs several times as much.
type Item<'a> = Either<&'a str, Value>;

fn text<'a>(lua: &Lua, bytes: &'a [u8]) -> mlua::Result<Item<'a>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Either::Left(text)),
        Err(_) => lua.create_string(bytes).map(|string| Either::Right(Value::String(string))),
    }
}

/// Makes a table of items, in their order.
fn sequence<'a>(lua: &Lua, items: impl Iterator<Item = mlua::Result<Item<'a>>>) -> mlua::Result<Table> {
    let mut failed = Ok(());
    let items = items.map(|item| {
        item.unwrap_or_else(|error| {
            failed = Err(error);
            Either::Right(Value::Nil)
        })
    });
    let table = lua.create_sequence_from(items)?;
    failed.map(|()| table)
}

/// Makes a table of byte strings.
pub fn strings(lua: &Lua, items: &[&[u8]]) -> mlua::Result<Table> {
    sequence(lua, items.iter().map(|item| text(lua, item)))
}

/// Field names that give a table a meaning, made once.
pub struct Names {
    err: LuaString,
    ok: LuaString,
    double: LuaString,
    map: LuaString,
    set: LuaString,
    big_number: LuaString,
    verbatim_string: LuaString,
    format: LuaString,
    string: LuaString,
}

impl Names {
    pub fn new(lua: &Lua) -> mlua::Result<Names> {
        Ok(Names {
            err: lua.create_string("err")?,
            ok: lua.create_string("ok")?,
            double: lua.create_string("double")?,
            map: lua.create_string("map")?,
            set: lua.create_string("set")?,
            big_number: lua.create_string("big_number")?,
            verbatim_string: lua.create_string("verbatim_string")?,
            format: lua.create_string("format")?,
            string: lua.create_string("string")?,
        })
    }

    /// The next reply as a Lua value; null is false, or nil for a script that speaks RESP3.
    pub fn read(&self, lua: &Lua, reader: &mut TokenReader<'_>, resp3: bool) -> mlua::Result<Value> {
        let token = reader.token();
        self.value(lua, token, reader, resp3)
    }

    fn value(&self, lua: &Lua, token: Token<'_>, reader: &mut TokenReader<'_>, resp3: bool) -> mlua::Result<Value> {
        let wrapped = |name: &LuaString, value: Value| -> mlua::Result<Value> {
            let table = lua.create_table()?;
            table.raw_set(name, value)?;
            Ok(Value::Table(table))
        };
        let string = |bytes: &[u8]| lua.create_string(bytes).map(Value::String);
        match token {
            Token::Null => Ok(if resp3 { Value::Nil } else { Value::Boolean(false) }),
            Token::Integer(number) => Ok(Value::Number(number as f64)),
            Token::Bulk(bytes) => string(bytes),
            Token::Status(text) => wrapped(&self.ok, string(text)?),
            Token::Error(text) => wrapped(&self.err, string(text)?),
            Token::Boolean(value) => Ok(Value::Boolean(value)),
            Token::Double(value) => wrapped(&self.double, Value::Number(value)),
            Token::BigNumber(digits) => wrapped(&self.big_number, string(digits)?),
            Token::Verbatim(format, text) => {
                let inner = lua.create_table()?;
                inner.raw_set(&self.format, string(format)?)?;
                inner.raw_set(&self.string, string(text)?)?;
                wrapped(&self.verbatim_string, Value::Table(inner))
            }
            Token::Array(length) | Token::Push(length) => {
                let items = (0..length).map(|_| match reader.token() {
                    Token::Bulk(bytes) => text(lua, bytes),
                    token => self.value(lua, token, reader, resp3).map(Either::Right),
                });
                sequence(lua, items).map(Value::Table)
            }
            Token::Set(length) => {
                let table = lua.create_table_with_capacity(0, length)?;
                for _ in 0..length {
                    table.raw_set(self.read(lua, reader, resp3)?, true)?;
                }
                wrapped(&self.set, Value::Table(table))
            }
            Token::Map(pairs) => {
                let table = lua.create_table_with_capacity(0, pairs)?;
                for _ in 0..pairs {
                    let key = self.read(lua, reader, resp3)?;
                    table.raw_set(key, self.read(lua, reader, resp3)?)?;
                }
                wrapped(&self.map, Value::Table(table))
            }
        }
    }

    /// Writes what a script returned; `script_resp3` says what it asked for with `redis.setresp`.
    pub fn write(&self, value: &Value, script_resp3: bool, out: &mut Output) -> mlua::Result<()> {
        self.write_at(value, script_resp3, out, 0)
    }

    /// The error that a script returned, rather than raised; it is an answer like any other but for the statistics.
    pub fn returned_error(&self, value: &Value) -> mlua::Result<Option<Fault>> {
        let Value::Table(table) = value else { return Ok(None) };
        let Some(mut text) = c_text(&table.raw_get(&self.err)?) else { return Ok(None) };
        text.truncate(trimmed(&text).len());
        let counted = table.raw_get::<Value>("ignore_error_stats_update")?.as_boolean() == Some(true);
        Ok(Some(Fault { text: text.into(), counted }))
    }

    fn write_at(&self, value: &Value, resp3: bool, out: &mut Output, depth: usize) -> mlua::Result<()> {
        check_size(out.buffer.len())?;
        match value {
            Value::String(text) => out.bulk(&text.as_bytes()),
            Value::Integer(number) => out.integer(*number),
            Value::Number(number) => out.integer(truncate(*number)),
            Value::Boolean(value) if resp3 => out.boolean(*value),
            Value::Boolean(true) => out.integer(1),
            Value::Table(table) => return self.write_table(table, resp3, out, depth),
            _ => out.null(),
        }
        Ok(())
    }

    fn write_table(&self, table: &Table, resp3: bool, out: &mut Output, depth: usize) -> mlua::Result<()> {
        if depth >= DEPTH_MAX {
            out.error(b"ERR reached lua stack limit");
            return Ok(());
        }
        let (items, is_plain) = elements(table, if depth < SHALLOW { ITEMS_MAX } else { 0 })?;
        if is_plain {
            out.array(items.len());
            return items.iter().try_for_each(|item| self.write_at(item, resp3, out, depth + 1));
        }
        if let Value::String(text) = table.raw_get(&self.err)? {
            out.error(trimmed(until_nul(&text.as_bytes())));
            return Ok(());
        }
        if let Value::String(text) = table.raw_get(&self.ok)? {
            out.status(until_nul(&text.as_bytes()));
            return Ok(());
        }
        match table.raw_get(&self.double)? {
            Value::Number(number) => {
                out.double(number);
                return Ok(());
            }
            Value::Integer(number) => {
                out.double(number as f64);
                return Ok(());
            }
            _ => {}
        }
        if self.write_wrapped(table, resp3, out, depth)? {
            return Ok(());
        }
        self.write_array(table, resp3, out, depth)
    }

    /// Writes a table that stands for a big number, a verbatim text, a map or a set.
    fn write_wrapped(&self, table: &Table, resp3: bool, out: &mut Output, depth: usize) -> mlua::Result<bool> {
        if let Value::String(digits) = table.raw_get(&self.big_number)? {
            out.big_number(&digits.as_bytes());
            return Ok(true);
        }
        if let Value::Table(verbatim) = table.raw_get(&self.verbatim_string)?
            && let (Value::String(format), Value::String(text)) =
                (verbatim.raw_get(&self.format)?, verbatim.raw_get(&self.string)?)
        {
            out.verbatim(until_nul(&format.as_bytes()), &text.as_bytes());
            return Ok(true);
        }
        if let Value::Table(map) = table.raw_get(&self.map)? {
            let map = real(&map)?;
            out.map(map.pairs::<Value, Value>().count());
            for pair in map.pairs::<Value, Value>() {
                let (key, value) = pair?;
                self.write_at(&key, resp3, out, depth + 1)?;
                self.write_at(&value, resp3, out, depth + 1)?;
            }
            return Ok(true);
        }
        if let Value::Table(set) = table.raw_get(&self.set)? {
            let set = real(&set)?;
            out.set(set.pairs::<Value, Value>().count());
            for pair in set.pairs::<Value, Value>() {
                self.write_at(&pair?.0, resp3, out, depth + 1)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn write_array(&self, table: &Table, resp3: bool, out: &mut Output, depth: usize) -> mlua::Result<()> {
        // The first nil ends the array, so its length is found by walking.
        let mut length = 0;
        while !table.raw_get::<Value>(length + 1)?.is_nil() {
            length += 1;
        }
        out.array(length);
        (1..=length).try_for_each(|at| self.write_at(&table.raw_get(at)?, resp3, out, depth + 1))
    }
}

type Items = SmallVec<[Value; 8]>;

/// Most elements of a table that are held at once, and the depth from which none are: Lua has a few thousand places for
/// all values that are held from here.
const ITEMS_MAX: usize = 1000;
const SHALLOW: usize = 4;

/// The elements of a table, and whether it has nothing but 1, 2, 3 and so on, in this order and not too many: one walk is
/// cheaper than asking for each field that may give a table a meaning. When it has, the elements are of no use.
fn elements(table: &Table, most: usize) -> mlua::Result<(Items, bool)> {
    let (mut items, mut is_plain) = (Items::new(), true);
    table.for_each(|key: Value, value: Value| {
        is_plain = is_plain && items.len() < most && key.as_usize() == Some(items.len() + 1);
        if is_plain {
            items.push(value);
        }
        Ok(())
    })?;
    Ok((items, is_plain))
}

/// The text of an error, which ends where a text of C would.
pub fn c_text(value: &Value) -> Option<Vec<u8>> {
    let Value::String(text) = value else { return None };
    Some(until_nul(&text.as_bytes()).to_vec())
}

/// The text of an error without the ends of lines behind it.
fn trimmed(text: &[u8]) -> &[u8] {
    let last = text.iter().rposition(|byte| !b"\r\n".contains(byte));
    &text[..last.map_or(0, |last| last + 1)]
}

pub fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Most bytes of a text that is made of a table. A table that holds another one twice, which holds another one twice,
/// and so on, has no other end.
const BYTES_MAX: usize = 512 * 1024 * 1024;

pub fn check_size(bytes: usize) -> mlua::Result<()> {
    if bytes <= BYTES_MAX { Ok(()) } else { Err(mlua::Error::runtime("not enough memory")) }
}

/// A number as the integer that a C cast gives on x86: toward zero, the lowest one when it does not fit.
pub fn truncate(number: f64) -> i64 {
    if (-9223372036854775808.0..9223372036854775808.0).contains(&number) { number as i64 } else { i64::MIN }
}

//! The module `cmsgpack`: MessagePack in the shapes that Redis' library chooses.

use mlua::{Lua, MultiValue, Table, Value};
use rmp::{Marker, decode, encode};

use super::convert::check_size;
use super::guard::{check_key, real};
use super::raise::{bad_argument, raise, type_name};
use super::random::number;

/// Tables nested deeper than this become nil.
const NESTING_MAX: usize = 16;
/// Deepest nesting that is read.
const READ_NESTING_MAX: usize = 1000;

/// Builds the module.
pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("pack", lua.create_function(pack)?)?;
    module.raw_set("unpack", lua.create_function(|lua, args: MultiValue| unpack(lua, &args, "unpack"))?)?;
    module.raw_set("unpack_one", lua.create_function(|lua, args: MultiValue| unpack(lua, &args, "unpack_one"))?)?;
    module.raw_set("unpack_limit", lua.create_function(|lua, args: MultiValue| unpack(lua, &args, "unpack_limit"))?)?;
    module.raw_set("_NAME", "cmsgpack")?;
    module.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    module.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    module.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(module)
}

fn pack(lua: &Lua, args: MultiValue) -> mlua::Result<mlua::LuaString> {
    if args.is_empty() {
        return Err(bad_argument(lua, 0, "pack", "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    args.iter().try_for_each(|value| write(&mut out, value, 0))?;
    lua.create_string(out)
}

fn write(out: &mut Vec<u8>, value: &Value, depth: usize) -> mlua::Result<()> {
    check_size(out.len())?;
    let written = match value {
        Value::String(text) => {
            encode::write_str_len(out, text.as_bytes().len() as u32).map(|_| out.extend_from_slice(&text.as_bytes()))
        }
        Value::Boolean(value) => encode::write_bool(out, *value).map_err(encode::ValueWriteError::InvalidDataWrite),
        Value::Integer(value) => encode::write_sint(out, *value).map(drop),
        Value::Number(value) => write_number(out, *value),
        Value::Table(table) if depth < NESTING_MAX => return write_table(out, table, depth),
        _ => encode::write_nil(out).map_err(encode::ValueWriteError::InvalidMarkerWrite),
    };
    written.map_err(mlua::Error::external)
}

fn write_number(out: &mut Vec<u8>, value: f64) -> Result<(), encode::ValueWriteError> {
    let integral = value.fract() == 0.0 && (-9223372036854775808.0..9223372036854775808.0).contains(&value);
    if integral {
        encode::write_sint(out, value as i64).map(drop)
    } else if f64::from(value as f32) == value {
        encode::write_f32(out, value as f32)
    } else {
        encode::write_f64(out, value)
    }
}

fn write_table(out: &mut Vec<u8>, table: &Table, depth: usize) -> mlua::Result<()> {
    let table = &real(table)?;
    let index = |key: &Value| match key {
        Value::Integer(index) => Some(*index as f64),
        Value::Number(index) if index.fract() == 0.0 => Some(*index),
        _ => None,
    };
    let (mut highest, mut length) = (Some(0.0), 0);
    for pair in table.pairs::<Value, Value>() {
        let key = index(&pair?.0).filter(|index| *index >= 1.0);
        highest = highest.zip(key).map(|(highest, key)| f64::max(highest, key));
        length += 1;
    }
    if highest == Some(f64::from(length)) {
        encode::write_array_len(out, length).map_err(mlua::Error::external)?;
        return (1..=length).try_for_each(|index| write(out, &table.raw_get(index)?, depth + 1));
    }
    encode::write_map_len(out, length).map_err(mlua::Error::external)?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(out, &key, depth + 1)?;
        write(out, &value, depth + 1)?;
    }
    Ok(())
}

/// Reads values from one place of a text to another.
struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn missing(&self) -> mlua::Error {
        raise(self.lua, "Missing bytes in input.")
    }

    fn bytes(&mut self, length: usize) -> mlua::Result<&'a [u8]> {
        if length > self.rest.len() {
            return Err(self.missing());
        }
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(bytes)
    }

    /// A big-endian integer of some bytes.
    fn unsigned(&mut self, length: usize) -> mlua::Result<u64> {
        Ok(self.bytes(length)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, length: usize) -> mlua::Result<f64> {
        let unused = 64 - 8 * length as u32;
        Ok(((self.unsigned(length)? << unused) as i64 >> unused) as f64)
    }

    fn value(&mut self, depth: usize) -> mlua::Result<Value> {
        if depth > READ_NESTING_MAX {
            return Err(raise(self.lua, "stack overflow"));
        }
        let marker = decode::read_marker(&mut self.rest).map_err(|_| self.missing())?;
        let number = match marker {
            Marker::FixPos(value) => f64::from(value),
            Marker::FixNeg(value) => f64::from(value),
            Marker::U8 => self.unsigned(1)? as f64,
            Marker::U16 => self.unsigned(2)? as f64,
            Marker::U32 => self.unsigned(4)? as f64,
            Marker::U64 => self.unsigned(8)? as f64,
            Marker::I8 => self.signed(1)?,
            Marker::I16 => self.signed(2)?,
            Marker::I32 => self.signed(4)?,
            Marker::I64 => self.signed(8)?,
            Marker::F32 => f64::from(f32::from_bits(self.unsigned(4)? as u32)),
            Marker::F64 => f64::from_bits(self.unsigned(8)?),
            other => return self.other(other, depth),
        };
        Ok(Value::Number(number))
    }

    fn other(&mut self, marker: Marker, depth: usize) -> mlua::Result<Value> {
        match marker {
            Marker::Null => Ok(Value::Nil),
            Marker::False => Ok(Value::Boolean(false)),
            Marker::True => Ok(Value::Boolean(true)),
            Marker::FixStr(length) => self.string(usize::from(length)),
            Marker::Str8 | Marker::Bin8 => self.sized(1).and_then(|length| self.string(length)),
            Marker::Str16 | Marker::Bin16 => self.sized(2).and_then(|length| self.string(length)),
            Marker::Str32 | Marker::Bin32 => self.sized(4).and_then(|length| self.string(length)),
            Marker::FixArray(length) => self.array(usize::from(length), depth),
            Marker::Array16 => self.sized(2).and_then(|length| self.array(length, depth)),
            Marker::Array32 => self.sized(4).and_then(|length| self.array(length, depth)),
            Marker::FixMap(length) => self.map(usize::from(length), depth),
            Marker::Map16 => self.sized(2).and_then(|length| self.map(length, depth)),
            Marker::Map32 => self.sized(4).and_then(|length| self.map(length, depth)),
            _ => Err(raise(self.lua, "Bad data format in input.")),
        }
    }

    fn sized(&mut self, length: usize) -> mlua::Result<usize> {
        self.unsigned(length).map(|length| length as usize)
    }

    fn string(&mut self, length: usize) -> mlua::Result<Value> {
        let bytes = self.bytes(length)?;
        self.lua.create_string(bytes).map(Value::String)
    }

    fn array(&mut self, length: usize, depth: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for index in 1..=length {
            table.raw_set(index, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, length: usize, depth: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..length {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            check_key(&key)?;
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}

/// The three ways to unpack: everything, one value from an offset, up to some values from an offset.
fn unpack(lua: &Lua, args: &MultiValue, name: &str) -> mlua::Result<MultiValue> {
    let text = match args.front() {
        Some(value) => lua.coerce_string(value.clone())?,
        None => None,
    };
    let Some(text) = text else {
        let got = args.front().map_or("no value", type_name);
        return Err(bad_argument(lua, 1, name, &format!("string expected, got {got}")));
    };
    let optional = |index: usize, default: f64| match args.get(index) {
        None | Some(Value::Nil) => Ok(default),
        Some(_) => number(lua, args, index, name),
    };
    let (limit, offset) = match name {
        "unpack" => (0.0, 0.0),
        "unpack_one" => (1.0, optional(1, 0.0)?),
        _ => (number(lua, args, 1, name)?, optional(2, 0.0)?),
    };
    let (limit, offset) = (limit as i64, offset as i64);
    if limit < 0 || offset < 0 {
        let length = text.as_bytes().len();
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {length}.");
        return Err(raise(lua, text));
    }
    let bytes = text.as_bytes();
    if offset as usize > bytes.len() {
        let text = format!("Start offset {offset} greater than input length {}.", bytes.len());
        return Err(raise(lua, text));
    }
    let mut reader = Reader { lua, rest: &bytes[offset as usize..] };
    // With neither a limit nor an offset everything is read, whatever the name.
    let all = limit == 0 && offset == 0;
    let limit = if all { usize::MAX } else { limit as usize };
    let mut values = Vec::new();
    while !reader.rest.is_empty() && values.len() < limit {
        values.push(reader.value(0)?);
    }
    if !all {
        let next = if reader.rest.is_empty() { -1 } else { (bytes.len() - reader.rest.len()) as i64 };
        values.insert(0, Value::Number(next as f64));
    }
    Ok(MultiValue::from_vec(values))
}

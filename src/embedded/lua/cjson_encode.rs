//! Lua values to JSON text, as lua-cjson writes it: `/` escaped, fourteen digits, empty tables as objects.

use mlua::{Table, Value};

use super::cjson::{InvalidNumbers, Settings};
use super::convert::check_size;
use super::guard::real;
use super::raise::type_name;
use crate::embedded::number;

/// Encodes a value; the error is the text that the script sees.
pub fn encode(value: &Value, settings: &Settings) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(128);
    Encoder { settings, out: &mut out }.value(value, 0)?;
    Ok(out)
}

struct Encoder<'a> {
    settings: &'a Settings,
    out: &'a mut Vec<u8>,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        check_size(self.out.len()).map_err(|error| error.to_string())?;
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Number(number) => self.number(*number)?,
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Boolean(value) => self.out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Table(table) => self.table(table, depth + 1)?,
            Value::LightUserData(pointer) if pointer.0.is_null() => self.out.extend_from_slice(b"null"),
            other => {
                return Err(format!("Cannot serialise {}: type not supported", type_name(other)));
            }
        }
        Ok(())
    }

    fn number(&mut self, value: f64) -> Result<(), String> {
        if !value.is_finite() {
            match self.settings.encode_invalid {
                InvalidNumbers::Refuse => {
                    return Err("Cannot serialise number: must not be NaN or Inf".into());
                }
                InvalidNumbers::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                InvalidNumbers::Allow => {}
            }
        }
        self.plain_number(value);
        Ok(())
    }

    fn plain_number(&mut self, value: f64) {
        // Integers of up to fourteen digits need no float formatting.
        if value.fract() == 0.0 && value.abs() < 1e14 && self.settings.precision == 14 && !is_negative_zero(value) {
            self.out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
            return;
        }
        self.out.extend_from_slice(number::general(value, self.settings.precision).as_bytes());
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'/' => self.out.extend_from_slice(b"\\/"),
                8 => self.out.extend_from_slice(b"\\b"),
                9 => self.out.extend_from_slice(b"\\t"),
                10 => self.out.extend_from_slice(b"\\n"),
                12 => self.out.extend_from_slice(b"\\f"),
                13 => self.out.extend_from_slice(b"\\r"),
                0..32 | 127 => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                byte => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), String> {
        if depth > self.settings.encode_depth_max {
            return Err(format!("Cannot serialise, excessive nesting ({depth})"));
        }
        let table = &real(table).map_err(|error| error.to_string())?;
        match self.array_length(table)? {
            Some(length) => self.array(table, length, depth),
            None => self.object(table, depth),
        }
    }

    /// The length of the array that a table is; none when it is an object.
    ///
    /// Tables are walked twice instead of collected: every value held in Rust takes a slot of Lua's bounded stack.
    fn array_length(&self, table: &Table) -> Result<Option<usize>, String> {
        let (mut highest, mut count) = (0, 0);
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair.map_err(|error| error.to_string())?;
            match array_index(&key) {
                Some(index) => highest = highest.max(index),
                None => return Ok(None),
            }
            count += 1;
        }
        if highest == 0 {
            return Ok(None);
        }
        let settings = self.settings;
        let sparse =
            settings.sparse_ratio > 0 && highest > count * settings.sparse_ratio && highest > settings.sparse_safe;
        if sparse && !settings.sparse_convert {
            return Err("Cannot serialise table: excessively sparse array".into());
        }
        Ok((!sparse).then_some(highest))
    }

    fn array(&mut self, table: &Table, length: usize, depth: usize) -> Result<(), String> {
        self.out.push(b'[');
        for index in 1..=length {
            if index > 1 {
                self.out.push(b',');
            }
            let item: Value = table.raw_get(index).map_err(|error| error.to_string())?;
            self.value(&item, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: usize) -> Result<(), String> {
        self.out.push(b'{');
        for (index, pair) in table.pairs::<Value, Value>().enumerate() {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            if index > 0 {
                self.out.push(b',');
            }
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                Value::Number(number) => self.key_number(*number),
                Value::Integer(number) => self.key_number(*number as f64),
                _ => return Err(format!("Cannot serialise {}: table key must be a number or string", type_name(&key))),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn key_number(&mut self, number: f64) {
        self.out.push(b'"');
        self.plain_number(number);
        self.out.push(b'"');
    }
}

fn is_negative_zero(value: f64) -> bool {
    value == 0.0 && value.is_sign_negative()
}

/// A key as a position in an array: a positive whole number.
fn array_index(key: &Value) -> Option<usize> {
    match key {
        Value::Integer(number) => usize::try_from(*number).ok().filter(|index| *index > 0),
        Value::Number(number) if number.fract() == 0.0 && *number >= 1.0 && *number < 1e15 => Some(*number as usize),
        _ => None,
    }
}

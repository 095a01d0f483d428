//! The module `cjson`: its functions and its settings, which stay from script to script.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{IntoLuaMulti, Lua, MultiValue, Table, Value};

use super::raise::{bad_argument, raise, type_name};
use super::random::number;
use super::{cjson_decode, cjson_encode};

/// What to do with numbers that JSON does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidNumbers {
    Refuse,
    Allow,
    Null,
}

/// Settings of one instance of the module.
#[derive(Clone, Debug)]
pub struct Settings {
    pub sparse_convert: bool,
    pub sparse_ratio: usize,
    pub sparse_safe: usize,
    pub encode_depth_max: usize,
    pub decode_depth_max: usize,
    pub precision: usize,
    pub keep_buffer: bool,
    pub encode_invalid: InvalidNumbers,
    pub decode_invalid: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: 1000,
            decode_depth_max: 1000,
            precision: 14,
            keep_buffer: true,
            encode_invalid: InvalidNumbers::Refuse,
            decode_invalid: true,
        }
    }
}

type Shared = Rc<RefCell<Settings>>;

/// A new instance with settings of its own.
pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let settings = Shared::default();
    let module = lua.create_table()?;
    let shared = Rc::clone(&settings);
    let encode = move |lua: &Lua, args: MultiValue| {
        if args.len() != 1 {
            return Err(bad_argument(lua, 1, "encode", "expected 1 argument"));
        }
        let text = cjson_encode::encode(&args[0], &shared.borrow()).map_err(|why| raise(lua, why))?;
        lua.create_string(text)
    };
    module.raw_set("encode", lua.create_function(encode)?)?;
    let shared = Rc::clone(&settings);
    let decode = move |lua: &Lua, args: MultiValue| decode_argument(lua, &args, &shared.borrow());
    module.raw_set("decode", lua.create_function(decode)?)?;
    module.raw_set("new", lua.create_function(|lua, _: MultiValue| table(lua))?)?;
    module.raw_set("null", Value::NULL)?;
    module.raw_set("_NAME", "cjson")?;
    module.raw_set("_VERSION", "2.1.0")?;
    options(lua, &module, &settings)?;
    Ok(module)
}

fn decode_argument(lua: &Lua, args: &MultiValue, settings: &Settings) -> mlua::Result<Value> {
    if args.len() != 1 {
        return Err(bad_argument(lua, 1, "decode", "expected 1 argument"));
    }
    match lua.coerce_string(args[0].clone())? {
        Some(text) => cjson_decode::decode(lua, &text.as_bytes(), settings),
        None => {
            let got = type_name(&args[0]);
            Err(bad_argument(lua, 1, "decode", &format!("string expected, got {got}")))
        }
    }
}

/// Adds a function that changes settings and answers what they are then.
fn option<R: IntoLuaMulti + 'static>(
    lua: &Lua,
    module: &Table,
    settings: &Shared,
    name: &'static str,
    change: impl Fn(&Lua, &MultiValue, &mut Settings) -> mlua::Result<R> + 'static,
) -> mlua::Result<()> {
    let shared = Rc::clone(settings);
    let function = move |lua: &Lua, args: MultiValue| change(lua, &args, &mut shared.borrow_mut());
    module.raw_set(name, lua.create_function(function)?)
}

fn options(lua: &Lua, module: &Table, settings: &Shared) -> mlua::Result<()> {
    option(lua, module, settings, "encode_sparse_array", |lua, args, settings| {
        let name = "encode_sparse_array";
        boolean(args, 0, &mut settings.sparse_convert);
        integer(lua, args, 1, name, (0, i32::MAX as usize), &mut settings.sparse_ratio)?;
        integer(lua, args, 2, name, (0, i32::MAX as usize), &mut settings.sparse_safe)?;
        Ok((settings.sparse_convert, settings.sparse_ratio, settings.sparse_safe))
    })?;
    option(lua, module, settings, "encode_max_depth", |lua, args, settings| {
        let bounds = (1, i32::MAX as usize);
        integer(lua, args, 0, "encode_max_depth", bounds, &mut settings.encode_depth_max)?;
        Ok(settings.encode_depth_max)
    })?;
    option(lua, module, settings, "decode_max_depth", |lua, args, settings| {
        let bounds = (1, i32::MAX as usize);
        integer(lua, args, 0, "decode_max_depth", bounds, &mut settings.decode_depth_max)?;
        Ok(settings.decode_depth_max)
    })?;
    option(lua, module, settings, "encode_number_precision", |lua, args, settings| {
        integer(lua, args, 0, "encode_number_precision", (1, 14), &mut settings.precision)?;
        Ok(settings.precision)
    })?;
    option(lua, module, settings, "encode_keep_buffer", |_, args, settings| {
        boolean(args, 0, &mut settings.keep_buffer);
        Ok(settings.keep_buffer)
    })?;
    option(lua, module, settings, "decode_invalid_numbers", |_, args, settings| {
        boolean(args, 0, &mut settings.decode_invalid);
        Ok(settings.decode_invalid)
    })?;
    option(lua, module, settings, "encode_invalid_numbers", invalid_numbers)
}

fn boolean(args: &MultiValue, index: usize, setting: &mut bool) {
    match args.get(index) {
        Some(Value::Boolean(value)) => *setting = *value,
        Some(Value::String(text)) => *setting = text.as_bytes() == "on",
        _ => {}
    }
}

fn integer(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    name: &str,
    (low, high): (usize, usize),
    setting: &mut usize,
) -> mlua::Result<()> {
    if args.get(index).is_none_or(Value::is_nil) {
        return Ok(());
    }
    let value = number(lua, args, index, name)?;
    if value < low as f64 || value > high as f64 {
        let why = format!("expected integer between {low} and {high}");
        return Err(bad_argument(lua, index + 1, name, &why));
    }
    *setting = value as usize;
    Ok(())
}

fn invalid_numbers(lua: &Lua, args: &MultiValue, settings: &mut Settings) -> mlua::Result<Value> {
    match args.front() {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(true)) => settings.encode_invalid = InvalidNumbers::Allow,
        Some(Value::Boolean(false)) => settings.encode_invalid = InvalidNumbers::Refuse,
        Some(Value::String(text)) if text.as_bytes() == "null" => settings.encode_invalid = InvalidNumbers::Null,
        Some(Value::String(text)) if text.as_bytes() == "on" => settings.encode_invalid = InvalidNumbers::Allow,
        Some(Value::String(text)) if text.as_bytes() == "off" => settings.encode_invalid = InvalidNumbers::Refuse,
        Some(_) => {
            return Err(bad_argument(lua, 1, "encode_invalid_numbers", "invalid option"));
        }
    }
    Ok(match settings.encode_invalid {
        InvalidNumbers::Refuse => Value::Boolean(false),
        InvalidNumbers::Allow => Value::Boolean(true),
        InvalidNumbers::Null => Value::String(lua.create_string("null")?),
    })
}

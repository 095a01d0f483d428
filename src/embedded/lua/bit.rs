//! The module `bit`: operations on 32-bit numbers, results signed.

use mlua::{Lua, MultiValue, Table};

use super::random::number;

/// Adding this rounds a double to an integer whose low 32 bits stand in the low bits of its mantissa.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

fn argument(lua: &Lua, args: &MultiValue, index: usize, name: &str) -> mlua::Result<i32> {
    Ok((number(lua, args, index, name)? + ROUNDING).to_bits() as u32 as i32)
}

fn fold(
    lua: &Lua,
    module: &Table,
    name: &'static str,
    operation: impl Fn(i32, i32) -> i32 + 'static,
) -> mlua::Result<()> {
    let function = move |lua: &Lua, args: MultiValue| {
        let first = argument(lua, &args, 0, name)?;
        // From the last argument to the first, which shows where several are wrong.
        (1..args.len()).rev().try_fold(first, |result, index| Ok(operation(result, argument(lua, &args, index, name)?)))
    };
    module.raw_set(name, lua.create_function(function)?)
}

fn shift(
    lua: &Lua,
    module: &Table,
    name: &'static str,
    operation: impl Fn(i32, u32) -> i32 + 'static,
) -> mlua::Result<()> {
    let function = move |lua: &Lua, args: MultiValue| {
        let value = argument(lua, &args, 0, name)?;
        Ok(operation(value, argument(lua, &args, 1, name)? as u32 & 31))
    };
    module.raw_set(name, lua.create_function(function)?)
}

fn single(lua: &Lua, module: &Table, name: &'static str, operation: impl Fn(i32) -> i32 + 'static) -> mlua::Result<()> {
    let function = move |lua: &Lua, args: MultiValue| Ok(operation(argument(lua, &args, 0, name)?));
    module.raw_set(name, lua.create_function(function)?)
}

fn tohex(lua: &Lua, args: MultiValue) -> mlua::Result<String> {
    let value = argument(lua, &args, 0, "tohex")?;
    let digits = if args.len() < 2 { 8 } else { argument(lua, &args, 1, "tohex")? };
    let width = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    Ok(text[8 - width..].to_string())
}

/// Builds the module.
pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    single(lua, &module, "tobit", |value| value)?;
    single(lua, &module, "bnot", |value| !value)?;
    single(lua, &module, "bswap", i32::swap_bytes)?;
    fold(lua, &module, "band", |a, b| a & b)?;
    fold(lua, &module, "bor", |a, b| a | b)?;
    fold(lua, &module, "bxor", |a, b| a ^ b)?;
    shift(lua, &module, "lshift", |value, count| value << count)?;
    shift(lua, &module, "rshift", |value, count| ((value as u32) >> count) as i32)?;
    shift(lua, &module, "arshift", |value, count| value >> count)?;
    shift(lua, &module, "rol", |value, count| value.rotate_left(count))?;
    shift(lua, &module, "ror", |value, count| value.rotate_right(count))?;
    module.raw_set("tohex", lua.create_function(tohex)?)?;
    Ok(module)
}

//! Functions of the sandbox that meet protected tables: they list them, and refuse to change them.
//!
//! They are functions of ours rather than of the prelude, since a function written in Lua takes the place of its caller
//! in a tail call, and with it the position that errors name.

use mlua::{Function, Lua, MultiValue, Table, Value};

use super::raise::{Raised, bad_argument, raise, type_name};

/// Positions below zero that a table may have.
const POSITIONS_MAX: i32 = 1 << 20;

/// What a script hears that tries to change a protected table by a function.
fn readonly() -> mlua::Error {
    bare("Attempt to modify a readonly table")
}

/// The table that a protected one stands for; any other table is itself.
pub fn real(table: &Table) -> mlua::Result<Table> {
    let meta = table.metatable();
    match meta.filter(|meta| meta.raw_get("protected").is_ok_and(|is: bool| is)) {
        Some(meta) => meta.raw_get("__index"),
        None => Ok(table.clone()),
    }
}

/// A message without a position, as the interpreter raises it inside a C function.
fn bare(text: &str) -> mlua::Error {
    mlua::Error::external(Raised::Message(text.into()))
}

/// Refuses what cannot be a key.
pub fn check_key(key: &Value) -> mlua::Result<()> {
    match key {
        Value::Nil => Err(bare("table index is nil")),
        Value::Number(number) if number.is_nan() => Err(bare("table index is NaN")),
        _ => Ok(()),
    }
}

/// The first argument as a table, in the way of `luaL_checktype`.
fn table_argument<'a>(lua: &Lua, args: &'a MultiValue, name: &str) -> mlua::Result<&'a Table> {
    match args.front() {
        Some(Value::Table(table)) => Ok(table),
        other => {
            let got = other.map_or("no value", type_name);
            Err(bad_argument(lua, 1, name, &format!("table expected, got {got}")))
        }
    }
}

fn need_value(lua: &Lua, args: &MultiValue, count: usize, name: &str) -> mlua::Result<()> {
    if args.len() >= count {
        return Ok(());
    }
    Err(bad_argument(lua, args.len() + 1, name, "value expected"))
}

/// All of them in a table, made of what Lua has; `real_of` leads from a protected table to the one it stands for.
pub fn functions(lua: &Lua, (real_of, next, insert): (Table, Function, Function)) -> mlua::Result<Table> {
    let functions = lua.create_table()?;
    raw_functions(lua, &real_of, insert, &functions)?;
    listing_functions(lua, &real_of, next, &functions)?;
    Ok(functions)
}

/// `rawget`, `rawset`, `setmetatable`, and `insert` of the library `table`.
fn raw_functions(lua: &Lua, real_of: &Table, insert: Function, functions: &Table) -> mlua::Result<()> {
    let real = real_of.clone();
    let rawget = lua.create_function(move |lua, args: MultiValue| {
        let table = table_argument(lua, &args, "rawget")?;
        need_value(lua, &args, 2, "rawget")?;
        match real.raw_get(table)? {
            Value::Table(real) => real.raw_get::<Value>(&args[1]),
            _ => table.raw_get(&args[1]),
        }
    })?;
    let real = real_of.clone();
    let rawset = lua.create_function(move |lua, args: MultiValue| {
        let table = table_argument(lua, &args, "rawset")?;
        need_value(lua, &args, 3, "rawset")?;
        if real.contains_key(table)? {
            return Err(readonly());
        }
        check_key(&args[1])?;
        table.raw_set(&args[1], &args[2]).map(|()| table.clone())
    })?;
    let real = real_of.clone();
    let setmetatable = lua.create_function(move |lua, args: MultiValue| {
        let table = table_argument(lua, &args, "setmetatable")?;
        let meta = match args.get(1) {
            Some(Value::Table(meta)) => Some(meta.clone()),
            Some(Value::Nil) => None,
            _ => return Err(bad_argument(lua, 2, "setmetatable", "nil or table expected")),
        };
        if real.contains_key(table)? {
            return Err(readonly());
        }
        if let Some(old) = table.metatable()
            && !old.raw_get::<Value>("__metatable")?.is_nil()
        {
            return Err(raise(lua, "cannot change a protected metatable"));
        }
        table.set_metatable(meta)?;
        Ok(table.clone())
    })?;
    let real = real_of.clone();
    let insert = lua.create_function(move |lua, args: MultiValue| {
        let table = table_argument(lua, &args, "insert")?;
        match args.len() {
            2 if !real.contains_key(table)? => return table.raw_set(table.raw_len() + 1, &args[1]),
            2 | 3 => {}
            _ => return Err(raise(lua, "wrong number of arguments to 'insert'")),
        }
        // Lua would move that many positions one by one, and nobody could stop it.
        if args.len() == 3 && super::random::integer(lua, &args, 1, "insert")? < -POSITIONS_MAX {
            return Err(bad_argument(lua, 2, "insert", "position out of bounds"));
        }
        if real.contains_key(table)? { Err(readonly()) } else { insert.call::<()>(args) }
    })?;
    functions.raw_set("rawget", rawget)?;
    functions.raw_set("rawset", rawset)?;
    functions.raw_set("setmetatable", setmetatable)?;
    functions.raw_set("insert", insert)
}

/// `next` and `pairs`.
fn listing_functions(lua: &Lua, real_of: &Table, next: Function, functions: &Table) -> mlua::Result<()> {
    let (real, raw_next) = (real_of.clone(), next.clone());
    let guarded = lua.create_function(move |lua, mut args: MultiValue| {
        let table = table_argument(lua, &args, "next")?;
        if let Value::Table(real) = real.raw_get(table)? {
            args[0] = Value::Table(real);
        }
        args.truncate(2);
        raw_next.call::<MultiValue>(args).map_err(|_| bare("invalid key to 'next'"))
    })?;
    let (real, listing) = (real_of.clone(), guarded.clone());
    let pairs = lua.create_function(move |lua, args: MultiValue| {
        let table = table_argument(lua, &args, "pairs")?;
        // The real table of a protected one is never handed out.
        let function = if real.contains_key(table)? { &listing } else { &next };
        Ok((function.clone(), table.clone(), Value::Nil))
    })?;
    functions.raw_set("next", guarded)?;
    functions.raw_set("pairs", pairs)
}

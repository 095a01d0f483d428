//! Values between Rust and the Lua of tests: effects, replies, messages and JSON become tables, arguments become text.

use mlua::{Lua, Table, Value};

use crate::embedded::Reply;
use crate::offline::world::{Published, effect_name};
use crate::script::argument::{Argument, Arguments};
use crate::script::effect::Effect;

/// Largest integer that a Lua number holds exactly.
const INT_MAX: f64 = 9_007_199_254_740_992.0;

/// The arguments of `run`, in the order of their names.
pub fn arguments(given: Table) -> Result<Vec<(String, String)>, String> {
    let mut arguments = Vec::new();
    for pair in given.pairs::<Value, Value>() {
        let (name, value) = pair.map_err(|error| error.to_string())?;
        let Value::String(name) = name else {
            return Err("arguments are given by name, as in { uid = \"1001\" }".to_owned());
        };
        let name = name.to_string_lossy();
        let value = text(value).map_err(|message| format!("`{name}`: {message}"))?;
        arguments.push((name, value));
    }
    arguments.sort();
    Ok(arguments)
}

/// A text or an integer, as text.
pub fn text(value: Value) -> Result<String, String> {
    String::from_utf8(word(value)?).map_err(|_| "a text has to be UTF-8".to_owned())
}

/// A text or an integer, as bytes.
pub fn word(value: Value) -> Result<Vec<u8>, String> {
    match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Integer(number) => Ok(number.to_string().into_bytes()),
        Value::Number(number) if number.fract() == 0.0 && number.abs() <= INT_MAX => {
            Ok((number as i64).to_string().into_bytes())
        }
        other => Err(format!("a text or an integer is expected, not a {}", other.type_name())),
    }
}

/// A list of effects, each with its fields by name.
pub fn effects(lua: &Lua, effects: &[Effect]) -> mlua::Result<Table> {
    let tables = effects.iter().map(|each| effect(lua, each)).collect::<mlua::Result<Vec<_>>>()?;
    lua.create_sequence_from(tables)
}

fn effect(lua: &Lua, effect: &Effect) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.set("name", effect_name(effect))?;
    match effect {
        Effect::Reply { id, body, position } => {
            table.set("position", *position)?;
            set_frame(lua, &table, *id, body)?;
        }
        Effect::Bind { seat, rank } => {
            table.set("uid", seat.uid.as_str())?;
            table.set("class", seat.class.as_str())?;
            table.set("number", rank.number)?;
            table.set("epoch", rank.epoch)?;
        }
        Effect::Kick { sid, reason, id, body } => {
            table.set("sid", sid.to_string())?;
            table.set("reason", reason.as_str())?;
            set_frame(lua, &table, *id, body)?;
        }
        Effect::Deliver { sid, id, body, step } => {
            table.set("sid", sid.to_string())?;
            table.set("position", step.map(|step| step.position))?;
            table.set("after", step.map(|step| step.after))?;
            set_frame(lua, &table, *id, body)?;
        }
        Effect::Call { script, uid, arguments } => {
            table.set("script", script.as_str())?;
            table.set("uid", uid.as_str())?;
            table.set("args", named(lua, arguments)?)?;
        }
        Effect::Verify => {}
        Effect::Close { reason } => table.set("reason", reason.as_str())?,
    }
    Ok(table)
}

fn set_frame(lua: &Lua, table: &Table, id: u16, body: &[u8]) -> mlua::Result<()> {
    table.set("id", id)?;
    table.set("body", lua.create_string(body)?)?;
    let value = serde_json::from_slice(body).map_err(mlua::Error::external)?;
    table.set("json", json(lua, &value)?)
}

fn named(lua: &Lua, arguments: &Arguments<'_>) -> mlua::Result<Table> {
    let given = Argument::ALL.iter().filter_map(|argument| Some((argument.word(), arguments.get(*argument)?)));
    lua.create_table_from(given)
}

/// Messages of node channels.
pub fn messages(lua: &Lua, messages: &[Published]) -> mlua::Result<Table> {
    let tables = messages.iter().map(|message| {
        let table = lua.create_table()?;
        table.set("channel", message.channel.as_str())?;
        table.set("payload", lua.create_string(&message.payload)?)?;
        table.set("effects", effects(lua, &message.effects)?)?;
        Ok(table)
    });
    lua.create_sequence_from(tables.collect::<mlua::Result<Vec<_>>>()?)
}

/// A JSON value; null is nil, so that a field that is null is as absent.
pub fn json(lua: &Lua, value: &serde_json::Value) -> mlua::Result<Value> {
    Ok(match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => Value::Boolean(*flag),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::String(lua.create_string(text)?),
        serde_json::Value::Array(items) => {
            let items = items.iter().map(|item| json(lua, item)).collect::<mlua::Result<Vec<_>>>()?;
            Value::Table(lua.create_sequence_from(items)?)
        }
        serde_json::Value::Object(fields) => {
            let table = lua.create_table()?;
            for (name, field) in fields {
                table.set(name.as_str(), json(lua, field)?)?;
            }
            Value::Table(table)
        }
    })
}

/// The reply of a command, as a script sees it: RESP2, null is false, a status is a table, an error is raised. The
/// engine answers callers in its process in RESP3.
pub fn reply(lua: &Lua, reply: Reply) -> Result<Value, String> {
    if let Reply::Error(message) = reply {
        return Err(message);
    }
    value(lua, reply).map_err(|error| error.to_string())
}

fn is_scored(item: &Reply) -> bool {
    matches!(item, Reply::Array(pair) if matches!(pair.as_slice(), [_, Reply::Double(_)]))
}

fn value(lua: &Lua, reply: Reply) -> mlua::Result<Value> {
    let list = |items: Vec<Reply>| -> mlua::Result<Value> {
        let items = items.into_iter().map(|item| value(lua, item)).collect::<mlua::Result<Vec<_>>>()?;
        Ok(Value::Table(lua.create_sequence_from(items)?))
    };
    match reply {
        Reply::Null => Ok(Value::Boolean(false)),
        Reply::Status(text) => Ok(Value::Table(lua.create_table_from([("ok", text)])?)),
        Reply::Error(text) => Ok(Value::Table(lua.create_table_from([("err", text)])?)),
        Reply::Integer(number) => Ok(Value::Number(number as f64)),
        Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) => Ok(Value::String(lua.create_string(bytes)?)),
        Reply::BigNumber(digits) => Ok(Value::String(lua.create_string(digits)?)),
        // Lua's own form of a number: what RESP2 would have sent as text.
        Reply::Double(number) => Ok(Value::String(lua.create_string(number.to_string())?)),
        Reply::Boolean(flag) => Ok(Value::Boolean(flag)),
        // Members with scores are pairs in RESP3 and one list in RESP2.
        Reply::Array(items) if items.iter().all(is_scored) => list(
            items.into_iter().flat_map(|item| if let Reply::Array(pair) = item { pair } else { vec![item] }).collect(),
        ),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => list(items),
        Reply::Map(pairs) => list(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
    }
}

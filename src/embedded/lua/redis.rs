//! The table `redis`: commands, replies, logging.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};
use smallvec::SmallVec;

use super::convert::{Names, until_nul};
use super::raise::{Raised, error_table};
use crate::embedded::command::connection::REDIS_VERSION;
use crate::embedded::core::Core;
use crate::embedded::engine::{resolve, run_plain};
use crate::embedded::fault::Fault;
use crate::embedded::number;
use crate::embedded::reply::{Output, TokenReader};
use crate::embedded::resp::ArgList;
use crate::embedded::shuffle;
use crate::embedded::spec::{Outcome, Spec, flag};

/// What the functions of the table share.
pub struct Binding {
    pub core: Rc<RefCell<Core>>,
    pub names: Names,
    /// Whether the running script asked for RESP3.
    pub resp3: Cell<bool>,
    /// Replies of commands are written here and read back; kept to save an allocation per call.
    scratch: RefCell<Output>,
}

impl Binding {
    pub fn new(core: Rc<RefCell<Core>>, names: Names) -> Binding {
        Binding { core, names, resp3: Cell::new(false), scratch: RefCell::new(Output::default()) }
    }

    /// Runs a command for a script; the outer result is for Lua, the inner one is the command's own.
    fn call(&self, lua: &Lua, args: &MultiValue) -> mlua::Result<Result<Value, Fault>> {
        let texts = match command_words(args) {
            Ok(texts) => texts,
            Err(fault) => return Ok(Err(fault)),
        };
        let words: ArgList<'_> = texts.iter().map(Word::bytes).collect();
        let mut out = self.scratch.borrow_mut();
        out.buffer.clear();
        out.resp3 = self.resp3.get();
        if let Err(fault) = run_from_script(&mut self.core.borrow_mut(), &words, &mut out) {
            return Ok(Err(fault));
        }
        let limit = lua.set_memory_limit(0)?;
        let value = self.names.read(lua, &mut TokenReader::new(&out.buffer), out.resp3);
        lua.set_memory_limit(limit)?;
        value.map(Ok)
    }
}

/// An argument of a command as bytes.
enum Word {
    Text(mlua::BorrowedBytes),
    Number(String),
}

impl Word {
    fn bytes(&self) -> &[u8] {
        match self {
            Word::Text(bytes) => bytes,
            Word::Number(text) => text.as_bytes(),
        }
    }
}

fn command_words(args: &MultiValue) -> Result<SmallVec<[Word; 16]>, Fault> {
    if args.is_empty() {
        return Err(Fault::new("ERR Please specify at least one argument for this redis lib call"));
    }
    let word = |value: &Value| match value {
        Value::String(text) => Ok(Word::Text(text.as_bytes())),
        Value::Number(number) => Ok(Word::Number(number_text(*number))),
        Value::Integer(number) => Ok(Word::Number(number_text(*number as f64))),
        _ => Err(Fault::new("ERR Lua redis lib command arguments must be strings or integers")),
    };
    args.iter().map(word).collect()
}

/// A number as a command's argument: plain digits while it is a safe integer, else the shortest text.
fn number_text(number: f64) -> String {
    const EXACT: f64 = 4611686018427387904.0;
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan".into() } else { "nan".into() };
    }
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return (number as i64).to_string();
    }
    number::double(number)
}

/// Checks and runs a command of the running script.
fn run_from_script(core: &mut Core, args: &[&[u8]], out: &mut Output) -> Outcome {
    let mut outcome = admit(core, args).and_then(|spec| {
        let outcome = run_plain(core, spec, args, out);
        if spec.has(flag::WRITE) {
            core.script.wrote = true;
            core.script.ignores_memory = true;
        }
        if core.shuffles {
            shuffle::shuffle(core, spec, &mut out.buffer);
        }
        outcome
    });
    core.publish_events();
    if let Err(fault) = &mut outcome {
        core.count_error(fault);
        fault.counted = true;
    }
    outcome
}

fn admit(core: &mut Core, args: &[&[u8]]) -> Result<&'static Spec, Fault> {
    let spec = resolve(args).map_err(|fault| {
        if fault.text.starts_with(b"ERR wrong number") {
            Fault::new("ERR Wrong number of args calling Redis command from script")
        } else {
            Fault::new("ERR Unknown Redis command called from script")
        }
    })?;
    check(core, spec, args).inspect_err(|_| core.count_rejected(spec))?;
    Ok(spec)
}

/// Checks whether the running script may use a command.
fn check(core: &Core, spec: &'static Spec, args: &[&[u8]]) -> Outcome {
    if spec.has(flag::NOSCRIPT) {
        return Err(Fault::new("ERR This Redis command is not allowed from script"));
    }
    if core.script.read_only && spec.has(flag::WRITE | flag::MAY_REPLICATE) {
        return Err(Fault::new("ERR Write commands are not allowed from read-only scripts."));
    }
    if let Some(declared) = &core.script.declared {
        let mut keys = spec.key_positions(args).into_iter().map(|at| args[at]);
        if let Some(key) = keys.find(|key| !declared.iter().any(|declared| declared == key)) {
            let key = String::from_utf8_lossy(key).into_owned();
            return Err(Fault::new(format!("ERR Script attempted to access a key that it did not declare: '{key}'")));
        }
    }
    if spec.has(flag::DENYOOM) {
        core.check_memory()?;
    }
    Ok(())
}

/// A mistake in the use of a function, raised as a table like that of a failed command.
fn fault(text: &str) -> mlua::Error {
    mlua::Error::external(Raised::Command(format!("ERR {text}"), false))
}

/// A command's error on its way up through Lua.
fn raised(fault: Fault) -> mlua::Error {
    let counted = fault.counted;
    mlua::Error::external(Raised::Command(fault.into_text(), counted))
}

/// Builds the table.
pub fn table(lua: &Lua, binding: &Rc<Binding>) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    let shared = Rc::clone(binding);
    let call = move |lua: &Lua, args: MultiValue| shared.call(lua, &args)?.map_err(raised);
    redis.raw_set("call", lua.create_function(call)?)?;
    let shared = Rc::clone(binding);
    let pcall = move |lua: &Lua, args: MultiValue| match shared.call(lua, &args)? {
        Ok(value) => Ok(value),
        Err(fault) => {
            let counted = fault.counted;
            error_table(lua, &fault.into_text(), counted).map(Value::Table)
        }
    };
    redis.raw_set("pcall", lua.create_function(pcall)?)?;
    let shared = Rc::clone(binding);
    let setresp = move |lua: &Lua, args: MultiValue| set_resp(lua, &shared, &args);
    redis.raw_set("setresp", lua.create_function(setresp)?)?;
    redis.raw_set("acl_check_cmd", lua.create_function(acl_check_cmd)?)?;
    redis.raw_set("error_reply", lua.create_function(|lua, args| one_field(lua, args, "err"))?)?;
    redis.raw_set("status_reply", lua.create_function(|lua, args| one_field(lua, args, "ok"))?)?;
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    redis.raw_set("breakpoint", lua.create_function(|_, _: MultiValue| Ok(false))?)?;
    redis.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    redis.raw_set("replicate_commands", lua.create_function(|_, _: MultiValue| Ok(true))?)?;
    redis.raw_set("set_repl", lua.create_function(set_repl)?)?;
    constants(&redis)?;
    Ok(redis)
}

fn constants(redis: &Table) -> mlua::Result<()> {
    let numbers = [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
        ("REDIS_VERSION_NUM", 0x0007_0204),
    ];
    for (name, number) in numbers {
        redis.raw_set(name, number)?;
    }
    redis.raw_set("REDIS_VERSION", REDIS_VERSION)
}

fn set_resp(lua: &Lua, binding: &Binding, args: &MultiValue) -> mlua::Result<()> {
    if args.len() != 1 {
        return Err(fault("redis.setresp() requires one argument."));
    }
    match lua.coerce_number(args[0].clone())?.map(f64::trunc) {
        Some(2.0) => binding.resp3.set(false),
        Some(3.0) => binding.resp3.set(true),
        _ => return Err(fault("RESP version must be 2 or 3.")),
    }
    Ok(())
}

/// There is one user who may do everything, so only unknown commands are refused.
fn acl_check_cmd(_: &Lua, args: MultiValue) -> mlua::Result<bool> {
    let words = command_words(&args).map_err(raised)?;
    let words: ArgList<'_> = words.iter().map(Word::bytes).collect();
    // The number of arguments does not matter here.
    match resolve(&words) {
        Err(why) if !why.text.starts_with(b"ERR wrong number") => {
            Err(fault("Invalid command passed to redis.acl_check_cmd()"))
        }
        _ => Ok(true),
    }
}

/// `error_reply` and `status_reply`: a table with one field.
fn one_field(lua: &Lua, args: MultiValue, field: &str) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    let text = match (args.len(), args.front()) {
        (1, Some(Value::String(text))) => text.as_bytes().to_vec(),
        _ => {
            table.raw_set("err", "ERR wrong number or type of arguments")?;
            return Ok(Value::Table(table));
        }
    };
    let text = if field == "err" { error_text(until_nul(&text)) } else { text };
    table.raw_set(field, lua.create_string(text)?)?;
    Ok(Value::Table(table))
}

/// An error text always has a code: a text of one word gets ERR. The sentence loses the ends of lines around it.
fn error_text(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (code, sentence) = match text.iter().position(|byte| *byte == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (b"ERR".as_slice(), text),
    };
    let is_inner = |byte: &u8| !b"\r\n".contains(byte);
    let start = sentence.iter().position(is_inner).unwrap_or(sentence.len());
    let end = sentence.iter().rposition(is_inner).map_or(start, |last| last + 1);
    [code, b" ", &sentence[start..end]].concat()
}

fn sha1hex(lua: &Lua, args: MultiValue) -> mlua::Result<String> {
    if args.len() != 1 {
        return Err(fault("wrong number of arguments"));
    }
    let text = lua.coerce_string(args[0].clone())?;
    let bytes = text.as_ref().map(|text| text.as_bytes().to_vec()).unwrap_or_default();
    Ok(sha1_smol::Sha1::from(bytes).digest().to_string())
}

fn log(lua: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() < 2 {
        return Err(fault("redis.log() requires two arguments or more."));
    }
    let Some(level) = lua.coerce_number(args[0].clone())? else {
        return Err(fault("First argument must be a number (log level)."));
    };
    let mut words = Vec::new();
    for value in args.iter().skip(1) {
        if let Some(text) = lua.coerce_string(value.clone())? {
            words.push(text.to_string_lossy());
        }
    }
    let text = words.join(" ");
    match level as i64 {
        0 => tracing::trace!(text, "a script logged"),
        1 => tracing::debug!(text, "a script logged"),
        2 => tracing::info!(text, "a script logged"),
        3 => tracing::warn!(text, "a script logged"),
        _ => return Err(fault("Invalid log level.")),
    }
    Ok(())
}

fn set_repl(lua: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() != 1 {
        return Err(fault("redis.set_repl() requires two arguments."));
    }
    // What is no number counts as none of the flags.
    match lua.coerce_number(args[0].clone())?.map_or(0.0, f64::trunc) {
        0.0..=3.0 => Ok(()),
        _ => Err(fault("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")),
    }
}

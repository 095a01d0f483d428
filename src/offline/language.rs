//! The Lua in which tests are written: a fresh interpreter for every test, with the words of `prelude.lua`.
//!
//! It turns values into Lua and back and puts the file and line of the test into every error. A test that runs for too
//! long or takes too much memory ends with an error, whatever it catches.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;

use mlua::{
    Error, Function, HookTriggers, IntoLuaMulti, Lua, LuaOptions, MultiValue, StdLib, Table, Value, Variadic, VmState,
};

use crate::offline::claim::Claim;
use crate::offline::message::Test;
use crate::offline::pulse::Pulse;
use crate::offline::world::World;
use crate::offline::{explore, table};

/// Lua instructions that one test may run, scripts not counted.
const INSTRUCTIONS_MAX: u64 = 20_000_000;
/// Instructions between two looks at the budget.
const STEP: u32 = 10_000;
/// Bytes that a test may hold.
const BYTES_MAX: usize = 64 << 20;
/// How the interpreter calls the file; short, because Lua cuts long names off.
pub const CHUNK: &str = "test.lua";

const PRELUDE: &str = include_str!("prelude.lua");

/// A test file that was read, ready to run one of its tests.
pub struct Language {
    lua: Lua,
    tests: Table,
    label: String,
}

/// The world of the running test, shared by the functions that Lua calls.
pub type Shared = Rc<RefCell<World>>;

impl Language {
    /// Reads a test file. Its tests are known afterwards, none has run.
    pub fn load(world: &Shared, label: &str, text: &str, seed: u64) -> Result<Self, String> {
        let language = Self::start(world, label, seed).map_err(|error| message_of(&error))?;
        let chunk = language.lua.load(text).set_name(format!("={CHUNK}"));
        chunk.exec().map_err(|error| language.explain(&error))?;
        Ok(language)
    }

    /// The tests, in the order of the file.
    pub fn tests(&self) -> Result<Vec<Test>, String> {
        let count = self.call::<usize>("count", ())?;
        (1..=count).map(|index| self.test(index)).collect()
    }

    fn test(&self, index: usize) -> Result<Test, String> {
        let (name, line, claim) = self.call::<(mlua::LuaString, usize, Table)>("describe", index)?;
        let option = |word: &str| claim.get::<Option<u32>>(word).map_err(|error| self.explain(&error));
        let claim = Claim { since: option("since")?, till: option("till")?, only: option("only")? };
        Ok(Test { name: name.to_string_lossy(), line, claim })
    }

    /// Runs one test, counted from 0, and what has to run before it.
    pub fn run(&self, index: usize) -> Result<(), String> {
        self.call("run", index + 1)
    }

    fn start(world: &Shared, label: &str, seed: u64) -> mlua::Result<Self> {
        let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING | StdLib::MATH, LuaOptions::default())?;
        lua.set_memory_limit(BYTES_MAX)?;
        let spent = limit_instructions(&lua, world.borrow().pulse())?;
        let native = natives(&lua, world, &spent)?;
        native.set("seed", seed as u32)?;
        let tests = lua.load(PRELUDE).set_name("=prelude").call(&native)?;
        explore::add(&lua, world, &spent, &native)?;
        Ok(Self { lua, tests, label: label.to_owned() })
    }

    fn call<R: mlua::FromLuaMulti>(&self, word: &str, arguments: impl IntoLuaMulti) -> Result<R, String> {
        let function = self.tests.get::<Function>(word);
        function.and_then(|function| function.call(arguments)).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &Error) -> String {
        let message = message_of(error);
        match message.strip_prefix(CHUNK) {
            Some(rest) if rest.starts_with(':') => format!("{}{rest}", self.label),
            _ => format!("{}: {message}", self.label),
        }
    }
}

/// Counts instructions; once the budget is spent every further look ends in an error, so that nothing can catch it.
fn limit_instructions(lua: &Lua, pulse: Rc<Pulse>) -> mlua::Result<Rc<Cell<u64>>> {
    let spent = Rc::new(Cell::new(0));
    let count = Rc::clone(&spent);
    lua.set_hook(HookTriggers::new().every_nth_instruction(STEP), move |lua, _| {
        pulse.beat();
        count.set(count.get() + u64::from(STEP));
        if is_spent(&count) { Err(exhausted(lua)) } else { Ok(VmState::Continue) }
    })?;
    Ok(spent)
}

fn is_spent(spent: &Cell<u64>) -> bool {
    spent.get() > INSTRUCTIONS_MAX
}

fn exhausted(lua: &Lua) -> Error {
    located(lua, &format!("the test ran more than {INSTRUCTIONS_MAX} instructions: is there an endless loop?"))
}

fn natives(lua: &Lua, world: &Shared, spent: &Rc<Cell<u64>>) -> mlua::Result<Table> {
    let native = lua.create_table()?;
    let fail = |lua: &Lua, message: String| -> mlua::Result<()> { Err(located(lua, &message)) };
    native.set("fail", lua.create_function(fail)?)?;
    native.set("line", lua.create_function(|lua, ()| Ok(line_of_test(lua)))?)?;
    native.set("print", lua.create_function(print)?)?;
    let spent = Rc::clone(spent);
    let attempt =
        move |lua: &Lua, (function, arguments): (Function, MultiValue)| attempt(lua, &spent, &function, arguments);
    native.set("try", lua.create_function(attempt)?)?;
    add(lua, world, &native, "run", |lua, world, (name, given): (String, Table)| {
        let effects = world.run(&name, &table::arguments(given)?)?;
        table::effects(lua, &effects).map_err(|error| message_of(&error))
    })?;
    add(lua, world, &native, "call", |lua, world, words: Variadic<Value>| {
        let words = words.into_iter().map(table::word).collect::<Result<Vec<_>, _>>()?;
        let words: Vec<_> = words.iter().map(Vec::as_slice).collect();
        table::reply(lua, world.store().call(&words))
    })?;
    add(lua, world, &native, "published", |lua, world, ()| {
        let messages = world.published()?;
        table::messages(lua, &messages).map_err(|error| message_of(&error))
    })?;
    add(lua, world, &native, "key", |_, _, (word, uid): (String, Option<Value>)| {
        World::key(&word, &uid.map_or(Ok(String::new()), table::text)?)
    })?;
    add(lua, world, &native, "default", |_, world, (word, value): (String, Value)| {
        world.set_default(&word, table::text(value)?)
    })?;
    add(lua, world, &native, "set_clock", |_, world, now_ms: u64| world.set_clock(now_ms))?;
    add(lua, world, &native, "now", |_, world, ()| {
        world.store().now_ms().ok_or_else(|| "the store does not tell the time".to_owned())
    })?;
    add(lua, world, &native, "tick", |_, world, ()| {
        world.store().tick().ok_or_else(|| "the store does not tell the time".to_owned())
    })?;
    add(lua, world, &native, "copy", |_, world, ()| world.copy())?;
    add(lua, world, &native, "fall_back", |_, world, copy: String| world.fall_back(&copy))?;
    add(lua, world, &native, "digest", |_, world, ()| world.digest_keys())?;
    add(lua, world, &native, "version", |_, world, version: Option<u32>| {
        version.map_or(Ok(()), |version| world.choose_version(version))?;
        Ok(world.version())
    })?;
    add(lua, world, &native, "json", |lua, _, text: String| {
        let value = serde_json::from_str(&text).map_err(|error| format!("no JSON: {error}"))?;
        table::json(lua, &value).map_err(|error| message_of(&error))
    })?;
    Ok(native)
}

/// Says something on standard error. Where nobody reads it the test goes on.
fn print(_: &Lua, text: mlua::LuaString) -> mlua::Result<()> {
    let _ = writeln!(std::io::stderr(), "{}", text.to_string_lossy());
    Ok(())
}

/// Adds a function that works on the world; its error is told with the line of the test that called it.
fn add<A, R>(
    lua: &Lua,
    world: &Shared,
    native: &Table,
    word: &str,
    body: impl Fn(&Lua, &mut World, A) -> Result<R, String> + 'static,
) -> mlua::Result<()>
where
    A: mlua::FromLuaMulti,
    R: mlua::IntoLuaMulti,
{
    let world = Rc::clone(world);
    let function = lua.create_function(move |lua, arguments: A| {
        let outcome = body(lua, &mut world.borrow_mut(), arguments);
        outcome.map_err(|message| located(lua, &message))
    })?;
    native.set(word, function)
}

/// Calls a function and answers true and its results, or false and the message of its error.
fn attempt(lua: &Lua, spent: &Cell<u64>, function: &Function, arguments: MultiValue) -> mlua::Result<MultiValue> {
    match function.call::<MultiValue>(arguments) {
        Err(error) if is_spent(spent) => Err(error),
        Ok(mut results) => {
            results.push_front(Value::Boolean(true));
            Ok(results)
        }
        Err(error) => (false, message_of(&error)).into_lua_multi(lua),
    }
}

/// An error with the innermost line of the test file that led to it.
pub fn located(lua: &Lua, message: &str) -> Error {
    let line = line_of_test(lua);
    Error::RuntimeError(line.map_or_else(|| message.to_owned(), |line| format!("{CHUNK}:{line}: {message}")))
}

/// The innermost line of the test file that is being run.
fn line_of_test(lua: &Lua) -> Option<usize> {
    let line_at = |level| {
        lua.inspect_stack(level, |frame| {
            let in_test = frame.source().short_src.as_deref() == Some(CHUNK);
            in_test.then(|| frame.current_line()).flatten()
        })
    };
    (0..).map_while(line_at).flatten().next()
}

/// What an error says, without the interpreter's wrapping and without a trace.
pub fn message_of(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } => message_of(cause),
        Error::RuntimeError(message) | Error::MemoryError(message) | Error::SyntaxError { message, .. } => {
            message.split("\nstack traceback:").next().unwrap_or_default().to_owned()
        }
        other => other.to_string(),
    }
}

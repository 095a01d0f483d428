//! The host of scripts: one Lua state, the compiled scripts by their digest, and the run of one of them.
//!
//! A script runs to its end on the thread that owns the data. It may be ended from outside only before its first
//! write (see `Watch`), or by the limits of instructions and memory that the engine was given.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ahash::RandomState;
use mlua::debug::{Debug, DebugEvent};
use mlua::{Function, HookTriggers, Lua, LuaOptions, LuaString, StdLib, Table, Value, VmState};

use super::convert::{self, Names, c_text};
use super::header::{self, Flags};
use super::line::{LineCounts, Lines};
use super::raise::{self, Raised};
use super::redis::{self, Binding};
use super::{bit, cjson, cmsgpack, guard, random, struct_};
use crate::embedded::core::{Core, ScriptRun};
use crate::embedded::engine::EngineOptions;
use crate::embedded::fault::Fault;
use crate::embedded::reply::Output;
use crate::embedded::slot::slot_of;
use crate::embedded::spec::Outcome;

/// The source name of the sandbox, by which its frames are told from those of scripts.
pub const PRELUDE_NAME: &str = "=[sandbox]";
/// The source name of every script.
pub const SCRIPT_NAME: &str = "@user_script";
const PRELUDE: &str = include_str!("prelude.lua");
/// The error of a script that was killed.
const KILLED: &str = "Script killed by user with SCRIPT KILL...";
/// Bytes that scripts may hold unless the options say otherwise.
const LUA_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Runs of scripts between two turns of the garbage collector, and the steps of one kilobyte that such a turn takes at
/// most; both as in Redis.
const RUNS_PER_COLLECTION: u32 = 50;
const STEPS_PER_COLLECTION: u32 = 50;
/// Instructions between two looks at the limits.
const LOOK_EVERY: u32 = 10_000;

/// A compiled script.
pub struct Script {
    /// SHA-1 of its text, 40 lower-case hexadecimal digits.
    pub digest: String,
    /// Where its function lies in the table of functions.
    position: usize,
    /// None without a shebang.
    flags: Option<Flags>,
}

/// Arguments of one run.
pub struct Invocation<'a> {
    pub keys: &'a [&'a [u8]],
    pub argv: &'a [&'a [u8]],
    pub read_only: bool,
}

/// What the one who watches a long script says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// Somebody asked for the script to be killed.
    Kill,
}

/// Called from time to time while a script runs; told whether it has run for so long that other clients need answers.
pub type Watch = Box<dyn Fn(bool) -> Verdict>;

/// Limits of the running script, shared with the hook.
#[derive(Default)]
struct Limits {
    instructions: Cell<u64>,
    instructions_max: u64,
    /// When the first look at the running script was taken.
    since: Cell<Option<Instant>>,
    watch: RefCell<Option<Watch>>,
    /// How long a script may run that has written nothing; none for no limit.
    patience: Option<Duration>,
    /// The text of the error that ends the script; kept until it has ended.
    ended: RefCell<Option<Cow<'static, str>>>,
    /// Where the script was when it was ended.
    line: Cell<Option<usize>>,
}

/// The Lua state with its scripts.
pub struct Host {
    lua: Lua,
    binding: Rc<Binding>,
    limits: Rc<Limits>,
    /// None unless lines are counted.
    lines: Option<Rc<Lines>>,
    scripts: RefCell<HashMap<String, Rc<Script>, RandomState>>,
    /// The real table of globals, where KEYS and ARGV are put.
    globals: Table,
    /// What a script's text becomes a function with.
    compile: Function,
    /// The compiled scripts. They are not held from here, as that takes one of a few thousand places each.
    functions: Table,
    xpcall: Function,
    on_error: Function,
    strict: bool,
    bytes_max: usize,
    /// Runs since the last step of the garbage collector.
    runs: Cell<u32>,
}

impl Host {
    pub fn new(core: Rc<RefCell<Core>>, options: &EngineOptions) -> Host {
        Self::build(core, options).expect("the sandbox is our own text and its libraries are always there")
    }

    fn build(core: Rc<RefCell<Core>>, options: &EngineOptions) -> mlua::Result<Host> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        let binding = Rc::new(Binding::new(core, Names::new(&lua)?));
        let native = lua.create_table()?;
        native.raw_set("translate", lua.create_function(raise::translate)?)?;
        native.raw_set("origin", lua.create_function(|lua, ()| Ok(raise::origin(lua)))?)?;
        native.raw_set("complain", lua.create_function(raise::complain)?)?;
        native.raw_set("guarded", lua.create_function(guard::functions)?)?;
        native.raw_set("redis", redis::table(&lua, &binding)?)?;
        native.raw_set("cjson", cjson::table(&lua)?)?;
        native.raw_set("cmsgpack", cmsgpack::table(&lua)?)?;
        native.raw_set("struct", struct_::table(&lua)?)?;
        native.raw_set("bit", bit::table(&lua)?)?;
        let (random, randomseed) = random::functions(&lua)?;
        native.raw_set("random", random)?;
        native.raw_set("randomseed", randomseed)?;
        let prelude = lua.load(PRELUDE).set_name(PRELUDE_NAME);
        let (globals, sandbox, compile, xpcall, on_error): (Table, Table, _, _, _) = prelude.call(native)?;
        lua.set_globals(sandbox)?;
        let bytes_max = if options.lua_bytes_max > 0 { options.lua_bytes_max } else { LUA_BYTES_MAX };
        let limits = Rc::new(Limits {
            instructions_max: options.script_instructions_max,
            patience: (options.script_ms_max > 0).then(|| Duration::from_millis(options.script_ms_max)),
            ..Limits::default()
        });
        let lines = options.count_lines.then(Rc::<Lines>::default);
        set_hook(&lua, &limits, Rc::clone(&binding.core), lines.clone())?;
        binding.core.borrow_mut().lua_bytes = lua.used_memory();
        Ok(Host {
            functions: lua.create_table()?,
            lua,
            binding,
            limits,
            lines,
            scripts: RefCell::default(),
            globals,
            compile,
            xpcall,
            on_error,
            strict: options.strict,
            bytes_max,
            runs: Cell::new(0),
        })
    }

    /// Which lines ran since the last call, by digest; empty unless lines are counted.
    pub fn take_lines(&self) -> BTreeMap<String, LineCounts> {
        self.lines.as_ref().map(|lines| lines.take()).unwrap_or_default()
    }

    /// Lets somebody be asked from time to time while a script runs.
    pub fn set_watch(&self, watch: Watch) {
        *self.limits.watch.borrow_mut() = Some(watch);
    }

    /// The script of a digest, in either case.
    pub fn find(&self, digest: &[u8]) -> Result<Rc<Script>, Fault> {
        let missing = Fault::new("NOSCRIPT No matching script. Please use EVAL.");
        let scripts = self.scripts.borrow();
        let text = std::str::from_utf8(digest).map_err(|_| missing.clone())?;
        if let Some(script) = scripts.get(text) {
            return Ok(Rc::clone(script));
        }
        scripts.get(&text.to_ascii_lowercase()).map(Rc::clone).ok_or(missing)
    }

    /// Compiles a script, unless it is known.
    pub fn load(&self, source: &[u8]) -> Result<Rc<Script>, Fault> {
        let digest = sha1_smol::Sha1::from(source).digest().to_string();
        if let Some(script) = self.scripts.borrow().get(&digest) {
            return Ok(Rc::clone(script));
        }
        let (flags, body) = header::split(source)?;
        let position = self.scripts.borrow().len() + 1;
        self.compile(body, position).unwrap_or_else(|error| Err(error.to_string().into_bytes())).map_err(|why| {
            let text = [b"ERR Error compiling script (new function): ", &*why].concat();
            Fault { text: text.into(), counted: false }
        })?;
        let script = Rc::new(Script { digest: digest.clone(), position, flags });
        self.scripts.borrow_mut().insert(digest, Rc::clone(&script));
        self.binding.core.borrow_mut().cached_scripts = self.scripts.borrow().len();
        Ok(script)
    }

    /// Makes a function of a text; the inner error is what the compiler says.
    fn compile(&self, body: &[u8], position: usize) -> mlua::Result<Result<(), Vec<u8>>> {
        let arguments = (self.lua.create_string(body)?, SCRIPT_NAME);
        let (function, why): (Option<Function>, Option<LuaString>) = self.compile.call(arguments)?;
        match why {
            Some(why) => Ok(Err(why.as_bytes().to_vec())),
            None => self.functions.raw_set(position, function).map(Ok),
        }
    }

    /// Forgets all scripts.
    pub fn flush(&self) {
        self.scripts.borrow_mut().clear();
        if let Err(error) = self.functions.clear() {
            tracing::error!(%error, "the scripts could not be forgotten");
        }
        self.binding.core.borrow_mut().cached_scripts = 0;
    }

    /// Runs a script and writes its reply.
    pub fn run(&self, script: &Script, invocation: &Invocation<'_>, out: &mut Output) -> Outcome {
        self.admit(script, invocation)?;
        self.limits.instructions.set(0);
        self.limits.since.set(None);
        self.limits.line.set(None);
        if let Some(lines) = &self.lines {
            lines.begin(&script.digest);
        }
        let result = self.execute(script, invocation, out);
        if let Some(lines) = &self.lines {
            lines.end(&script.digest);
        }
        self.binding.resp3.set(false);
        self.collect_garbage();
        let mut core = self.binding.core.borrow_mut();
        if self.limits.ended.take().is_some_and(|text| text == KILLED) && core.script.wrote {
            // Only the end of the store kills a script that wrote. Half of what it wanted must not outlive it.
            core.db.effects.abandon();
            (core.halved, core.shutdown) = (true, true);
        }
        core.script = ScriptRun::default();
        core.lua_bytes = self.lua.used_memory();
        drop(core);
        result.unwrap_or_else(|error| Err(self.fatal(script, &error)))
    }

    /// Goes on collecting garbage now and then, as Redis does, so that it does not pile up to what is in use.
    fn collect_garbage(&self) {
        let runs = self.runs.get() + 1;
        self.runs.set(runs % RUNS_PER_COLLECTION);
        if runs < RUNS_PER_COLLECTION {
            return;
        }
        let mut steps = (0..STEPS_PER_COLLECTION).map(|_| self.lua.gc_step());
        if let Some(Err(error)) = steps.find(|step| !matches!(step, Ok(false))) {
            tracing::error!(%error, "the garbage of scripts could not be collected");
        }
    }

    /// Checks what can be checked before a script runs, and notes what it may do.
    fn admit(&self, script: &Script, invocation: &Invocation<'_>) -> Outcome {
        let mut core = self.binding.core.borrow_mut();
        let flags = script.flags.unwrap_or_default();
        if script.flags.is_some() && !flags.no_writes {
            if !flags.allow_oom {
                core.check_memory()?;
            }
            if invocation.read_only {
                return Err(Fault::new("ERR Can not execute a script with write flag using *_ro command."));
            }
        }
        if self.strict {
            check_slots(invocation.keys)?;
        }
        core.script = ScriptRun {
            running: true,
            read_only: invocation.read_only || flags.no_writes,
            ignores_memory: flags.allow_oom,
            wrote: false,
            declared: self.strict.then(|| invocation.keys.iter().map(|key| key.to_vec()).collect()),
        };
        Ok(())
    }

    fn execute(&self, script: &Script, invocation: &Invocation<'_>, out: &mut Output) -> mlua::Result<Outcome> {
        self.globals.raw_set("KEYS", convert::strings(&self.lua, invocation.keys)?)?;
        self.globals.raw_set("ARGV", convert::strings(&self.lua, invocation.argv)?)?;
        let function: Function = self.functions.raw_get(script.position)?;
        // The limit is in force only while Lua itself allocates: with it every value that Rust makes costs more.
        self.lua.set_memory_limit(self.bytes_max)?;
        let result = self.xpcall.call((function, &self.on_error));
        self.lua.set_memory_limit(0)?;
        let (done, value): (bool, Value) = result?;
        if done {
            if let Some(fault) = self.binding.names.returned_error(&value)? {
                return Ok(Err(fault));
            }
            self.binding.names.write(&value, self.binding.resp3.get(), out)?;
            return Ok(Ok(()));
        }
        Ok(Err(match value {
            Value::Table(failure) => describe(script, &failure)?,
            Value::Error(error) => self.fatal(script, &error),
            // Out of memory, or an error while an error was handled: Lua has no place to report then.
            other => {
                let text = other.to_string().unwrap_or_default();
                // What filled the memory is garbage now, and Lua 5.1 would only look for it at its own pace.
                self.lua.gc_collect()?;
                self.fault(script, &text)
            }
        }))
    }

    /// The reply for a script that was ended, or whose error could not be handled in Lua.
    fn fatal(&self, script: &Script, error: &mlua::Error) -> Fault {
        let (Raised::Fatal(text) | Raised::Command(text, _) | Raised::Message(text)) = raise::unwrap(error);
        self.fault(script, &text)
    }

    /// The reply for an error without a place of its own: the line is the last one that is known, else the first.
    fn fault(&self, script: &Script, text: &str) -> Fault {
        let line = self.limits.line.take().or_else(|| self.lines.as_ref()?.last()).unwrap_or(1);
        Fault::new(format!("ERR {text} script: {}, on {SCRIPT_NAME}:{line}.", script.digest))
    }
}

/// The reply for a script that raised an error: its text, then where it was raised.
fn describe(script: &Script, failure: &Table) -> mlua::Result<Fault> {
    let source: String = failure.raw_get("source")?;
    let line: i64 = failure.raw_get("line")?;
    let tail = format!(" script: {}, on {source}:{line}.", script.digest);
    let text = c_text(&failure.raw_get("err")?).unwrap_or_else(|| b"ERR unknown error".to_vec());
    let counted = failure.raw_get::<Value>("ignore_error_stats_update")?.as_boolean() == Some(true);
    Ok(Fault { text: [text, tail.into_bytes()].concat().into(), counted })
}

/// In strict mode all keys of a call must lie in one hash slot.
fn check_slots(keys: &[&[u8]]) -> Outcome {
    let Some((first, rest)) = keys.split_first() else {
        return Ok(());
    };
    match rest.iter().find(|key| slot_of(key) != slot_of(first)) {
        None => Ok(()),
        Some(key) => Err(Fault::new(format!(
            "CROSSSLOT Keys in request don't hash to the same slot: '{}'",
            String::from_utf8_lossy(key)
        ))),
    }
}

impl Limits {
    /// Looks at the running script; the text of an error ends it.
    fn look(&self, core: &RefCell<Core>) -> Option<Cow<'static, str>> {
        self.instructions.set(self.instructions.get() + u64::from(LOOK_EVERY));
        if self.instructions_max > 0 && self.instructions.get() > self.instructions_max {
            return Some("Script ran for more instructions than it is allowed".into());
        }
        let elapsed = self.since.get().map(|since| since.elapsed());
        if elapsed.is_none() {
            self.since.set(Some(Instant::now()));
        }
        let elapsed = elapsed.unwrap_or_default();
        if let Some(patience) = self.patience.filter(|patience| elapsed > *patience)
            && !core.borrow().script.wrote
        {
            return Some(format!("Script ran for more than {} ms without a write", patience.as_millis()).into());
        }
        let threshold = Duration::from_millis(core.borrow().config.busy_reply_threshold_ms);
        let is_overdue = !threshold.is_zero() && elapsed > threshold;
        let watch = self.watch.borrow();
        watch.as_ref().filter(|watch| watch(is_overdue) == Verdict::Kill).map(|_| KILLED.into())
    }
}

/// The line of the script that runs, or that called what runs.
fn line_of(lua: &Lua, debug: &Debug) -> usize {
    let is_script = debug.source().source.as_deref() == Some(SCRIPT_NAME);
    debug.current_line().filter(|_| is_script).unwrap_or_else(|| raise::origin(lua).2)
}

fn set_hook(lua: &Lua, limits: &Rc<Limits>, core: Rc<RefCell<Core>>, lines: Option<Rc<Lines>>) -> mlua::Result<()> {
    let limits = Rc::clone(limits);
    let mut triggers = HookTriggers::new().every_nth_instruction(LOOK_EVERY);
    triggers.every_line = lines.is_some();
    lua.set_global_hook(triggers, move |lua, debug| {
        if let (Some(lines), DebugEvent::Line) = (&lines, debug.event()) {
            lines.count(debug);
            return Ok(VmState::Continue);
        }
        if limits.ended.borrow().is_none() {
            let text = limits.look(&core);
            limits.line.set(text.as_ref().map(|_| line_of(lua, debug)));
            *limits.ended.borrow_mut() = text;
        }
        match &*limits.ended.borrow() {
            None => Ok(VmState::Continue),
            Some(text) => Err(mlua::Error::external(Raised::Fatal(text.to_string()))),
        }
    })
}

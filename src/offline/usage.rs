//! What the code of a script uses: globals, libraries, commands, and keys inside of longer texts.
//!
//! The registers of the virtual machine are followed in the order of the text, as far as their contents are certain.
//! Where two ways through the code meet, what only one of them assigned is not.

use crate::offline::bytecode::{IS_CONSTANT, Instruction, JUMP_BIAS, Operation, Prototype};

/// The functions of Redis that run a command.
const CALLS: [&str; 2] = ["call", "pcall"];

/// What is certain about a register.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Known {
    #[default]
    Nothing,
    Global(String),
    /// A field of a global, as `redis.call`.
    Member(String, String),
    Text(String),
    /// A key, by the name of the local that holds it.
    Key(String),
    /// Several texts in one.
    Joined,
}

/// One use, and its line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Use {
    pub line: usize,
    pub what: What,
}

/// What is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    ReadGlobal(String),
    WriteGlobal(String),
    /// A field of a global is read; none where its name is not certain.
    Member(String, Option<String>),
    WriteMember(String),
    /// A command of Redis, if its name is certain, and its first argument.
    Command(Option<String>, Known),
    /// A key becomes a part of another text.
    KeyJoined(String),
    /// `redis.call` is put aside instead of called.
    CallKept,
}

/// Everything that a function and those inside it use.
pub fn uses(main: &Prototype) -> Vec<Use> {
    let mut found = Walk::new(main).run();
    found.extend(main.inner.iter().flat_map(uses));
    found
}

struct Walk<'a> {
    function: &'a Prototype,
    /// What is known of each register, and the instruction that put it there.
    registers: Vec<(Known, usize)>,
    at: usize,
    found: Vec<Use>,
}

impl<'a> Walk<'a> {
    fn new(function: &'a Prototype) -> Self {
        // A register has eight bits; calls look two further.
        Self { function, registers: vec![(Known::Nothing, 0); 260], at: 0, found: Vec::new() }
    }

    fn run(mut self) -> Vec<Use> {
        while let Some(instruction) = self.function.code.get(self.at).copied() {
            self.join_ways();
            self.step(instruction);
            self.at += 1;
        }
        self.found
    }

    /// Forgets what only one of the ways to here assigned.
    fn join_ways(&mut self) {
        let code = self.function.code.iter().enumerate().take(self.at);
        let jumps = code.filter(|(_, code)| code.operation == Operation::Jump);
        let here = jumps.filter(|(from, jump)| from + 1 + jump.bx == self.at + JUMP_BIAS).map(|(from, _)| from);
        if let Some(first) = here.min() {
            let unsure = self.registers.iter_mut().filter(|(_, since)| *since > first);
            unsure.for_each(|(known, _)| *known = Known::Nothing);
        }
    }

    fn step(&mut self, code: Instruction) {
        let Instruction { operation, a, b, c, bx, .. } = code;
        match operation {
            Operation::Move => {
                self.keep(b..b + 1);
                self.set(a, self.known(b));
            }
            Operation::LoadK => self.set(a, self.constant(bx)),
            Operation::LoadNil => (a..=b).for_each(|register| self.set(register, Known::Nothing)),
            Operation::GetUpvalue => {
                let name = self.function.upvalues.get(b).cloned().unwrap_or_default();
                self.set(a, key_named(&name).unwrap_or_default());
            }
            Operation::GetGlobal => {
                let name = self.function.text(bx).unwrap_or_default().to_owned();
                self.note(What::ReadGlobal(name.clone()));
                self.set(a, Known::Global(name));
            }
            Operation::SetGlobal => {
                self.note(What::WriteGlobal(self.function.text(bx).unwrap_or_default().to_owned()));
            }
            Operation::GetTable => self.get_field(a, b, c),
            Operation::SetTable => {
                if let Known::Global(name) = self.known(a) {
                    self.note(What::WriteMember(name));
                }
                [b, c].into_iter().filter(|operand| *operand < IS_CONSTANT).for_each(|at| self.keep(at..at + 1));
            }
            Operation::Concat => {
                (b..=c).for_each(|register| self.join(register));
                self.set(a, Known::Joined);
            }
            Operation::Call | Operation::TailCall => self.call(a, b),
            Operation::Return => self.keep(a..a + b.saturating_sub(1)),
            Operation::SetUpvalue => self.keep(a..a + 1),
            Operation::SetList => {
                self.keep(a + 1..a + 1 + b);
                // A long list has its number in the place of the next instruction.
                self.at += usize::from(c == 0);
            }
            Operation::Closure => self.close_over(a, bx),
            Operation::SelfCall => self.forget(a..a + 2),
            Operation::ForLoop | Operation::ForPrepare => self.forget(a..a + 4),
            Operation::ForEach => self.forget(a + 3..a + 4 + c),
            Operation::VarArg => self.forget(a..self.registers.len()),
            Operation::Assign | Operation::TestSet => self.set(a, Known::Nothing),
            Operation::Jump | Operation::Test | Operation::Close => {}
        }
    }

    fn get_field(&mut self, a: usize, b: usize, c: usize) {
        let field = (c >= IS_CONSTANT).then(|| self.function.text(c - IS_CONSTANT).map(str::to_owned)).flatten();
        let known = match (self.known(b), &field) {
            (Known::Global(name), _) => {
                self.note(What::Member(name.clone(), field.clone()));
                field.map_or(Known::Nothing, |field| Known::Member(name, field))
            }
            // Helpers are given all keys of a script in one table.
            (_, Some(field)) if self.function.local(b, self.at) == Some("keys") => Known::Key(format!("keys.{field}")),
            _ => Known::Nothing,
        };
        self.set(a, known);
    }

    fn call(&mut self, a: usize, b: usize) {
        let last = if b == 0 { a + 2 } else { a + b - 1 };
        match self.known(a) {
            function if is_call(&function) => {
                let command = match self.known(a + 1) {
                    Known::Text(text) => Some(text.to_ascii_uppercase()),
                    _ => None,
                };
                let first = if last >= a + 2 { self.known(a + 2) } else { Known::Nothing };
                self.note(What::Command(command, first));
            }
            Known::Member(library, name) if library == "string" || (library == "table" && name == "concat") => {
                (a + 1..=last).for_each(|register| self.join(register));
            }
            _ => {}
        }
        self.keep(a + 1..last + 1);
        self.forget(a..self.registers.len());
    }

    /// The instructions behind one that makes a closure are no instructions: they say what it takes along.
    fn close_over(&mut self, a: usize, index: usize) {
        for _ in 0..self.function.captures(index) {
            self.at += 1;
            let Some(capture) = self.function.code.get(self.at) else { return };
            if capture.operation == Operation::Move {
                self.keep(capture.b..capture.b + 1);
            }
        }
        self.set(a, Known::Nothing);
    }

    fn join(&mut self, register: usize) {
        if let Known::Key(name) = self.known(register) {
            self.note(What::KeyJoined(name));
        }
    }

    fn keep(&mut self, registers: std::ops::Range<usize>) {
        if registers.into_iter().any(|register| is_call(&self.known(register))) {
            self.note(What::CallKept);
        }
    }

    fn known(&self, register: usize) -> Known {
        let named = self.function.local(register, self.at).and_then(key_named);
        named.or_else(|| self.registers.get(register).map(|(known, _)| known.clone())).unwrap_or_default()
    }

    fn constant(&self, index: usize) -> Known {
        self.function.text(index).map_or(Known::Nothing, |text| Known::Text(text.to_owned()))
    }

    fn set(&mut self, register: usize, known: Known) {
        if let Some(slot) = self.registers.get_mut(register) {
            *slot = (known, self.at);
        }
    }

    fn forget(&mut self, registers: std::ops::Range<usize>) {
        registers.into_iter().for_each(|register| self.set(register, Known::Nothing));
    }

    fn note(&mut self, what: What) {
        let line = self.function.code.get(self.at).map_or(0, |code| code.line);
        self.found.push(Use { line, what });
    }
}

fn key_named(name: &str) -> Option<Known> {
    name.ends_with("_key").then(|| Known::Key(name.to_owned()))
}

fn is_call(known: &Known) -> bool {
    matches!(known, Known::Member(library, name) if library == "redis" && CALLS.contains(&name.as_str()))
}

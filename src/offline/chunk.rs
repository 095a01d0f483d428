//! The lines of a Lua text on which something can run, read from what the compiler makes of it.
//!
//! The format is that of Lua 5.1 on this machine. Every instruction has its line. Some do not count: the return that
//! the compiler puts at the end of each function, because most functions return before they reach it, and what follows
//! a test, a loop or a tail call, because those jump on their own.

use std::collections::BTreeSet;

use mlua::{Lua, LuaOptions, StdLib};

/// Signature, version, format and sizes.
const HEADER_BYTES: usize = 12;
/// Upvalues, parameters, whether more may follow, stack.
const FUNCTION_BYTES: usize = 4;
const INSTRUCTION_BYTES: usize = 4;
const NUMBER_BYTES: usize = 8;
/// The bits of an instruction that say what it does.
const OPCODE: u8 = 0x3f;
/// EQ, LT, LE, TEST, TESTSET, TAILCALL, TFORLOOP: the interpreter takes in what follows, or never comes to it.
const DOUBLE: [u8; 7] = [23, 24, 25, 26, 27, 29, 33];
/// Types of constants.
const NIL: u8 = 0;
const BOOLEAN: u8 = 1;
const NUMBER: u8 = 3;
const STRING: u8 = 4;

/// The lines of a text that can run, from 1. Fails where the text is no Lua.
pub fn executable_lines(text: &str) -> mlua::Result<BTreeSet<usize>> {
    let lua = Lua::new_with(StdLib::NONE, LuaOptions::default())?;
    let bytes = lua.load(text).into_function()?.dump(false);
    let mut lines = BTreeSet::new();
    let read = bytes.get(HEADER_BYTES..).and_then(|rest| Reader { rest }.function(&mut lines));
    read.map(|()| lines).ok_or_else(|| mlua::Error::runtime("compiled Lua is not of the form that is known"))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn function(&mut self, lines: &mut BTreeSet<usize>) -> Option<()> {
        self.text()?;
        self.skip(2 * size_of::<i32>() + FUNCTION_BYTES)?;
        let instructions = self.int()?;
        let code = self.take(instructions * INSTRUCTION_BYTES)?;
        let opcodes: Vec<_> = code.chunks_exact(INSTRUCTION_BYTES).map(opcode).collect();
        for _ in 0..self.int()? {
            self.constant()?;
        }
        for _ in 0..self.int()? {
            self.function(lines)?;
        }
        let count = self.int()?;
        let found = (0..count).map(|_| self.int()).collect::<Option<Vec<_>>>()?;
        let is_part = |index: usize| index > 0 && opcodes.get(index - 1).is_some_and(|code| DOUBLE.contains(code));
        lines.extend((0..count.saturating_sub(1)).filter(|index| !is_part(*index)).map(|index| found[index]));
        for _ in 0..self.int()? {
            self.text()?;
            self.skip(2 * size_of::<i32>())?;
        }
        (0..self.int()?).try_for_each(|_| self.text())
    }

    fn constant(&mut self) -> Option<()> {
        let kind = *self.take(1)?.first()?;
        match kind {
            NIL => Some(()),
            BOOLEAN => self.skip(1),
            NUMBER => self.skip(NUMBER_BYTES),
            STRING => self.text(),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<()> {
        let length = usize::from_ne_bytes(self.take(size_of::<usize>())?.try_into().ok()?);
        self.skip(length)
    }

    fn int(&mut self) -> Option<usize> {
        let bytes = self.take(size_of::<i32>())?.try_into().ok()?;
        usize::try_from(i32::from_ne_bytes(bytes)).ok()
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}

/// What an instruction does; its low bits are in the byte that comes first or last, as the machine orders them.
fn opcode(instruction: &[u8]) -> u8 {
    let low = if cfg!(target_endian = "little") { instruction.first() } else { instruction.last() };
    low.map_or(0, |byte| byte & OPCODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_instructions_are_found_in_all_functions() {
        let text = "-- nothing\nlocal a = 1\n\nlocal function f(x)\n  if x then\n    return 'y'\n  end\n  return nil\nend\n\
                    return f(a), true\n";
        let lines: Vec<_> = executable_lines(text).expect("it is Lua").into_iter().collect();
        assert_eq!(lines, [2, 5, 6, 8, 9, 10]);
    }

    #[test]
    fn the_ends_of_blocks_that_nothing_runs_on_do_not_count() {
        let text = "for _, x in pairs(t) do\n  if x then\n    f(x)\n  end\nend\nreturn f({\n  x = 1,\n})\n";
        let lines: Vec<_> = executable_lines(text).expect("it is Lua").into_iter().collect();
        assert_eq!(lines, [1, 2, 3, 6, 7]);
    }

    #[test]
    fn what_is_no_lua_is_an_error() {
        assert!(executable_lines("return return").is_err());
    }
}

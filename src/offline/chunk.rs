//! The lines of a Lua text on which something can run, read from what the compiler makes of it.
//!
//! Every instruction has its line. Some do not count: the return that the compiler puts at the end of each function,
//! because most functions return before they reach it, and what follows a test, a loop or a tail call, because those
//! jump on their own.

use std::collections::BTreeSet;

use mlua::{Lua, LuaOptions, StdLib};

use crate::offline::bytecode::{Operation, Prototype};

/// The lines of a text that can run, from 1. Fails where the text is no Lua.
pub fn executable_lines(text: &str) -> mlua::Result<BTreeSet<usize>> {
    let lua = Lua::new_with(StdLib::NONE, LuaOptions::default())?;
    let main = Prototype::read(&lua.load(text).into_function()?.dump(false));
    let main = main.ok_or_else(|| mlua::Error::runtime("compiled Lua is not of the form that is known"))?;
    let mut lines = BTreeSet::new();
    add_lines(&main, &mut lines);
    Ok(lines)
}

fn add_lines(function: &Prototype, lines: &mut BTreeSet<usize>) {
    let code = &function.code[..function.code.len().saturating_sub(1)];
    let before = std::iter::once(None).chain(code.iter().map(Some));
    let own = code.iter().zip(before).filter(|(_, before)| !before.is_some_and(|before| takes_next(before.operation)));
    lines.extend(own.map(|(instruction, _)| instruction.line));
    function.inner.iter().for_each(|inner| add_lines(inner, lines));
}

/// Whether the interpreter takes in what follows, or never comes to it.
fn takes_next(operation: Operation) -> bool {
    matches!(operation, Operation::Test | Operation::TestSet | Operation::TailCall | Operation::ForEach)
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

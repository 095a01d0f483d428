//! What the compiler of Lua 5.1 makes of a text: instructions, constants, names and lines, read from `string.dump`.
//!
//! Only the form that this machine's own interpreter writes is read: it comes from the same process. Whatever does not
//! have that form answers as none. It judges nothing.

/// Marks a binary chunk, with the version of the format.
const SIGNATURE: &[u8] = b"\x1bLua\x51\x00";

/// A constant as far as anybody asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Constant {
    Text(String),
    Other,
}

/// What an instruction does. The names are those of the virtual machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Move,
    LoadK,
    LoadNil,
    GetUpvalue,
    GetGlobal,
    GetTable,
    SetGlobal,
    SetUpvalue,
    SetTable,
    SelfCall,
    Concat,
    Jump,
    Call,
    TailCall,
    Return,
    ForLoop,
    ForPrepare,
    ForEach,
    SetList,
    Closure,
    VarArg,
    /// Puts something into register `a` of which nothing is known.
    Assign,
    /// Compares, and skips the jump behind it or takes it at once.
    Test,
    /// As `Test`, and may put the value into register `a`.
    TestSet,
    /// Ends the lives of locals that closures took along.
    Close,
}

/// One instruction with its operands; `bx` is what `b` and `c` are together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instruction {
    pub operation: Operation,
    pub a: usize,
    pub b: usize,
    pub c: usize,
    pub bx: usize,
    /// Line of the text, from 1.
    pub line: usize,
}

/// A local and the instructions between which it lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Local {
    pub name: String,
    start: usize,
    end: usize,
}

/// One function.
#[derive(Debug, Default)]
pub struct Prototype {
    pub code: Vec<Instruction>,
    pub constants: Vec<Constant>,
    /// The functions inside it.
    pub inner: Vec<Prototype>,
    /// Names of the locals of outer functions that it uses.
    pub upvalues: Vec<String>,
    upvalue_count: usize,
    locals: Vec<Local>,
}

impl Prototype {
    /// Reads a dumped function with all that are inside it.
    pub fn read(dump: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: dump.strip_prefix(SIGNATURE)? };
        // Order of bytes; sizes of int, size_t, instruction and number; whether numbers are integers.
        let form = [u8::from(cfg!(target_endian = "little")), 4, size_of::<usize>() as u8, 4, 8, 0];
        (reader.take(form.len())? == form).then(|| reader.function()).flatten()
    }

    /// Name of the local in a register, while instruction `at` runs.
    pub fn local(&self, register: usize, at: usize) -> Option<&str> {
        let mut living = self.locals.iter().filter(|local| local.start <= at && at < local.end);
        living.nth(register).map(|local| local.name.as_str())
    }

    /// The text of a constant.
    pub fn text(&self, index: usize) -> Option<&str> {
        match self.constants.get(index)? {
            Constant::Text(text) => Some(text),
            Constant::Other => None,
        }
    }

    /// How many instructions behind one that makes a closure say which upvalues it takes along.
    pub fn captures(&self, index: usize) -> usize {
        self.inner.get(index).map_or(0, |inner| inner.upvalue_count)
    }
}

/// Bit of an operand that says that it is a constant, not a register.
pub const IS_CONSTANT: usize = 256;
/// What is added to the distance of a jump, so that it is never negative.
pub const JUMP_BIAS: usize = 131_071;

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn int(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(i32::from_ne_bytes(bytes)).ok()
    }

    /// A text, which ends in a zero byte; one of length 0 is absent.
    fn string(&mut self) -> Option<String> {
        let length = usize::from_ne_bytes(self.take(size_of::<usize>())?.try_into().ok()?);
        let bytes = self.take(length)?;
        Some(String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes)).into_owned())
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.int()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn function(&mut self) -> Option<Prototype> {
        self.string()?;
        // First and last line.
        self.take(8)?;
        let upvalue_count = usize::from(self.byte()?);
        // Parameters, whether it takes more, registers.
        self.take(3)?;
        let words = self.list(|reader| Some(u32::from_ne_bytes(reader.take(4)?.try_into().ok()?)))?;
        let constants = self.list(Self::constant)?;
        let inner = self.list(Self::function)?;
        let lines = self.list(Self::int)?;
        let locals =
            self.list(|reader| Some(Local { name: reader.string()?, start: reader.int()?, end: reader.int()? }))?;
        let upvalues = self.list(Self::string)?;
        let code = words.into_iter().zip(lines.into_iter().chain(std::iter::repeat(0)));
        let code = code.map(|(word, line)| instruction(word, line)).collect();
        Some(Prototype { code, constants, inner, upvalues, upvalue_count, locals })
    }

    fn constant(&mut self) -> Option<Constant> {
        match self.byte()? {
            0 => Some(Constant::Other),
            1 => self.take(1).map(|_| Constant::Other),
            3 => self.take(8).map(|_| Constant::Other),
            4 => self.string().map(Constant::Text),
            _ => None,
        }
    }
}

fn instruction(word: u32, line: usize) -> Instruction {
    let bits = |from: u32, count: u32| (word >> from & ((1 << count) - 1)) as usize;
    let (a, c, b, bx) = (bits(6, 8), bits(14, 9), bits(23, 9), bits(14, 18));
    Instruction { operation: operation(bits(0, 6)), a, b, c, bx, line }
}

fn operation(code: usize) -> Operation {
    match code {
        0 => Operation::Move,
        1 => Operation::LoadK,
        3 => Operation::LoadNil,
        4 => Operation::GetUpvalue,
        5 => Operation::GetGlobal,
        6 => Operation::GetTable,
        7 => Operation::SetGlobal,
        8 => Operation::SetUpvalue,
        9 => Operation::SetTable,
        11 => Operation::SelfCall,
        21 => Operation::Concat,
        22 => Operation::Jump,
        28 => Operation::Call,
        29 => Operation::TailCall,
        30 => Operation::Return,
        31 => Operation::ForLoop,
        32 => Operation::ForPrepare,
        33 => Operation::ForEach,
        34 => Operation::SetList,
        36 => Operation::Closure,
        37 => Operation::VarArg,
        23..=26 => Operation::Test,
        27 => Operation::TestSet,
        35 => Operation::Close,
        _ => Operation::Assign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(text: &str) -> Prototype {
        let lua = mlua::Lua::new();
        let function = lua.load(text).into_function().expect("the text is Lua");
        Prototype::read(&function.dump(false)).expect("the dump is of this format")
    }

    #[test]
    fn globals_locals_lines_and_inner_functions_are_read() {
        let main = compiled("local a_key = 1\nfoo = bar\nlocal function f() return a_key end\nreturn f");
        let globals: Vec<_> = main
            .code
            .iter()
            .filter(|code| matches!(code.operation, Operation::GetGlobal | Operation::SetGlobal))
            .map(|code| (code.operation, main.text(code.bx), code.line))
            .collect();
        assert_eq!(globals, [(Operation::GetGlobal, Some("bar"), 2), (Operation::SetGlobal, Some("foo"), 2)]);
        assert_eq!(main.local(0, 1), Some("a_key"));
        assert_eq!(main.inner[0].upvalues, ["a_key"]);
        assert_eq!(main.captures(0), 1);
    }

    #[test]
    fn what_is_cut_short_is_none() {
        let dump = mlua::Lua::new().load("return x .. 'y'").into_function().expect("the text is Lua").dump(false);
        assert!((0..dump.len()).all(|length| Prototype::read(&dump[..length]).is_none()));
        assert!(Prototype::read(b"return x").is_none());
    }
}

//! The module `struct`: C-like packing of numbers and strings.

use mlua::{Lua, MultiValue, Table, Value};

use super::convert::until_nul;
use super::raise::{bad_argument, raise, type_name};
use super::random::number;

/// Most bytes of one integer.
const INTEGER_BYTES_MAX: usize = 32;

/// The letters that stand for something.
const OPTIONS: &[u8] = b"bBhHlLTdfscxiI";

/// Builds the module.
pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("pack", lua.create_function(pack)?)?;
    module.raw_set("unpack", lua.create_function(unpack)?)?;
    module.raw_set("size", lua.create_function(size)?)?;
    Ok(module)
}

/// A format being read, with its byte order and alignment.
struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    little: bool,
    align: usize,
    /// Whose argument it is.
    function: &'static str,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, text: &'a [u8], function: &'static str) -> Format<'a> {
        Format { lua, rest: until_nul(text), little: cfg!(target_endian = "little"), align: 1, function }
    }

    /// A decimal number at the cursor, or a default.
    fn count(&mut self, default: usize) -> mlua::Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let (head, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let text = std::str::from_utf8(head).unwrap_or_default();
        text.parse::<i32>().map(|count| count as usize).map_err(|_| raise(self.lua, "integral size overflow"))
    }

    /// The next option that stands for data: its letter, its size and the padding before it.
    fn next(&mut self, position: usize) -> mlua::Result<Option<(u8, usize, usize)>> {
        while let Some((&option, rest)) = self.rest.split_first() {
            self.rest = rest;
            match option {
                b' ' => {}
                // What it does not know counts for nothing there.
                other if self.function == "size" && other.is_ascii_alphanumeric() && !OPTIONS.contains(&other) => {}
                b'>' => self.little = false,
                b'<' => self.little = true,
                b'!' => {
                    self.align = self.count(8)?;
                    if !self.align.is_power_of_two() {
                        let align = self.align;
                        return Err(raise(self.lua, format_args!("alignment {align} is not a power of 2")));
                    }
                }
                _ => {
                    let size = self.size(option)?;
                    let unaligned = matches!(option, b'c' | b's' | b'x') || size <= 1;
                    let align = if unaligned { 1 } else { size.min(self.align) };
                    // Odd as this is for sizes that are no powers of two, it is what the library computes.
                    let padding = (align - (position & (align - 1))) & (align - 1);
                    return Ok(Some((option, size, padding)));
                }
            }
        }
        Ok(None)
    }

    fn size(&mut self, option: u8) -> mlua::Result<usize> {
        Ok(match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b's' => 0,
            b'c' => self.count(1)?,
            b'i' | b'I' => {
                let size = self.count(4)?;
                if size > INTEGER_BYTES_MAX {
                    let text = format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
                    return Err(raise(self.lua, text));
                }
                size
            }
            other => {
                return Err(bad_argument(
                    self.lua,
                    1,
                    self.function,
                    &format!("invalid format option '{}'", char::from(other)),
                ));
            }
        })
    }

    fn ordered(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !self.little {
            bytes.reverse();
        }
        bytes
    }
}

fn text_argument(lua: &Lua, args: &MultiValue, index: usize, name: &str) -> mlua::Result<Vec<u8>> {
    let value = args.get(index).cloned().unwrap_or(Value::Nil);
    match lua.coerce_string(value.clone())? {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => {
            let got = if index < args.len() { type_name(&value) } else { "no value" };
            Err(bad_argument(lua, index + 1, name, &format!("string expected, got {got}")))
        }
    }
}

fn pack(lua: &Lua, mut args: MultiValue) -> mlua::Result<mlua::LuaString> {
    let text = text_argument(lua, &args, 0, "pack")?;
    // The library ends its arguments with a nil of its own, which its messages show.
    args.push_back(Value::Nil);
    let mut format = Format::new(lua, &text, "pack");
    let mut out: Vec<u8> = Vec::new();
    let mut index = 1;
    while let Some((option, size, padding)) = format.next(out.len())? {
        out.resize(out.len() + padding, 0);
        match option {
            b'x' => {
                out.push(0);
                continue;
            }
            b's' | b'c' => {
                let item = text_argument(lua, &args, index, "pack")?;
                let size = if option == b's' || size == 0 { item.len() } else { size };
                if item.len() < size {
                    return Err(bad_argument(lua, index + 2, "pack", "string too short"));
                }
                out.extend_from_slice(&item[..size]);
                if option == b's' {
                    out.push(0);
                }
            }
            b'f' => {
                let value = number(lua, &args, index, "pack")? as f32;
                out.extend(format.ordered(value.to_le_bytes().to_vec()));
            }
            b'd' => {
                let value = number(lua, &args, index, "pack")?;
                out.extend(format.ordered(value.to_le_bytes().to_vec()));
            }
            _ => {
                let value = number(lua, &args, index, "pack")?;
                out.extend(format.ordered(integer_bytes(value, size)));
            }
        }
        index += 1;
    }
    lua.create_string(out)
}

/// The low bytes of a number; past the eighth they are zero.
fn integer_bytes(value: f64, size: usize) -> Vec<u8> {
    let value = match value {
        value if value < 0.0 => value as i64,
        // What casts of C on x86 give.
        value if value.is_nan() => i64::MIN,
        value if value >= 18446744073709551616.0 => 0,
        value => value as u64 as i64,
    };
    let mut bytes = value.to_le_bytes().to_vec();
    bytes.resize(size.max(8), 0);
    bytes.truncate(size);
    bytes
}

fn unpack(lua: &Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let text = text_argument(lua, &args, 0, "unpack")?;
    let data = text_argument(lua, &args, 1, "unpack")?;
    let mut at = match args.get(2) {
        None | Some(Value::Nil) => 0,
        Some(_) => {
            let start = number(lua, &args, 2, "unpack")?;
            if start < 1.0 {
                return Err(bad_argument(lua, 3, "unpack", "offset must be 1 or greater"));
            }
            start as usize - 1
        }
    };
    let mut format = Format::new(lua, &text, "unpack");
    let mut values: Vec<Value> = Vec::new();
    while let Some((option, mut size, padding)) = format.next(at)? {
        at = at.saturating_add(padding);
        if option == b'c' && size == 0 {
            // A text that reads as a number counts as one.
            size = match values.pop().map(|value| lua.coerce_number(value)).transpose()?.flatten() {
                Some(length) if length >= 0.0 => length as usize,
                Some(_) => usize::MAX,
                None => return Err(raise(lua, "format 'c0' needs a previous size")),
            };
        }
        let short = || bad_argument(lua, 2, "unpack", "data string too short");
        let item = data.get(at..at.saturating_add(size)).ok_or_else(short)?;
        at += size;
        match option {
            b'x' => {}
            b'c' => values.push(Value::String(lua.create_string(item)?)),
            b's' => {
                let length = data[at..].iter().position(|byte| *byte == 0);
                let length = length.ok_or_else(|| raise(lua, "unfinished string in data"))?;
                values.push(Value::String(lua.create_string(&data[at..at + length])?));
                at += length + 1;
            }
            _ => values.push(Value::Number(decode_number(option, format.ordered(item.to_vec())))),
        }
    }
    values.push(Value::Number(at as f64 + 1.0));
    Ok(MultiValue::from_vec(values))
}

/// A number from its bytes, lowest first.
fn decode_number(option: u8, bytes: Vec<u8>) -> f64 {
    let mut wide = [0; 8];
    let kept = bytes.len().min(8);
    wide[..kept].copy_from_slice(&bytes[..kept]);
    let value = u64::from_le_bytes(wide);
    match option {
        b'f' => f64::from(f32::from_bits(value as u32)),
        b'd' => f64::from_bits(value),
        option if option.is_ascii_lowercase() => {
            // The shift of C on x86: of sizes beyond eight the sign is looked for in the wrong place.
            let mask = u64::MAX << ((8 * bytes.len()).wrapping_sub(1) & 63);
            (if value & mask != 0 { value | mask } else { value }) as i64 as f64
        }
        _ => value as f64,
    }
}

fn size(lua: &Lua, args: MultiValue) -> mlua::Result<f64> {
    let text = text_argument(lua, &args, 0, "size")?;
    let mut format = Format::new(lua, &text, "size");
    let mut total = 0;
    while let Some((option, size, padding)) = format.next(total)? {
        if option == b's' {
            return Err(bad_argument(lua, 1, "size", "option 's' has no fixed size"));
        }
        if option == b'c' && size == 0 {
            return Err(bad_argument(lua, 1, "size", "option 'c0' has no fixed size"));
        }
        total += padding + size;
    }
    Ok(total as f64)
}

//! `math.random` on the 48-bit generator of drand48, whose numbers Redis promises to every script.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Value};

use super::convert::truncate;
use super::raise::{bad_argument, raise, type_name};

const START: u64 = 0x1234_ABCD_330E;
const FACTOR: u64 = 0x5_DEEC_E66D;
const MASK: u64 = (1 << 48) - 1;
/// Redis draws below 2^31 - 1.
const RANGE: u64 = 0x7FFF_FFFF;

/// The generator; its state goes on from script to script.
#[derive(Clone)]
pub struct Generator(Rc<Cell<u64>>);

impl Default for Generator {
    fn default() -> Self {
        Generator(Rc::new(Cell::new(START)))
    }
}

impl Generator {
    fn seed(&self, seed: i32) {
        self.0.set((u64::from(seed as u32) << 16) | 0x330E);
    }

    fn draw(&self) -> f64 {
        let next = (self.0.get().wrapping_mul(FACTOR) + 0xB) & MASK;
        self.0.set(next);
        ((next >> 17) % RANGE) as f64 / RANGE as f64
    }
}

/// An argument as a number, in the way of `luaL_checknumber`.
pub fn number(lua: &Lua, args: &MultiValue, index: usize, name: &str) -> mlua::Result<f64> {
    let value = args.get(index);
    let number = match value {
        Some(Value::Integer(number)) => Some(*number as f64),
        Some(Value::Number(number)) => Some(*number),
        Some(other) => lua.coerce_number(other.clone())?,
        None => None,
    };
    number.ok_or_else(|| {
        let got = value.map_or("no value", type_name);
        bad_argument(lua, index + 1, name, &format!("number expected, got {got}"))
    })
}

/// An argument as an `int` of C, in the way of `luaL_checkint` on x86.
pub fn integer(lua: &Lua, args: &MultiValue, index: usize, name: &str) -> mlua::Result<i32> {
    Ok(truncate(number(lua, args, index, name)?) as i32)
}

/// `math.random` and `math.randomseed`.
pub fn functions(lua: &Lua) -> mlua::Result<(Function, Function)> {
    let generator = Generator::default();
    let seeded = generator.clone();
    let random = lua.create_function(move |lua, args: MultiValue| {
        let draw = generator.draw();
        let (low, high) = match args.len() {
            0 => return Ok(draw),
            1 => (1, integer(lua, &args, 0, "random")?),
            2 => (integer(lua, &args, 0, "random")?, integer(lua, &args, 1, "random")?),
            _ => return Err(raise(lua, "wrong number of arguments")),
        };
        if low > high {
            return Err(bad_argument(lua, args.len(), "random", "interval is empty"));
        }
        Ok((draw * f64::from(high.wrapping_sub(low).wrapping_add(1))).floor() + f64::from(low))
    })?;
    let randomseed = lua.create_function(move |lua, args: MultiValue| {
        seeded.seed(integer(lua, &args, 0, "randomseed")?);
        Ok(())
    })?;
    Ok((random, randomseed))
}

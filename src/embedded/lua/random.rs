//! `math.random` on the 48-bit generator of drand48, whose numbers Redis promises to every script.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Value};

use super::raise::{bad_argument, raise};

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
        let got = value.map_or("no value", Value::type_name);
        bad_argument(lua, index + 1, name, &format!("number expected, got {got}"))
    })
}

/// `math.random` and `math.randomseed`.
pub fn functions(lua: &Lua) -> mlua::Result<(Function, Function)> {
    let generator = Generator::default();
    let seeded = generator.clone();
    let random = lua.create_function(move |lua, args: MultiValue| {
        let draw = generator.draw();
        let (low, high) = match args.len() {
            0 => return Ok(draw),
            1 => (1.0, number(lua, &args, 0, "random")?.trunc()),
            2 => (number(lua, &args, 0, "random")?.trunc(), number(lua, &args, 1, "random")?.trunc()),
            _ => return Err(raise(lua, "wrong number of arguments")),
        };
        if low > high {
            return Err(bad_argument(lua, args.len(), "random", "interval is empty"));
        }
        Ok((draw * (high - low + 1.0)).floor() + low)
    })?;
    let randomseed = lua.create_function(move |lua, args: MultiValue| {
        seeded.seed(number(lua, &args, 0, "randomseed")? as i64 as i32);
        Ok(())
    })?;
    Ok((random, randomseed))
}

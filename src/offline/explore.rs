//! The words `explore` and `fleet` of the test language: the steps of a test are played in every order, on its store.
//!
//! Steps are undone by putting keys, clock, messages and the table `memory` of the test back. A step that keeps
//! anything elsewhere is found out when the failing order is played again.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use mlua::{Function, Lua, Table};

use crate::offline::language::{CHUNK, Shared, located, message_of};
use crate::offline::memory::Kept;
use crate::offline::search::{self, Event, Explored, Plan, Played, STEPS_MAX, Stage, Step};
use crate::offline::world::Saved;

const LANGUAGE: [&str; 3] = [include_str!("explore.lua"), include_str!("directory.lua"), include_str!("fleet.lua")];

/// Adds the words to the language; `native` is what its other words are made of.
pub fn add(lua: &Lua, world: &Shared, spent: &Rc<Cell<u64>>, native: &Table) -> mlua::Result<()> {
    let (world, spent) = (Rc::clone(world), Rc::clone(spent));
    let explore = lua.create_function(move |lua, plan: Table| {
        let outcome = run(lua, &world, &spent, &plan);
        outcome.map(|covered| (covered.orders, covered.states)).map_err(|message| placed(lua, message))
    })?;
    native.set("explore", explore)?;
    LANGUAGE.iter().try_for_each(|text| lua.load(*text).set_name("=prelude").call(native))
}

fn run(lua: &Lua, world: &Shared, spent: &Rc<Cell<u64>>, given: &Table) -> Result<Explored, String> {
    let plan = read_plan(given).map_err(|error| message_of(&error))?;
    let order: Option<Vec<String>> = given.get("order").map_err(|error| message_of(&error))?;
    let mut theatre = Theatre::new(lua, world, spent, given).map_err(|error| message_of(&error))?;
    let start = theatre.place()?;
    let outcome = match order {
        None => search::search(&mut theatre, &plan),
        Some(order) => search::replay(&mut theatre, &plan, &parse_order(&plan, &order)?),
    };
    let outcome = outcome.map_err(|failure| match failure.order {
        None => failure.message,
        Some(order) => {
            let again = theatre.return_to(&start).map(|()| search::replay(&mut theatre, &plan, &order));
            let is_real = matches!(&again, Ok(Err(again)) if again.order.as_ref() == Some(&order));
            describe(&plan, &failure.message, &order, failure.explored.states, is_real)
        }
    });
    theatre.return_to(&start)?;
    let explored = outcome?;
    world.borrow_mut().add_explored(explored);
    Ok(explored)
}

/// An error with the line of the test where it came up, or else where it explores.
fn placed(lua: &Lua, message: String) -> mlua::Error {
    match message.starts_with(CHUNK) {
        true => mlua::Error::RuntimeError(message),
        false => located(lua, &message),
    }
}

fn read_plan(given: &Table) -> mlua::Result<Plan> {
    let mut plan = Plan { crash: given.get("crash")?, states_max: given.get("states_max")?, ..Plan::default() };
    for step in given.get::<Vec<Table>>("steps")? {
        let by = step.get::<Option<String>>("by")?.map(|name| {
            let known = plan.callers.iter().position(|caller| *caller == name);
            known.unwrap_or_else(|| {
                plan.callers.push(name);
                plan.callers.len() - 1
            })
        });
        let after = step.get::<Vec<usize>>("after")?.into_iter().fold(0, |mask, step| mask | 1 << (step - 1));
        plan.steps.push(Step { name: step.get("name")?, by, after });
    }
    if plan.steps.len() > STEPS_MAX {
        return Err(mlua::Error::RuntimeError(format!("more than {STEPS_MAX} steps cannot be explored")));
    }
    Ok(plan)
}

fn parse_order(plan: &Plan, order: &[String]) -> Result<Vec<Event>, String> {
    let parse = |name: &String| plan.parse(name).ok_or_else(|| format!("`order` names `{name}`, which is no step"));
    order.iter().map(parse).collect()
}

/// What a person is told: what failed, and the order in a form that `explore` takes.
fn describe(plan: &Plan, message: &str, order: &[Event], states: u64, is_real: bool) -> String {
    let names: Vec<_> = order.iter().map(|event| format!("    {:?},\n", plan.name(*event))).collect();
    let doubt = match is_real {
        true => "",
        false => "\nPlayed again this order goes otherwise: a step keeps something outside of `memory`.",
    };
    format!(
        "{message}\nThe shortest order that leads there, found after {states} states; put it into the explore to play \
         it alone:\n  order = {{\n{}  }},{doubt}",
        names.concat()
    )
}

/// The store and the memory of the test, with the functions that it gave.
struct Theatre<'a> {
    lua: &'a Lua,
    world: &'a Shared,
    spent: &'a Cell<u64>,
    memory: Table,
    perform: Function,
    check: Function,
    finish: Function,
}

/// A state to come back to.
struct Place {
    saved: Saved,
    memory: Kept,
}

impl<'a> Theatre<'a> {
    fn new(lua: &'a Lua, world: &'a Shared, spent: &'a Cell<u64>, given: &Table) -> mlua::Result<Self> {
        let function = |name: &str| given.get::<Function>(name);
        let (perform, check, finish) = (function("perform")?, function("check")?, function("finish")?);
        Ok(Self { lua, world, spent, memory: given.get("memory")?, perform, check, finish })
    }

    fn return_to(&self, place: &Place) -> Result<(), String> {
        self.world.borrow_mut().return_to(&place.saved);
        place.memory.put_back(self.lua, &self.memory).map_err(|error| message_of(&error))
    }

    fn kept(&self) -> Result<Kept, String> {
        Kept::copy(&self.memory, "memory")
    }

    /// Fingerprint of store and memory.
    fn digest(&self) -> Result<u64, String> {
        let mut hasher = DefaultHasher::new();
        (self.world.borrow_mut().digest(), self.kept()?).hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// Calls a function of the test, which answers a message where something failed. Each call has the whole budget
    /// of instructions: how many there are is bounded by the states.
    fn ask(&self, function: &Function) -> Result<(), String> {
        self.spent.set(0);
        let message: Option<String> = function.call(()).map_err(|error| message_of(&error))?;
        message.map_or(Ok(()), Err)
    }
}

impl Stage for Theatre<'_> {
    type Place = Place;

    fn place(&mut self) -> Result<Place, String> {
        Ok(Place { saved: self.world.borrow_mut().save()?, memory: self.kept()? })
    }

    fn play(&mut self, from: &Place, event: Event) -> Result<Played, String> {
        self.return_to(from)?;
        self.spent.set(0);
        let (step, death, lost, dies) = match event {
            Event::Step(step) => (Some(step + 1), None, None, false),
            Event::Lost { step, call } => (Some(step + 1), None, Some(call), false),
            Event::Cut { step, call } => (Some(step + 1), None, Some(call), true),
            Event::Death(caller) => (None, Some(caller + 1), None, false),
        };
        let answer = self.perform.call((step, death, lost, dies)).map_err(|error| message_of(&error))?;
        let (calls, message): (Option<usize>, Option<String>) = answer;
        match (calls, message) {
            (_, Some(message)) => Err(message),
            (None, None) => Ok(Played::Impossible),
            (Some(calls), None) => Ok(Played::Done { calls, digest: self.digest()? }),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        self.ask(&self.check)
    }

    fn finish(&mut self, place: &Place) -> Result<(), String> {
        self.return_to(place)?;
        self.ask(&self.finish)
    }
}

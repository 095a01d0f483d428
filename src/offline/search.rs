//! Every order of some steps, breadth first, each state once: the shortest order that fails is found first.
//!
//! What a step does is the business of a [`Stage`]; here are only the orders, the deaths of callers, the replies that
//! get lost, what was seen before, and the numbers. It knows neither Lua nor the store.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Most steps of one exploration: each is a bit of a number.
pub const STEPS_MAX: usize = 60;

/// One step as far as orders are concerned.
#[derive(Clone, Debug, Default)]
pub struct Step {
    pub name: String,
    /// Whose step it is, as a position among the callers; none for what happens by itself.
    pub by: Option<usize>,
    /// The steps, one bit each, that have to have run before.
    pub after: u64,
}

/// What is to be explored.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub callers: Vec<String>,
    /// Whether callers die and replies get lost.
    pub crash: bool,
    /// Most states; one more is a failure.
    pub states_max: usize,
}

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    Step(usize),
    /// A step whose n-th script call ran, but its reply was lost, and so it was made again.
    Lost {
        step: usize,
        call: usize,
    },
    /// A step whose caller died when its n-th script call had run, before it saw the reply.
    Cut {
        step: usize,
        call: usize,
    },
    /// A caller dies between its steps.
    Death(usize),
}

/// How a step went.
pub enum Played {
    /// It could not happen in this state.
    Impossible,
    Done {
        /// Script calls that it made.
        calls: usize,
        /// Fingerprint of the state that it led to.
        digest: u64,
    },
}

/// Where steps are played. Errors are what a person is told.
pub trait Stage {
    /// A state to come back to.
    type Place;
    /// The present state.
    fn place(&mut self) -> Result<Self::Place, String>;
    /// Goes to a state and lets something happen there.
    fn play(&mut self, from: &Self::Place, event: Event) -> Result<Played, String>;
    /// Looks at the present state.
    fn check(&mut self) -> Result<(), String>;
    /// Looks at a state in which nothing is left to happen.
    fn finish(&mut self, place: &Self::Place) -> Result<(), String>;
}

/// How much was covered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Explored {
    /// Different orders, from the start to where nothing is left to happen.
    pub orders: u64,
    pub states: u64,
}

impl std::ops::Add for Explored {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let orders = self.orders.saturating_add(other.orders);
        Self { orders, states: self.states.saturating_add(other.states) }
    }
}

/// What went wrong after which events.
#[derive(Debug)]
pub struct Failure {
    pub message: String,
    /// None where no order fails, but there are too many.
    pub order: Option<Vec<Event>>,
    pub explored: Explored,
}

/// Which steps have run, and which never will, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Progress {
    done: u64,
    gone: u64,
}

impl Plan {
    fn all(&self) -> u64 {
        (1 << self.steps.len()) - 1
    }

    fn left(&self, progress: Progress) -> u64 {
        self.all() & !progress.done & !progress.gone
    }

    fn steps_of(&self, caller: usize) -> u64 {
        bits(self.all()).filter(|step| self.steps[*step].by == Some(caller)).fold(0, |mask, step| mask | 1 << step)
    }

    fn may_run(&self, progress: Progress, step: usize) -> bool {
        self.steps[step].after & !progress.done == 0
    }

    /// What is left once something has happened: with a caller go its steps, and with a step all that come after it.
    fn after(&self, mut progress: Progress, event: Event) -> Progress {
        match event {
            Event::Step(step) | Event::Lost { step, .. } => progress.done |= 1 << step,
            // Nobody knows that it ran, so nothing that comes after it will.
            Event::Cut { step, .. } => progress.gone |= 1 << step,
            Event::Death(_) => {}
        }
        let dead = match event {
            Event::Cut { step, .. } => self.steps[step].by,
            Event::Death(caller) => Some(caller),
            Event::Step(_) | Event::Lost { .. } => None,
        };
        progress.gone |= dead.map_or(0, |caller| self.steps_of(caller)) & !progress.done;
        loop {
            let lost = bits(self.left(progress)).filter(|step| self.steps[*step].after & progress.gone != 0);
            let more = lost.fold(0, |mask, step| mask | 1 << step);
            if more == 0 {
                return progress;
            }
            progress.gone |= more;
        }
    }

    /// The part of the progress on which the future depends.
    fn outlook(&self, progress: Progress) -> (u64, u64) {
        let left = self.left(progress);
        let asked = bits(left).fold(0, |mask, step| mask | self.steps[step].after);
        (left, progress.done & asked)
    }

    /// What people are shown for an event, and what [`Plan::parse`] reads.
    pub fn name(&self, event: Event) -> String {
        match event {
            Event::Step(step) => self.steps[step].name.clone(),
            Event::Lost { step, call } => format!("{}{LOST}{call}", self.steps[step].name),
            Event::Cut { step, call } => format!("{}{CUT}{call}", self.steps[step].name),
            Event::Death(caller) => format!("{}{DEATH}", self.callers[caller]),
        }
    }

    /// The event of a name; none if there is no such step or caller.
    pub fn parse(&self, name: &str) -> Option<Event> {
        let step = |name: &str| self.steps.iter().position(|step| step.name == name);
        let counted = |mark: &str| {
            let (name, call) = name.rsplit_once(mark)?;
            Some((step(name)?, call.parse().ok()?))
        };
        let caller = |name: &str| self.callers.iter().position(|caller| caller == name);
        let plain = step(name).map(Event::Step);
        let lost = || counted(LOST).map(|(step, call)| Event::Lost { step, call });
        let cut = || counted(CUT).map(|(step, call)| Event::Cut { step, call });
        plain.or_else(lost).or_else(cut).or_else(|| caller(name.strip_suffix(DEATH)?).map(Event::Death))
    }
}

const LOST: &str = " / repeated, for its reply was lost, call ";
const CUT: &str = " / the caller died after call ";
const DEATH: &str = " dies";

fn bits(mask: u64) -> impl Iterator<Item = usize> {
    (0..u64::BITS as usize).filter(move |bit| mask >> bit & 1 == 1)
}

/// A state that was reached, and how.
struct Node {
    parent: usize,
    event: Event,
    progress: Progress,
}

struct Search<'a, S: Stage> {
    stage: &'a mut S,
    plan: &'a Plan,
    /// The first one is the start, which is its own parent.
    nodes: Vec<Node>,
    seen: HashMap<(u64, (u64, u64)), usize>,
    /// From which state to which, for the number of orders.
    edges: Vec<(usize, usize)>,
    /// States of the next length.
    next: Vec<(usize, S::Place)>,
}

/// Explores everything.
pub fn search<S: Stage>(stage: &mut S, plan: &Plan) -> Result<Explored, Box<Failure>> {
    let start = Node { parent: 0, event: Event::Death(0), progress: Progress::default() };
    let nodes = vec![start];
    let mut search = Search { stage, plan, nodes, seen: HashMap::new(), edges: Vec::new(), next: Vec::new() };
    let place = search.stage.place().map_err(|message| search.failure(0, None, message))?;
    search.stage.check().map_err(|message| search.failure(0, None, message))?;
    search.next.push((0, place));
    while !search.next.is_empty() {
        for (node, place) in std::mem::take(&mut search.next) {
            search.expand(node, &place)?;
        }
    }
    Ok(search.explored())
}

impl<S: Stage> Search<'_, S> {
    /// Lets happen in a state all that can.
    fn expand(&mut self, node: usize, place: &S::Place) -> Result<(), Box<Failure>> {
        let (plan, progress) = (self.plan, self.nodes[node].progress);
        let left = plan.left(progress);
        let edges_before = self.edges.len();
        for step in bits(left).filter(|step| plan.may_run(progress, *step)) {
            let calls = self.follow(node, place, Event::Step(step))?;
            for call in (1..=calls).filter(|_| plan.crash) {
                self.follow(node, place, Event::Lost { step, call })?;
                if plan.steps[step].by.is_some() {
                    self.follow(node, place, Event::Cut { step, call })?;
                }
            }
        }
        for caller in (0..plan.callers.len()).filter(|caller| plan.crash && plan.steps_of(*caller) & left != 0) {
            self.follow(node, place, Event::Death(caller))?;
        }
        if self.edges.len() > edges_before {
            return Ok(());
        }
        self.stage.finish(place).map_err(|message| self.failure(node, None, message))
    }

    /// Lets one thing happen in a state; answers how many script calls it made.
    fn follow(&mut self, node: usize, place: &S::Place, event: Event) -> Result<usize, Box<Failure>> {
        let played = self.stage.play(place, event).map_err(|message| self.failure(node, Some(event), message))?;
        let Played::Done { calls, digest } = played else { return Ok(0) };
        let progress = self.plan.after(self.nodes[node].progress, event);
        let key = (digest, self.plan.outlook(progress));
        if let Some(known) = self.seen.get(&key) {
            self.edges.push((node, *known));
            return Ok(calls);
        }
        if self.nodes.len() >= self.plan.states_max {
            let message = format!(
                "there are more than {} states, and not all were explored: leave out steps, or raise states_max",
                self.plan.states_max
            );
            return Err(Box::new(Failure { message, order: None, explored: self.explored() }));
        }
        let reached = self.nodes.len();
        self.seen.insert(key, reached);
        self.edges.push((node, reached));
        self.nodes.push(Node { parent: node, event, progress });
        let place = self.stage.place();
        let place = place.and_then(|place| self.stage.check().map(|()| place));
        let place = place.map_err(|message| self.failure(reached, None, message))?;
        self.next.push((reached, place));
        Ok(calls)
    }

    fn failure(&self, node: usize, event: Option<Event>, message: String) -> Box<Failure> {
        let mut order: Vec<_> = event.into_iter().collect();
        let mut at = node;
        while at != 0 {
            order.push(self.nodes[at].event);
            at = self.nodes[at].parent;
        }
        order.reverse();
        Box::new(Failure { message, order: Some(order), explored: self.explored() })
    }

    /// Counts the ways to every end. Each event leaves less to happen, so that is an order in which to add them up.
    fn explored(&self) -> Explored {
        let mut edges = self.edges.clone();
        let left = |node: usize| self.plan.left(self.nodes[node].progress).count_ones();
        edges.sort_by_key(|(from, _)| std::cmp::Reverse(left(*from)));
        let mut ways = vec![0_u64; self.nodes.len()];
        let mut is_end = vec![true; self.nodes.len()];
        ways[0] = 1;
        for (from, to) in edges {
            ways[to] = ways[to].saturating_add(ways[from]);
            is_end[from] = false;
        }
        let orders = ways.iter().zip(is_end).filter(|(_, is_end)| *is_end).map(|(ways, _)| *ways);
        Explored { orders: orders.fold(0, u64::saturating_add), states: self.nodes.len() as u64 }
    }
}

/// Plays one order, with all checks.
pub fn replay<S: Stage>(stage: &mut S, plan: &Plan, order: &[Event]) -> Result<Explored, Box<Failure>> {
    let explored = |states: usize| Explored { orders: 1, states: states as u64 };
    let failure = |made: usize, message| {
        let order = order[..made].to_vec();
        Box::new(Failure { message, order: Some(order), explored: explored(made + 1) })
    };
    let mut place = stage.place().map_err(|message| failure(0, message))?;
    stage.check().map_err(|message| failure(0, message))?;
    for (index, event) in order.iter().enumerate() {
        let made = index + 1;
        match stage.play(&place, *event).map_err(|message| failure(made, message))? {
            Played::Done { .. } => {}
            Played::Impossible => return Err(failure(made, format!("`{}` cannot happen there", plan.name(*event)))),
        }
        place = stage.place().map_err(|message| failure(made, message))?;
        stage.check().map_err(|message| failure(made, message))?;
    }
    let mut progress = Progress::default();
    order.iter().for_each(|event| progress = plan.after(progress, *event));
    let is_end = is_end(stage, plan, &place, progress).map_err(|message| failure(order.len(), message))?;
    if is_end {
        stage.finish(&place).map_err(|message| failure(order.len(), message))?;
    }
    Ok(explored(order.len() + 1))
}

/// Whether nothing can happen any more.
fn is_end<S: Stage>(stage: &mut S, plan: &Plan, place: &S::Place, progress: Progress) -> Result<bool, String> {
    let left = plan.left(progress);
    if plan.crash && (0..plan.callers.len()).any(|caller| plan.steps_of(caller) & left != 0) {
        return Ok(false);
    }
    for step in bits(left).filter(|step| plan.may_run(progress, *step)) {
        if let Played::Done { .. } = stage.play(place, Event::Step(step))? {
            return Ok(false);
        }
    }
    Ok(true)
}

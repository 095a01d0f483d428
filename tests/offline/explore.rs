//! The explorer: which orders it plays, what it undoes, and how it tells the shortest one that fails.

use oneseat::offline::{Options, Tally};

use crate::run;

/// Counts its calls in the seat, and answers the count.
const TALLY: &str = "-- tally v1: count calls.
-- @since 0.1.0
-- @mode write
-- @key seat hash the counts
-- @arg uid text the user
-- @arg note text what is counted
-- @effect reply the count
local seat_key = KEYS[1]
local uid, note = ARGV[1], ARGV[2]
local count = redis.call('HINCRBY', seat_key, note, 1)
return { 1, { 'reply', 0, cjson.encode({ uid = uid, count = count }) } }
";

/// What every exploration here begins with: calls that count, and a look at the counts.
const WORDS: &str = "local m = { log = '' }
local function tally(note) return function() run('tally', { uid = '1', note = note }) end end
local function count(note) return tonumber(redis.call('HGET', key('seat', '1'), note) or 0) end
local function note(what) return function() m.log = m.log .. what end end
";

fn explore(body: &str) -> (Tally, String) {
    let test = format!("{WORDS}it('x', function()\n run('tally', {{ uid = '1', note = 'z' }})\n {body}\nend)");
    run(&[("tally/v1.lua", TALLY), ("tally/explore.lua", &test)], &Options::default())
}

fn passes(body: &str) -> String {
    let (tally, report) = explore(body);
    assert_eq!((tally.passed, tally.failed), (1, 0), "{report}");
    report
}

fn fails(body: &str, said: &str) {
    let (tally, report) = explore(body);
    assert_eq!(tally.failed, 1, "{report}");
    assert!(report.contains(said), "{report}");
}

#[test]
fn every_order_is_played_and_counted() {
    let report = passes(
        "local covered = explore{ memory = m, steps = { note('a'), note('b'), note('c') },
           check = function() assert(#m.log <= 3) end }
         assert.same({ orders = 6, states = 16 }, covered)",
    );
    assert!(report.contains("\nexplored 6 orders in 16 states\n"), "{report}");
}

#[test]
fn a_state_seen_before_is_not_explored_again() {
    passes(
        "assert.same({ orders = 6, states = 8 }, explore{ steps = { tally('a'), tally('b'), tally('c') } })
         assert.same({ orders = 6, states = 8 }, explore{ steps = {
           function() clock.advance(1) end, function() clock.advance(2) end, function() clock.advance(4) end } })",
    );
}

#[test]
fn steps_keep_the_order_that_they_ask_for() {
    passes(
        "explore{ memory = m, steps = {
           { name = 'b', after = 'a', note('b') }, { name = 'a', note('a') }, { name = 'c', after = { 'a', 'b' }, note('c') } },
           check = function() assert.equal(m.log, string.sub('abc', 1, #m.log)) end }",
    );
}

#[test]
fn a_step_that_answers_false_may_happen_later() {
    passes(
        "explore{ memory = m, steps = { note('a'), function() if m.log == '' then return false end; m.log = m.log .. 'b' end },
           check = function() assert(m.log ~= 'b') end, finally = function() assert.equal('ab', m.log) end }",
    );
}

#[test]
fn a_reply_that_is_lost_leads_to_the_same_call_again() {
    fails(
        "explore{ crash = true, steps = { { name = 'first', tally('a') }, { name = 'other', tally('b') } },
           check = function() assert(count('a') < 2, 'twice') end }",
        "FAIL lua/tally/explore.lua:8 tally@1: x\n     twice\n     The shortest order that leads there, found after 3 states; \
         put it into the explore to play it alone:\n       order = {\n         \
         \"first / repeated, for its reply was lost, call 1\",\n       },\n",
    );
    passes(
        "explore{ steps = { { name = 'first', tally('a') }, { name = 'other', tally('b') } },
           check = function() assert(count('a') < 2, 'twice') end }",
    );
}

#[test]
fn a_caller_may_die_before_between_and_inside_its_steps() {
    passes(
        "local seen = {}
         explore{ memory = m, steps = {
             { name = 'one', by = 'n1', function() tally('a')(); note('1')() end },
             { name = 'two', by = 'n1', after = 'one', note('2') } },
           crash = function(caller) m.log = m.log .. '!' .. caller end,
           check = function() seen[count('a') .. m.log] = true end }
         assert.same({ ['0'] = true, ['0!n1'] = true, ['1!n1'] = true, ['11'] = true, ['11!n1'] = true, ['112'] = true,
           ['21'] = true, ['21!n1'] = true, ['212'] = true }, seen)",
    );
}

#[test]
fn a_step_cannot_catch_the_death_of_its_caller() {
    passes(
        "explore{ memory = m, crash = true,
           steps = { { name = 'one', by = 'n1', function() pcall(tally('a')); note('1')() end } },
           check = function() assert(count('a') == 0 or m.log ~= '' or count('a') == 1) end,
           finally = function() assert(m.log == '1' or count('a') <= 1) end }",
    );
}

#[test]
fn what_a_check_does_is_undone() {
    passes(
        "local covered = explore{ steps = { tally('a'), tally('b') },
           check = function()
             assert.equal(1, count('z'))
             tally('z')()
             clock.advance(1000)
             m.log = 'checked'
           end, memory = m }
         assert.equal(4, covered.states)
         assert.equal(1, count('z'))
         assert.equal('', m.log)
         assert.equal(1700000000000, clock.now())",
    );
}

#[test]
fn the_shortest_order_that_fails_is_told_in_a_form_that_can_be_played_alone() {
    let steps = "steps = { { name = 'a', note('a') }, { name = 'b', note('b') }, { name = 'c', note('c') } },
           check = function() assert(not string.find(m.log, 'c.*b'), 'b after c') end";
    fails(
        &format!("explore{{ memory = m, {steps} }}"),
        "b after c\n     The shortest order that leads there, found after 10 states; put it into the explore to play it \
         alone:\n       order = {\n         \"c\",\n         \"b\",\n       },\n",
    );
    fails(&format!("explore{{ memory = m, {steps}, order = {{ \"c\",\n \"b\",\n }}, }}"), "b after c");
    passes(&format!("explore{{ memory = m, {steps}, order = {{ 'a', 'b', 'c' }} }}"));
    fails(&format!("explore{{ memory = m, {steps}, order = {{ 'd' }} }}"), "`order` names `d`, which is no step");
}

#[test]
fn too_many_states_are_a_failure() {
    fails(
        "explore{ memory = m, states_max = 15, steps = { note('a'), note('b'), note('c') } }",
        "x\n     there are more than 15 states, and not all were explored: leave out steps, or raise states_max\ncoverage",
    );
}

#[test]
fn a_step_that_keeps_something_outside_of_the_memory_is_found_out() {
    fails(
        "local n = 0
         explore{ steps = { function() n = n + 1 end, tally('b') }, check = function() assert(n ~= 1, 'one') end }",
        "a step keeps something outside of `memory`",
    );
}

#[test]
fn mistakes_in_an_exploration_are_named() {
    for (body, said) in [
        ("explore{ steps = { 7 } }", "step 1 is neither a function nor"),
        ("explore{ step = {} }", "explore has no `step`"),
        ("explore{ steps = { { name = 'a', whose = 'b', note('a') } } }", "a step has no `whose`"),
        ("explore{ steps = { { after = 'b', note('a') } } }", "`step 1` comes after `b`, which is no step"),
        ("explore{ steps = { { name = 'a', note('a') }, { name = 'a', note('a') } } }", "two steps are called `a`"),
        ("explore{ memory = { print }, steps = {} }", "memory[1] is a function"),
        (
            "explore{ memory = { at = { f = pcall } }, steps = {} }",
            "lua/tally/explore.lua:7 tally@1: x\n     memory.at.f is a function, which cannot be kept",
        ),
        ("m.m = m; explore{ memory = m, steps = {} }", "is nested too deep, or holds itself"),
        ("explore{ steps = { function() defaults{ node = 'n2' } end } }", "defaults cannot be undone"),
        ("explore{ steps = { function() explore{ steps = {} } end } }", "an exploration cannot explore"),
        ("explore{ steps = { function() while true do end end } }", "the test ran more than"),
    ] {
        fails(body, said);
    }
}

//! The engine inside the process, as the script test runner uses it.

use std::cell::Cell;
use std::rc::Rc;

use oneseat::embedded::{Engine, EngineClock, EngineOptions, Reply};

fn run(engine: &mut Engine, args: &[&str]) -> Reply {
    let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
    engine.execute(&args)
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

#[test]
fn keys_expire_by_the_clock_that_the_test_sets() {
    let time = Rc::new(Cell::new(1_000_000_000));
    let clock = EngineClock::Manual(Rc::clone(&time));
    let mut engine = Engine::new(EngineOptions { clock, ..EngineOptions::default() });
    assert_eq!(run(&mut engine, &["SET", "a", "1", "EX", "10"]), Reply::Status("OK".into()));
    time.set(1_010_000_000);
    assert_eq!(run(&mut engine, &["GET", "a"]), bulk("1"));
    time.set(1_010_001_000);
    assert_eq!(run(&mut engine, &["GET", "a"]), Reply::Null);
    assert_eq!(run(&mut engine, &["TIME"]), Reply::Array(vec![bulk("1010"), bulk("1000")]));
}

#[test]
fn published_messages_are_captured() {
    let mut engine = Engine::new(EngineOptions { capture_published: true, ..EngineOptions::default() });
    run(&mut engine, &["EVAL", "redis.call('publish', 'c', 'one') redis.call('publish', 'c', 'two')", "0"]);
    let published = engine.take_published();
    assert_eq!(published, vec![(b"c".to_vec(), b"one".to_vec()), (b"c".to_vec(), b"two".to_vec())]);
    assert!(engine.take_published().is_empty());
}

#[test]
fn strict_scripts_touch_only_what_they_declare() {
    let mut engine = Engine::new(EngineOptions { strict: true, ..EngineOptions::default() });
    let script = "return redis.call('get', ARGV[1])";
    assert_eq!(run(&mut engine, &["EVAL", script, "1", "k", "k"]), Reply::Null);
    let Reply::Error(text) = run(&mut engine, &["EVAL", script, "1", "k", "other"]) else { panic!("it was allowed") };
    assert!(text.contains("'other'"), "{text}");
    let Reply::Error(text) = run(&mut engine, &["EVAL", "return 1", "2", "a", "b"]) else { panic!("it was allowed") };
    assert!(text.starts_with("CROSSSLOT"), "{text}");
    assert_eq!(run(&mut engine, &["EVAL", "return 1", "2", "{t}a", "{t}b"]), Reply::Integer(1));
}

#[test]
fn digests_and_snapshots_know_states_again() {
    let mut engine = Engine::new(EngineOptions::default());
    let empty = engine.digest();
    run(&mut engine, &["HSET", "h", "a", "1", "b", "2"]);
    run(&mut engine, &["ZADD", "z", "1", "m"]);
    let (full, snapshot) = (engine.digest(), engine.snapshot());
    assert_ne!(empty, full);
    run(&mut engine, &["FLUSHALL"]);
    assert_eq!(engine.digest(), empty);
    run(&mut engine, &["ZADD", "z", "1", "m"]);
    run(&mut engine, &["HSET", "h", "b", "2", "a", "1"]);
    assert_eq!(engine.digest(), full);
    run(&mut engine, &["HSET", "h", "b", "3"]);
    engine.restore(&snapshot);
    assert_eq!(engine.digest(), full);
    assert_eq!(run(&mut engine, &["HGET", "h", "b"]), bulk("2"));
}

#[test]
fn an_endless_script_ends_at_its_limit() {
    let options = EngineOptions { script_instructions_max: 1_000_000, ..EngineOptions::default() };
    let mut engine = Engine::new(options);
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local co = coroutine.wrap(function() while true do end end) return co()",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "xpcall(function() while true do end end, function() while true do end end) while true do end",
    ] {
        let Reply::Error(text) = run(&mut engine, &["EVAL", script, "0"]) else { panic!("it ended well: {script}") };
        assert!(text.contains("more instructions"), "{text}");
    }
    assert_eq!(run(&mut engine, &["EVAL", "return 1", "0"]), Reply::Integer(1));
}

#[test]
fn a_script_that_wants_all_memory_fails_alone() {
    let options = EngineOptions { lua_bytes_max: 32 * 1024 * 1024, ..EngineOptions::default() };
    let mut engine = Engine::new(options);
    for script in ["return string.rep('x', 1e9)", "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end"] {
        let Reply::Error(text) = run(&mut engine, &["EVAL", script, "0"]) else { panic!("it ended well: {script}") };
        assert!(text.contains("not enough memory"), "{text}");
    }
    assert_eq!(run(&mut engine, &["EVAL", "return 1", "0"]), Reply::Integer(1));
}

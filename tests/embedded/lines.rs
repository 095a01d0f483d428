//! What the engine tells of the lines of scripts: where one was ended, which ones ran, that one still runs.

use std::cell::Cell;
use std::rc::Rc;

use oneseat::embedded::{Engine, EngineOptions, Reply};

fn run(engine: &mut Engine, args: &[&str]) -> Reply {
    let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
    engine.execute(&args)
}

#[test]
fn a_script_that_is_ended_names_the_line_where_it_was() {
    let options = EngineOptions { script_instructions_max: 100_000, ..EngineOptions::default() };
    let mut engine = Engine::new(options);
    for (script, line) in [
        ("local a = 1\nlocal b = 2\nwhile true do end", 3),
        ("local function f()\n  while true do end\nend\nf()", 2),
        ("local s = 'x'\n\nwhile true do pcall(tostring, s) end", 3),
    ] {
        let Reply::Error(text) = run(&mut engine, &["EVAL", script, "0"]) else { panic!("it ended well: {script}") };
        assert!(text.ends_with(&format!("on @user_script:{line}.")), "{script}: {text}");
    }
    let Reply::Error(text) = run(&mut engine, &["EVAL", "\n\nreturn nil + 1", "0"]) else { panic!("it ended well") };
    assert!(text.ends_with("on @user_script:3."), "other errors have their own: {text}");
}

#[test]
fn lines_of_scripts_are_counted_when_asked_for() {
    let mut engine = Engine::new(EngineOptions { count_lines: true, ..EngineOptions::default() });
    let script =
        "local n = tonumber(ARGV[1])\nfor i = 1, n do\n  pcall(tostring, i)\nend\nif n > 5 then\n  return 'many'\nend";
    let Reply::Bulk(sha1) = run(&mut engine, &["SCRIPT", "LOAD", script]) else { panic!("it is well-formed") };
    let sha1 = String::from_utf8(sha1).expect("digests are text");
    run(&mut engine, &["EVALSHA", &sha1, "0", "2"]);
    run(&mut engine, &["EVALSHA", &sha1, "0", "1"]);
    let counts = &engine.take_lines()[&sha1];
    // The head of a loop runs before each turn and after the last one.
    assert_eq!(counts, &[2, 5, 3, 0, 2, 0, 2], "what the condition guards did not run");
    assert!(engine.take_lines().is_empty(), "counting begins anew");
    run(&mut engine, &["EVALSHA", &sha1, "0", "6"]);
    assert_eq!(engine.take_lines()[&sha1][5], 1);
    let mut engine = Engine::new(EngineOptions::default());
    run(&mut engine, &["EVAL", script, "0", "2"]);
    assert!(engine.take_lines().is_empty(), "nobody asked");
}

#[test]
fn somebody_may_listen_while_a_script_runs() {
    let mut engine = Engine::new(EngineOptions::default());
    let heard = Rc::new(Cell::new(0));
    let count = Rc::clone(&heard);
    engine.listen_to_scripts(move || count.set(count.get() + 1));
    run(&mut engine, &["EVAL", "for i = 1, 100000 do local x = i end", "0"]);
    assert!(heard.get() > 5, "{}", heard.get());
}

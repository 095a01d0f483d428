//! Scripts that behave badly once they are active: the node survives, says which script, version and line, and all
//! others are served.

use serde_json::Value;

use crate::support::rules::Rules;
use crate::support::{Server, Session, Setup, StoreKind, on_both_stores, wait_until};

on_both_stores!(
    an_endless_loop_is_ended_and_named,
    an_error_after_a_write_costs_one_login,
    effects_of_a_wrong_shape_cost_one_login,
    a_giant_reply_costs_one_login,
    a_key_that_was_not_declared_is_found_before_it_is_pushed,
    what_is_forbidden_is_found_before_it_is_pushed,
    a_command_that_fails_costs_one_login,
);

/// The user with whom the bad versions behave badly; the tests of `login` know nobody of that name.
const VICTIM: u64 = 666;

/// A server on which `login@3` runs `code` for the victim, with somebody else already there.
fn with_foul(setup: Setup, code: &str) -> (Server, Session) {
    let server = setup.start();
    let bystander = server.session(1001);
    server.change_login(3, &format!("if uid == '{VICTIM}' then\n{code}\nend"));
    (server, bystander)
}

/// The line of `login@3` on which the code of a test begins.
fn line_of_code() -> usize {
    let text = crate::support::rules::login(3, "HERE");
    text.lines().position(|line| line == "HERE").expect("the code is in the text") + 2
}

fn log_in_victim(server: &Server) -> Value {
    let token = server.admin.token(VICTIM);
    server.connect().log_in(VICTIM, &token)
}

/// One login failed; nothing else did.
fn assert_survived(server: &Server, bystander: &mut Session, named: &str) {
    bystander.beat();
    server.assert_serves(1002);
    wait_until(&format!("the log names {named}"), || server.log().contains(named).then_some(()));
    let healthy = server.admin.try_get("/healthz").expect("the admin API answers");
    assert_eq!(healthy.0, 200);
    server.scripts(&["rollback", "login"]).done();
    server.assert_serves(VICTIM);
}

/// The embedded store ends the script at its own limit; a Redis is told to, as soon as it listens.
fn an_endless_loop_is_ended_and_named(store: StoreKind) {
    let setup = Setup::new(store).set("redis.timeout_ms", 4000).set("data.script_ms_max", 300);
    let server = setup.start();
    if store == StoreKind::Redis {
        server.look().run(&["CONFIG", "SET", "busy-reply-threshold", "300"]);
    }
    let mut bystander = server.session(1001);
    server.change_login(3, &format!("if uid == '{VICTIM}' then\nwhile true do end\nend"));
    assert_eq!(log_in_victim(&server)["error"], 1100);
    // A loop of one line is where it was ended.
    assert_survived(&server, &mut bystander, "login/v3.lua:");
    if store == StoreKind::Embedded {
        let place = format!("login/v3.lua:{}: Script ran for more than 300 ms without a write", line_of_code());
        assert!(server.log().contains(&place), "{place}: {}", server.log());
    } else {
        assert!(
            server.log().contains("a script did not end and was killed, perhaps the one waited for"),
            "{}",
            server.log()
        );
    }
}

/// What a script has written stays, so the sid of that login is ended for good.
fn an_error_after_a_write_costs_one_login(store: StoreKind) {
    let code = "redis.call('HSET', user_key, 'half', '1')\nerror('too late')";
    let (server, mut bystander) = with_foul(Setup::new(store), code);
    assert_eq!(log_in_victim(&server)["error"], 1100);
    assert_survived(&server, &mut bystander, &format!("login/v3.lua:{}: too late", line_of_code() + 1));
    server.wait_sessions(1);
}

fn effects_of_a_wrong_shape_cost_one_login(store: StoreKind) {
    for code in [
        "return 1",
        "return { 2 }",
        "return { 1, 'reply' }",
        "return { 1, { 'reply', 1006 } }",
        "return { 1, { 'boom' } }",
        "return { 1, { 'reply', 1006, 'no json' } }",
        "return { 1, { 'bind', uid, 'main' } }",
    ] {
        let (server, mut bystander) = with_foul(Setup::new(store), code);
        assert_eq!(log_in_victim(&server)["error"], 1100, "{code}");
        assert_survived(&server, &mut bystander, "script login@3: ");
    }
}

fn a_giant_reply_costs_one_login(store: StoreKind) {
    let code = "return { 1, { 'reply', 1006, cjson.encode(string.rep('x', 32 * 1024 * 1024)) } }";
    let (server, mut bystander) = with_foul(Setup::new(store), code);
    assert_eq!(log_in_victim(&server)["error"], 1100);
    assert_survived(&server, &mut bystander, "a script made a body over the limit of a frame");
}

fn a_key_that_was_not_declared_is_found_before_it_is_pushed(store: StoreKind) {
    let server = Setup::new(store).start();
    let rules = Rules::new();
    let path = rules.login(3, "redis.call('SET', 'os:{0}:seat:1', sid)");
    let errors = server.scripts(&["push", &path]).refused(1);
    assert!(errors.contains("login/v3.lua:") && errors.contains("os:{0}:seat:1"), "{errors}");
    server.assert_serves(1001);
}

/// Also where no test goes: the lint reads every line.
fn what_is_forbidden_is_found_before_it_is_pushed(store: StoreKind) {
    let server = Setup::new(store).start();
    for code in
        ["redis.call('SUBSCRIBE', 'a')", "redis.call('FLUSHALL')", "leaked = uid", "os.execute('ls')", "math.random()"]
    {
        let rules = Rules::new();
        let path = rules.login(3, &format!("if uid == '{VICTIM}' then\n{code}\nend"));
        let errors = server.scripts(&["push", &path]).refused(1);
        let place = format!("login/v3.lua:{} lint: ", line_of_code());
        assert!(errors.contains(&place), "{code}: {errors}");
    }
    server.assert_serves(1001);
}

fn a_command_that_fails_costs_one_login(store: StoreKind) {
    let (server, mut bystander) = with_foul(Setup::new(store), "redis.call('INCR', roster_key)");
    assert_eq!(log_in_victim(&server)["error"], 1100);
    assert_survived(&server, &mut bystander, &format!("login/v3.lua:{}", line_of_code()));
}

/// Redis sets no limit to what its Lua holds; the embedded store does.
#[test]
fn a_memory_bomb_is_ended_by_the_embedded_store() {
    let setup = Setup::new(StoreKind::Embedded).set("data.script_ms_max", 60_000).set("redis.timeout_ms", 30_000);
    let code = "local heap = {}\nwhile true do heap[#heap + 1] = string.rep('x', 4194304) .. #heap end";
    let (server, mut bystander) = with_foul(setup, code);
    assert_eq!(log_in_victim(&server)["error"], 1100);
    assert_survived(&server, &mut bystander, "not enough memory");
}

//! Scripts that run for too long.

use crate::client::Client;
use crate::store::{Kind, Store, both};

const ENDLESS: &[&str] = &[
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "coroutine.wrap(function() while true do end end)()",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "xpcall(function() while true do end end, function() while true do end end) while true do end",
    "while true do load(function() return ' ' end) end",
    "table.sort({3, 2, 1}, function() while true do end end)",
];
/// Of these the first ones; Redis 7.0 goes on in a loop around a coroutine.
const KILLED_BY_REDIS: usize = 3;

/// Asks until the store says that it is busy.
fn wait_until_busy(client: &mut Client) -> String {
    loop {
        let reply = client.line("PING");
        if reply != "+PONG" {
            return reply;
        }
    }
}

#[test]
fn others_are_told_and_may_kill_a_script_that_only_reads() {
    both(|store| {
        let (mut looping, mut other) = (store.client(), store.client());
        assert_eq!(other.line("CONFIG SET busy-reply-threshold 20"), "+OK");
        let scripts = if store.kind == Kind::Embedded { ENDLESS } else { &ENDLESS[..KILLED_BY_REDIS] };
        for script in scripts {
            looping.send(&[b"EVAL", script.as_bytes(), b"0"]);
            let busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
            assert_eq!(wait_until_busy(&mut other), busy);
            // One who comes only now is answered, too.
            assert_eq!(store.client().line("GET a"), busy);
            assert_eq!(other.line("MULTI"), "+OK");
            assert_eq!(other.line("GET a"), busy);
            assert!(other.line("EXEC").starts_with("-EXECABORT Transaction discarded because of: BUSY"));
            assert_eq!(other.line("SCRIPT KILL"), "+OK");
            assert!(looping.reply().starts_with("-ERR Script killed by user with SCRIPT KILL"));
            assert_eq!(other.line("PING"), "+PONG");
        }
    });
}

#[test]
fn a_script_that_has_written_ends_only_with_the_store() {
    both(|store| {
        let (mut looping, mut other) = (store.client(), store.client());
        assert_eq!(other.line("CONFIG SET busy-reply-threshold 20"), "+OK");
        looping.send(&[b"EVAL", b"redis.call('set','a','1') while true do end", b"0"]);
        assert!(wait_until_busy(&mut other).starts_with("-BUSY"));
        assert!(other.line("SCRIPT KILL").starts_with("-UNKILLABLE"));
        other.send(&[b"SHUTDOWN", b"NOSAVE"]);
        assert!(other.is_closed());
    });
}

#[test]
fn the_store_stops_under_an_endless_script() {
    let store = Store::start(Kind::Embedded);
    let (mut looping, mut other) = (store.client(), store.client());
    assert_eq!(other.line("CONFIG SET busy-reply-threshold 20"), "+OK");
    looping.send(&[b"EVAL", b"redis.call('set','a','1') while true do end", b"0"]);
    assert!(wait_until_busy(&mut other).starts_with("-BUSY"));
    drop(store);
    assert!(other.is_closed());
}

/// The loop looked at that socket while the script ran, and must not forget that it had something to read.
#[test]
fn what_a_client_sends_during_its_own_script_is_answered_after_it() {
    both(|store| {
        let (mut looping, mut other) = (store.client(), store.client());
        assert_eq!(other.line("CONFIG SET busy-reply-threshold 20"), "+OK");
        looping.send(&[b"EVAL", b"while true do end", b"0"]);
        assert!(wait_until_busy(&mut other).starts_with("-BUSY"));
        looping.send(&[b"PING"]);
        // Some more looks of the loop at its sockets.
        (0..20).for_each(|_| assert!(other.line("GET a").starts_with("-BUSY")));
        assert_eq!(other.line("SCRIPT KILL"), "+OK");
        assert!(looping.reply().starts_with("-ERR Script killed by user"));
        assert_eq!(looping.reply(), "+PONG");
    });
}

//! MULTI, EXEC and WATCH.

use crate::store::{both, check};

#[test]
fn queued_commands_run_together() {
    check(&[
        ("EXEC", "-ERR EXEC without MULTI"),
        ("DISCARD", "-ERR DISCARD without MULTI"),
        ("MULTI", "+OK"),
        ("MULTI", "-ERR MULTI calls can not be nested"),
        ("SET a 1", "+QUEUED"),
        ("LPUSH a x", "+QUEUED"),
        ("EVAL \"return redis.call('incr','a')\" 0", "+QUEUED"),
        ("EXEC", "[+OK, -WRONGTYPE Operation against a key holding the wrong kind of value, :2]"),
        ("MULTI", "+OK"),
        ("NOPE", "-ERR unknown command*"),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        ("MULTI", "+OK"),
        ("WATCH a", "-ERR WATCH inside MULTI is not allowed"),
        ("DISCARD", "+OK"),
        ("GET a", "\"2\""),
        ("CONFIG SET maxmemory 1", "+OK"),
        ("MULTI", "+OK"),
        ("GET a", "-OOM command not allowed when used memory > 'maxmemory'."),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        ("CONFIG SET maxmemory 0", "+OK"),
    ]);
}

#[test]
fn a_watched_key_that_changes_aborts() {
    both(|store| {
        let (mut one, mut two) = (store.client(), store.client());
        assert_eq!(one.line("SET a 1"), "+OK");
        assert_eq!(one.line("WATCH a"), "+OK");
        assert_eq!(two.line("SET a 1"), "+OK");
        assert_eq!(one.line("MULTI"), "+OK");
        assert_eq!(one.line("SET a 2"), "+QUEUED");
        assert_eq!(one.line("EXEC"), "nil");
        assert_eq!(one.line("WATCH a"), "+OK");
        assert_eq!(two.line("GET a"), "\"1\"");
        assert_eq!(one.line("MULTI"), "+OK");
        assert_eq!(one.line("GET a"), "+QUEUED");
        assert_eq!(one.line("EXEC"), "[\"1\"]");
    });
}

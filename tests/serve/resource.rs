//! What a client may cost: bounded memory, no descriptor for ever, and nobody else's time.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::support::{Client, Seen, Server, Setup, StoreKind, frame, on_both_stores, wait_until};

on_both_stores!(
    defect_40_a_client_that_does_not_read_is_closed_as_slow,
    a_client_that_never_reads_is_reset,
    an_idle_server_is_small,
    defect_41_a_client_that_only_sends_costs_bounded_memory,
    defect_26_running_out_of_descriptors_is_survived,
    connections_beyond_the_limit_are_told,
);

/// A client whose kernel takes little of what it does not read.
fn narrow(server: &Server) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a fresh socket takes options");
    socket.connect(&server.address().into()).expect("the server listens");
    let stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(Duration::from_millis(200))).expect("the time is not zero");
    Client::over(stream)
}

/// The old server dropped frames without a word when a queue was full, the notice of a kick among them.
fn defect_40_a_client_that_does_not_read_is_closed_as_slow(store: StoreKind) {
    let server = Setup::new(store).set("kick.grace_ms", 20_000).start();
    let mut bystander = server.session(1001);
    let token = server.admin.token(1002);
    let mut slow = narrow(&server);
    assert_eq!(slow.log_in(1002, &token)["error"], 0);

    let (beats, mut at) = (frame(1023, b"").repeat(4096), 0);
    wait_until("a client that does not read loses its seat", || {
        bystander.beat();
        slow.pour(&beats, &mut at).expect("the connection stands until it is told");
        server.admin.seats(1002).is_empty().then_some(())
    });
    bystander.beat();
    server.wait_sessions(1);
    assert!(server.metric("oneseat_mailbox_drops_total") > 0);

    // Once it reads it finds whole frames, and as the last of them the reason.
    let mut told = slow.rest();
    let (id, goodbye) = told.pop().expect("it is told");
    assert_eq!((id, &goodbye["reason"], &goodbye["error"]), (1101, &json!("slow"), &json!(1106)), "{goodbye}");
    assert!(told.iter().all(|(id, _)| *id == 1024), "only answers to heartbeats were due");
}

/// One that never reads is reset when the grace is over, and costs nothing more.
fn a_client_that_never_reads_is_reset(store: StoreKind) {
    let server = Setup::new(store).start();
    let token = server.admin.token(1002);
    let mut slow = narrow(&server);
    assert_eq!(slow.log_in(1002, &token)["error"], 0);
    let (beats, mut at) = (frame(1023, b"").repeat(4096), 0);
    wait_until("the connection is reset", || slow.pour(&beats, &mut at).err());
    wait_until("nothing of it is left", || (server.metric("oneseat_connections") == 0).then_some(()));
    assert_eq!(server.metric("oneseat_closes_total{reason=\"slow\"}"), 1);
    server.assert_serves(1002);
}

/// Room that a library sets aside for messages that may never come once made this a hundred.
fn an_idle_server_is_small(store: StoreKind) {
    let server = Setup::new(store).start();
    let resident = resident_kib(&server);
    assert!(resident < 60 * 1024, "{resident} KiB without a single client");
}

/// The old server had a receive queue without a bound.
fn defect_41_a_client_that_only_sends_costs_bounded_memory(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut session = server.session(1001);
    let before = resident_kib(&server);
    let body = format!(r#"{{"fromuid":1001,"touid":1002,"pad":"{}"}}"#, "x".repeat(15_000));
    let requests = frame(1999, body.as_bytes()).repeat(64);
    for _ in 0..60 {
        session.client.send_bytes(&requests);
    }
    session.beat();
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 32 * 1024, "60 MiB of requests left {grown} KiB behind");
}

fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells it");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kibibytes")
}

/// Clock ticks of processor time that the server has used.
fn ticks(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("the process lives");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("the name is in brackets").split(' ').collect();
    let number = |at: usize| fields[at].parse::<u64>().expect("a number of ticks");
    number(11) + number(12)
}

/// The old server tried a failed accept again at once, and went on with that for as long as it failed.
fn defect_26_running_out_of_descriptors_is_survived(store: StoreKind) {
    let server = Setup::new(store).files_max(64).start();
    let mut session = server.session(1001);
    let crowd: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    session.beat();
    // For a second nothing can be accepted; the server has to wait that out, not to spin.
    let before = ticks(&server);
    let window = Instant::now();
    while window.elapsed() < Duration::from_secs(1) {
        assert_eq!(session.client.next_within(Duration::from_millis(250)), None);
        session.beat();
    }
    let used = ticks(&server) - before;
    assert!(used < 60, "{used} of 100 ticks were used for nothing");
    drop(crowd);
    server.assert_serves(1002);
}

fn connections_beyond_the_limit_are_told(store: StoreKind) {
    let server = Setup::new(store).set("gateway.connections_max", 5).set("node.capacity", 5).start();
    let mut inside: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    inside.iter_mut().for_each(|client| client.beat(1001));
    let mut outside = server.connect();
    let goodbye = outside.expect(1101);
    assert_eq!(goodbye["error"], 1106, "{goodbye}");
    outside.expect_end();
    inside.iter_mut().for_each(|client| client.beat(1001));
    drop(inside);
    // The place is free as soon as the server has noticed.
    wait_until("a newcomer is let in", || {
        let mut client = server.connect();
        let _ = client.try_send(&frame(1023, b""));
        matches!(client.next(), Seen::Frame(1024, _)).then_some(())
    });
}

//! The server itself dies and comes back, with the store still there.

use serde_json::json;

use crate::support::{Client, Seen, Server, Session, Setup, StoreKind, on_both_stores};

on_both_stores!(
    g5_defect_01_a_killed_server_leaves_no_ghost,
    defect_13_a_crash_in_the_midst_of_logins_leaves_nothing_half,
    a_killed_server_starts_again_on_its_folder,
);

fn crash(server: &mut Server, sessions: &mut [Session]) {
    server.kill();
    for session in sessions {
        while session.client.next() != Seen::End {}
    }
}

/// The old server left the keys of everybody who was on line.
fn g5_defect_01_a_killed_server_leaves_no_ghost(store: StoreKind) {
    let mut server = Setup::new(store).start();
    let mut sessions: Vec<Session> = (1001..1041).map(|uid| server.session(uid)).collect();
    server.wait_sessions(40);
    crash(&mut server, &mut sessions);
    server.start_again();

    // The start itself removes them; nobody has to wait for a lease.
    assert_eq!(server.roster(), [""; 0]);
    server.wait_sessions(0);
    for session in &sessions {
        assert_eq!(server.admin.seats(session.uid), [json!(null); 0]);
    }
    assert_eq!(server.admin.events(1001), ["reaped", "taken"]);

    // Old tickets are still good, new ones too, and epochs go on growing.
    for session in sessions.iter().take(5) {
        let mut again = server.session_with(session.uid, session.token.clone());
        assert!(again.epoch() > session.epoch());
        again.beat();
    }
    let newer = server.session(sessions[9].uid);
    assert!(newer.epoch() > sessions[9].epoch());
    drop(newer);
    server.wait_sessions(0);
}

/// The old server wrote a seat with two commands; ending between them left half of it for ever.
fn defect_13_a_crash_in_the_midst_of_logins_leaves_nothing_half(store: StoreKind) {
    let mut server = Setup::new(store).start();
    for round in 0..3_u64 {
        let clients: Vec<Client> = (0..30)
            .map(|at| {
                let uid = 1000 + 100 * round + at;
                let token = server.admin.token(uid);
                let mut client = server.connect();
                client.send(1005, &json!({ "uid": uid, "token": token }));
                client
            })
            .collect();
        server.kill();
        drop(clients);
        server.start_again();
        server.wait_sessions(0);
        server.assert_serves(1000 + 100 * round);
    }
}

fn a_killed_server_starts_again_on_its_folder(store: StoreKind) {
    let mut server = Setup::new(store).start();
    let mut sessions = [server.session(1001)];
    crash(&mut server, &mut sessions);
    server.start_again();
    server.assert_serves(1001);
    server.wait_sessions(0);
}

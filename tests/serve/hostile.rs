//! G8: no bytes from a client can end the process, block another client, or act for another uid.

use std::time::Duration;

use crate::support::{Client, Random, Seen, Server, Setup, StoreKind, frame, on_both_stores};

on_both_stores!(
    g8_hostile_input_harms_nobody,
    g8_random_bytes_harm_nobody,
    defect_02_an_oversize_frame_leaves_no_ghost
);

/// Bytes that are no frames, or frames that are no requests.
fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    let header = |id: u16, length: u16| [id.to_be_bytes(), length.to_be_bytes()].concat();
    vec![
        ("one byte", vec![0]),
        ("half a header", vec![3, 237]),
        ("a header without its body", header(1005, 40)),
        ("half a body", [header(1005, 40), b"{\"uid\":1001,".to_vec()].concat()),
        ("zeros", vec![0; 5000]),
        ("ones", vec![0xff; 5000]),
        ("a web request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("a TLS greeting", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("a store's command", b"*1\r\n$8\r\nFLUSHALL\r\n".to_vec()),
        ("little endian", [vec![0xed, 3, 2, 0], b"{}".to_vec()].concat()),
        ("length 0xffff", header(1005, 0xffff)),
        ("length 0x8000", header(1005, 0x8000)),
        ("id 0xffff", frame(0xffff, b"{}")),
        ("id 0x8000 and no body", frame(0x8000, b"")),
        ("empty frames", frame(0, b"").repeat(1000)),
        ("many heartbeats", frame(1023, b"").repeat(1000)),
        ("a body of quotes", frame(1005, &[b'"'; 3000])),
        ("a body of brackets", frame(1005, &[b'['; 16000])),
        ("a body of NULs", frame(1017, &[0; 3000])),
        ("a body of high bytes", frame(1007, &[0x80; 3000])),
        ("a search for nothing", frame(1007, br#"{"uid":""}"#)),
        ("a search for a number", frame(1007, br#"{"uid":2147483648}"#)),
        ("texts that are no objects", frame(1017, br#"{"fromuid":1001,"touid":1002,"text_array":[1,null,[]]}"#)),
        ("a uid with the store's marks", frame(1005, br#"{"uid":"1|{0}#*","token":"t"}"#)),
        ("a script as token", frame(1005, br#"{"uid":1001,"token":"'; redis.call('FLUSHALL') --"}"#)),
        ("a long token", frame(1005, format!(r#"{{"uid":1001,"token":"{}"}}"#, "t".repeat(15000)).as_bytes())),
        ("a thousand fields", frame(1005, format!("{{{}}}", vec![r#""a":1"#; 1000].join(",")).as_bytes())),
    ]
}

/// Whatever is answered is whole, says an error or a heartbeat's success, and does not come from a seat being taken.
fn drain(client: &mut Client, what: &str) {
    while let Some(Seen::Frame(id, body)) = client.next_within(Duration::from_millis(20)) {
        assert!(body["error"].as_u64() > Some(0) || id == 1024, "{what} was answered with {id} {body}");
    }
}

fn attack(server: &Server, victim: u64, what: &str, bytes: &[u8]) {
    let mut stranger = server.connect();
    let _ = stranger.try_send(bytes);
    drain(&mut stranger, what);
    let mut insider = server.session(2000);
    let _ = insider.client.try_send(bytes);
    drain(&mut insider.client, what);
    // Both stay connected while somebody else logs in.
    server.assert_serves(victim);
}

fn g8_hostile_input_harms_nobody(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut bystander = server.session(1001);
    for (number, (what, bytes)) in (3000..).zip(inputs()) {
        attack(&server, number, what, &bytes);
        bystander.beat();
    }
    let seats = server.admin.seats(1001);
    assert_eq!(seats[0]["sid"], bystander.sid(), "{seats:?}");
    server.wait_sessions(1);
}

fn g8_random_bytes_harm_nobody(store: StoreKind) {
    let seed = 0x5eed_0001;
    let mut random = Random::new(seed);
    let server = Setup::new(store).start();
    let mut bystander = server.session(1001);
    let template = frame(1005, br#"{"uid":1001,"token":"a token that nobody issued"}"#);
    for round in 0..150 {
        let mut bytes = template.repeat(1 + random.below(3));
        for _ in 0..=random.below(8) {
            let at = random.below(bytes.len());
            bytes[at] = u8::try_from(random.below(256)).expect("it is below 256");
        }
        bytes.truncate(1 + random.below(bytes.len()));
        for mut client in [server.connect(), server.session(2000).client] {
            let _ = client.try_send(&bytes);
            client.finish_sending();
            for (id, body) in client.rest() {
                let is_refused = body["error"].as_u64() > Some(0) || id == 1024;
                assert!(is_refused, "seed {seed:#x} round {round}: {bytes:?} was answered with {id} {body}");
            }
        }
    }
    bystander.beat();
    server.assert_serves(1002);
    server.wait_sessions(1);
}

/// The old server dropped the session and left its keys: on line for ever.
fn defect_02_an_oversize_frame_leaves_no_ghost(store: StoreKind) {
    let server = Setup::new(store).start();
    for uid in 2000..2020 {
        let mut session = server.session(uid);
        session.client.send_bytes(&[0x03, 0xf9, 0xff, 0xff]);
        assert_eq!(session.client.expect(1018)["error"], 1105);
    }
    server.wait_sessions(0);
    server.assert_serves(2000);
}

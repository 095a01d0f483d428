//! Input that no honest client sends, and clients that do not read.

use crate::store::{Kind, Store, both};

#[test]
fn bad_requests_are_answered_and_closed() {
    both(|store| {
        let cases: &[(&[u8], &str)] = &[
            (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "-ERR Protocol error: expected '$', got 'f'"),
            (b"*2\r\n$3\r\nGET\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length"),
            (b"*2\r\n$3\r\nGET\r\n$600000000\r\n", "-ERR Protocol error: invalid bulk length"),
            (b"*9999999999\r\n", "-ERR Protocol error: invalid multibulk length"),
            (b"set \"\"\" test\r\n", "-ERR Protocol error: unbalanced quotes in request"),
        ];
        for (bytes, expected) in cases {
            let mut client = store.client();
            client.send_raw(bytes);
            assert_eq!(client.reply(), *expected);
            assert!(client.is_closed());
        }
        assert_eq!(store.client().line("PING"), "+PONG");
    });
}

#[test]
fn inline_commands_and_empty_requests_are_served() {
    both(|store| {
        let mut client = store.client();
        client.send_raw(b"\r\n*0\r\nPING\r\nSET a \"b c\"\r\nGET a\nQUIT\r\n");
        assert_eq!(client.reply(), "+PONG");
        assert_eq!(client.reply(), "+OK");
        assert_eq!(client.reply(), "\"b c\"");
        assert_eq!(client.reply(), "+OK");
        assert!(client.is_closed());
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    both(|store| {
        let mut client = store.client();
        let requests: String = (0..5000).map(|_| "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n").collect();
        client.send_raw(requests.as_bytes());
        for expected in 1..=5000 {
            assert_eq!(client.reply(), format!(":{expected}"));
        }
    });
}

#[test]
fn a_client_that_reads_nothing_is_dropped() {
    let store = Store::start(Kind::Embedded);
    let (mut deaf, mut speaker) = (store.client(), store.client());
    deaf.line("SUBSCRIBE a");
    let payload = "x".repeat(1024 * 1024);
    let mut sent = 0;
    while speaker.call(&["PUBLISH", "a", &payload]) == ":1" {
        sent += 1;
        assert!(sent < 1000, "it was never dropped");
    }
    assert_eq!(speaker.line("PING"), "+PONG");
}

#[test]
fn large_values_come_back_whole() {
    both(|store| {
        let mut client = store.client();
        let value = "v".repeat(5_000_000);
        assert_eq!(client.call(&["SET", "big", &value]), "+OK");
        assert_eq!(client.line("STRLEN big"), ":5000000");
        assert_eq!(client.line("GET big").len(), 5_000_002);
    });
}

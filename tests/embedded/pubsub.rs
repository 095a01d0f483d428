//! Publishing and subscribing.

use crate::store::both;

#[test]
fn messages_reach_channels_and_patterns_in_order() {
    both(|store| {
        let (mut listener, mut speaker) = (store.client(), store.client());
        assert_eq!(listener.line("SUBSCRIBE a b"), "[\"subscribe\", \"a\", :1]");
        assert_eq!(listener.reply(), "[\"subscribe\", \"b\", :2]");
        assert_eq!(listener.line("PSUBSCRIBE a*"), "[\"psubscribe\", \"a*\", :3]");
        assert_eq!(speaker.line("PUBLISH a x"), ":2");
        assert_eq!(speaker.line("EVAL \"return redis.call('publish','b','y')\" 0"), ":1");
        assert_eq!(listener.reply(), "[\"message\", \"a\", \"x\"]");
        assert_eq!(listener.reply(), "[\"pmessage\", \"a*\", \"a\", \"x\"]");
        assert_eq!(listener.reply(), "[\"message\", \"b\", \"y\"]");
        assert!(listener.line("GET a").starts_with("-ERR Can't execute 'get'"));
        assert_eq!(listener.line("PING"), "[\"pong\", \"\"]");
        assert_eq!(speaker.line("PUBSUB NUMSUB a none"), "[\"a\", :1, \"none\", :0]");
        assert_eq!(speaker.line("PUBSUB NUMPAT"), ":1");
        assert_eq!(listener.line("UNSUBSCRIBE a"), "[\"unsubscribe\", \"a\", :2]");
        assert_eq!(speaker.line("PUBSUB CHANNELS"), "[\"b\"]");
    });
}

#[test]
fn a_client_of_protocol_three_may_go_on_asking() {
    both(|store| {
        let (mut listener, mut speaker) = (store.client(), store.client());
        listener.line("HELLO 3");
        assert_eq!(listener.line("SUBSCRIBE a"), ">[\"subscribe\", \"a\", :1]");
        assert_eq!(listener.line("SET k v"), "+OK");
        assert_eq!(speaker.line("PUBLISH a x"), ":1");
        assert_eq!(listener.reply(), ">[\"message\", \"a\", \"x\"]");
    });
}

#[test]
fn changes_of_keys_are_published_when_asked_for() {
    both(|store| {
        let (mut listener, mut speaker) = (store.client(), store.client());
        assert_eq!(speaker.line("CONFIG SET notify-keyspace-events KEA"), "+OK");
        listener.line("PSUBSCRIBE __key*__:*");
        speaker.line("SET k v");
        assert_eq!(listener.reply(), "[\"pmessage\", \"__key*__:*\", \"__keyspace@0__:k\", \"set\"]");
        assert_eq!(listener.reply(), "[\"pmessage\", \"__key*__:*\", \"__keyevent@0__:set\", \"k\"]");
        speaker.line("PEXPIRE k 1");
        assert!(listener.reply().ends_with("\"expire\"]"));
        assert!(listener.reply().ends_with("\"k\"]"));
        // Nobody touches the key: it is removed, and told of, by the store itself.
        assert!(listener.reply().ends_with("\"expired\"]"));
    });
}

#[test]
fn a_subscriber_that_leaves_is_forgotten() {
    both(|store| {
        let mut speaker = store.client();
        let mut listener = store.client();
        listener.line("SUBSCRIBE a");
        drop(listener);
        while speaker.line("PUBSUB NUMSUB a") != "[\"a\", :0]" {}
        assert_eq!(speaker.line("PUBLISH a x"), ":0");
    });
}

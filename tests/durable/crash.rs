//! Crashes of the machine: under load, at any moment, with whatever the disk leaves of what was not synced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use oneseat::embedded::aof::Fsync;

use crate::client::Client;
use crate::dice::Dice;
use crate::disk::FaultyDisk;
use crate::store::{Store, wait_until};

const WRITERS: usize = 3;
/// One unit of four effects in three keys: if half of it were there, the keys would disagree.
const SCRIPT: &str = "redis.call('INCR', KEYS[1]) redis.call('RPUSH', KEYS[2], ARGV[1]) \
                      redis.call('HSET', KEYS[3], 'n', ARGV[1]) redis.call('PEXPIRE', KEYS[3], 100000000) return 1";

fn setting(name: &str, or: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}

fn seeds() -> std::ops::RangeInclusive<u64> {
    let runs = setting("ONESEAT_RUNS", 100);
    std::env::var("ONESEAT_SEED").map_or(1..=runs, |_| setting("ONESEAT_SEED", 1)..=setting("ONESEAT_SEED", 1))
}

/// Clients that write until told to stop, and count what was acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Vec<Arc<AtomicU64>>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(store: &Store) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged: Vec<Arc<AtomicU64>> = (0..WRITERS).map(|_| Arc::default()).collect();
        let writers = acknowledged.iter().enumerate().map(|(writer, acknowledged)| {
            let (mut client, stop, acknowledged) = (store.client(), Arc::clone(&stop), Arc::clone(acknowledged));
            std::thread::spawn(move || write(&mut client, writer, &stop, &acknowledged))
        });
        let writers = writers.collect();
        Load { stop, acknowledged, writers }
    }

    fn counts(&self) -> Vec<u64> {
        self.acknowledged.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }

    fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.writers.into_iter().for_each(|writer| writer.join().expect("a writer ends"));
    }
}

fn write(client: &mut Client, writer: usize, stop: &AtomicBool, acknowledged: &AtomicU64) {
    let keys = ["n", "list", "hash"].map(|name| format!("{name}:{writer}"));
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        let text = number.to_string();
        let reply = client.call(&["EVAL", SCRIPT, "3", &keys[0], &keys[1], &keys[2], &text]);
        assert_eq!(reply, ":1");
        acknowledged.store(number, Ordering::SeqCst);
    }
}

/// What a writer finds: its last unit, after checking that every unit up to it is there whole.
fn last_unit(client: &mut Client, writer: usize) -> u64 {
    let count: u64 = match client.call(&["GET", &format!("n:{writer}")]).trim_matches('"') {
        "nil" => 0,
        text => text.parse().expect("a counter"),
    };
    assert_eq!(client.call(&["LLEN", &format!("list:{writer}")]), format!(":{count}"), "half a script");
    let expected = if count == 0 { "nil".to_string() } else { format!("\"{count}\"") };
    assert_eq!(client.call(&["HGET", &format!("hash:{writer}"), "n"]), expected, "half a script");
    assert_eq!(client.call(&["LINDEX", &format!("list:{writer}"), "-1"]), expected, "not the last one");
    assert_eq!(client.call(&["TTL", &format!("hash:{writer}")]).starts_with(":-"), count == 0, "half a script");
    count
}

/// One life: load, perhaps a rewrite, a crash at a random moment, and the counts that were acknowledged before it.
fn crash_once(disk: &FaultyDisk, fsync: Fsync, dice: &mut Dice) -> (FaultyDisk, Vec<u64>) {
    let store = Store::on(disk, fsync).expect("it starts on what a crash left");
    let load = Load::start(&store);
    let until = dice.below(120);
    let rewrites = dice.below(3);
    let mut client = store.client();
    wait_until("the load runs", || load.counts().iter().sum::<u64>() >= until);
    for _ in 0..rewrites {
        client.line("BGREWRITEAOF");
        let more = load.counts().iter().sum::<u64>() + dice.below(40);
        wait_until("the load runs", || load.counts().iter().sum::<u64>() >= more);
    }
    let counts = load.counts();
    let crashed = disk.crash(dice);
    load.stop();
    (crashed, counts)
}

fn survivors(disk: &FaultyDisk) -> Vec<u64> {
    let store = Store::on(disk, Fsync::Always).expect("it starts on what a crash left");
    let mut client = store.client();
    (0..WRITERS).map(|writer| last_unit(&mut client, writer)).collect()
}

#[test]
fn nothing_acknowledged_is_lost_under_always_and_no_script_is_halved() {
    let (mut lives, mut units) = (0, 0);
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let disk = FaultyDisk::default();
        let (crashed, acknowledged) = crash_once(&disk, Fsync::Always, &mut dice);
        let found = survivors(&crashed);
        for (found, acknowledged) in found.iter().zip(&acknowledged) {
            assert!(found >= acknowledged, "ONESEAT_SEED={seed}: {found} of {acknowledged} acknowledged units");
        }
        lives += 1;
        units += acknowledged.iter().sum::<u64>();
    }
    println!("always: {lives} crashes, {units} acknowledged units, none lost, none halved");
}

#[test]
fn what_everysec_loses_was_never_synced_and_nothing_is_halved() {
    let (mut lives, mut acknowledged_units, mut lost) = (0, 0, 0);
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let disk = FaultyDisk::default();
        let store = Store::on(&disk, Fsync::Everysec).expect("an empty disk");
        let mut client = store.client();
        client.line("SET first 1");
        wait_until("the first second is synced", || disk.is_synced());
        store.stop();
        let (crashed, acknowledged) = crash_once(&disk, Fsync::Everysec, &mut dice);
        let found = survivors(&crashed);
        let store = Store::on(&crashed, Fsync::Always).expect("it starts");
        assert_eq!(store.client().line("GET first"), "\"1\"", "ONESEAT_SEED={seed}: what was synced is there");
        lives += 1;
        acknowledged_units += acknowledged.iter().sum::<u64>();
        lost += acknowledged.iter().zip(&found).map(|(had, found)| had.saturating_sub(*found)).sum::<u64>();
    }
    println!(
        "everysec: {lives} crashes, {acknowledged_units} acknowledged units, {lost} of the last second lost, none halved"
    );
}

#[test]
fn everysec_syncs_by_itself_when_writes_stop() {
    let disk = FaultyDisk::default();
    let store = Store::on(&disk, Fsync::Everysec).expect("an empty disk");
    let mut client = store.client();
    for number in 0..50 {
        assert_eq!(client.line(&format!("RPUSH list {number}")), format!(":{}", number + 1));
    }
    wait_until("all is synced without another command", || disk.is_synced());
    let crashed = disk.crash(&mut Dice::new(1));
    let store = Store::on(&crashed, Fsync::Everysec).expect("it starts");
    assert_eq!(store.client().line("LLEN list"), ":50");
}

#[test]
fn one_sync_serves_all_who_wait_under_always() {
    const CLIENTS: usize = 20;
    let disk = FaultyDisk::default();
    let store = Store::on(&disk, Fsync::Always).expect("an empty disk");
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| store.client()).collect();
    let before = disk.syncs();
    // A script keeps the owner busy while all others send, so that their writes meet in one pass.
    clients[0].send(&[b"EVAL", b"for i = 1, 3000000 do end redis.call('incr', 'n')", b"0"]);
    clients[1..].iter_mut().for_each(|client| client.send(&[b"INCR", b"n"]));
    clients.iter_mut().for_each(|client| drop(client.reply()));
    let syncs = disk.syncs() - before;
    assert!(syncs < CLIENTS / 2, "{syncs} syncs for {CLIENTS} writes");
    assert_eq!(clients[0].line("GET n"), format!("\"{CLIENTS}\""));
}

#[test]
fn a_store_crashes_again_and_again_and_stays_sound() {
    for seed in seeds().take(12) {
        let mut dice = Dice::new(seed);
        let mut disk = FaultyDisk::default();
        let store = Store::on(&disk, Fsync::Always).expect("an empty disk");
        store.client().line("SET life 0");
        drop(store);
        for life in 1..8 {
            disk = disk.crash(&mut dice);
            let store = Store::on(&disk, Fsync::Always)
                .unwrap_or_else(|error| panic!("ONESEAT_SEED={seed}, life {life}: {error}"));
            let mut client = store.client();
            assert_eq!(client.line("GET life"), format!("\"{}\"", life - 1), "ONESEAT_SEED={seed}");
            if dice.below(2) == 0 {
                client.line("BGREWRITEAOF");
            }
            client.line("SET other x");
            assert_eq!(client.line(&format!("SET life {life}")), "+OK");
        }
    }
}

#[test]
fn a_script_that_the_end_of_the_store_cuts_short_leaves_nothing() {
    let disk = FaultyDisk::default();
    let store = Store::on(&disk, Fsync::Always).expect("an empty disk");
    let mut client = store.client();
    client.line("SET before 1");
    client.send(&[b"MULTI"]);
    client.send(&[b"EVAL", b"redis.call('set', 'half', '1') while true do end", b"0"]);
    client.send(&[b"SET", b"half2", b"1"]);
    client.send(&[b"EXEC"]);
    client.send(&[b"RENAME", b"half", b"half3"]);
    let mut other = store.client();
    other.send(&[b"PING"]);
    store.stop();
    let store = Store::on(&disk, Fsync::Always).expect("it starts");
    let mut client = store.client();
    assert_eq!(client.line("EXISTS before half half2 half3"), ":1");
}

/// Its old deadline is told before the new value, also when nobody had looked at the key since it was over.
#[test]
fn a_value_with_a_deadline_outlives_the_expired_one_before_it() {
    let disk = FaultyDisk::default();
    let store = Store::on(&disk, Fsync::Always).expect("an empty disk");
    let mut client = store.client();
    // One write, so that nothing comes between the script and what follows it.
    let script = "redis.call('set', 'key', 'old', 'px', '1') local t = os.clock() while os.clock() < t + 0.01 do end";
    let mut requests = format!("*3\r\n$4\r\nEVAL\r\n${}\r\n{script}\r\n$1\r\n0\r\n", script.len());
    requests += "SETEX key 1000 new\r\n";
    client.send_raw(requests.as_bytes());
    assert_eq!([client.reply(), client.reply()], ["nil", "+OK"]);
    store.stop();
    let store = Store::on(&disk, Fsync::Always).expect("it starts");
    assert_eq!(store.client().line("GET key"), "\"new\"");
}

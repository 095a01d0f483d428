//! Disks that are full or broken: writes are refused and say why, reads go on, nothing is corrupted, and it recovers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oneseat::embedded::aof::Fsync;

use crate::dice::Dice;
use crate::disk::FaultyDisk;
use crate::store::{Store, content, wait_until};

fn full_disk(fsync: Fsync) {
    let disk = FaultyDisk::default();
    let store = Store::on(&disk, fsync).expect("an empty disk");
    let mut client = store.client();
    client.line("SET before 1");
    disk.fill_up_to(2_000);
    let mut writer = store.client();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let writer = std::thread::spawn(move || {
        // The write that meets the full disk waits, and is answered when it is safe; later ones are refused.
        let going = (0..).take_while(|_| !stopped.load(Ordering::SeqCst));
        going.filter(|_| writer.line("RPUSH list value").starts_with(':')).count()
    });
    wait_until("the disk is full", || client.line("INFO persistence").contains("aof_last_write_status:err"));
    let refusal = client.line("SET refused 1");
    assert!(refusal.starts_with("-MISCONF Errors writing to the AOF file: "), "{refusal}");
    assert!(client.line("EVAL \"return redis.call('set','x','1')\" 0").starts_with("-MISCONF"));
    assert_eq!(client.line("GET before"), "\"1\"");
    assert_eq!(client.line("EXISTS refused"), ":0");
    let length = client.line("LLEN list");
    disk.make_room();
    wait_until("writes are taken again", || client.line("SET after 1") == "+OK");
    wait_until("the writer goes on", || client.line("LLEN list") != length);
    stop.store(true, Ordering::SeqCst);
    let taken = writer.join().expect("the writer ends");
    let before = content(&mut client);
    assert_eq!(client.line("LLEN list"), format!(":{taken}"));
    store.stop();
    let store = Store::on(&disk, fsync).expect("it starts again");
    assert_eq!(content(&mut store.client()), before);
}

#[test]
fn a_full_disk_refuses_writes_and_recovers_under_always() {
    full_disk(Fsync::Always);
}

#[test]
fn a_full_disk_refuses_writes_and_recovers_under_everysec() {
    full_disk(Fsync::Everysec);
}

#[test]
fn after_a_failed_sync_the_files_are_started_over_from_memory() {
    for seed in 1..=10 {
        let disk = FaultyDisk::default();
        let store = Store::on(&disk, Fsync::Always).expect("an empty disk");
        let mut client = store.client();
        for number in 1..=20 {
            assert_eq!(client.line("RPUSH list x"), format!(":{number}"));
        }
        disk.fail_syncs(1);
        // Its reply waits until the new files are safe.
        assert_eq!(client.line("RPUSH list x"), ":21");
        wait_until("writes are taken again", || client.line("SET after 1") == "+OK");
        let before = content(&mut client);
        let crashed = disk.crash(&mut Dice::new(seed));
        let store = Store::on(&crashed, Fsync::Always).expect("it starts");
        assert_eq!(content(&mut store.client()), before, "seed {seed}");
    }
}

#[test]
fn under_everysec_a_failed_sync_loses_nothing_that_memory_has() {
    let disk = FaultyDisk::default();
    let store = Store::on(&disk, Fsync::Everysec).expect("an empty disk");
    let mut client = store.client();
    client.line("SET first 1");
    disk.fail_syncs(1);
    wait_until("the sync fails and is mended", || {
        client.line("SET more 1");
        !client.line("INFO persistence").contains("aof_base_size:0")
    });
    wait_until("writes are taken again", || client.line("SET after 1") == "+OK");
    wait_until("all is synced", || disk.is_synced());
    let crashed = disk.crash(&mut Dice::new(1));
    let store = Store::on(&crashed, Fsync::Always).expect("it starts");
    assert_eq!(store.client().line("EXISTS first more after"), ":3");
}

#[test]
fn a_sync_that_fails_for_a_rewrite_is_not_forgotten() {
    let disk = FaultyDisk::default();
    let store = Store::on(&disk, Fsync::Everysec).expect("an empty disk");
    let mut client = store.client();
    client.line("SET first 1");
    wait_until("the first second is synced", || disk.is_synced());
    disk.fail_syncs(1);
    client.line("SET second 1");
    client.line("BGREWRITEAOF");
    wait_until("all is safe again", || client.line("SET third 1") == "+OK" && disk.is_synced());
    let crashed = disk.crash(&mut Dice::new(1));
    let store = Store::on(&crashed, Fsync::Always).expect("it starts");
    assert_eq!(store.client().line("EXISTS first second third"), ":3");
}

#[test]
fn starting_over_survives_failures_of_its_own() {
    for seed in 1..=4 {
        let disk = FaultyDisk::default();
        let store = Store::on(&disk, Fsync::Always).expect("an empty disk");
        let mut client = store.client();
        client.line("SET first 1");
        disk.fail_folder_syncs(1);
        disk.fail_syncs(1);
        // Its reply waits until new files are safe, at the second attempt.
        assert_eq!(client.line("SET second 1"), "+OK");
        wait_until("writes are taken again", || client.line("SET third 1") == "+OK");
        let crashed = disk.crash(&mut Dice::new(seed));
        let store = Store::on(&crashed, Fsync::Always).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(store.client().line("EXISTS first second third"), ":3", "seed {seed}");
    }
}

#[test]
fn a_client_that_closes_its_side_still_gets_its_reply() {
    use std::io::{Read, Write};
    let disk = FaultyDisk::default();
    let store = Store::on(&disk, Fsync::Always).expect("an empty disk");
    for number in 0..50 {
        let mut stream = std::os::unix::net::UnixStream::connect(&store.socket).expect("the store listens");
        stream.write_all(format!("SET key {number}\r\n").as_bytes()).expect("the store reads");
        stream.shutdown(std::net::Shutdown::Write).expect("one side closes");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the store answers and closes");
        assert_eq!(reply, "+OK\r\n");
    }
}

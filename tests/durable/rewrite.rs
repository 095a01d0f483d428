//! Rewriting: it loses nothing, changes nothing, and gives room back.

use std::path::PathBuf;
use std::sync::Arc;

use oneseat::embedded::aof::AppendOnly;
use oneseat::embedded::aof::folder::StoreFolder;
use tempfile::TempDir;

use crate::disk::FaultyDisk;
use crate::store::{EVERYTHING, Store, content, wait_until};

#[test]
fn a_rewrite_keeps_everything_and_is_shorter() {
    let folder = TempDir::new().expect("a temporary folder");
    let store = Store::at(folder.path()).expect("it starts");
    let mut client = store.client();
    EVERYTHING.iter().for_each(|line| drop(client.line(line)));
    for _ in 0..1000 {
        client.line("INCR counter");
    }
    let before = content(&mut client);
    let reader = StoreFolder::new(folder.path().to_path_buf());
    let length =
        |reader: &StoreFolder| reader.report().expect("sound").files.iter().map(|(_, bytes)| bytes).sum::<u64>();
    let long = length(&reader);
    assert_eq!(client.line("BGREWRITEAOF"), "+Background append only file rewriting started");
    wait_until("the rewrite ends", || client.line("INFO persistence").contains("aof_rewrites:1"));
    assert!(length(&reader) < long / 4);
    assert_eq!(content(&mut client), before);
    client.line("INCR counter");
    let after = content(&mut client);
    store.stop();
    let store = Store::at(folder.path()).expect("it starts on the rewritten file");
    assert_eq!(content(&mut store.client()), after);
}

#[test]
fn it_rewrites_by_itself_when_the_file_has_grown() {
    let folder = TempDir::new().expect("a temporary folder");
    let options = AppendOnly { rewrite_bytes_min: 20_000, ..AppendOnly::new(folder.path().to_path_buf()) };
    let store = Store::with(options).expect("it starts");
    let mut client = store.client();
    wait_until("it has grown enough", || {
        client.line("SET key value");
        client.line("INFO persistence").contains("aof_rewrites:1")
    });
    assert_eq!(client.line("CONFIG GET auto-aof-rewrite-min-size"), "[\"auto-aof-rewrite-min-size\", \"20000\"]");
}

#[test]
fn a_rewrite_that_fails_changes_nothing_and_the_next_one_works() {
    let disk = FaultyDisk::default();
    let options = AppendOnly { disk: Arc::new(disk.clone()), ..AppendOnly::new(PathBuf::from("store")) };
    let store = Store::with(options.clone()).expect("it starts");
    let mut client = store.client();
    EVERYTHING.iter().for_each(|line| drop(client.line(line)));
    let before = content(&mut client);
    // Enough for the manifest, not for the new base.
    disk.fill_up_to(300);
    client.line("BGREWRITEAOF");
    wait_until("the rewrite fails", || client.line("INFO persistence").contains("aof_last_bgrewrite_status:err"));
    disk.make_room();
    assert_eq!(content(&mut client), before);
    client.line("BGREWRITEAOF");
    wait_until("the rewrite works", || client.line("INFO persistence").contains("aof_rewrites:1"));
    wait_until("writes are taken", || client.line("SET again 1") == "+OK");
    let before = content(&mut client);
    store.stop();
    let store = Store::with(options).expect("it starts again");
    assert_eq!(content(&mut store.client()), before);
}

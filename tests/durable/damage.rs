//! Damage: every byte of a small file cut off or flipped.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use oneseat::embedded::aof::folder::StoreFolder;
use oneseat::embedded::aof::load::LoadError;
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::store::{EVERYTHING, Store, wait_until};

const FILE: &str = "appendonly.aof.1.incr.aof";

/// A store with a small file; the digest of each state it went through, by the length of the file then.
fn small_store() -> (TempDir, Vec<(usize, u64)>) {
    let folder = TempDir::new().expect("a temporary folder");
    let mut states = Vec::new();
    let store = Store::at(folder.path()).expect("it starts");
    let mut client = store.client();
    states.push(state(folder.path()));
    for line in EVERYTHING {
        let reply = client.line(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
        states.push(state(folder.path()));
    }
    store.stop();
    (folder, states)
}

fn state(folder: &Path) -> (usize, u64) {
    let report = StoreFolder::new(folder.to_path_buf()).report().expect("it is sound");
    let length = fs::metadata(folder.join(FILE)).expect("the file is there").len();
    (length as usize, report.digest)
}

/// The newest state that is whole in the first `length` bytes.
fn state_at(states: &[(usize, u64)], length: usize) -> u64 {
    states.iter().rev().find(|(end, _)| *end <= length).expect("the empty state fits").1
}

#[test]
fn a_file_cut_at_any_byte_gives_the_last_whole_unit() {
    let (folder, states) = small_store();
    let bytes = fs::read(folder.path().join(FILE)).expect("the file is there");
    let store = StoreFolder::new(folder.path().to_path_buf());
    for cut in 0..bytes.len() {
        fs::write(folder.path().join(FILE), &bytes[..cut]).expect("it can be written");
        let report = store.report().unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        assert_eq!(report.digest, state_at(&states, cut), "cut at {cut}");
        let is_whole = states.iter().any(|(end, _)| *end == cut);
        assert_eq!(report.torn.is_none(), is_whole, "cut at {cut}: {:?}", report.torn);
    }
    println!("{} cuts, each gave the last whole unit", bytes.len());
}

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let (folder, states) = small_store();
    let bytes = fs::read(folder.path().join(FILE)).expect("the file is there");
    let store = StoreFolder::new(folder.path().to_path_buf());
    let last_begins = states[states.len() - 2].0;
    let mut found: HashMap<&str, usize> = HashMap::new();
    for at in 0..bytes.len() {
        for bit in [1, 128] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            fs::write(folder.path().join(FILE), &damaged).expect("it can be written");
            match store.report() {
                Err(LoadError::Damaged { offset, .. }) => {
                    assert!(offset as usize <= at, "byte {at}: told at {offset}");
                    *found.entry("refused, with the place").or_default() += 1;
                }
                Err(error) => panic!("byte {at}: {error}"),
                Ok(report) => {
                    let torn = report.torn.expect("it is not sound");
                    assert!(at >= last_begins && torn.offset as usize == last_begins, "byte {at}: {torn:?}");
                    assert_eq!(report.digest, state_at(&states, last_begins));
                    *found.entry("last batch cut off").or_default() += 1;
                }
            }
        }
    }
    println!("{} flips: {found:?}", 2 * bytes.len());
}

#[test]
fn a_torn_end_is_cut_back_kept_beside_and_written_on() {
    let (folder, states) = small_store();
    let path = folder.path().join(FILE);
    let bytes = fs::read(&path).expect("the file is there");
    let begins = states[states.len() - 2].0;
    fs::write(&path, &bytes[..bytes.len() - 3]).expect("it can be written");
    let store = Store::at(folder.path()).expect("a torn end is no reason not to start");
    assert_eq!(store.client().line("SET after torn"), "+OK");
    store.stop();
    let kept = folder.path().join(format!("{FILE}.cut-{begins}"));
    assert_eq!(fs::read(kept).expect("the end is kept"), &bytes[begins..bytes.len() - 3]);
    let store = Store::at(folder.path()).expect("it starts again");
    assert_eq!(store.client().line("GET after"), "\"torn\"");
}

#[test]
fn damage_in_the_middle_refuses_the_start_and_is_left_alone() {
    let (folder, _) = small_store();
    let path = folder.path().join(FILE);
    let mut bytes = fs::read(&path).expect("the file is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).expect("it can be written");
    let error = Store::at(folder.path()).err().expect("it is damaged").to_string();
    assert!(error.contains(FILE) && error.contains("damaged at byte"), "{error}");
    assert!(error.contains("whole batches follow"), "{error}");
    assert_eq!(fs::read(&path).expect("it is still there"), bytes);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_the_way_out() {
    let cases: [(&[u8], &str); 6] = [
        (b"REDIS0011\xfa\x09redis-ver", "aof-use-rdb-preamble no"),
        (b"*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*1\r\n$4\r\nEXEC\r\n", "`SELECT` cannot be replayed"),
        (b"*3\r\n$5\r\nPFADD\r\n$1\r\na\r\n$1\r\nb\r\n", "at byte 0: `PFADD` cannot be replayed"),
        (b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "`GET` cannot be replayed"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nab\r\n$1\r\nb\r\n", "does not end where its length says"),
        (b"hello", "damaged at byte 0"),
    ];
    for (bytes, told) in cases {
        let folder = TempDir::new().expect("a temporary folder");
        write_store(folder.path(), bytes);
        let error = Store::at(folder.path()).err().expect("it cannot be read").to_string();
        assert!(error.contains(told), "{error}");
    }
}

proptest! {
    /// Whatever is in the file, reading it ends with keys, a torn end, or an error that names a place in it.
    #[test]
    fn any_bytes_are_read_or_refused(pieces in vec(piece(), 0..40)) {
        let folder = TempDir::new().expect("a temporary folder");
        let bytes = pieces.concat();
        write_store(folder.path(), &bytes);
        match StoreFolder::new(folder.path().to_path_buf()).report() {
            Ok(report) => prop_assert!(report.torn.is_none_or(|torn| torn.offset + torn.bytes == bytes.len() as u64)),
            Err(LoadError::Damaged { offset, .. } | LoadError::Foreign { offset, .. }) => {
                prop_assert!(offset <= bytes.len() as u64);
            }
            Err(LoadError::Rdb { .. }) => prop_assert!(bytes.starts_with(b"REDIS")),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    /// What was cut back by `mend` is sound, and nothing of the file is gone.
    #[test]
    fn mending_any_bytes_leaves_a_sound_store_and_keeps_the_rest(pieces in vec(piece(), 1..40)) {
        let folder = TempDir::new().expect("a temporary folder");
        let bytes = pieces.concat();
        let path = write_store(folder.path(), &bytes);
        let store = StoreFolder::new(folder.path().to_path_buf());
        if let Ok(mended) = store.mend() {
            prop_assert!(store.report().is_ok_and(|report| report.torn.is_none()));
            let kept = mended.iter().flat_map(|mended| &mended.kept).map(|path| fs::read(path).expect("it is kept"));
            let whole = [fs::read(path).expect("it is there"), kept.flatten().collect()].concat();
            prop_assert_eq!(whole, bytes);
        }
    }
}

/// Bytes as they stand in such files, whole and broken, and any others.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let fixed: &[&[u8]] = &[
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"*1\r\n$5\r\nMULTI\r\n",
        b"*1\r\n$4\r\nEXEC\r\n",
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n",
        b"*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\nx\r\n",
        b"#CRC32:27:57d262ef\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"#CRC32:99999999999:00000000\r\n",
        b"#TS:1700000000\r\n",
        b"*99999999\r\n$1\r\n",
        b"$5\r\n",
        b"REDIS",
        b"\0\0\0\0",
    ];
    let fixed = proptest::sample::select(fixed.to_vec()).prop_map(<[u8]>::to_vec);
    prop_oneof![6 => fixed, 1 => vec(any::<u8>(), 0..30)]
}

#[test]
fn a_base_that_is_cut_short_refuses_the_start() {
    let (folder, _) = small_store();
    let store = Store::at(folder.path()).expect("it starts");
    let mut client = store.client();
    client.line("BGREWRITEAOF");
    wait_until("the rewrite ends", || client.line("INFO persistence").contains("aof_rewrites:1"));
    store.stop();
    let base = folder.path().join("appendonly.aof.1.base.aof");
    let bytes = fs::read(&base).expect("the base is there");
    fs::write(&base, &bytes[..bytes.len() - 5]).expect("it can be written");
    let error = Store::at(folder.path()).err().expect("it is damaged").to_string();
    assert!(error.contains("appendonly.aof.1.base.aof is damaged at byte 0"), "{error}");
}

#[test]
fn parts_without_their_manifest_are_not_begun_upon() {
    let (folder, _) = small_store();
    let before = fs::read(folder.path().join(FILE)).expect("the file is there");
    fs::remove_file(folder.path().join("appendonly.aof.manifest")).expect("it is there");
    let error = Store::at(folder.path()).err().expect("it does not start").to_string();
    assert!(error.contains(FILE) && error.contains("appendonly.aof.manifest"), "{error}");
    assert_eq!(fs::read(folder.path().join(FILE)).expect("it is still there"), before);
}

/// A store of one file, as a Redis might have left it.
fn write_store(folder: &Path, bytes: &[u8]) -> PathBuf {
    fs::write(folder.join("appendonly.aof.manifest"), format!("file {FILE} seq 1 type i\n")).expect("written");
    fs::write(folder.join(FILE), bytes).expect("it can be written");
    folder.join(FILE)
}

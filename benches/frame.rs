//! The frame codec and the reading of bodies: what each frame costs before anything is done with it.
//!
//! `cargo bench --bench frame`.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use oneseat::wire::message::{HEARTBEAT, LOGIN, parse_heartbeat, parse_login};
use oneseat::wire::{Decoder, encode};

const LOGIN_BODY: &[u8] = br#"{"uid":1001,"token":"0f8fad5b-d9cb-469f-a165-70867728950e"}"#;
const HEARTBEAT_BODY: &[u8] = br#"{"fromuid":1001}"#;
const FRAMES: usize = 256;

fn main() {
    divan::main();
}

fn stream(id: u16, body: &[u8]) -> Vec<u8> {
    (0..FRAMES).flat_map(|_| encode(id, body).expect("a short body")).collect()
}

/// Whole frames in one chunk: nothing is copied.
#[divan::bench]
fn decode_whole(bencher: Bencher<'_, '_>) {
    let stream = stream(HEARTBEAT, HEARTBEAT_BODY);
    bencher.counter(ItemsCount::new(FRAMES)).counter(BytesCount::new(stream.len())).bench_local(|| {
        let (mut decoder, mut rest) = (Decoder::new(16_384), &stream[..]);
        while let Some(piece) = decoder.next(&mut rest) {
            black_box(piece);
        }
    });
}

/// Chunks that cut every frame: each is put together first.
#[divan::bench(args = [1, 7, 19])]
fn decode_chunked(bencher: Bencher<'_, '_>, bytes: usize) {
    let stream = stream(HEARTBEAT, HEARTBEAT_BODY);
    bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
        let mut decoder = Decoder::new(16_384);
        for mut chunk in stream.chunks(bytes) {
            while let Some(piece) = decoder.next(&mut chunk) {
                black_box(piece);
            }
        }
    });
}

#[divan::bench(args = [16, 256, 4096])]
fn encode_frame(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = vec![b'x'; bytes];
    bencher.counter(BytesCount::new(bytes)).bench_local(|| encode(LOGIN, black_box(&body)));
}

#[divan::bench]
fn read_login() -> bool {
    parse_login(black_box(LOGIN_BODY)).is_ok()
}

#[divan::bench]
fn read_heartbeat() -> bool {
    parse_heartbeat(black_box(HEARTBEAT_BODY)).is_ok()
}

//! The local map, the mailbox and the clock of silence, with 100,000 sessions present, on one thread and on four.
//!
//! `cargo bench --bench map`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use divan::{Bencher, black_box};
use oneseat::digest::TokenDigest;
use oneseat::id::{Name, Rank, Seat, Sid, Uid};
use oneseat::session::{Bounds, Handle, Map, Patience, Wheel};

const SESSIONS: usize = 100_000;

fn main() {
    let _ = crowd();
    divan::main();
}

struct Crowd {
    map: Map,
    sids: Vec<Sid>,
    turn: AtomicUsize,
}

impl Crowd {
    fn any(&self) -> Sid {
        self.sids[self.turn.fetch_add(7_919, Ordering::Relaxed) % SESSIONS]
    }
}

fn crowd() -> &'static Crowd {
    static CROWD: OnceLock<Crowd> = OnceLock::new();
    CROWD.get_or_init(|| {
        let map = Map::new();
        let sids = (0..SESSIONS).map(|user| enter(&map, user)).collect();
        Crowd { map, sids, turn: AtomicUsize::new(0) }
    })
}

fn seat(user: usize) -> Seat {
    let uid = Uid::parse(&user.to_string()).expect("digits are a uid");
    Seat { uid, class: Name::parse("main").expect("a plain name") }
}

fn enter(map: &Map, user: usize) -> Sid {
    let handle = Arc::new(Handle::new(Sid::new(), SocketAddr::from(([127, 0, 0, 1], 5_000)), 0));
    let (sid, seat) = (handle.sid(), seat(user));
    handle.seat(seat.clone(), Rank::default(), TokenDigest::of("token"), 0);
    map.insert(handle);
    map.bind(&seat, Rank::default(), sid);
    sid
}

#[divan::bench(threads = [1, 4], min_time = 0.5)]
fn find() -> bool {
    crowd().map.get(crowd().any()).is_some()
}

#[divan::bench(threads = [1, 4], min_time = 0.5)]
fn enter_and_leave(bencher: Bencher<'_, '_>) {
    let next = AtomicUsize::new(SESSIONS);
    bencher.bench(|| {
        let user = next.fetch_add(1, Ordering::Relaxed);
        let sid = enter(&crowd().map, user);
        crowd().map.vacate(&seat(user), sid);
        crowd().map.remove(sid).is_some()
    });
}

#[divan::bench(threads = [1, 4], min_time = 0.5)]
fn deliver() -> bool {
    let bounds = Bounds { frames_max: 4, bytes_max: 1 << 20 };
    let handle = crowd().map.get(crowd().any()).expect("it is present");
    let frame = bytes::Bytes::from_static(b"frame");
    black_box(handle.push(frame, bounds));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    handle.poll_frame(&mut context).is_ready()
}

/// A tick at which every session is due: the worst that the clock can meet.
#[divan::bench]
fn look_at_all(bencher: Bencher<'_, '_>) {
    let patience = Patience { login_timeout_ms: 10_000, limit_ms: 60_000 };
    let crowd = crowd();
    bencher
        .with_inputs(|| {
            let mut wheel = Wheel::default();
            crowd.sids.iter().for_each(|sid| wheel.schedule(*sid, 1_000));
            wheel
        })
        .bench_local_values(|mut wheel| {
            for sid in wheel.advance(1_250) {
                let handle = crowd.map.get(sid).expect("it is present");
                black_box(handle.look(1_250, patience));
            }
        });
}

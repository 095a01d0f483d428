//! Who is on this node: every connection by its sid, and every seat by who holds it here.
//!
//! Lock-free: readers never wait, and each change is one compare-and-swap. Binds of one seat may come in any order, the
//! higher rank stays. Removal is one compare-and-remove by sid, so it never hits a newer session of the same seat.
//! papaya was chosen over a sharded map because reads take no lock at all and `compute` gives the compare-and-set of a
//! whole entry.

use std::sync::Arc;

use papaya::{Compute, HashMap, Operation};

use crate::id::{Rank, Seat, Sid};
use crate::session::handle::Handle;

/// Who holds a seat on this node, as far as it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    pub rank: Rank,
    pub sid: Sid,
}

/// What a bind met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// The seat was free here, or was held by the same session.
    Free,
    /// A session of lower rank held it; it is for a kick to tell that one.
    Over(Holder),
    /// A session of higher rank holds it, and keeps it.
    Under(Holder),
}

/// The sessions of this node.
#[derive(Debug, Default)]
pub struct Map {
    connections: HashMap<Sid, Arc<Handle>>,
    seats: HashMap<Seat, Holder>,
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connection and answers the one it displaced, which for a fresh sid is none.
    pub fn insert(&self, handle: Arc<Handle>) -> Option<Arc<Handle>> {
        self.connections.pin().insert(handle.sid(), handle).cloned()
    }

    /// The connection of a sid.
    pub fn get(&self, sid: Sid) -> Option<Arc<Handle>> {
        self.connections.pin().get(&sid).cloned()
    }

    /// Removes a connection. Answers it to exactly one of those who try.
    pub fn remove(&self, sid: Sid) -> Option<Arc<Handle>> {
        self.connections.pin().remove(&sid).cloned()
    }

    /// Notes who holds a seat, unless a higher rank does.
    pub fn bind(&self, seat: &Seat, rank: Rank, sid: Sid) -> Bound {
        let seats = self.seats.pin();
        let outcome = seats.compute(seat.clone(), |entry| match entry {
            Some((_, holder)) if holder.sid == sid => Operation::Insert(Holder { rank: rank.max(holder.rank), sid }),
            Some((_, holder)) if holder.rank >= rank => Operation::Abort(*holder),
            _ => Operation::Insert(Holder { rank, sid }),
        });
        match outcome {
            Compute::Updated { old: (_, holder), .. } if holder.sid != sid => Bound::Over(*holder),
            Compute::Aborted(holder) => Bound::Under(holder),
            _ => Bound::Free,
        }
    }

    /// Gives a seat up, if this session holds it. Answers whether it did.
    pub fn vacate(&self, seat: &Seat, sid: Sid) -> bool {
        matches!(self.seats.pin().remove_if(seat, |_, holder| holder.sid == sid), Ok(Some(_)))
    }

    /// Every connection at about this moment.
    pub fn handles(&self) -> Vec<Arc<Handle>> {
        self.connections.pin().values().cloned().collect()
    }

    /// Connections, logged in or not.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Seats that are held here.
    pub fn seat_count(&self) -> usize {
        self.seats.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::SocketAddr;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::id::{Name, Uid};

    fn handle() -> Arc<Handle> {
        Arc::new(Handle::new(Sid::new(), SocketAddr::from(([127, 0, 0, 1], 5000)), 0))
    }

    fn seat(uid: usize) -> Seat {
        Seat { uid: Uid::parse(&uid.to_string()).expect("digits"), class: Name::parse("main").expect("letters") }
    }

    fn rank(epoch: u64) -> Rank {
        Rank { number: 1, epoch }
    }

    #[test]
    fn the_higher_rank_stays_whatever_the_order() {
        let (older, newer) = (Sid::new(), Sid::new());
        let map = Map::new();
        assert_eq!(map.bind(&seat(1), rank(1), older), Bound::Free);
        assert_eq!(map.bind(&seat(1), rank(2), newer), Bound::Over(Holder { rank: rank(1), sid: older }));
        let map = Map::new();
        assert_eq!(map.bind(&seat(1), rank(2), newer), Bound::Free);
        assert_eq!(map.bind(&seat(1), rank(1), older), Bound::Under(Holder { rank: rank(2), sid: newer }));
        assert_eq!(
            map.bind(&seat(1), rank(1), newer),
            Bound::Free,
            "a late answer of the same session changes nothing"
        );
        assert_eq!(map.bind(&seat(1), rank(2), older), Bound::Under(Holder { rank: rank(2), sid: newer }));
    }

    /// Story: removing by user after a check by connection lets a newer login in between, and removes that one.
    #[test]
    fn a_late_removal_never_hits_a_newer_session() {
        let (map, older, newer) = (Map::new(), Sid::new(), Sid::new());
        map.bind(&seat(1), rank(1), older);
        map.bind(&seat(1), rank(2), newer);
        assert!(!map.vacate(&seat(1), older));
        assert_eq!(map.seat_count(), 1);
        assert!(map.vacate(&seat(1), newer));
        assert!(!map.vacate(&seat(1), newer));
        assert_eq!(map.seat_count(), 0);
    }

    #[test]
    fn inserting_answers_what_it_displaced() {
        let (map, handle) = (Map::new(), handle());
        assert!(map.insert(handle.clone()).is_none());
        assert!(map.insert(handle.clone()).is_some_and(|displaced| displaced.sid() == handle.sid()));
        assert_eq!(map.connection_count(), 1);
    }

    const THREADS: usize = 8;
    const ROUNDS: usize = 3_000;
    const SEATS: usize = 16;

    /// Eight threads come and go on sixteen seats. Nobody is lost, nobody stays behind, and among those who stay each
    /// seat is held by the highest rank that ever bound it.
    #[test]
    fn many_threads_lose_nothing_and_leak_nothing() {
        let (map, barrier, removed) = (Map::new(), Barrier::new(THREADS), AtomicUsize::new(0));
        let stayed: Vec<(Arc<Handle>, usize, Rank)> = std::thread::scope(|scope| {
            let work = |thread| {
                let (map, barrier, removed) = (&map, &barrier, &removed);
                move || {
                    barrier.wait();
                    come_and_go(map, thread, removed)
                }
            };
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(work(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no thread panics")).collect()
        });
        assert_eq!(removed.load(Ordering::Relaxed) + stayed.len(), THREADS * ROUNDS, "each is removed once or stays");
        assert_eq!(map.connection_count(), stayed.len());
        let present: HashSet<_> = map.handles().iter().map(|handle| handle.sid()).collect();
        assert!(stayed.iter().all(|(handle, _, _)| present.contains(&handle.sid())), "nobody who stayed was lost");
        for (handle, at, rank) in &stayed {
            let bound = map.bind(&seat(*at), *rank, handle.sid());
            let best = stayed.iter().filter(|(_, other, _)| other == at).map(|(_, _, rank)| *rank).max();
            assert_eq!(matches!(bound, Bound::Free), Some(*rank) == best, "the highest rank holds the seat");
        }
        for (handle, at, _) in stayed {
            assert_eq!(Arc::strong_count(&handle), 2, "the map has one, and nobody else");
            map.vacate(&seat(at), handle.sid());
            assert!(map.remove(handle.sid()).is_some());
        }
        assert_eq!((map.connection_count(), map.seat_count()), (0, 0));
    }

    fn come_and_go(map: &Map, thread: usize, removed: &AtomicUsize) -> Vec<(Arc<Handle>, usize, Rank)> {
        let mut stayed = Vec::new();
        for round in 0..ROUNDS {
            let (handle, at) = (handle(), (thread * 7 + round * 5) % SEATS);
            let rank = rank((round * THREADS + thread) as u64);
            assert!(map.insert(handle.clone()).is_none());
            map.bind(&seat(at), rank, handle.sid());
            // The highest ranks of all stay, so no seat is freed after its last holder has come.
            if round >= ROUNDS - SEATS {
                stayed.push((handle, at, rank));
                continue;
            }
            map.vacate(&seat(at), handle.sid());
            removed.fetch_add(usize::from(map.remove(handle.sid()).is_some()), Ordering::Relaxed);
            assert!(map.get(handle.sid()).is_none());
        }
        stayed
    }
}

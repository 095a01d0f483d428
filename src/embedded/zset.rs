//! The sorted set type: members by name, and in order of score and name with ranks.
//!
//! A member is one allocation that both indexes point to. The order is a sequence of sorted chunks with a Fenwick
//! tree over their lengths: finding a place, a rank or the n-th member is logarithmic, an insertion moves at most one
//! chunk of pointers, and a million members cost about twenty bytes each beyond their names.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use ahash::RandomState;
use indexmap::IndexSet;
use triomphe::ThinArc;

use super::footprint::{self, block};

/// Chunks are split in two at this length.
const CHUNK_MAX: usize = 512;
/// Sizes up to which Redis keeps a sorted set in its small form.
const SMALL_MEMBERS_MAX: usize = 128;
const SMALL_BYTES_MAX: usize = 64;

/// An entry of the table: its hash and a pointer.
const SLOT_BYTES: usize = 16;

/// A name with its score.
#[derive(Clone, Debug)]
pub struct Member(ThinArc<f64, u8>);

impl Member {
    fn new(score: f64, name: &[u8]) -> Member {
        Member(ThinArc::from_header_and_slice(score, name))
    }

    /// Bytes of its block: a counter, a length, the score and the name.
    pub(super) fn footprint(&self) -> usize {
        block(24 + self.name().len())
    }

    pub fn score(&self) -> f64 {
        self.0.header.header
    }

    pub fn name(&self) -> &[u8] {
        &self.0.slice
    }

    fn compare(&self, score: f64, name: &[u8]) -> Ordering {
        self.score().partial_cmp(&score).unwrap_or(Ordering::Equal).then_with(|| self.name().cmp(name))
    }
}

// The table finds members by name alone.
impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Member {}

impl Borrow<[u8]> for Member {
    fn borrow(&self) -> &[u8] {
        self.name()
    }
}

/// A run of members in order.
#[derive(Clone, Debug, Default)]
struct Chunk {
    members: Vec<Member>,
    /// The last of them once more, so that a search among chunks does not have to look into each.
    last: Option<Member>,
}

impl Chunk {
    fn new(members: Vec<Member>) -> Chunk {
        let last = members.last().cloned();
        Chunk { members, last }
    }

    fn len(&self) -> usize {
        self.members.len()
    }

    fn insert(&mut self, position: usize, member: Member) {
        if position == self.len() {
            self.last = Some(member.clone());
        }
        self.members.insert(position, member);
    }

    fn remove(&mut self, position: usize) {
        self.members.remove(position);
        if position == self.len() {
            self.last = self.members.last().cloned();
        }
    }
}

/// Members in order of score, then name.
#[derive(Clone, Debug)]
struct Order {
    chunks: Vec<Chunk>,
    /// Fenwick tree of chunk lengths, rebuilt after chunks were split or removed.
    lengths: Vec<u32>,
    stale: bool,
}

impl Default for Order {
    fn default() -> Self {
        Order { chunks: vec![Chunk::default()], lengths: vec![1], stale: true }
    }
}

impl Order {
    /// The first chunk whose last member is not below; the last chunk when all are.
    fn chunk_of(&self, below: impl Fn(&Member) -> bool) -> usize {
        let at = self.chunks.partition_point(|chunk| chunk.last.as_ref().is_some_and(&below));
        at.min(self.chunks.len() - 1)
    }

    fn insert(&mut self, member: Member) {
        let below = |other: &Member| other.compare(member.score(), member.name()).is_lt();
        let at = self.chunk_of(below);
        let chunk = &mut self.chunks[at];
        let position = chunk.members.partition_point(below);
        chunk.insert(position, member);
        if chunk.len() < CHUNK_MAX {
            return self.count(at, 1);
        }
        // Appending in order is common; a full last chunk then stays full instead of being halved.
        let appending = position + 1 == chunk.len() && at + 1 == self.chunks.len();
        let half = if appending { CHUNK_MAX - 8 } else { CHUNK_MAX / 2 };
        let mut lower = std::mem::take(&mut self.chunks[at].members);
        let upper = lower.split_off(half);
        lower.shrink_to_fit();
        self.chunks[at] = Chunk::new(lower);
        self.chunks.insert(at + 1, Chunk::new(upper));
        self.stale = true;
    }

    fn remove(&mut self, score: f64, name: &[u8]) {
        let below = |other: &Member| other.compare(score, name).is_lt();
        let at = self.chunk_of(below);
        let chunk = &mut self.chunks[at];
        let position = chunk.members.partition_point(below);
        if position >= chunk.len() {
            return;
        }
        chunk.remove(position);
        let left = chunk.len();
        let next = self.chunks.get(at + 1).map_or(CHUNK_MAX, Chunk::len);
        if left == 0 && self.chunks.len() > 1 {
            self.chunks.remove(at);
            self.stale = true;
        } else if left + next < CHUNK_MAX / 4 {
            // Two chunks that are nearly empty become one.
            let next = self.chunks.remove(at + 1);
            let mut members = std::mem::take(&mut self.chunks[at].members);
            members.extend(next.members);
            self.chunks[at] = Chunk::new(members);
            self.stale = true;
        } else {
            self.count(at, -1);
        }
    }

    /// Bytes of memory that the chunks hold; those of a large set count as full.
    fn footprint(&self) -> usize {
        let chunks = match &*self.chunks {
            [chunk] => block(size_of::<Member>() * chunk.members.capacity()),
            chunks => chunks.len() * block(size_of::<Member>() * CHUNK_MAX),
        };
        chunks + block(size_of::<Chunk>() * self.chunks.capacity()) + block(4 * self.lengths.capacity())
    }

    /// Adds to the length of a chunk in the Fenwick tree.
    fn count(&mut self, chunk: usize, change: i32) {
        if self.stale {
            return;
        }
        let mut at = chunk + 1;
        while at <= self.lengths.len() {
            self.lengths[at - 1] = self.lengths[at - 1].wrapping_add_signed(change);
            at += at & at.wrapping_neg();
        }
    }

    fn refresh(&mut self) {
        if !self.stale {
            return;
        }
        self.lengths = self.chunks.iter().map(|chunk| chunk.len() as u32).collect();
        for at in 1..=self.lengths.len() {
            let parent = at + (at & at.wrapping_neg());
            if parent <= self.lengths.len() {
                self.lengths[parent - 1] += self.lengths[at - 1];
            }
        }
        self.stale = false;
    }

    /// Members in the chunks before one.
    fn before(&self, chunk: usize) -> usize {
        if self.stale {
            return self.chunks[..chunk].iter().map(Chunk::len).sum();
        }
        let mut at = chunk;
        let mut sum = 0;
        while at > 0 {
            sum += self.lengths[at - 1] as usize;
            at &= at - 1;
        }
        sum
    }

    /// Chunk and position of a rank; past the end, the end of the last chunk.
    fn locate(&self, rank: usize) -> (usize, usize) {
        let (mut chunk, mut left) = (0, rank);
        if self.stale {
            while chunk + 1 < self.chunks.len() && left >= self.chunks[chunk].len() {
                left -= self.chunks[chunk].len();
                chunk += 1;
            }
            return (chunk, left);
        }
        let mut step = self.lengths.len().next_power_of_two();
        while step > 0 {
            if chunk + step <= self.lengths.len() && self.lengths[chunk + step - 1] as usize <= left {
                chunk += step;
                left -= self.lengths[chunk - 1] as usize;
            }
            step /= 2;
        }
        if chunk == self.chunks.len() {
            return (chunk - 1, self.chunks[chunk - 1].len());
        }
        (chunk, left)
    }

    fn rank_where(&self, below: impl Fn(&Member) -> bool) -> usize {
        let chunk = self.chunk_of(&below);
        self.before(chunk) + self.chunks[chunk].members.partition_point(below)
    }
}

/// Members with scores.
#[derive(Clone, Debug, Default)]
pub struct Zset {
    members: IndexSet<Member, RandomState>,
    order: Order,
    /// Bytes that the members take.
    pub(super) content: usize,
    /// Whether it ever outgrew the small form of Redis.
    large: bool,
}

impl Zset {
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Bytes of memory that it holds beside itself.
    pub fn footprint(&self) -> usize {
        self.content + footprint::table(self.members.capacity(), SLOT_BYTES) + self.order.footprint()
    }

    pub fn score(&self, name: &[u8]) -> Option<f64> {
        self.members.get(name).map(Member::score)
    }

    /// Sets a score; the one before, if there was one.
    pub fn insert(&mut self, name: &[u8], score: f64) -> Option<f64> {
        // Redis' compact form keeps no sign of zero.
        let score = score + 0.0;
        let old = self.score(name);
        if old == Some(score) {
            return old;
        }
        let member = Member::new(score, name);
        match old {
            Some(old) => self.order.remove(old, name),
            None => self.content += member.footprint(),
        }
        self.members.replace(member.clone());
        self.order.insert(member);
        self.large |= name.len() > SMALL_BYTES_MAX || self.len() > SMALL_MEMBERS_MAX;
        old
    }

    /// Removes a member; its score if it was there.
    pub fn remove(&mut self, name: &[u8]) -> Option<f64> {
        let member = self.members.swap_take(name)?;
        self.order.remove(member.score(), name);
        self.content -= member.footprint();
        if let Some(room) = footprint::smaller_room(self.members.len(), self.members.capacity()) {
            self.members.shrink_to(room);
        }
        Some(member.score())
    }

    /// Brings the ranks up to date; call it before reading ranks in bulk.
    pub fn refresh(&mut self) {
        self.order.refresh();
    }

    /// How many members stand before the first one that is not below; `below` must be monotonic in the order.
    pub fn rank_where(&self, below: impl Fn(&Member) -> bool) -> usize {
        self.order.rank_where(below)
    }

    /// Members before this one, if it is there.
    pub fn rank(&self, name: &[u8]) -> Option<usize> {
        let score = self.score(name)?;
        Some(self.order.rank_where(|other| other.compare(score, name).is_lt()))
    }

    /// The members of a range of ranks in ascending order.
    pub fn range(&self, ranks: Range<usize>) -> impl Iterator<Item = &Member> {
        let (chunk, position) = self.order.locate(ranks.start);
        let first = self.order.chunks[chunk].members.get(position..).unwrap_or_default();
        let rest = self.order.chunks[chunk + 1..].iter().flat_map(|chunk| &chunk.members);
        first.iter().chain(rest).take(ranks.end.saturating_sub(ranks.start))
    }

    /// The members of a range of ranks in descending order.
    pub fn range_back(&self, ranks: Range<usize>) -> impl Iterator<Item = &Member> {
        let (chunk, position) = self.order.locate(ranks.end);
        let last = self.order.chunks[chunk].members.get(..position).unwrap_or_default();
        let rest = self.order.chunks[..chunk].iter().rev().flat_map(|chunk| chunk.members.iter().rev());
        last.iter().rev().chain(rest).take(ranks.end.saturating_sub(ranks.start))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.order.chunks.iter().flat_map(|chunk| &chunk.members)
    }

    /// The member at a position of the unordered table, for scans and random picks.
    pub fn at(&self, index: usize) -> Option<&Member> {
        self.members.get_index(index)
    }

    /// The name that OBJECT ENCODING gives this form.
    pub fn encoding(&self) -> &'static str {
        if self.large { "skiplist" } else { "listpack" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator, so that the sequence is the same in every run.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        *state >> 33
    }

    #[test]
    fn ranks_agree_with_a_sorted_list() {
        let mut zset = Zset::default();
        let mut model: Vec<(i64, String)> = Vec::new();
        let mut seed = 7;
        for step in 0..6000 {
            let name = format!("m{}", random(&mut seed) % 3000);
            if random(&mut seed).is_multiple_of(4) {
                let there = model.iter().any(|(_, other)| *other == name);
                assert_eq!(zset.remove(name.as_bytes()).is_some(), there);
                model.retain(|(_, other)| *other != name);
            } else {
                let score = (random(&mut seed) % 5) as i64;
                zset.insert(name.as_bytes(), score as f64);
                model.retain(|(_, other)| *other != name);
                model.push((score, name));
            }
            if step % 7 == 0 {
                zset.refresh();
            }
            if step % 500 == 0 {
                model.sort();
                check(&zset, &model);
            }
        }
    }

    fn check(zset: &Zset, model: &[(i64, String)]) {
        assert_eq!(zset.len(), model.len());
        for (rank, (_, name)) in model.iter().enumerate() {
            assert_eq!(zset.rank(name.as_bytes()), Some(rank));
            let member = zset.range(rank..rank + 1).next().expect("the rank is taken");
            assert_eq!(member.name(), name.as_bytes());
        }
        let back: Vec<&[u8]> = zset.range_back(0..model.len()).map(Member::name).collect();
        assert!(back.iter().rev().eq(zset.iter().map(Member::name).collect::<Vec<_>>().iter()));
    }
}

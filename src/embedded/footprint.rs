//! What memory costs: the bytes asked for, and what the allocator and the tables add to them.
//!
//! Each container keeps a count of what its elements take and asks here for the rest, so that the size of a key or of
//! the whole store is known without walking over it. The sizes of blocks are those of jemalloc.

/// Bytes that the allocator sets aside for a block: steps of 16 up to 128, then four steps from each power of two to
/// the next.
pub fn block(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=128 => bytes.next_multiple_of(16),
        _ => bytes.next_multiple_of(bytes.next_power_of_two() / 8),
    }
}

/// Bytes of a table with positions: its entries in one block, and an index with a control byte per slot in another.
pub fn table(capacity: usize, entry_bytes: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let slots = if capacity < 4 { 4 } else { (capacity * 8).div_ceil(7).next_power_of_two() };
    block(capacity * entry_bytes) + block(slots * 9 + 16)
}

/// What is left of a table's room when most of its elements are gone; none while it is used well enough.
pub fn smaller_room(length: usize, capacity: usize) -> Option<usize> {
    (capacity > 64 && length < capacity / 4).then_some(2 * length)
}

#[cfg(test)]
mod tests {
    use crate::embedded::engine::{Engine, EngineOptions};

    const COMMANDS: &[&str] = &[
        "SET k v",
        "APPEND k v",
        "SETRANGE k n v",
        "INCR k",
        "DEL k",
        "RENAME k k",
        "COPY k k REPLACE",
        "EXPIRE k n",
        "PERSIST k",
        "PEXPIRE k 0",
        "GETDEL k",
        "MSET k v k v",
        "HSET k m v m v",
        "HSET k m v",
        "HDEL k m m",
        "HINCRBY k m n",
        "LPUSH k v v",
        "RPUSH k m v m",
        "LPOP k",
        "RPOP k n",
        "LSET k 1 v",
        "LINSERT k BEFORE m v",
        "LREM k 0 m",
        "LTRIM k 1 -2",
        "LMOVE k k LEFT RIGHT",
        "SADD k n n n",
        "SADD k m v",
        "SREM k m n",
        "SPOP k",
        "SMOVE k k m",
        "SUNIONSTORE k k k",
        "ZADD k n m n v",
        "ZADD k n v",
        "ZREM k m",
        "ZPOPMIN k n",
        "ZREMRANGEBYRANK k 0 1",
        "ZUNIONSTORE k 2 k k",
        "ZRANGESTORE k k 0 5",
        "ZINCRBY k n m",
        "XADD k * m v",
        "XTRIM k MAXLEN 3",
        "XTRIM k MINID 5",
        "XDEL k n-0",
        "EVAL return{redis.call('HSET',KEYS[1],'f','v')} 1 k",
    ];

    /// A small generator, so that a failing seed can be run again.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) % bound
        }

        /// A word of a command with its letters replaced by keys, members, numbers and values of many lengths.
        fn word(&mut self, word: &str) -> String {
            match word {
                "k" => format!("key{}", self.below(12)),
                "m" => format!("member{}", self.below(300)),
                "n" => self.below(900).to_string(),
                "v" => {
                    let length = [3, 20, 70, 700][self.below(4) as usize];
                    "v".repeat(self.below(length) as usize)
                }
                "n-0" => format!("{}-0", self.below(900)),
                _ => word.to_owned(),
            }
        }
    }

    #[test]
    fn the_running_count_equals_a_recount() {
        for seed in 0..30 {
            let mut dice = Dice(seed);
            let mut engine = Engine::new(EngineOptions::default());
            for step in 0..2000 {
                let line = COMMANDS[dice.below(COMMANDS.len() as u64) as usize];
                let words: Vec<String> = line.split(' ').map(|word| dice.word(word)).collect();
                let args: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
                engine.execute(&args);
                let core = engine.core.borrow();
                assert_eq!(core.db.bytes(), core.db.recount(), "seed {seed}, step {step}: {words:?}");
            }
        }
    }

    #[test]
    fn what_is_removed_no_longer_counts() {
        let mut engine = Engine::new(EngineOptions::default());
        let used = |engine: &Engine| engine.core.borrow().db.bytes();
        for i in 0..20_000 {
            engine.execute(&[b"HSET", format!("seat{i}").as_bytes(), b"node", b"node-1", b"address", b"127.0.0.1"]);
            engine.execute(&[b"ZADD", b"roster", b"0", format!("node-1#1|user{i}").as_bytes()]);
        }
        let full = used(&engine);
        for i in 0..10_000 {
            engine.execute(&[b"DEL", format!("seat{i}").as_bytes()]);
            engine.execute(&[b"ZREM", b"roster", format!("node-1#1|user{i}").as_bytes()]);
        }
        let half = used(&engine);
        assert!(half < full * 3 / 4, "{half} of {full} bytes are left with half the members");
        for i in 10_000..20_000 {
            engine.execute(&[b"DEL", format!("seat{i}").as_bytes()]);
            engine.execute(&[b"ZREM", b"roster", format!("node-1#1|user{i}").as_bytes()]);
        }
        assert!(used(&engine) < 4096, "an empty store counts {} bytes", used(&engine));
    }
}

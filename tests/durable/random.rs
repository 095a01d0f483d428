//! Random commands: whatever was done, the file gives the same keys again, here and on a real Redis.

use tempfile::TempDir;

use crate::client::Client;
use crate::dice::Dice;
use crate::interchange::Redis;
use crate::store::{Store, content, wait_until};

/// Words in capitals stay; `k` is one of a few keys, mostly of the family's own type, `m` a member, `n` a small integer, `f` a float, `s` a score, `t`
/// milliseconds from now on, `i` a stream id.
const FAMILIES: &[(&str, &[&str])] = &[
    (
        "text",
        &[
            "SET k m",
            "SET k n",
            "SET k m PX t",
            "SET k m EX t",
            "SET k m KEEPTTL",
            "SET k m XX GET",
            "SET k m NX",
            "SETEX k t m",
            "PSETEX k t m",
            "GETEX k PX t",
            "GETEX k PERSIST",
            "GETDEL k",
            "GETSET k m",
            "APPEND k m",
            "SETRANGE k n m",
            "INCRBY k n",
            "INCRBYFLOAT k f",
            "MSET k m k m",
            "MSETNX k m k m",
        ],
    ),
    ("hash", &["HSET k m m m n", "HSETNX k m m", "HINCRBY k m n", "HINCRBYFLOAT k m f", "HDEL k m m"]),
    (
        "list",
        &[
            "RPUSH k m m n",
            "LPUSH k m",
            "LPUSHX k m",
            "LPOP k",
            "RPOP k 2",
            "LINSERT k BEFORE m m",
            "LSET k n m",
            "LREM k n m",
            "LTRIM k n -2",
            "LMOVE k k LEFT RIGHT",
            "RPOPLPUSH k k",
            "LMPOP 2 k k LEFT COUNT 2",
        ],
    ),
    (
        "set",
        &[
            "SADD k m m n",
            "SREM k m",
            "SPOP k",
            "SPOP k 2",
            "SMOVE k k m",
            "SINTERSTORE k k k",
            "SUNIONSTORE k k k",
            "SDIFFSTORE k k k",
        ],
    ),
    (
        "zset",
        &[
            "ZADD k s m s m",
            "ZADD k NX s m",
            "ZADD k GT CH s m",
            "ZADD k INCR s m",
            "ZINCRBY k s m",
            "ZREM k m",
            "ZPOPMIN k",
            "ZPOPMAX k 2",
            "ZMPOP 1 k MIN",
            "ZREMRANGEBYRANK k 0 n",
            "ZREMRANGEBYSCORE k -inf s",
            "ZREMRANGEBYLEX k - [m",
            "ZRANGESTORE k k 0 2",
            "ZUNIONSTORE k 2 k k WEIGHTS 2 0.5",
            "ZINTERSTORE k 2 k k",
            "ZDIFFSTORE k 2 k k",
        ],
    ),
    (
        "stream",
        &[
            "XADD k * m m",
            "XADD k i m m",
            "XADD k MAXLEN ~ 2 * m m",
            "XADD k MAXLEN = 2 * m m",
            "XADD k NOMKSTREAM * m m",
            "XADD k MINID = i * m m",
            "XDEL k i",
            "XTRIM k MAXLEN n",
            "XTRIM k MINID i",
            "XSETID k i",
            "XSETID k i ENTRIESADDED n MAXDELETEDID i",
        ],
    ),
    (
        "any",
        &[
            "DEL k",
            "UNLINK k k",
            "EXPIRE k t",
            "PEXPIRE k t NX",
            "PEXPIRE k t GT",
            "EXPIRE k -1",
            "EXPIREAT k 4102444800",
            "PERSIST k",
            "RENAME k k",
            "RENAMENX k k",
            "COPY k k REPLACE",
            "FLUSHDB",
        ],
    ),
];

fn key(family: &str, dice: &mut Dice) -> String {
    let stranger = family == "any" || dice.chance(10);
    let family = if stranger { FAMILIES[dice.below(6) as usize].0 } else { family };
    format!("{family}{}", dice.below(3))
}

fn word(shape: &str, family: &str, dice: &mut Dice) -> String {
    match shape {
        "k" => key(family, dice),
        "m" => format!("member{}", dice.below(6)),
        "[m" => format!("[member{}", dice.below(6)),
        "n" => dice.below(4).to_string(),
        "f" => format!("{}.{}", dice.below(5), dice.below(100)),
        "s" => ["1.5", "-2", "0", "inf", "0.1", "3"][dice.below(6) as usize].to_string(),
        // Long ones, or so short that they are over during the test.
        "t" => (if dice.below(6) == 0 { 1 } else { 10_000_000 + dice.below(1000) }).to_string(),
        "i" => format!("{}-{}", dice.below(3), dice.below(4)),
        other => other.to_string(),
    }
}

fn request(dice: &mut Dice) -> Vec<String> {
    let (family, shapes) = dice.pick(FAMILIES).expect("there are families");
    let shape = dice.pick(shapes).expect("there are shapes");
    // What empties everything all the time shows little.
    let shape = if *shape == "FLUSHDB" && dice.below(20) > 0 { "PERSIST k" } else { shape };
    shape.split(' ').map(|part| word(part, family, dice)).collect()
}

/// Runs a request alone, in a script with others, or in a transaction with others.
fn run(client: &mut Client, dice: &mut Dice) {
    let send = |client: &mut Client, words: &[String]| {
        client.call(&words.iter().map(String::as_str).collect::<Vec<_>>());
    };
    match dice.below(5) {
        0 => {
            client.call(&["MULTI"]);
            (0..3).for_each(|_| send(client, &request(dice)));
            client.call(&["EXEC"]);
        }
        1 => {
            let calls: String = (0..3)
                .map(|_| {
                    let words: Vec<String> = request(dice).iter().map(|word| format!("'{word}'")).collect();
                    format!("redis.pcall({}) ", words.join(","))
                })
                .collect();
            client.call(&["EVAL", &calls, "0"]);
        }
        _ => send(client, &request(dice)),
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("ONESEAT_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("ONESEAT_RUNS").unwrap_or(25)).collect(),
    }
}

#[test]
fn a_restart_a_rewrite_and_a_real_redis_give_the_same_keys() {
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let folder = TempDir::new().expect("a temporary folder");
        let files = folder.path().join("appendonlydir");
        let store = Store::at(&files).expect("it starts");
        let mut client = store.client();
        (0..400).for_each(|_| run(&mut client, &mut dice));
        wait_until("what expires at once is gone", || !content(&mut client).iter().any(|line| expires_soon(line)));
        let before = content(&mut client);
        store.stop();

        let store = Store::at(&files).unwrap_or_else(|error| panic!("ONESEAT_SEED={seed}: {error}"));
        let mut client = store.client();
        assert_eq!(content(&mut client), before, "ONESEAT_SEED={seed}: after a restart");
        client.line("BGREWRITEAOF");
        wait_until("the rewrite ends", || client.line("INFO persistence").contains("aof_rewrites:1"));
        store.stop();

        let store = Store::at(&files).unwrap_or_else(|error| panic!("ONESEAT_SEED={seed}: {error}"));
        assert_eq!(content(&mut store.client()), before, "ONESEAT_SEED={seed}: after a rewrite");
        store.stop();
        let redis = Redis::start(folder.path());
        assert_eq!(content(&mut redis.client()), before, "ONESEAT_SEED={seed}: on a real Redis");
    }
}

/// Whether a key's deadline, at the end of its line, is one of the short ones.
fn expires_soon(line: &str) -> bool {
    let deadline: i64 = line.rsplit_once(" :").and_then(|(_, text)| text.parse().ok()).expect("a deadline");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    deadline > 0 && deadline < now.as_millis() as i64 + 5_000
}

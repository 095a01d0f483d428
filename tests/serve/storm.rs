//! Versions change in a loop while clients come, take over, and go silent: none of them may notice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::support::rules::Rules;
use crate::support::{PATIENCE, Random, Seen, Server, Session, Setup, StoreKind, clock_ms, on_both_stores};

on_both_stores!(g9_activating_and_rolling_back_in_a_loop_costs_no_client_anything);

/// Connections held at once.
const CONNECTIONS: usize = 200;
/// Threads that they are spread over.
const HANDS: usize = 4;
/// Changes of the active version.
const CHANGES: usize = 24;

/// What the clients of one thread saw.
#[derive(Default)]
struct Tally {
    logins: u64,
    takeovers: u64,
    expiries: u64,
}

fn g9_activating_and_rolling_back_in_a_loop_costs_no_client_anything(store: StoreKind) {
    let server = Setup::new(store)
        .set("heartbeat.interval_ms", 1000)
        .set("heartbeat.limit_ms", 4000)
        .set("seat.trail_max", 100)
        .start();
    server.scripts(&["push", &Rules::new().login(3, "-- as before")]).done();
    let (is_over, logins) = (AtomicBool::new(false), AtomicU64::new(0));
    // Who logs in next depends on it; what happens then also on the moment.
    let seed = clock_ms();
    println!("seed {seed}");
    let (tallies, settled): (Vec<Tally>, Vec<u64>) = thread::scope(|scope| {
        let (server, is_over, logins) = (&server, &is_over, &logins);
        let hands: Vec<_> = (0..HANDS)
            .map(|hand| scope.spawn(move || live(server, hand, Random::new(seed + hand as u64), is_over, logins)))
            .collect();
        let settled = change(server, logins);
        is_over.store(true, Ordering::Relaxed);
        (hands.into_iter().map(|hand| hand.join().expect("no client saw an error")).collect(), settled)
    });
    let sum = |number: fn(&Tally) -> u64| tallies.iter().map(number).sum::<u64>();
    let (logins, takeovers, expiries) =
        (sum(|tally| tally.logins), sum(|tally| tally.takeovers), sum(|tally| tally.expiries));
    println!("{logins} logins, {takeovers} takeovers, {expiries} expiries, {CHANGES} changes of the version");
    assert!(logins > 400 && takeovers > 50 && expiries > 0, "the storm was a breeze");
    server.wait_sessions(0);
    versions_change_only_when_they_are_activated(&server, &settled);
}

/// Activates and rolls back, and takes the loaded scripts away in between: NOSCRIPT may cost a reload and nothing else.
/// Answers when each command had seen the node follow.
fn change(server: &Server, logins: &AtomicU64) -> Vec<u64> {
    let mut settled = Vec::new();
    for turn in 0..CHANGES {
        match turn % 4 {
            0 => server.scripts(&["activate", "login", "3"]).done(),
            1 => server.scripts(&["rollback", "login"]).done(),
            2 => server.scripts(&["activate", "login", "3", "--percent", "50"]).done(),
            _ => server.scripts(&["rollback", "login"]).done(),
        };
        let moment = clock_ms();
        settled.push(moment);
        server.look().run(&["SCRIPT", "FLUSH"]);
        // Each version decides alone about some logins before the next one comes.
        let begun = Instant::now();
        let mut seen = logins.load(Ordering::Relaxed);
        while clock_ms() <= moment + IN_FLIGHT_MS {
            seen = logins.load(Ordering::Relaxed);
            thread::yield_now();
        }
        while logins.load(Ordering::Relaxed) < seen + 20 {
            assert!(begun.elapsed() < PATIENCE, "nobody logs in any more");
            thread::yield_now();
        }
    }
    settled
}

/// Logs in, takes over, falls silent; every answer has to be the one that was asked for.
fn live(server: &Server, hand: usize, mut random: Random, is_over: &AtomicBool, logins: &AtomicU64) -> Tally {
    let mut tally = Tally::default();
    let mut sessions: Vec<Option<Session>> = (0..CONNECTIONS / HANDS).map(|_| None).collect();
    while !is_over.load(Ordering::Relaxed) {
        let place = random.below(sessions.len());
        let uid = 10_000 + (hand * CONNECTIONS + place) as u64;
        let newcomer = server.session(uid);
        tally.logins += 1;
        logins.fetch_add(1, Ordering::Relaxed);
        if let Some(mut old) = sessions[place].take() {
            // It may have been silent for too long already; else it is displaced, and told so by this version or that.
            match old.client.next() {
                Seen::Frame(1021, notice) => {
                    assert_eq!(notice["reason"], "displaced", "{notice}");
                    let script = notice["script"].as_str().unwrap_or_default();
                    assert!(script == "login@2" || script == "login@3", "{notice}");
                    tally.takeovers += 1;
                }
                Seen::Frame(1101, goodbye) if goodbye["reason"] == "expired" => tally.expiries += 1,
                other => panic!("{uid} saw {other:?}"),
            }
        }
        sessions[place] = Some(newcomer);
    }
    tally.expiries += sessions.into_iter().flatten().map(fall_silent).sum::<u64>();
    tally
}

/// Waits for the end that silence brings.
fn fall_silent(mut session: Session) -> u64 {
    match session.client.rest().last() {
        Some((1101, goodbye)) if goodbye["reason"] == "expired" => 1,
        other => panic!("{} saw {other:?}", session.uid),
    }
}

/// The history says when the pointer was flipped, the command when the node had followed: before the one, only the
/// version of before may decide, after the other, only the new one.
fn versions_change_only_when_they_are_activated(server: &Server, settled: &[u64]) {
    let history = server.scripts_json(&["history", "--limit", "200"])["history"].as_array().expect("entries").clone();
    let changes: Vec<Change> = history
        .iter()
        .rev()
        .filter(|entry| entry["event"] != "pushed")
        .zip(settled)
        .map(|(entry, settled)| Change {
            at: entry["at"].as_u64().expect("a moment"),
            settled: settled + IN_FLIGHT_MS,
            allowed: match entry["event"].as_str().expect("a word") {
                "activated" => &["login@3"],
                "canary" => &["login@2", "login@3"],
                _ => &["login@2"],
            },
        })
        .collect();
    assert_eq!(changes.len(), CHANGES);
    let (mut entries, mut strict) = (0, 0);
    let users = (0..HANDS).flat_map(|hand| (0..CONNECTIONS / HANDS).map(move |place| (hand, place)));
    for uid in users.map(|(hand, place)| 10_000 + (hand * CONNECTIONS + place) as u64) {
        let trail = server.admin.get(&format!("/v1/users/{uid}"))["trail"].as_array().expect("a trail").clone();
        for entry in trail.iter().filter(|entry| entry["event"] == "taken") {
            entries += 1;
            strict += usize::from(check(entry, &changes));
        }
    }
    println!("{entries} logins left a trace, {strict} of them where one version alone may have decided");
    assert!(entries > 200 && strict > 200, "{entries} logins left a trace, {strict} say something");
}

/// A login that was on its way when the node followed may still end with the version of before.
const IN_FLIGHT_MS: u64 = 200;

/// One change of the active version.
struct Change {
    at: u64,
    settled: u64,
    allowed: &'static [&'static str],
}

/// Holds a login against the changes; answers whether one version alone was allowed.
fn check(entry: &Value, changes: &[Change]) -> bool {
    let (at, version) = (entry["at"].as_u64().expect("a moment"), entry["version"].as_str().expect("a version"));
    let position = changes.partition_point(|change| change.at <= at);
    let before = |position: usize| position.checked_sub(1).map_or(&["login@2"][..], |index| changes[index].allowed);
    let mut allowed = before(position).to_vec();
    if position > 0 && at <= changes[position - 1].settled {
        allowed.extend(before(position - 1));
    }
    assert!(allowed.contains(&version), "at {at} {version} decided, where only {allowed:?} may");
    allowed.iter().all(|other| *other == version)
}

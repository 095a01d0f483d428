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
        .set("seat.trail_max", 50)
        .start();
    server.scripts(&["push", &Rules::new().login(2, "-- as before")]).done();
    let (is_over, logins) = (AtomicBool::new(false), AtomicU64::new(0));
    // Who logs in next depends on it; what happens then also on the moment.
    let seed = clock_ms();
    println!("seed {seed}");
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let (server, is_over, logins) = (&server, &is_over, &logins);
        let hands: Vec<_> = (0..HANDS)
            .map(|hand| scope.spawn(move || live(server, hand, Random::new(seed + hand as u64), is_over, logins)))
            .collect();
        change(server, logins);
        is_over.store(true, Ordering::Relaxed);
        hands.into_iter().map(|hand| hand.join().expect("no client saw an error")).collect()
    });
    let sum = |number: fn(&Tally) -> u64| tallies.iter().map(number).sum::<u64>();
    let (logins, takeovers, expiries) =
        (sum(|tally| tally.logins), sum(|tally| tally.takeovers), sum(|tally| tally.expiries));
    println!("{logins} logins, {takeovers} takeovers, {expiries} expiries, {CHANGES} changes of the version");
    assert!(logins > 400 && takeovers > 50 && expiries > 0, "the storm was a breeze");
    server.wait_sessions(0);
    versions_change_only_when_they_are_activated(&server);
}

/// Activates and rolls back, and takes the loaded scripts away in between: NOSCRIPT may cost a reload and nothing else.
fn change(server: &Server, logins: &AtomicU64) {
    for turn in 0..CHANGES {
        let seen = logins.load(Ordering::Relaxed);
        match turn % 4 {
            0 => server.scripts(&["activate", "login", "2"]).done(),
            1 => server.scripts(&["rollback", "login"]).done(),
            2 => server.scripts(&["activate", "login", "2", "--percent", "50"]).done(),
            _ => server.scripts(&["rollback", "login"]).done(),
        };
        server.look().run(&["SCRIPT", "FLUSH"]);
        // Each version decides about some logins before the next one comes.
        let begun = Instant::now();
        while logins.load(Ordering::Relaxed) < seen + 20 {
            assert!(begun.elapsed() < PATIENCE, "nobody logs in any more");
            thread::yield_now();
        }
    }
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
                    assert!(script == "login@1" || script == "login@2", "{notice}");
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

/// The history says when each version was active; no trail may say otherwise.
fn versions_change_only_when_they_are_activated(server: &Server) {
    let history = server.scripts_json(&["history", "--limit", "200"])["history"].as_array().expect("entries").clone();
    // From when on both, or only one, may have decided; newest first. A node follows a little later than the pointer.
    let changes: Vec<(u64, &str)> = history
        .iter()
        .filter(|entry| entry["event"] != "pushed")
        .map(|entry| (entry["at"].as_u64().expect("a moment"), entry["event"].as_str().expect("a word")))
        .collect();
    let mut entries = 0;
    for uid in (0..HANDS)
        .flat_map(|hand| (0..CONNECTIONS / HANDS).map(move |place| 10_000 + (hand * CONNECTIONS + place) as u64))
    {
        let trail = server.admin.get(&format!("/v1/users/{uid}"))["trail"].as_array().expect("a trail").clone();
        for entry in trail.iter().filter(|entry| entry["event"] == "taken") {
            entries += 1;
            check(entry, &changes);
        }
    }
    assert!(entries > 200, "{entries} logins left a trace");
}

/// Time that a node may take to follow an announcement, in milliseconds; the command has waited for it.
const FOLLOWS_WITHIN_MS: u64 = 3_000;

fn check(entry: &Value, changes: &[(u64, &str)]) {
    let (at, version) = (entry["at"].as_u64().expect("a moment"), entry["version"].as_str().expect("a version"));
    let allowed = |event: &str| match event {
        "activated" => vec!["login@2"],
        "canary" => vec!["login@1", "login@2"],
        _ => vec!["login@1"],
    };
    let position = changes.iter().position(|(since, _)| *since <= at);
    let mut versions = position.map_or(vec!["login@1"], |position| allowed(changes[position].1));
    // Just after a change the one before may still have decided.
    if let Some(position) = position.filter(|position| at < changes[*position].0 + FOLLOWS_WITHIN_MS) {
        versions.extend(changes.get(position + 1).map_or(vec!["login@1"], |(_, event)| allowed(event)));
    }
    assert!(versions.contains(&version), "at {at} {version} decided, where only {versions:?} may: {changes:?}");
}

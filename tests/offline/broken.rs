//! The shipped scripts with one rule taken out: the explorer finds each, by its shortest order.

use oneseat::offline::{Options, Suite, runner};
use oneseat::script::tree::Tree;

/// Explores a shipped script after a change of one file, and answers the report.
fn explore_broken(script: &str, test: &str, path: &str, from: &str, to: &str) -> String {
    let shipped = Tree::embedded();
    let broken = shipped.get(path).expect("the file is shipped").replace(from, to);
    assert_ne!(shipped.get(path), Some(broken.as_str()), "{path} has no `{from}`");
    let files = shipped.files().map(|(name, text)| (name, if name == path { broken.as_str() } else { text }));
    let mut suite = Suite::from_tree(&Tree::of(files), Some(script)).expect("the scripts are well-formed");
    suite.files.retain(|file| file.source.label.ends_with("/explore.lua"));
    let mut report = Vec::new();
    let options = Options { filter: Some(test.to_owned()), ..Options::default() };
    let tally = runner::run(&suite, &options, &mut report).expect("the run goes on").tally();
    let report = String::from_utf8(report).expect("reports are text");
    // A helper may be part of several versions.
    assert!(tally.failed >= 1, "{path} without `{from}`: {report}");
    report
}

fn order(report: &str) -> Vec<&str> {
    let order = report.split("order = {\n").nth(1).expect("the report has an order").split("},").next();
    order
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","))
        .collect()
}

#[test]
fn an_ended_session_that_logs_in_again_is_found() {
    let report = explore_broken("login", "nobody learned", "lib/has_ended.lua", "return is_own or", "return nil and");
    assert!(report.contains("a session that ended"), "{report}");
}

#[test]
fn an_end_that_hits_the_newer_holder_is_found() {
    let (path, from) = ("lib/end_session.lua", "seat[class .. ':sid'] == who.sid");
    let report = explore_broken("login", "a takeover", path, from, "seat[class .. ':sid']");
    assert!(report.contains("G3: expire of "), "{report}");
    assert_eq!(order(&report), ["login of 1", "1 falls silent", "a ticket", "login of 2", "expiry of 1"], "{report}");
}

#[test]
fn a_kick_that_is_not_published_is_found() {
    let report = explore_broken("login", "a takeover", "lib/send_kick.lua", "redis.call('PUBLISH', ", "type(");
    assert!(report.contains("G2: login takes the seat from"), "{report}");
    assert_eq!(order(&report), ["login of 1", "a ticket", "login of 2"], "{report}");
}

#[test]
fn a_roster_entry_that_stays_is_found() {
    let report = explore_broken("login", "a takeover", "lib/vacate_seat.lua", "redis.call('ZREM', ", "type(");
    assert!(report.contains("G1, G4: the roster"), "{report}");
    assert_eq!(order(&report), ["login of 1", "1 falls silent", "expiry of 1"], "{report}");
}

#[test]
fn a_login_that_is_not_the_same_twice_is_found() {
    let from = "holder == sid and seat_before or take_seat";
    let report = explore_broken("login", "a takeover", "login/v1.lua", from, "take_seat or seat_before");
    assert!(report.contains("G12: the answer"), "{report}");
    assert_eq!(order(&report), ["login of 1"], "{report}");
}

#[test]
fn an_old_ticket_that_stays_good_is_found() {
    let report = explore_broken("ticket", "no other", "lib/void_tickets.lua", "redis.call('HDEL'", "type('HDEL'");
    assert_eq!(order(&report), ["ticket aa", "kick"], "{report}");
}

#[test]
fn a_verify_that_lets_the_lower_rank_win_is_found() {
    let report = explore_broken("verify", "forgets everything", "lib/outranks.lua", "> theirs", "< theirs");
    assert!(order(&report).len() <= 4, "{report}");
}

#[test]
fn a_lost_rank_is_found() {
    let (from, to) = ("not is_known and", "false and");
    let report = explore_broken("verify", "an older ticket", "verify/v1.lua", from, to);
    assert!(report.contains("the rank: expected"), "{report}");
    assert!(order(&report).iter().any(|step| step.contains("repeated, for its reply was lost")), "{report}");
    assert!(!report.contains("goes otherwise"), "played again it fails, too: {report}");
}

#[test]
fn a_reap_that_hits_a_session_which_moved_is_found() {
    let (path, from) = ("lib/end_session.lua", "seat[class .. ':incarnation'] ~= who.incarnation");
    let report = explore_broken("reap", "taken for dead", path, from, "false");
    assert!(!order(&report).is_empty(), "{report}");
}

#[test]
fn a_name_that_two_processes_have_is_found() {
    let report = explore_broken("register", "one process", "register/v1.lua", "record.owner ~= owner", "false");
    assert_eq!(order(&report), ["first registers", "second registers"], "{report}");
}

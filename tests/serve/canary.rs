//! A version that only a share of the users meets.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::rules::Rules;
use crate::support::{Server, Setup, StoreKind, on_both_stores, wait_until};

on_both_stores!(a_canary_has_a_stable_share_of_the_users, a_bad_canary_is_seen_beside_the_good_version);

const USERS: std::ops::Range<u64> = 5000..5200;

/// Users that `login@3` decides about.
fn tried(server: &Server) -> BTreeSet<u64> {
    USERS
        .filter(|uid| {
            let _session = server.session(*uid);
            server.decided_by(*uid) == "login@3"
        })
        .collect()
}

fn a_canary_has_a_stable_share_of_the_users(store: StoreKind) {
    let server = Setup::new(store).start();
    server.scripts(&["push", &Rules::new().login(3, "-- as before")]).done();
    server.scripts(&["activate", "login", "3", "--percent", "20"]).done();
    let few = tried(&server);
    assert!((15..=70).contains(&few.len()), "{} of 200 are not about 20 %", few.len());
    assert_eq!(tried(&server), few, "the same users each time");
    server.scripts(&["activate", "login", "3", "--percent", "60"]).done();
    let more = tried(&server);
    assert!(more.is_superset(&few) && more.len() > few.len());
    let ended = server.scripts(&["rollback", "login"]).done();
    assert!(ended.contains("the canary login@3 has ended; login@2 is active for all users"), "{ended}");
    assert_eq!(tried(&server).len(), 0);
    server.scripts(&["activate", "login", "3", "--percent", "5"]).done();
    server.scripts(&["activate", "login", "3"]).done();
    assert_eq!(tried(&server).len(), 200);
}

fn a_bad_canary_is_seen_beside_the_good_version(store: StoreKind) {
    let server = Setup::new(store).start();
    // It fails for all but the user of the tests, so that it can be pushed.
    let code = "if uid ~= '1001' and #uid == 4 then error('a mistake of this version') end";
    server.scripts(&["push", &Rules::new().login(3, code)]).done();
    server.scripts(&["activate", "login", "3", "--percent", "50"]).done();
    let (mut failed, mut seated) = (0, 0);
    for uid in USERS.take(60) {
        let token = server.admin.token(uid);
        match server.connect().log_in(uid, &token)["error"].as_u64() {
            Some(0) => seated += 1,
            Some(1100) => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(failed > 5 && seated > 5, "{failed} failed, {seated} seated");
    let numbers = |label: &str, status: &Value| -> (u64, u64) {
        let versions = status["versions"].as_array().expect("versions");
        let version = versions.iter().find(|version| version["script"] == label).cloned().unwrap_or_default();
        (version["calls"].as_u64().unwrap_or_default(), version["errors"].as_u64().unwrap_or_default())
    };
    wait_until("the node has told its numbers", || {
        let status = server.scripts_json(&["status"]);
        let both = (numbers("login@2", &status), numbers("login@3", &status));
        (both == ((seated, 0), (failed, failed))).then_some(())
    });
    let errors = r#"oneseat_script_calls_total{script="login",version="3",outcome="error"}"#;
    assert_eq!(server.metric(errors), failed);
    let table = server.scripts(&["status"]).done();
    assert!(table.contains("canary 50 %"), "{table}");
    assert!(server.log().contains("a mistake of this version"));
    server.scripts(&["rollback", "login"]).done();
    USERS.take(60).for_each(|uid| server.assert_serves(uid));
}

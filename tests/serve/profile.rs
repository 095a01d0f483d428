//! What a login tells of the user's profile, and what it must not.

use serde_json::json;

use crate::support::{Setup, StoreKind, on_both_stores};

on_both_stores!(defect_46_a_login_shows_the_profile_but_no_secret, defect_43_a_reply_beyond_a_frame_ends_nothing);

/// The old server sent the stored password to whoever asked.
fn defect_46_a_login_shows_the_profile_but_no_secret(store: StoreKind) {
    let server = Setup::new(store).start();
    let fields = ["name", "Ann \"A\" \\ Üñí", "nick", "a", "icon", ":/1.png", "desc", "", "sex", "1"];
    let secrets = ["pwd", "hunter2", "email", "ann@example.com"];
    server.look().run(&[&["HSET", "os:{0}:user:1001"][..], &fields, &secrets].concat());
    let mut session = server.session(1001);
    let reply = session.reply.clone();
    assert_eq!(reply["name"], "Ann \"A\" \\ Üñí", "{reply}");
    assert_eq!((&reply["nick"], &reply["icon"], &reply["sex"]), (&json!("a"), &json!(":/1.png"), &json!(1)), "{reply}");
    let text = reply.to_string();
    assert!(!text.contains("hunter2") && !text.contains("example.com"), "{reply}");
    session.beat();
}

/// The old process ended when a reply was longer than its lengths could say: a user with many friends could do it.
/// The welcome leaves a profile out that does not fit.
fn defect_43_a_reply_beyond_a_frame_ends_nothing(store: StoreKind) {
    reply_with_profiles(store, "welcome", 0);
    reply_with_profiles(store, "", 1100);
}

/// Logs in users with longer and longer profiles; `error` is what is answered where they do not fit.
fn reply_with_profiles(store: StoreKind, welcome: &str, error: u64) {
    let setup = Setup::new(store).set("gateway.frame_bytes_max", 65_535).set("gateway.login_attempts_max", 100);
    let server = setup.set("login.welcome", welcome).start();
    for (uid, bytes, fits) in
        [(1001, 32_760, true), (1002, 40_000, true), (1003, 70_000, false), (1004, 200_000, false)]
    {
        server.look().run(&["HSET", &format!("os:{{0}}:user:{uid}"), "desc", &"x".repeat(bytes)]);
        let token = server.admin.token(uid);
        let mut client = server.connect();
        let reply = client.log_in(uid, &token);
        match fits {
            true => assert_eq!(reply["desc"].as_str().map(str::len), Some(bytes)),
            false => assert_eq!(
                (&reply["error"], &reply["desc"]),
                (&json!(error), &json!(null)),
                "{bytes} bytes do not fit a frame"
            ),
        }
        drop(client);
        server.assert_serves(2000);
    }
    server.wait_sessions(0);
}

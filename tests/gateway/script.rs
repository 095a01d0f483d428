//! What becomes of clients when the operator's script is broken.

use oneseat::script::Catalogue;
use serde_json::json;

use crate::support::Node;

#[tokio::test]
async fn a_broken_script_costs_its_caller_an_answer_and_nobody_a_connection() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_scripts(std::path::Path::new("lua"), folder.path());
    let login = folder.path().join("login/v1.lua");
    let text = std::fs::read_to_string(&login).expect("the login script");
    let broken =
        text.replacen("local now = now_ms()", "local now = now_ms() if uid == '13' then error('broken') end", 1);
    assert_ne!(text, broken, "the script was changed");
    std::fs::write(&login, broken).expect("the folder takes it");
    let node = Node::with_scripts(&[], Catalogue::from_dir(folder.path()).expect("it is still a script")).await;
    let mut session = node.session(1).await;
    let token = node.ticket(13).await;
    let mut unlucky = node.connect().await;
    assert_eq!(unlucky.login(13, &token).await, json!({"error": 1100}));
    // The script may have written before it failed, so this session is over for good; a new connection is not.
    assert_eq!(unlucky.expect(1101).await["reason"], "internal");
    unlucky.expect_end().await;
    session.expect_alive().await;
    node.session(14).await.expect_alive().await;
}

#[tokio::test]
async fn a_login_that_fails_after_its_writes_leaves_no_ghost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_scripts(std::path::Path::new("lua"), folder.path());
    let login = folder.path().join("login/v1.lua");
    let text = std::fs::read_to_string(&login).expect("the login script");
    let broken = text.replacen("-- 3. Answer.", "if uid == '13' then error('too late') end\n-- 3. Answer.", 1);
    assert_ne!(text, broken, "the script was changed");
    std::fs::write(&login, broken).expect("the folder takes it");
    let node = Node::with_scripts(&[], Catalogue::from_dir(folder.path()).expect("it is still a script")).await;
    let token = node.ticket(13).await;
    let mut unlucky = node.connect().await;
    assert_eq!(unlucky.login(13, &token).await, json!({"error": 1100}));
    assert_eq!(unlucky.expect(1101).await["reason"], "internal");
    node.wait_for_roster(0).await;
}

fn copy_scripts(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("the folder takes it");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy_scripts(&from, &to),
            false => drop(std::fs::copy(from, to).expect("a file")),
        }
    }
}

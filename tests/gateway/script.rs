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
    unlucky.expect_alive().await;
    session.expect_alive().await;
    let token = node.ticket(14).await;
    assert_eq!(unlucky.login(14, &token).await["error"], 0);
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

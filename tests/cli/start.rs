//! Starts that fail: one clear line, an exit code of its own, nothing damaged.

use std::net::TcpListener;

use tempfile::TempDir;

use super::process::{Server, free_port, run};

/// Settings of a server that could start.
fn place() -> (TempDir, String, String, String) {
    let folder = TempDir::new().expect("a temporary folder");
    let dir = folder.path().join("data").display().to_string();
    (folder, dir, format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()))
}

#[test]
fn an_address_in_use_ends_with_3() {
    let (_folder, dir, clients, admin) = place();
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("it is bound").to_string();
    for (clients, admin, key) in [(&taken, &admin, "gateway.listen"), (&clients, &taken, "admin.listen")] {
        let settings = [("DATA__DIR", dir.as_str()), ("GATEWAY__LISTEN", clients), ("ADMIN__LISTEN", admin)];
        run(&["serve"], &settings).ends_with(3).says(&[&taken, key, "in use"]);
    }
}

#[test]
fn a_data_folder_that_cannot_be_used_ends_with_4() {
    let (folder, _, clients, admin) = place();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").expect("a file in the folder");
    for dir in [file.clone(), file.join("below")] {
        let dir = dir.display().to_string();
        let settings = [("DATA__DIR", dir.as_str()), ("GATEWAY__LISTEN", &clients), ("ADMIN__LISTEN", &admin)];
        run(&["serve"], &settings).ends_with(4).says(&[&dir, "data.dir"]);
    }
    assert_eq!(std::fs::read_to_string(file).expect("it is still there"), "x");
}

#[test]
fn a_second_process_on_the_folder_ends_with_5_and_the_first_serves_on() {
    let server = Server::start(&[]);
    let (_folder, _, clients, admin) = place();
    let dir = server.folder.path().join("data").display().to_string();
    let settings = [("DATA__DIR", dir.as_str()), ("GATEWAY__LISTEN", &clients), ("ADMIN__LISTEN", &admin)];
    run(&["serve"], &settings).ends_with(5).says(&["uses the data folder", "data.dir"]);
    server.run(&["ticket", "1001"]).ends_with(0);
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_store_that_cannot_be_reached_ends_with_6() {
    let (_folder, dir, clients, admin) = place();
    let url = format!("redis://:hunter2@127.0.0.1:{}", free_port());
    let settings = [
        ("DATA__DIR", dir.as_str()),
        ("GATEWAY__LISTEN", &clients),
        ("ADMIN__LISTEN", &admin),
        ("REDIS__URL", &url),
        ("REDIS__TIMEOUT_MS", "500"),
        ("LOG__LEVEL", "off"),
    ];
    let outcome = run(&["serve"], &settings).ends_with(6).says(&["redis://:***@127.0.0.1", "redis.url"]);
    assert!(!outcome.err.contains("hunter2"), "{}", outcome.err);
}

//! `config/examples/three-nodes.sh` and the section of the README that walks through it, `lua/examples/typing` and that of
//! `lua/README.md`: they have to work word for word.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Random, Seen, Session, Setup, StoreKind, wait_until};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const README: &str = include_str!("../../README.md");
const README_OF_SCRIPTS: &str = include_str!("../../lua/README.md");
/// The script and the tests of a message kind of one's own.
const TYPING: [&str; 2] = [
    include_str!("../../lua/examples/typing/typing/v1.lua"),
    include_str!("../../lua/examples/typing/typing/test.lua"),
];
/// What the ports of the script are counted from: Redis, three nodes, their admin APIs.
const OFFSETS: [u16; 7] = [0, 1, 2, 3, 11, 12, 13];

/// The script as a child process, in a folder of its own.
struct Example {
    child: Child,
    port: u16,
    folder: TempDir,
    /// What it printed until all nodes served.
    told: Vec<String>,
}

impl Example {
    fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_ports());
        let mut child = Command::new("bash")
            .arg(Path::new(ROOT).join("config/examples/three-nodes.sh"))
            .arg(folder.path())
            .env("PORT", port.to_string())
            .env("ONESEAT", env!("CARGO_BIN_EXE_oneseat"))
            .env_remove("REDIS_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is installed");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut example = Self { child, port, folder, told: Vec::new() };
        for line in lines.map_while(Result::ok) {
            let is_last = line.starts_with("oneseat serve");
            example.told.push(line);
            if is_last {
                return example;
            }
        }
        panic!("the script ended before its nodes served: {:?}", example.told);
    }

    fn oneseat(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oneseat"));
        command.args(arguments).env_clear().stdin(Stdio::null()).stderr(Stdio::inherit());
        command.env("ONESEAT_ADMIN__LISTEN", format!("127.0.0.1:{}", self.port + 11));
        command
    }

    /// Runs a subcommand that has to succeed: what it printed.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.oneseat(arguments).output().expect("the binary was built with the tests");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The states of the nodes, by name.
    fn states(&self) -> Vec<String> {
        let listing: Value = serde_json::from_str(&self.run(&["nodes", "--json"])).expect("JSON");
        let nodes = listing["nodes"].as_array().expect("a list").iter();
        nodes.map(|node| format!("{} {}", node["name"], node["state"]).replace('"', "")).collect()
    }

    /// A client that is logged in.
    fn client(&self, arguments: &[&str]) -> Client {
        let mut command = self.oneseat(&[&["client", "--json"], arguments].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary was built");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let client = Client(child);
        lines.find(|line| line.contains("\"id\":1006") && line.contains("\"error\":0")).expect("it logs in");
        // Somebody has to read on, or the client would wait for it.
        std::thread::spawn(move || lines.for_each(drop));
        client
    }

    fn pid(&self, node: &str) -> Pid {
        let text = std::fs::read_to_string(self.folder.path().join(node).join("pid")).expect("the script wrote it");
        Pid::from_raw(text.trim().parse().expect("a number")).expect("not zero")
    }

    /// Asks it to end; its exit code.
    fn end(&mut self) -> Option<i32> {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.child.wait().expect("it is our child").code()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.end();
    }
}

/// `oneseat client`; it ends with the value.
struct Client(Child);

impl Client {
    fn exit_code(&mut self) -> Option<i32> {
        wait_until("the client ends", || self.0.try_wait().expect("it is our child")).code()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port from which on all those of the script are free at this moment. It lies below those that clients are given, of
/// which a storm in another test may leave no seven in a row.
fn free_ports() -> u16 {
    let mut random = Random::new(u64::from(std::process::id()) * 7919);
    wait_until("free ports", || {
        let port = 10_000 + u16::try_from(random.below(20_000)).expect("it is below the bound");
        let is_free = |offset: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port + offset)).is_ok();
        OFFSETS.iter().all(is_free).then_some(port)
    })
}

/// What stands below a headline.
fn section<'a>(readme: &'a str, headline: &str) -> &'a str {
    let section = readme.split(headline).nth(1).and_then(|rest| rest.split("\n## ").next());
    section.expect("the README has the section")
}

/// The commands of the README's section, as they are for the ports and the folder of this run.
fn commands_of_the_readme(example: &Example) -> Vec<String> {
    let lines = section(README, "## Run three nodes on one machine").lines();
    let commands =
        lines.filter(|line| ["oneseat ", "kill ", "export ", "unset "].iter().any(|word| line.starts_with(word)));
    let folder = example.folder.path().display().to_string();
    let own =
        |line: &str| line.replace("data/three-nodes", &folder).replace(":8111", &format!(":{}", example.port + 11));
    commands.map(own).collect()
}

/// The variable that the other commands need would stand over the node's own file, hence the `unset` before.
fn restart_as_told(example: &Example) -> Client {
    let config = example.folder.path().join("node3/oneseat.toml");
    let config = config.display().to_string();
    let mut command = example.oneseat(&["serve", "--config", &config]);
    command.env_remove("ONESEAT_ADMIN__LISTEN").stdout(Stdio::null()).stderr(Stdio::null());
    Client(command.spawn().expect("the binary was built with the tests"))
}

#[test]
fn three_nodes_run_as_the_readme_says() {
    let mut example = Example::start();
    let commands = commands_of_the_readme(&example);
    assert!(commands.len() >= 10, "{commands:?}");
    let last = commands.iter().rev().take(2).map(String::as_str).collect::<Vec<_>>();
    assert!(last[0].starts_with("oneseat serve") && last[1].starts_with("unset "), "{last:?}");
    for command in commands {
        assert!(example.told.contains(&command), "the script does not print `{command}`: {:#?}", example.told);
    }
    assert_eq!(example.states(), ["node1 live", "node2 live", "node3 live"]);

    // A takeover from one node to another.
    let mut first = example.client(&["--uid", "1001"]);
    let mut second = example.client(&["--uid", "1001"]);
    assert_eq!(first.exit_code(), Some(10), "displaced");
    let who = example.run(&["who", "1001"]);
    assert!(who.contains("taken over from 127.0.0.1:") && who.contains("node1") && who.contains("node2"), "{who}");

    // A node is emptied and filled again.
    let drained = example.run(&["nodes", "drain", "node2", "--over", "1s"]);
    assert!(drained.starts_with("node2 is empty"), "{drained}");
    assert_eq!(second.exit_code(), Some(11), "sent away");
    assert_eq!(example.states()[1], "node2 draining");
    example.run(&["nodes", "undrain", "node2"]);
    assert_eq!(example.states()[1], "node2 live");

    // A node dies and comes back.
    let third = format!("127.0.0.1:{}", example.port + 3);
    let mut lost = example.client(&["--uid", "1002", "--address", &third]);
    kill_process(example.pid("node3"), Signal::KILL).expect("the node is the script's, and this test's to kill");
    assert_eq!(lost.exit_code(), Some(11));
    wait_until("node3 is dead", || (example.states()[2] == "node3 dead").then_some(()));
    wait_until("its session is reaped", || {
        let who = example.run(&["who", "1002"]);
        (who.contains("no seat is held") && who.contains("lost with its node node3")).then_some(())
    });
    let restarted = restart_as_told(&example);
    wait_until("node3 is back", || (example.states()[2] == "node3 live").then_some(()));

    drop(restarted);
    assert_eq!(example.end(), Some(143));
    for offset in OFFSETS {
        let port = example.port + offset;
        wait_until("its processes have ended", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err().then_some(())
        });
    }
}

/// The body of the next 1202; what friends hear of each other's coming may stand before it.
fn typing(session: &mut Session) -> Value {
    loop {
        match session.client.next() {
            Seen::Frame(1202, body) => return body,
            Seen::Frame(1025, _) => {}
            other => panic!("expected a frame 1202, got {other:?}"),
        }
    }
}

#[test]
fn a_message_kind_of_ones_own_works_as_the_readme_says() {
    let section = section(README_OF_SCRIPTS, "## A message kind of your own");
    let quoted: Vec<&str> = section.split("```lua\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(quoted.len(), 2, "the script and a test");
    for (text, quote) in TYPING.iter().zip(quoted) {
        assert!(text.contains(quote), "the example has no longer:\n{quote}");
    }
    let route =
        section.lines().find(|line| line.trim_start().starts_with("1201 = ")).expect("the section has the route");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("oneseat.toml");
    std::fs::write(&config, format!("[routes]\n{route}\n")).expect("the folder is ours");
    let server = Setup::new(StoreKind::Embedded)
        .set("scripts.dir", Path::new(ROOT).join("lua/examples/typing").display())
        .argument("--config")
        .argument(config.to_str().expect("a plain path"))
        .start();
    for (uid, friend) in [("1001", "1002"), ("1002", "1001")] {
        let (key, element) = (format!("os:{{0}}:friends:{uid}"), format!("{{\"uid\":{friend},\"since\":1}}"));
        server.look().run(&["HSET", &key, friend, &element]);
    }

    let (mut first, mut second, mut stranger) = (server.session(1001), server.session(1002), server.session(1003));
    first.client.send(1201, &json!({ "fromuid": 1001, "touid": 1002 }));
    assert_eq!(typing(&mut second), json!({ "error": 0, "fromuid": 1001 }));
    stranger.client.send(1201, &json!({ "fromuid": 1003, "touid": 1002 }));
    assert_eq!(typing(&mut stranger), json!({ "error": 1102, "reason": "no_friend", "touid": 1002 }));
    // The node asks the script nothing that the route rules out, and answers nothing.
    for body in [json!({ "fromuid": 1001, "touid": 1002 }), json!({ "fromuid": 1003 })] {
        stranger.client.send(1201, &body);
    }
    stranger.beat();
}

//! The same tests against a real server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oneseat::offline::{Options, RunError, Suite, Target, runner};

use crate::{ECHO, SAY, run, run_suite, suite_of};

/// Longest time that a server takes to start.
const START_MAX: Duration = Duration::from_secs(20);

/// A redis-server on a unix socket, which ends with the test.
pub struct Server {
    process: Child,
    folder: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("redis.sock");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed, see tests/run.sh");
        let server = Self { process, folder };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&self) {
        let start = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(start.elapsed() < START_MAX, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    fn options(&self) -> Options {
        Options { server: Target::parse(&self.url()), ..Options::default() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to keep either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn echo(test: &str) -> Vec<(&str, String)> {
    vec![("lib/say.lua", SAY.to_owned()), ("echo/v1.lua", ECHO.replace("BODY", "")), ("echo/test.lua", test.to_owned())]
}

fn borrowed<'a>(files: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    files.iter().map(|(path, text)| (*path, text.as_str())).collect()
}

#[test]
fn the_shipped_scripts_pass_their_tests_on_a_real_server() {
    let server = Server::start();
    let suite = Suite::find(None).expect("the built-in scripts are well-formed");
    let mut report = Vec::new();
    let tally = runner::run(&suite, &server.options(), &mut report).expect("the run goes on").tally();
    let report = String::from_utf8_lossy(&report);
    assert_eq!(tally.failed, 0, "{report}");
    assert!(tally.passed > 130 && tally.embedded_only > 10, "{report}");
}

#[test]
fn tests_that_set_the_clock_run_on_the_embedded_store_alone_and_are_counted() {
    let server = Server::start();
    let files = echo(
        "it('a', function() run('echo', { uid = '1' }) end)
         it('b', function() clock.advance(5) end)
         it('c', function() clock.advance(5) assert.equal(1, 2) end)",
    );
    let (tally, report) = run(&borrowed(&files), &server.options());
    assert_eq!((tally.passed, tally.failed, tally.embedded_only), (1, 1, 1), "{report}");
    assert!(report.contains("\n1 set the clock and ran on the embedded store only\n"), "{report}");
}

#[test]
fn each_test_finds_the_server_empty_and_hears_its_own_messages() {
    let server = Server::start();
    let files = echo(
        "it('a', function()
           run('echo', { uid = '1' })
           redis.call('SET', 'k', 'v')
           redis.call('PUBLISH', 'os:node:n1', '[[\"close\",\"kicked\"]]')
           local heard = published()
           assert.equal('os:node:n1', heard[1].channel)
           assert.effects('close', heard[1].effects)
           assert.same({}, published())
         end)
         it('b', function() assert.same({}, state()) assert.same({}, published()) end)",
    );
    let (tally, report) = run(&borrowed(&files), &server.options());
    assert_eq!((tally.passed, tally.failed), (2, 0), "{report}");
}

#[test]
fn a_database_with_keys_is_left_alone_unless_told_otherwise() {
    let server = Server::start();
    let mut link =
        oneseat::offline::link::Link::open(&Target::parse(&server.url()).expect("an address")).expect("a link");
    link.call(&[b"SET", b"precious", b"1"]).expect("it is set");
    let files = echo("it('a', function() run('echo', { uid = '1' }) end)");
    let suite = Suite::from_tree(&oneseat::script::tree::Tree::of(borrowed(&files)), None).expect("well-formed");
    let refused = runner::run(&suite, &server.options(), &mut Vec::new());
    assert!(matches!(refused, Err(RunError::NotEmpty(1))));
    let options = Options { flush: true, ..server.options() };
    assert_eq!(runner::run(&suite, &options, &mut Vec::new()).expect("it runs").tally().passed, 1);
    runner::run(&suite, &server.options(), &mut Vec::new()).expect("a run leaves nothing behind");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let suite = Suite::find(None).expect("the built-in scripts are well-formed");
    let gone = Path::new("/nonexistent/redis.sock");
    let options = Options { server: Target::parse(&format!("redis+unix://{}", gone.display())), ..Options::default() };
    assert!(matches!(runner::run(&suite, &options, &mut Vec::new()), Err(RunError::Server(_))));
}

#[test]
fn a_script_that_does_another_thing_on_the_server_is_a_failure_that_shows_both() {
    let server = Server::start();
    // What TIME says in seconds has as many digits on both; the uptime is told by the server alone.
    for (body, said) in [
        (
            "note = redis.REDIS_VERSION_NUM and 'x' or 'y'; redis.call('HSET', seat_key, 'n', string.len(redis.sha1hex(note)))",
            None,
        ),
        (
            "do return { 1, say(uid, redis.call('TIME')[1] > '1750000000' and 'late' or 'early') } end",
            Some("echo@1 answers"),
        ),
        ("if redis.call('TIME')[1] > '1750000000' then redis.call('HSET', seat_key, 'late', '1') end", Some("answers")),
        (
            "if redis.call('TIME')[1] > '1750000000' then redis.call('PUBLISH', 'os:node:n1', '[[\"close\",\"kicked\"]]') end",
            Some("the message on os:node:n1"),
        ),
        (
            "redis.call('HSET', seat_key, 'a', '1') if redis.call('TIME')[1] > '1750000000' then redis.call('PEXPIRE', seat_key, 99999) end",
            Some("at the end os:{0}:seat:1"),
        ),
    ] {
        let script = ECHO.replace("BODY", body);
        let test = "it('a', function() run('echo', { uid = '1' }) end)";
        let files = [("lib/say.lua", SAY), ("echo/v1.lua", script.as_str()), ("echo/test.lua", test)];
        // The lint knows scripts that depend on the server by their text.
        let suite = Suite { problems: Vec::new(), ..suite_of(&files) };
        let (tally, report) = run_suite(&suite, &server.options());
        match said {
            None => assert_eq!(tally.failed, 0, "{report}"),
            Some(said) => {
                assert_eq!(tally.failed, 1, "{body}: {report}");
                assert!(report.contains("FAIL lua/echo/test.lua:1 echo@1: a\n     the stores differ: "), "{report}");
                assert!(report.contains(said) && report.contains("on the server: "), "{report}");
            }
        }
    }
}

#[test]
fn an_assertion_that_fails_on_the_server_only_says_so() {
    let server = Server::start();
    let files = echo("it('a', function() assert.equal(1700000000000, clock.now()) end)");
    let (tally, report) = run(&borrowed(&files), &server.options());
    assert_eq!((tally.passed, tally.failed), (0, 1), "{report}");
    assert!(report.contains("FAIL lua/echo/test.lua:1 echo@1: a\n     on the server only: expected"), "{report}");
}

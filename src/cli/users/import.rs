//! `oneseat users import`: users from JSON lines, some hundred at a time, in the order of the file.
//!
//! Only what stands in the line is written, so the same file may be imported again: after an interruption, or with the bad
//! lines mended.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::api::Api;
use super::super::progress::Progress;
use super::super::{Shared, output};
use crate::error::{Exit, Fatal};

/// Users of one request.
const BATCH_MAX: usize = 500;
/// Bytes of one request, well below what the server reads.
const BATCH_BYTES_MAX: usize = 512 << 10;
/// Longest line.
const LINE_BYTES_MAX: usize = 256 << 10;
/// Times that a user is sent whom the server could not write just then.
const TRIES_MAX: usize = 5;
/// Longest pause before that.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A line that was not taken.
struct Bad {
    line: usize,
    reason: String,
}

/// What has been read and is yet to be sent.
#[derive(Default)]
struct Batch {
    users: Vec<(usize, Value)>,
    bytes: usize,
    /// Uids and names of them. What is sent together is written in no order, so nobody stands in it twice.
    known: HashSet<(bool, String)>,
}

/// What came of it so far.
struct Import<'a> {
    api: &'a Api,
    progress: Progress,
    batch: Batch,
    lines: usize,
    written: usize,
    bad: Vec<Bad>,
}

/// Imports a file, or standard input as `-`.
pub fn run(api: &Api, file: &Path, shared: &Shared) -> Result<Exit, Fatal> {
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(|error| unreadable(file, error))?)
    };
    let mut import =
        Import { api, progress: Progress::new(), batch: Batch::default(), lines: 0, written: 0, bad: Vec::new() };
    let outcome = import.read(file, BufReader::new(reader));
    import.progress.wipe();
    import.report(shared)?;
    outcome?;
    match import.bad.len() {
        0 => Ok(Exit::Ok),
        bad => Err(Fatal::new(Exit::Failed, format!("{bad} of {} lines were not taken", import.lines))
            .hint("mend them and import the file again; what is there already does no harm")),
    }
}

impl Import<'_> {
    fn read(&mut self, file: &Path, mut reader: impl BufRead) -> Result<(), Fatal> {
        loop {
            let mut line = Vec::new();
            let limit = LINE_BYTES_MAX as u64 + 1;
            let read = reader.by_ref().take(limit).read_until(b'\n', &mut line);
            if read.map_err(|error| unreadable(file, error))? == 0 {
                break;
            }
            self.lines += 1;
            if line.len() > LINE_BYTES_MAX && line.last() != Some(&b'\n') {
                reader.skip_until(b'\n').map_err(|error| unreadable(file, error))?;
                self.refuse(self.lines, format!("longer than {LINE_BYTES_MAX} bytes"));
            } else {
                self.take(&line)?;
            }
            let (lines, bad) = (self.lines, self.bad.len());
            self.progress.say(|| format!("{lines} lines, {bad} of them bad"));
        }
        self.send()
    }

    /// A line goes into the batch, which is sent before it where it has no room for it.
    fn take(&mut self, line: &[u8]) -> Result<(), Fatal> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let user = match read_user(line) {
            Ok(user) => user,
            Err(reason) => {
                self.refuse(self.lines, reason);
                return Ok(());
            }
        };
        if !self.batch.has_room(line.len(), &user) {
            self.send()?;
        }
        self.batch.add(self.lines, line.len(), user);
        Ok(())
    }

    fn refuse(&mut self, line: usize, reason: String) {
        self.bad.push(Bad { line, reason });
    }

    /// Sends the batch, and once more what the server could not write just then.
    fn send(&mut self) -> Result<(), Fatal> {
        let mut users = std::mem::take(&mut self.batch).users;
        for attempt in 1.. {
            if users.is_empty() {
                break;
            }
            let body = Value::Array(users.iter().map(|(_, user)| user.clone()).collect());
            let answers = match self.api.post("/v1/users", &body)? {
                Value::Array(answers) if answers.len() == users.len() => answers,
                other => return Err(Fatal::new(Exit::Failed, format!("the server answers oddly: {other}"))),
            };
            let (mut again, mut pause) = (Vec::new(), Duration::ZERO);
            for ((line, user), answer) in users.into_iter().zip(answers) {
                match (answer["status"].as_u64(), answer["retry_after_ms"].as_u64()) {
                    (None, _) => self.written += 1,
                    (_, Some(ms)) if attempt < TRIES_MAX => {
                        pause = pause.max(Duration::from_millis(ms)).min(PAUSE_MAX);
                        again.push((line, user));
                    }
                    _ => self.refuse(line, answer["detail"].as_str().unwrap_or("refused").to_owned()),
                }
            }
            users = again;
            std::thread::sleep(pause);
        }
        Ok(())
    }

    fn report(&mut self, shared: &Shared) -> Result<(), Fatal> {
        self.bad.sort_by_key(|bad| bad.line);
        if shared.json {
            let bad: Vec<Value> =
                self.bad.iter().map(|bad| json!({ "line": bad.line, "reason": bad.reason })).collect();
            return output::line(json!({ "lines": self.lines, "written": self.written, "bad": bad }));
        }
        for Bad { line, reason } in &self.bad {
            output::line(format_args!("line {line}: {}", output::printable(reason)))?;
        }
        output::line(format_args!("{} users written, from {} lines", self.written, self.lines))
    }
}

impl Batch {
    fn has_room(&self, bytes: usize, user: &Value) -> bool {
        let is_known = marks(user).any(|mark| self.known.contains(&mark));
        self.users.len() < BATCH_MAX && self.bytes + bytes <= BATCH_BYTES_MAX && !is_known
    }

    fn add(&mut self, line: usize, bytes: usize, user: Value) {
        self.known.extend(marks(&user));
        self.bytes += bytes;
        self.users.push((line, user));
    }
}

/// The rest is for the server to judge.
fn read_user(line: &[u8]) -> Result<Value, String> {
    match serde_json::from_slice::<Value>(line) {
        Ok(user) if user.is_object() => Ok(user),
        Ok(_) => Err("no object".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

/// Uid and name of a user; a uid may be a number or a text.
fn marks(user: &Value) -> impl Iterator<Item = (bool, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    [(true, text(&user["uid"])), (false, text(&user["name"]))]
        .into_iter()
        .filter(|(is_uid, name)| *is_uid || name != "null")
}

fn unreadable(file: &Path, error: std::io::Error) -> Fatal {
    Fatal::new(Exit::Failed, format!("cannot read {}", file.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_nobody_twice_and_no_name() {
        let mut batch = Batch::default();
        batch.add(1, 10, json!({ "uid": 1001, "name": "ada" }));
        for (user, has_room) in [
            (json!({ "uid": "1001" }), false),
            (json!({ "uid": 1002, "name": "ada" }), false),
            (json!({ "uid": "ada" }), true),
            (json!({ "uid": 1002, "name": null }), true),
        ] {
            assert_eq!(batch.has_room(10, &user), has_room, "{user}");
        }
        assert!(!batch.has_room(BATCH_BYTES_MAX, &json!({ "uid": 5 })));
    }
}

//! A small blocking RESP client that prints replies as text, so that expectations can be read in a table.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a reply may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    pub fn connect(socket: &Path) -> Client {
        let stream = UnixStream::connect(socket).expect("the store listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        Client { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the store reads");
    }

    pub fn send(&mut self, args: &[&[u8]]) {
        let mut request = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            request.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            request.extend_from_slice(arg);
            request.extend_from_slice(b"\r\n");
        }
        self.send_raw(&request);
    }

    /// Sends a command and reads its reply.
    pub fn call(&mut self, args: &[&str]) -> String {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        self.send(&args);
        self.reply()
    }

    /// Runs a line of words, with double quotes around words that hold blanks.
    pub fn line(&mut self, line: &str) -> String {
        let words = split(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.call(&words)
    }

    /// Runs a script without keys.
    pub fn eval(&mut self, script: &str) -> String {
        self.call(&["EVAL", script, "0"])
    }

    fn read_line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).expect("the store answers in time");
        String::from_utf8_lossy(&line).trim_end_matches("\r\n").to_string()
    }

    fn read_bytes(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).expect("the store answers in time");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// Tells that the store has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        matches!(self.stream.read_to_end(&mut rest), Ok(0) | Err(_))
    }

    /// Reads a reply as text: `+OK`, `-ERR ...`, `:1`, `"bulk"`, `nil`, `[a, b]`, `{k: v}`, `~[a]`, `,1.5`, `#t`, `>[a]`.
    pub fn reply(&mut self) -> String {
        let line = self.read_line();
        let (kind, body) = line.split_at(line.len().min(1));
        let length = body.parse::<i64>().unwrap_or(0);
        match kind {
            "$" | "*" if length < 0 => "nil".into(),
            "_" => "nil".into(),
            "$" => format!("\"{}\"", self.read_bytes(length as usize)),
            "=" => format!("={}", self.read_bytes(length as usize)),
            "*" => format!("[{}]", self.items(length)),
            "~" => format!("~[{}]", self.items(length)),
            ">" => format!(">[{}]", self.items(length)),
            "%" => {
                let pairs: Vec<String> = (0..length).map(|_| format!("{}: {}", self.reply(), self.reply())).collect();
                format!("{{{}}}", pairs.join(", "))
            }
            _ => line,
        }
    }

    fn items(&mut self, length: i64) -> String {
        (0..length).map(|_| self.reply()).collect::<Vec<_>>().join(", ")
    }
}

fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("quotes are closed"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_string());
        rest = after.trim_start();
    }
    words
}

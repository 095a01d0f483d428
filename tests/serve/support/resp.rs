//! A look into a store through its socket, as `redis-cli` would take it, whichever store it is.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use super::wait::PATIENCE;

/// One connection to a store.
pub struct Resp {
    stream: BufReader<UnixStream>,
}

impl Resp {
    /// Connects, or says that nobody listens.
    pub fn connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Runs one command: texts and numbers as they are, an empty answer as null.
    pub fn run(&mut self, command: &[&str]) -> Value {
        self.try_run(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// As [`Resp::run`], for a store that may be going.
    pub fn try_run(&mut self, command: &[&str]) -> std::io::Result<Value> {
        let mut text = format!("*{}\r\n", command.len());
        for word in command {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(text.as_bytes())?;
        self.answer()
    }

    /// A listing as texts.
    pub fn texts(&mut self, command: &[&str]) -> Vec<String> {
        let listing = self.run(command);
        let items = listing.as_array().unwrap_or_else(|| panic!("{command:?} answers {listing}"));
        items.iter().map(|item| item.as_str().expect("a listing of texts").to_owned()).collect()
    }

    fn answer(&mut self) -> std::io::Result<Value> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let Some(rest) = line.strip_suffix("\r\n").and_then(|line| line.get(1..)) else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let number = || rest.parse::<i64>().map_err(std::io::Error::other);
        match line.as_bytes()[0] {
            b'+' => Ok(rest.into()),
            b':' => Ok(number()?.into()),
            b'$' => self.text(number()?),
            b'*' => (0..number()?).map(|_| self.answer()).collect(),
            _ => Err(std::io::Error::other(rest.to_owned())),
        }
    }

    fn text(&mut self, bytes: i64) -> std::io::Result<Value> {
        let Ok(bytes) = usize::try_from(bytes) else { return Ok(Value::Null) };
        let mut text = vec![0; bytes + 2];
        self.stream.read_exact(&mut text)?;
        text.truncate(bytes);
        String::from_utf8(text).map(Value::from).map_err(std::io::Error::other)
    }
}

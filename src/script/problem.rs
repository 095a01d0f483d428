//! What is wrong with a script file, and where: the one form in which all checks of the catalogue report.

use thiserror::Error;

/// Something that a person has to mend in a Lua file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Error)]
#[error("{file}{}: {message}", position(*line))]
pub struct Problem {
    /// The file as people know it, for example `lua/login/v1.lua`.
    pub file: String,
    /// The line, counted from 1; 0 where the whole file or folder is meant.
    pub line: usize,
    /// What is wrong and what is allowed.
    pub message: String,
}

fn position(line: usize) -> String {
    if line == 0 { String::new() } else { format!(":{line}") }
}

/// Collects the problems of one file.
pub struct Problems {
    file: String,
    found: Vec<Problem>,
}

impl Problems {
    /// None yet.
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    /// Notes one.
    pub fn add(&mut self, line: usize, message: impl Into<String>) {
        self.found.push(Problem { file: self.file.clone(), line, message: message.into() });
    }

    /// Everything noted, in the order of the lines.
    pub fn into_vec(mut self) -> Vec<Problem> {
        self.found.sort();
        self.found
    }

    /// The value, if nothing was noted.
    pub fn unless_any<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.found.is_empty() { Ok(value) } else { Err(self.into_vec()) }
    }
}

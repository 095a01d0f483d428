//! How a run of the program ends: the exit codes, and the error that ends a start.
//!
//! Errors of single connections, calls and requests are not here; they never end the process.

use std::error::Error;
use std::fmt;

/// Exit codes of every subcommand. Scripts rely on the numbers: none is ever given another meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    AddressInUse = 3,
    DataUnusable = 4,
    DataLocked = 5,
    Store = 6,
    NameTaken = 7,
    NoServer = 8,
    LoginRefused = 9,
    Displaced = 10,
    Closed = 11,
    Bug = 70,
}

impl Exit {
    /// Every code, in the order of the help text.
    pub const ALL: [Exit; 13] = [
        Exit::Ok,
        Exit::Failed,
        Exit::Usage,
        Exit::AddressInUse,
        Exit::DataUnusable,
        Exit::DataLocked,
        Exit::Store,
        Exit::NameTaken,
        Exit::NoServer,
        Exit::LoginRefused,
        Exit::Displaced,
        Exit::Closed,
        Exit::Bug,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it tells the one who asked.
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Ok => "done; for serve: stopped as asked; for client: left by itself",
            Exit::Failed => "what was asked failed",
            Exit::Usage => "wrong arguments or configuration",
            Exit::AddressInUse => "serve: an address to listen on is in use or not ours",
            Exit::DataUnusable => "serve, store, migrate: the data folder, or what is kept in it, cannot be used",
            Exit::DataLocked => "serve, store, migrate: another process uses the data folder",
            Exit::Store => {
                "serve, migrate: Redis cannot be reached or is not suitable; serve: the embedded store ended"
            }
            Exit::NameTaken => "serve: a node of this name is alive",
            Exit::NoServer => {
                "no server answers: at the admin address, or, for scripts, at the socket of the embedded store"
            }
            Exit::LoginRefused => "client: the login was refused",
            Exit::Displaced => "client: displaced by another login, or kicked",
            Exit::Closed => "client: the connection was closed for another reason",
            Exit::Bug => "a fault of oneseat itself; please report it",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An expected failure that ends the program: what failed, why, and what to do about it.
#[derive(Debug)]
pub struct Fatal {
    exit: Exit,
    message: String,
    hint: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Fatal {
    /// `message` is a lowercase fragment that names the thing that failed.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, cause: None }
    }

    /// Adds the error below this one.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what the reader can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The code to end with.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Fatal {
    /// The whole story on one line: message, causes, hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl Error for Fatal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl From<crate::config::ConfigError> for Fatal {
    fn from(error: crate::config::ConfigError) -> Self {
        // The text is taken over here, with its causes, so that it does not stand behind an empty message.
        let cause = error.source().map(|cause| cause.to_string());
        let fatal =
            Self::new(Exit::Usage, error.to_string()).hint("`oneseat config` prints every key with its meaning");
        match cause {
            Some(cause) => fatal.because(cause),
            None => fatal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_documented() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 70]);
        assert!(Exit::ALL.iter().all(|exit| !exit.meaning().is_empty()));
    }

    #[test]
    fn the_whole_chain_and_the_hint_stand_on_one_line() {
        let cause = std::io::Error::other("no such device");
        let fatal = Fatal::new(Exit::DataUnusable, "cannot write to data").because(cause).hint("name another data.dir");
        assert_eq!(fatal.to_string(), "cannot write to data: no such device (hint: name another data.dir)");
    }
}

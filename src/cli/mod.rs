//! The command line: reads arguments, runs one subcommand, turns its outcome into an exit code.
//!
//! Subcommands other than `serve`, `store`, `migrate`, `scripts` and `test` know nothing but the admin API and the wire; they work against a server
//! on another machine just as well.

mod api;
mod client;
mod config;
mod kick;
mod migrate;
mod nodes;
mod output;
mod progress;
mod scripts;
mod serve;
mod store;
mod test;
mod ticket;
mod users;
mod watch;
mod who;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Loaded;
use crate::error::{Exit, Fatal};
use crate::id::{Name, Uid};

/// One account, one seat: whoever logs in last holds it.
#[derive(Parser, Debug)]
#[command(name = "oneseat", version, about, after_help = after_help(), max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    /// Take the node's name although a node of that name is alive.
    #[arg(long)]
    takeover: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every subcommand understands.
#[derive(Args, Clone, Debug)]
struct Shared {
    /// Configuration file; its values replace the defaults, the environment replaces both.
    #[arg(long, value_name = "FILE", global = true, display_order = 900)]
    config: Option<PathBuf>,
    /// Print for machines.
    #[arg(long, global = true, display_order = 901)]
    json: bool,
}

impl Shared {
    fn load(&self) -> Result<Loaded, Fatal> {
        self.load_with([])
    }

    /// The configuration with settings that stand over all others, by the names that the environment has for them.
    fn load_with(&self, settings: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Fatal> {
        Ok(Loaded::from_process(self.config.as_deref(), settings)?)
    }
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server (the default).
    Serve(serve::Serve),
    /// Get a ticket for a user.
    Ticket(ticket::Ticket),
    /// Log in and show every frame.
    Client(client::Client),
    /// Show who holds the seats of a user, and the last events.
    Who(who::Who),
    /// End the sessions of a user and void the tickets.
    Kick(kick::Kick),
    /// Import, show, change and erase users, and send them messages.
    Users(users::Users),
    /// List the nodes.
    Nodes(nodes::Nodes),
    /// Look at, check, mend, export or import what the embedded store keeps on disk.
    Store(store::Store),
    /// Copy a stopped embedded store into an external Redis.
    Migrate(migrate::Migrate),
    /// Run the tests of scripts.
    Test(test::Test),
    /// Look at, push, activate and roll back versions of scripts.
    Scripts(scripts::Scripts),
    /// Print the configuration template, or what is in force.
    Config(config::Print),
    /// Print the version.
    Version,
}

/// Runs the program to its end.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // A panic on this thread is a fault of ours with its own code; the default hook has told where.
    match catch_unwind(AssertUnwindSafe(|| run(cli))) {
        Ok(Ok(exit)) => exit,
        Ok(Err(fatal)) => {
            eprintln!("oneseat: error: {fatal}");
            fatal.exit()
        }
        Err(_) => Exit::Bug,
    }
}

fn run(cli: Cli) -> Result<Exit, Fatal> {
    let Cli { shared, takeover, command } = cli;
    if takeover && !matches!(command, None | Some(Command::Serve(_))) {
        return Err(Fatal::new(Exit::Usage, "--takeover belongs to serve"));
    }
    match command {
        None => serve::Serve { takeover, watch: false, force: false }.run(&shared),
        Some(Command::Serve(serve)) => serve::Serve { takeover: takeover || serve.takeover, ..serve }.run(&shared),
        Some(Command::Ticket(ticket)) => ticket.run(&shared),
        Some(Command::Client(client)) => client.run(&shared),
        Some(Command::Who(who)) => who.run(&shared),
        Some(Command::Kick(kick)) => kick.run(&shared),
        Some(Command::Users(users)) => users.run(&shared),
        Some(Command::Nodes(nodes)) => nodes.run(&shared),
        Some(Command::Store(store)) => store.run(&shared),
        Some(Command::Migrate(migrate)) => migrate.run(&shared),
        Some(Command::Test(test)) => test.run(&shared),
        Some(Command::Scripts(scripts)) => scripts.run(&shared),
        Some(Command::Config(print)) => print.run(&shared),
        Some(Command::Version) => version(&shared),
    }
}

fn version(shared: &Shared) -> Result<Exit, Fatal> {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    match shared.json {
        true => output::line(serde_json::json!({ "name": name, "version": version }))?,
        false => output::line(format_args!("{name} {version}"))?,
    }
    Ok(Exit::Ok)
}

/// Help and version asked for are no errors; anything else is told in our form.
fn usage(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // A reader that has gone away has seen enough.
        let _ = error.print();
        return Exit::Ok;
    }
    let text = error.to_string();
    eprint!("oneseat: error: {}", text.strip_prefix("error: ").unwrap_or(&text));
    Exit::Usage
}

fn after_help() -> String {
    let codes = Exit::ALL.map(|exit| format!("  {:>2}  {}", exit.code(), exit.meaning()));
    format!(
        "Example:\n  oneseat                      # serve on 127.0.0.1:8090, no configuration needed\n  \
         oneseat client --uid 1001    # in a second terminal\n  \
         oneseat client --uid 1001    # in a third: takes the seat of the second\n\nExit codes:\n{}",
        codes.join("\n")
    )
}

/// Reads a UID argument.
fn uid(text: &str) -> Result<Uid, String> {
    Uid::parse(text).ok_or_else(|| "allowed are 1 to 64 bytes without | # { } and control characters".to_owned())
}

/// Reads the name of a class.
fn class(text: &str) -> Result<Name, String> {
    Name::parse(text).ok_or_else(|| "allowed are 1 to 64 characters of A-Z a-z 0-9 . _ -".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_argument_table_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(|help| help.to_string()).unwrap_or_default();
            let plain = command.get_name() == "version";
            assert!(plain || help.starts_with("Example"), "{} has no example", command.get_name());
        }
    }
}

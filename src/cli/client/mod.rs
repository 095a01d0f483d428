//! `oneseat client`: a chat client of the real protocol that shows every frame and says why it was closed.

mod link;
mod receipt;
mod screen;
mod session;
mod told;
mod typed;

use std::net::ToSocketAddrs;

use clap::Args;

use self::screen::Screen;
use self::session::Login;
use super::Shared;
use super::api::{Api, Target};
use super::ticket::issue;
use crate::config::{Loaded, split_host_port};
use crate::error::{Exit, Fatal};
use crate::id::{Name, Uid};
use crate::wire::message::UID_MAX;

/// The help of `oneseat client`.
#[derive(Args, Debug)]
#[command(after_help = after_help())]
pub struct Client {
    /// User to log in as.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=UID_MAX))]
    uid: u64,
    /// Token of a ticket that was issued before; by default the admin API is asked for a new one.
    #[arg(long)]
    token: Option<String>,
    /// Device class of the new ticket; by default seat.class of the server.
    #[arg(long, value_parser = super::class, conflicts_with = "token")]
    class: Option<Name>,
    /// Node to connect to; by default the one that the ticket names.
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    address: Option<String>,
    /// Log in as clients of the old wire do: without features, and without acknowledging what came.
    #[arg(long)]
    old: bool,
    #[command(flatten)]
    target: Target,
}

fn after_help() -> String {
    format!(
        "Example:
  oneseat client --uid 1001       # gets a ticket, logs in, beats, shows every frame
  oneseat client --uid 1001       # in another terminal: takes the seat

While it runs, lines may be typed:
{}

It acknowledges by itself what it has shown; what was not acknowledged comes again at the next login.
It ends with 0 after `quit` or Ctrl-C, 9 when the login was refused, 10 when displaced or kicked, 11 when closed for
another reason.",
        typed::COMMANDS
    )
}

impl Client {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let login = self.login(&shared.load()?)?;
        let screen = Screen::new(shared.json);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Fatal::new(Exit::Bug, "the runtime cannot start").because(error))?;
        runtime.block_on(session::run(&login, &screen))
    }

    /// Gathers what a login needs, from the command line, from a new ticket, or from the configuration.
    fn login(&self, loaded: &Loaded) -> Result<Login, Fatal> {
        let (token, place) = match &self.token {
            Some(token) => (token.clone(), loaded.config.public_address()),
            None => self.ticket(loaded)?,
        };
        let place = self.address.clone().unwrap_or(place);
        let unknown = || Fatal::new(Exit::NoServer, format!("{place} is no address to connect to"));
        let (host, port) = split_host_port(&place).ok_or_else(unknown)?;
        let found = (host, port).to_socket_addrs().map_err(|error| unknown().because(error))?;
        Ok(Login { uid: self.uid, token, addresses: found.collect(), place, is_old: self.old })
    }

    fn ticket(&self, loaded: &Loaded) -> Result<(String, String), Fatal> {
        let uid = Uid::parse(&self.uid.to_string()).expect("digits are a uid");
        let ticket = issue(&Api::of(&self.target, loaded), &uid, self.class.as_ref(), None)?;
        let text = |name: &str| ticket[name].as_str().unwrap_or_default();
        let host = match text("host") {
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        };
        Ok((text("token").to_owned(), format!("{host}:{}", ticket["port"])))
    }
}

fn address(text: &str) -> Result<String, String> {
    match split_host_port(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("allowed is HOST:PORT".to_owned()),
    }
}

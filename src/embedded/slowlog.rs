//! The requests that took longest lately, for SLOWLOG.
//!
//! A request is what a client sent: a script or a transaction counts as a whole. Limits and shortening are Redis'.

use std::collections::VecDeque;

/// Most arguments that are kept of a request, and most bytes of each.
const ARGUMENTS_MAX: usize = 32;
const ARGUMENT_BYTES_MAX: usize = 128;

/// One slow request.
#[derive(Debug)]
pub struct Entry {
    pub id: u64,
    /// Seconds since the epoch.
    pub at: u64,
    pub took_us: u64,
    pub args: Vec<Vec<u8>>,
    pub client_name: Vec<u8>,
}

/// The last slow requests, newest first.
#[derive(Debug, Default)]
pub struct Slowlog {
    pub entries: VecDeque<Entry>,
    next_id: u64,
}

impl Slowlog {
    /// Adds a request and forgets what is too old.
    pub fn add(&mut self, args: &[&[u8]], at: u64, took_us: u64, client_name: Vec<u8>, length_max: usize) {
        let entry = Entry { id: self.next_id, at, took_us, args: shorten(args), client_name };
        self.next_id += 1;
        self.entries.push_front(entry);
        self.entries.truncate(length_max);
    }
}

fn shorten(args: &[&[u8]]) -> Vec<Vec<u8>> {
    let kept = if args.len() > ARGUMENTS_MAX { ARGUMENTS_MAX - 1 } else { args.len() };
    let mut shown: Vec<Vec<u8>> = args[..kept].iter().map(|arg| shorten_argument(arg)).collect();
    if kept < args.len() {
        shown.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    shown
}

fn shorten_argument(arg: &[u8]) -> Vec<u8> {
    match arg.len().checked_sub(ARGUMENT_BYTES_MAX) {
        None | Some(0) => arg.to_vec(),
        Some(more) => [&arg[..ARGUMENT_BYTES_MAX], format!("... ({more} more bytes)").as_bytes()].concat(),
    }
}

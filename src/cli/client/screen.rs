//! What the client prints: lines for people, or one JSON object per event.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::super::output;
use super::link::Message;
use super::{told, typed};
use crate::error::{Exit, Fatal};
use crate::wire::message;

/// Which way a frame went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// Where events are shown.
pub struct Screen {
    json: bool,
}

impl Screen {
    /// `json` is for programs.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// The connection stands.
    pub fn connected(&self, place: &str) -> Result<(), Fatal> {
        match self.json {
            true => self.event(json!({ "event": "connected", "address": place })),
            false => output::line(format_args!("{} connected to {place}", clock(now_ms()))),
        }
    }

    /// A frame came or went.
    pub fn frame(&self, direction: Direction, frame: &Message) -> Result<(), Fatal> {
        let (word, arrow) = match direction {
            Direction::In => ("in", "<-"),
            Direction::Out => ("out", "->"),
        };
        let name = name(frame.id);
        let body = serde_json::from_slice(&frame.body).map(mask);
        if self.json {
            let body = body.unwrap_or_else(|_| lossy(&frame.body).into());
            return self
                .event(json!({ "event": "frame", "direction": word, "id": frame.id, "name": name, "body": body }));
        }
        let now_ms = now_ms();
        let mut lines =
            body.as_ref().map_or_else(|_| Vec::new(), |body| told::lines(direction, frame.id, body, now_ms));
        // A login is answered with more than people are told of it.
        if lines.is_empty() || frame.id == message::LOGIN_REPLY {
            let body = body.map_or_else(|_| format!("not JSON: {}", lossy(&frame.body)), |body| body.to_string());
            lines.insert(0, format!("{} {name} {body}", frame.id));
        }
        lines
            .iter()
            .try_for_each(|line| output::line(format_args!("{} {arrow} {}", clock(now_ms), output::printable(line))))
    }

    /// The user asked what may be typed.
    pub fn help(&self) -> Result<(), Fatal> {
        match self.json {
            true => self.event(json!({ "event": "help", "text": typed::COMMANDS })),
            false => output::line(typed::COMMANDS),
        }
    }

    /// Something that the user typed cannot be sent.
    pub fn refused(&self, why: &str) -> Result<(), Fatal> {
        match self.json {
            true => self.event(json!({ "event": "refused", "detail": why })),
            false => output::line(format_args!("{} not sent: {}", clock(now_ms()), output::printable(why))),
        }
    }

    /// It is over. `notice` is the body of the frame that said why, if one did.
    pub fn closed(&self, exit: Exit, why: &str, notice: &Value) -> Result<(), Fatal> {
        match self.json {
            true => self.event(json!({ "event": "closed", "exit": exit.code(), "detail": why, "notice": notice })),
            false => output::line(format_args!("{} closed: {}", clock(now_ms()), output::printable(why))),
        }
    }

    fn event(&self, mut event: Value) -> Result<(), Fatal> {
        event["at_ms"] = now_ms().into();
        output::line(event)
    }
}

/// The words of the wire's ids.
fn name(id: u16) -> &'static str {
    match id {
        message::LOGIN => "login",
        message::LOGIN_REPLY => "login reply",
        message::SEARCH => "search",
        message::SEARCH_REPLY => "search reply",
        message::APPLY => "apply",
        message::APPLY_REPLY => "apply reply",
        1011 => "somebody applied",
        message::APPROVE => "approve",
        message::APPROVE_REPLY => "approve reply",
        1015 => "application approved",
        message::TEXT => "text",
        message::TEXT_REPLY => "text reply",
        1019 => "text for you",
        1025 => "notice",
        message::OFFLINE => "taken off line",
        message::HEARTBEAT => "heartbeat",
        message::HEARTBEAT_REPLY => "heartbeat reply",
        message::GOODBYE => "goodbye",
        typed::RECEIPT => "receipt",
        1103 => "receipt reply",
        typed::PAGE => "page",
        1105 => "page reply",
        typed::UNFRIEND => "unfriend",
        1107 => "unfriend reply",
        typed::BLOCK => "block",
        1109 => "block reply",
        1110 => "conversation",
        1111 => "conversation reply",
        _ => "unknown id",
    }
}

/// A screen is often shared or recorded; the token is not for it.
fn mask(mut body: Value) -> Value {
    if let Some(token) = body.get_mut("token") {
        *token = "***".into();
    }
    body
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `12:00:00.123`, UTC.
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, ms % 1000)
}

//! One login from connect to close: what the client sends by itself, and what it makes of the frames that end it.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use uuid::Uuid;

use super::super::output;
use super::link::{Link, Message, lines};
use super::receipt::Receipts;
use super::screen::{Direction, Screen};
use super::typed::{self, Typed};
use crate::error::{Exit, Fatal};
use crate::wire::{ReplyCode, message};

/// Longest wait for the answer to the login.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// Longest wait for what a broken connection still has to give.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_secs(1);
/// Time between two heartbeats when the server does not say.
const INTERVAL_MS: u64 = 10_000;

/// What this client understands beyond the old wire: it acknowledges by itself, and reads many friends in one notice.
const FEATURES: [&str; 2] = ["ack", "batch"];

/// What a login needs.
pub struct Login {
    pub uid: u64,
    pub token: String,
    /// Where the node may be reached.
    pub addresses: Vec<SocketAddr>,
    /// The same for people.
    pub place: String,
    /// Whether it is done as clients of the old wire do it.
    pub is_old: bool,
}

/// Why it is over.
struct End {
    exit: Exit,
    why: String,
    /// Body of the frame that said so.
    notice: Value,
}

impl End {
    fn new(exit: Exit, why: impl Into<String>) -> Self {
        Self { exit, why: why.into(), notice: Value::Null }
    }
}

/// What the loop does next.
enum Step {
    GoOn,
    /// Tell the server that everything up to a position was shown.
    Acknowledge(u64),
    End(End),
}

/// Logs in and stays until one side closes.
pub async fn run(login: &Login, screen: &Screen) -> Result<Exit, Fatal> {
    let link = Link::connect(&login.addresses).await.map_err(|error| {
        Fatal::new(Exit::NoServer, format!("no server answers at {}", login.place))
            .because(error)
            .hint("start one with `oneseat`, or name another with --address HOST:PORT")
    })?;
    screen.connected(&login.place)?;
    let mut session = Session { login, screen, link, beat: None, receipts: Receipts::default(), goodbye: None };
    let end = match session.stay().await {
        Ok(end) => end,
        Err(Trouble::Socket(error)) => session.lost(&error).await?,
        Err(Trouble::Screen(fatal)) => return Err(fatal),
    };
    screen.closed(end.exit, &end.why, &end.notice)?;
    Ok(end.exit)
}

/// What can go wrong while a session lasts.
enum Trouble {
    Socket(io::Error),
    Screen(Fatal),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Socket(error)
    }
}

impl From<Fatal> for Trouble {
    fn from(fatal: Fatal) -> Self {
        Trouble::Screen(fatal)
    }
}

struct Session<'a> {
    login: &'a Login,
    screen: &'a Screen,
    link: Link,
    /// Runs from the answer to the login on.
    beat: Option<Interval>,
    receipts: Receipts,
    /// Body of the last goodbye; the close that it announces is still to come.
    goodbye: Option<Value>,
}

impl Session<'_> {
    async fn stay(&mut self) -> Result<End, Trouble> {
        self.send_json(message::LOGIN, &self.request()).await?;
        let answer_due = Instant::now() + ANSWER_TIME_MAX;
        let mut typed = lines();
        let mut may_type = true;
        loop {
            let step = tokio::select! {
                next = self.link.next() => match next {
                    Some(frame) => self.take(&frame?)?,
                    None => Step::End(self.closed_by_server("the server closed the connection without a word")),
                },
                line = typed.recv(), if may_type => match line {
                    Some(line) => self.obey(&line).await?,
                    None => { may_type = false; end_of_input() }
                },
                () = tick(&mut self.beat) => self.live().await?,
                () = sleep_until(answer_due), if self.beat.is_none() => {
                    Step::End(End::new(Exit::Closed, "the login was not answered"))
                }
                _ = tokio::signal::ctrl_c() => Step::End(End::new(Exit::Ok, "left")),
            };
            match step {
                Step::GoOn => {}
                Step::Acknowledge(position) => self.acknowledge(position).await?,
                Step::End(end) => return Ok(end),
            }
        }
    }

    /// The body of the login.
    fn request(&self) -> Value {
        let mut body = json!({ "uid": self.login.uid, "token": self.login.token });
        if !self.login.is_old {
            body["features"] = json!(FEATURES);
        }
        body
    }

    async fn send_json(&mut self, id: u16, body: &Value) -> Result<(), Trouble> {
        self.send(&Message { id, body: body.to_string().into_bytes() }).await
    }

    async fn send(&mut self, frame: &Message) -> Result<(), Trouble> {
        self.link.send(frame).await?;
        Ok(self.screen.frame(Direction::Out, frame)?)
    }

    async fn acknowledge(&mut self, position: u64) -> Result<(), Trouble> {
        self.send_json(typed::RECEIPT, &json!({ "id": position })).await
    }

    /// A sign of life, and once more what the server has not confirmed.
    async fn live(&mut self) -> Result<Step, Trouble> {
        self.send_json(message::HEARTBEAT, &json!({ "fromuid": self.login.uid })).await?;
        let unconfirmed = self.receipts.unconfirmed().filter(|_| !self.login.is_old);
        Ok(unconfirmed.map_or(Step::GoOn, Step::Acknowledge))
    }

    /// Does what a line says, or shows why not.
    async fn obey(&mut self, line: &str) -> Result<Step, Trouble> {
        match typed::read(line, self.login.uid, || Uuid::new_v4().braced().to_string()) {
            Ok(Typed::Nothing) => {}
            Ok(Typed::Help) => self.screen.help()?,
            Ok(Typed::Quit) => return Ok(Step::End(End::new(Exit::Ok, "left"))),
            Ok(Typed::Send(frame)) => self.send(&frame).await?,
            Err(why) => self.screen.refused(&why)?,
        }
        Ok(Step::GoOn)
    }

    fn take(&mut self, frame: &Message) -> Result<Step, Trouble> {
        self.screen.frame(Direction::In, frame)?;
        let body: Value = serde_json::from_slice(&frame.body).unwrap_or_default();
        let position = self.receipts.take(frame.id, &body).filter(|_| !self.login.is_old);
        let go_on = position.map_or(Step::GoOn, Step::Acknowledge);
        Ok(match frame.id {
            message::LOGIN_REPLY if self.beat.is_none() => self.answered(body).unwrap_or(go_on),
            // The one who is told to go closes first; that keeps TIME_WAIT away from the server.
            message::OFFLINE => Step::End(End { exit: Exit::Displaced, why: off_line(&body), notice: body }),
            message::GOODBYE => {
                self.goodbye = Some(body);
                go_on
            }
            _ => go_on,
        })
    }

    /// The login was answered: the end, where it was refused.
    fn answered(&mut self, body: Value) -> Option<Step> {
        if body["error"] != 0 {
            return Some(Step::End(End { exit: Exit::LoginRefused, why: refusal(&body), notice: body }));
        }
        let asked = body["heartbeat_interval_ms"].as_u64().filter(|ms| *ms > 0).unwrap_or(INTERVAL_MS);
        let period = Duration::from_millis(asked);
        let mut beat = interval_at(Instant::now() + period, period);
        // After this process was stopped for a while one beat is enough.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.beat = Some(beat);
        None
    }

    fn closed_by_server(&self, otherwise: &str) -> End {
        let Some(body) = &self.goodbye else { return End::new(Exit::Closed, otherwise) };
        let mut why = format!("the server said goodbye: {}", body["reason"].as_str().unwrap_or("no reason given"));
        if let Some(ms) = body["retry_after_ms"].as_u64() {
            why.push_str(&format!("; try again in {ms} ms"));
        }
        let exit = if body["reason"] == "kicked" { Exit::Displaced } else { Exit::Closed };
        End { exit, why, notice: body.clone() }
    }

    /// Writing fails as soon as the other side has gone; what it said before still waits to be read.
    async fn lost(&mut self, error: &io::Error) -> Result<End, Fatal> {
        let last_words = async {
            while let Some(Ok(frame)) = self.link.next().await {
                match self.take(&frame) {
                    // Nobody is left to be told how far the user was shown it.
                    Ok(Step::GoOn | Step::Acknowledge(_)) => {}
                    Ok(Step::End(end)) => return Ok(Some(end)),
                    Err(Trouble::Screen(fatal)) => return Err(fatal),
                    Err(Trouble::Socket(_)) => break,
                }
            }
            Ok(None)
        };
        match tokio::time::timeout(LAST_WORDS_TIME_MAX, last_words).await {
            Ok(Ok(Some(end))) => Ok(end),
            Ok(Err(fatal)) => Err(fatal),
            Ok(Ok(None)) | Err(_) => Ok(self.closed_by_server(&format!("the connection broke: {error}"))),
        }
    }
}

async fn tick(beat: &mut Option<Interval>) {
    match beat {
        Some(beat) => {
            beat.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// At a terminal the end of input (Ctrl-D) means to leave. A program that starts clients without input wants them to
/// stay.
fn end_of_input() -> Step {
    if io::stdin().is_terminal() { Step::End(End::new(Exit::Ok, "left")) } else { Step::GoOn }
}

/// Who has the seat now, in a sentence.
fn off_line(body: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let reason = text(&body["reason"]).unwrap_or_else(|| "displaced".to_owned());
    let mut why = match reason.as_str() {
        "displaced" => "displaced: another login took the seat".to_owned(),
        "kicked" => "kicked: an operator or the backend ended the session".to_owned(),
        other => other.to_owned(),
    };
    if let Some(address) = text(&body["by"]["address"]) {
        why.push_str(&format!(", from {address}"));
    }
    if let Some(class) = text(&body["by"]["class"]) {
        why.push_str(&format!(", class {class}"));
    }
    if let Some(at) = body["at"].as_u64() {
        why.push_str(&format!(", at {}", output::moment(at)));
    }
    if let Some(note) = text(&body["note"]) {
        why.push_str(&format!(", note: {note}"));
    }
    why
}

/// Why a login failed, in a sentence.
fn refusal(body: &Value) -> String {
    let code = ReplyCode::ALL.into_iter().find(|code| body["error"] == code.number());
    let meaning = code.map_or("no reason that this client knows", ReplyCode::text);
    let mut why = format!("login refused: {meaning} (error {})", body["error"]);
    for name in ["reason", "by", "at", "retry_after_ms"] {
        match &body[name] {
            Value::Null => {}
            Value::String(text) => why.push_str(&format!(", {name} {text}")),
            other => why.push_str(&format!(", {name} {other}")),
        }
    }
    why
}

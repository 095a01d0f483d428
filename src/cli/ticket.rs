//! `oneseat ticket`: asks for a ticket, as a backend would.

use clap::Args;
use serde_json::{Value, json};

use super::api::{Api, Target};
use super::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::id::{Name, Uid};

/// The help of `oneseat ticket`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat ticket 1001
  oneseat ticket 1001 --class phone --ttl-ms 60000 --json")]
pub struct Ticket {
    /// User to give a ticket to.
    #[arg(value_parser = super::uid)]
    uid: Uid,
    /// Device class; by default seat.class of the server.
    #[arg(long, value_parser = super::class)]
    class: Option<Name>,
    /// Milliseconds for which the ticket is good while nobody sits on its seat; by default ticket.ttl_ms of the server.
    #[arg(long, value_name = "MS")]
    ttl_ms: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Ticket {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let api = Api::open(&self.target, shared)?;
        let ticket = issue(&api, &self.uid, self.class.as_ref(), self.ttl_ms)?;
        if shared.json {
            output::line(ticket)?;
            return Ok(Exit::Ok);
        }
        let text = |name: &str| ticket[name].as_str().unwrap_or_default();
        output::line(format_args!("uid      {}", self.uid))?;
        output::line(format_args!("class    {}", text("class")))?;
        output::line(format_args!("token    {}", text("token")))?;
        output::line(format_args!("connect  {}:{}", text("host"), ticket["port"]))?;
        output::line(format_args!(
            "until    {}",
            output::moment(ticket["expires_at_ms"].as_u64().unwrap_or_default())
        ))?;
        Ok(Exit::Ok)
    }
}

/// Asks for one ticket.
pub fn issue(api: &Api, uid: &Uid, class: Option<&Name>, ttl_ms: Option<u64>) -> Result<Value, Fatal> {
    let mut wanted = json!({ "uid": uid.as_str() });
    if let Some(class) = class {
        wanted["class"] = class.as_str().into();
    }
    if let Some(ttl_ms) = ttl_ms {
        wanted["ttl_ms"] = ttl_ms.into();
    }
    api.post("/v1/tickets", &wanted)
}

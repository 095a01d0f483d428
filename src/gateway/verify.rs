//! Holds one session against its seat, and carries out what the script says of it.

use super::Gateway;
use crate::metric::Metric;
use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Effect};
use crate::session::SessionRecord;

impl Gateway {
    /// Holds a session against its seat, mends what differs, and answers what it was: fine, repaired, closed or late.
    pub async fn verify(&self, session: SessionRecord) -> Result<String, CallError> {
        let uid = session.seat.uid;
        let arguments = Arguments::new()
            .with(Argument::Sid, session.sid.to_string())
            .with(Argument::Class, session.seat.class.to_string())
            .with(Argument::Epoch, session.rank.epoch.to_string())
            .with(Argument::Number, session.rank.number.to_string())
            .with(Argument::TokenDigest, session.token_digest)
            .with(Argument::Address, session.address.to_string())
            .with(Argument::Features, session.features);
        let effects = self.caller.run("verify", Some(&uid), arguments).await?.effects;
        let outcome = answer("verify", &effects)?["outcome"].as_str().unwrap_or_default().to_owned();
        for effect in &effects {
            if let Effect::Bind { rank, .. } = effect {
                self.rebind(session.sid, *rank);
            }
        }
        if outcome == "repaired" {
            self.stir.came(self.caller.shard_of(&uid));
        }
        if outcome != "fine" {
            tracing::info!(%uid, sid = %session.sid, outcome, "a session and its seat differed");
        }
        if outcome == "closed" && self.is_here(session.sid) {
            // Its kick was lost, and is told only now.
            Metric::Kicks.counter_of("repaired").increment(1);
        }
        self.apply(effects);
        Ok(outcome)
    }
}

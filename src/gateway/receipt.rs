//! Tells the store how far the messages of its users were written, and mends sessions that miss some.
//!
//! A session that has something to report is noted once, however much it is; what comes meanwhile is part of the same
//! report. It is reported also when the client has left since. What is never reported waits in the inbox, and comes again
//! with the next login.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::json;
use tokio::sync::Notify;

use super::Gateway;
use crate::script::{Argument, Arguments, CallError, Effect};
use crate::session::{Handle, SessionRecord};

/// The script that takes receipts, those of clients included.
const SCRIPT: &str = "receipt";
/// Reports that are under way at a time.
const CALLS_MAX: usize = 64;
/// Pause before reports that had no answer are made again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Sessions that have something to report.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    noted: Mutex<Vec<Arc<Handle>>>,
    changed: Notify,
}

impl Receipts {
    /// A session has something to report that was not noted before.
    pub fn note(&self, session: Arc<Handle>) {
        self.lock().push(session);
        self.changed.notify_one();
    }

    async fn take(&self) -> Vec<Arc<Handle>> {
        loop {
            let noted = std::mem::take(&mut *self.lock());
            if !noted.is_empty() {
                return noted;
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Handle>>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works reports off. It ends with the process: without a gateway nothing is noted any more, and it waits.
pub(super) async fn work(gateway: Weak<Gateway>, receipts: Arc<Receipts>) {
    loop {
        let noted = receipts.take().await;
        let Some(gateway) = gateway.upgrade() else { return };
        let reports = noted.into_iter().map(|session| gateway.report(session));
        let answered: Vec<bool> = stream::iter(reports).buffer_unordered(CALLS_MAX).collect().await;
        drop(gateway);
        if answered.contains(&false) {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

impl Gateway {
    /// The frame that brings this session to a position was written.
    pub(super) fn note_written(&self, handle: &Handle, position: u64) {
        if handle.written(position) {
            self.note(handle);
        }
    }

    /// A frame for this session came before one that is missing: what is missing is asked for.
    pub(super) fn fall_behind(&self, handle: &Handle) {
        if handle.missed() {
            tracing::debug!(sid = %handle.sid(), "a message is missing");
            self.note(handle);
        }
    }

    fn note(&self, handle: &Handle) {
        if let Some(session) = self.map.get(handle.sid()) {
            self.receipts.note(session);
        }
    }

    /// Reports for one session; whether there was an answer, if one is needed. Without one it is noted again.
    async fn report(&self, handle: Arc<Handle>) -> bool {
        let (sid, report) = (handle.sid(), handle.take_report());
        let Some(session) = handle.last_record() else { return true };
        let is_mended = !report.is_behind || handle.closing().is_some() || self.mend(session.clone()).await;
        if !is_mended && handle.missed() {
            self.receipts.note(handle.clone());
        }
        let Some(position) = report.written else { return is_mended };
        match self.receive_receipt(session, position).await {
            Ok(()) => is_mended,
            Err(error) if error.retry_after_ms().is_some() => {
                if handle.written(position) {
                    self.receipts.note(handle);
                }
                false
            }
            Err(error) => {
                tracing::error!(%sid, %error, "it cannot be noted that messages were written");
                is_mended
            }
        }
    }

    /// Has what is missing sent once more; whether that is done, or cannot be.
    async fn mend(&self, session: SessionRecord) -> bool {
        let sid = session.sid;
        match self.verify(session).await {
            Ok(outcome) => outcome != "late",
            Err(error) => {
                tracing::warn!(%sid, %error, "a session that misses messages could not be held against its seat");
                error.retry_after_ms().is_none()
            }
        }
    }

    async fn receive_receipt(&self, session: SessionRecord, position: u64) -> Result<(), CallError> {
        let arguments = Arguments::new()
            .with(Argument::Sid, session.sid.to_string())
            .with(Argument::Class, session.seat.class.to_string())
            .with(Argument::Epoch, session.rank.epoch.to_string())
            .with(Argument::Features, session.features.clone())
            .with(Argument::Body, json!({ "id": position }).to_string());
        let verdict = self.caller.run(SCRIPT, Some(&session.seat.uid), arguments).await?;
        // Another session holds the seat: whoever is still here has missed its kick.
        if verdict.effects.iter().any(|effect| matches!(effect, Effect::Verify)) {
            if self.is_here(session.sid) {
                self.verify(session).await?;
            }
            return Ok(());
        }
        self.apply(verdict.effects);
        Ok(())
    }
}

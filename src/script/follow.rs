//! Following: the versions that the fleet chose become those that this node runs, all of them or none.
//!
//! The fleet's choice is the truth, also where the binary has another text under the same number. What the fleet does
//! not have yet (a first start, a newer binary, a store that forgot) it is given first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use crate::metric::Metric;
use crate::script::active::{ActiveSet, Canary, Choice, LIFECYCLE};
use crate::script::argument::{Argument, Arguments};
use crate::script::caller::{CallError, Caller};
use crate::script::catalogue::{Kept, Script};
use crate::script::release::{Fleet, Pointer, Release, Source, SourceError, TestResult};

/// Why a node cannot run what the fleet chose.
#[derive(Debug, Error)]
pub enum FollowError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the fleet's choice for {name} cannot be read")]
    Pointer { name: String },
    #[error("the fleet has no active version of {name}")]
    Unchosen { name: String },
    #[error("the fleet chose {label}, but its text is not there")]
    Missing { label: String },
    #[error("{label}: {cause}")]
    Source { label: String, cause: SourceError },
    #[error("{label} takes other keys or arguments than this binary gives to {name}")]
    Contract { label: String, name: String },
}

impl FollowError {
    /// Whether the store was away, which says nothing about the versions.
    pub fn is_passing(&self) -> bool {
        matches!(self, FollowError::Call(error) if error.retry_after_ms().is_some())
    }
}

/// The answer of `source`.
#[derive(Deserialize)]
struct Answer {
    source: Option<Source>,
}

impl Caller {
    /// Brings what this node runs in line with what the fleet chose. Answers whether that changed anything; on an error
    /// everything stays as it is, and [`Caller::trouble`] says why until a later attempt succeeds.
    pub async fn follow(&self) -> Result<bool, FollowError> {
        let outcome = self.try_to_follow().await;
        if outcome.as_ref().is_err_and(FollowError::is_passing) {
            return outcome;
        }
        let trouble = outcome.as_ref().err().map(FollowError::to_string);
        Metric::ScriptBehind.gauge().set(f64::from(u8::from(trouble.is_some())));
        Metric::ScriptRevision.gauge().set(self.active().revision() as f64);
        self.set_trouble(trouble);
        outcome
    }

    /// What the fleet keeps and chose.
    pub async fn fleet(&self) -> Result<Fleet, CallError> {
        read("versions", self.ask("versions", None, Arguments::new()).await?)
    }

    /// The text of a version that the fleet keeps.
    pub async fn source(&self, name: &str, version: u32) -> Result<Option<Source>, CallError> {
        let arguments =
            Arguments::new().with(Argument::Script, name).with(Argument::ScriptVersion, version.to_string());
        Ok(read::<Answer>("source", self.ask("source", None, arguments).await?)?.source)
    }

    async fn try_to_follow(&self) -> Result<bool, FollowError> {
        let mut fleet = self.fleet().await?;
        if self.offer(&fleet).await? > 0 {
            fleet = self.fleet().await?;
        }
        let now = self.active();
        if fleet.revision == now.revision() {
            return Ok(false);
        }
        let mut choices: HashMap<_, _> = LIFECYCLE.iter().filter_map(|name| self.of_binary(name)).collect();
        for name in fleet.names().into_iter().filter(|name| !LIFECYCLE.contains(name)) {
            match self.choice(&now, &fleet, name).await {
                Ok(choice) => drop(choices.insert(name.to_owned(), choice)),
                // A newer binary may bring scripts that this one has no use for and cannot read.
                Err(error) if self.catalogue().get(name).is_none() && !error.is_passing() => {
                    tracing::warn!(%error, "a script that this binary does not know is left out");
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(name) = self.catalogue().names().find(|name| !choices.contains_key(*name)) {
            return Err(FollowError::Unchosen { name: name.to_owned() });
        }
        self.switch(ActiveSet::new(fleet.revision, choices)).await?;
        tracing::info!(revision = fleet.revision, scripts = %differences(&now, &self.active()), "follows the fleet's script versions");
        Ok(true)
    }

    /// A script that never comes from the fleet.
    fn of_binary(&self, name: &str) -> Option<(String, Choice)> {
        let stable = self.catalogue().get(name)?.clone();
        Some((name.to_owned(), Choice { stable, canary: None, since: 0 }))
    }

    /// Gives the fleet what it does not have. What runs here and was chosen later than what the fleet has active (the
    /// store went back to an older copy, or lost everything and was found by a fresh node first) is active again. Answers
    /// how many texts or choices that were.
    async fn offer(&self, fleet: &Fleet) -> Result<usize, CallError> {
        let now = self.active();
        let mut given = BTreeSet::new();
        for (name, choice) in now.choices().filter(|(name, _)| !LIFECYCLE.contains(name)) {
            let since = fleet.chosen(name).map(|chosen| chosen.since);
            if since.is_none_or(|since| since < choice.since) {
                self.give(&choice.stable, Some(choice.since)).await?;
                given.insert(choice.stable.label());
            }
        }
        let own = self.catalogue().scripts();
        for script in now.known().chain(own).filter(|script| !LIFECYCLE.contains(&script.name())) {
            warn_of_another(fleet, script);
            if !fleet.releases.contains_key(&script.label()) && given.insert(script.label()) {
                self.give(script, None).await?;
            }
        }
        Ok(given.len())
    }

    /// `since` is the revision with which it was chosen to run; none for what is only to be kept.
    async fn give(&self, script: &Script, since: Option<u64>) -> Result<(), CallError> {
        let (result, tests) = script.kept.clone().map(|kept| (kept.result, kept.tests)).unwrap_or_default();
        let arguments = push_arguments(script, tests, result)
            .with(Argument::Who, concat!("oneseat ", env!("CARGO_PKG_VERSION")))
            .with(Argument::Builtin, "1")
            .with(Argument::Revision, since.map(|since| since.to_string()).unwrap_or_default());
        self.ask("push", None, arguments).await.map(drop)
    }

    async fn choice(&self, now: &ActiveSet, fleet: &Fleet, name: &str) -> Result<Choice, FollowError> {
        let chosen = fleet.chosen(name).ok_or_else(|| FollowError::Pointer { name: name.to_owned() })?;
        let stable = self.obtain(now, fleet, name, &chosen.active).await?;
        let canary = match chosen.canary {
            None => None,
            Some((pointer, percent)) => {
                Some(Canary { script: self.obtain(now, fleet, name, &pointer).await?, percent })
            }
        };
        Ok(Choice { stable, canary, since: chosen.since })
    }

    /// A version by number and digest: one that runs, one of the binary, or one that the fleet keeps.
    async fn obtain(
        &self,
        now: &ActiveSet,
        fleet: &Fleet,
        name: &str,
        pointer: &Pointer,
    ) -> Result<Arc<Script>, FollowError> {
        let is_meant = |script: &&Arc<Script>| script.version() == pointer.version && script.sha1() == pointer.digest;
        let is_same = |script: &&Arc<Script>| script.name() == name && is_meant(script);
        let running = now.known().find(is_same);
        if let Some(script) = running.or_else(|| self.catalogue().versions(name).iter().find(is_meant)) {
            return Ok(script.clone());
        }
        let label = format!("{name}@{}", pointer.version);
        let Some(source) = self.source(name, pointer.version).await? else {
            return Err(FollowError::Missing { label });
        };
        let mut script = source
            .restore(name, pointer.version, &pointer.digest)
            .map_err(|cause| FollowError::Source { label: label.clone(), cause })?;
        let result = fleet.releases.get(&label).map(|release| release.tests.clone()).unwrap_or_default();
        script.kept = Some(Kept { result, tests: source.tests });
        match self.catalogue().get(name) {
            Some(own) if !script.stands_in_for(own) => Err(FollowError::Contract { label, name: name.to_owned() }),
            _ => Ok(Arc::new(script)),
        }
    }
}

/// A number stands for one text. Where a binary disagrees with the fleet, somebody changed a released file.
fn warn_of_another(fleet: &Fleet, script: &Script) {
    let Some(release) = fleet.releases.get(&script.label()) else { return };
    if release.digest != script.sha1() {
        tracing::warn!(
            script = %script.label(), own = script.sha1(), fleet = release.digest,
            "this binary has another text under this number than the fleet, whose text is used"
        );
    }
}

/// The arguments of `push` that come from the version itself.
pub fn push_arguments(script: &Script, tests: BTreeMap<String, String>, result: TestResult) -> Arguments<'static> {
    let to_json = |value: serde_json::Result<String>| value.unwrap_or_default();
    Arguments::new()
        .with(Argument::Script, script.name().to_owned())
        .with(Argument::ScriptVersion, script.version().to_string())
        .with(Argument::Digest, script.sha1().to_owned())
        .with(Argument::Source, to_json(serde_json::to_string(&Source::of(script, tests))))
        .with(Argument::Body, to_json(serde_json::to_string(&Release::of(script, result))))
}

fn read<T: serde::de::DeserializeOwned>(script: &str, value: serde_json::Value) -> Result<T, CallError> {
    serde_json::from_value(value)
        .map_err(|error| CallError::Script { at: script.to_owned(), message: format!("answers oddly: {error}") })
}

/// What another set runs instead, for the log: `login@1 -> login@2`.
fn differences(before: &ActiveSet, after: &ActiveSet) -> String {
    let label = |choice: &Choice| {
        let canary = choice.canary.as_ref().map(|canary| format!(" and {}% {}", canary.percent, canary.script.label()));
        format!("{}{}", choice.stable.label(), canary.unwrap_or_default())
    };
    let mut changes: Vec<_> = after
        .choices()
        .filter_map(|(name, choice)| {
            let (old, new) = (before.get(name).map(label).unwrap_or_default(), label(choice));
            (old != new).then(|| format!("{old} -> {new}"))
        })
        .collect();
    changes.sort();
    changes.join(", ")
}

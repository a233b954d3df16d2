//! What the agent shall do: the validated config.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sha1::{Digest, Sha1};
use url::Url;

use super::pause::Pause;
use super::settings::{AgentSettings, Allow, TargetSettings, mask_url};
use crate::checks::{CheckSpec, Checks};
use crate::model::JobKey;

/// The validated config: merged, with all defaults, nothing left to check.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The agent's own settings.
    pub agent: AgentSettings,
    /// The targets, by name.
    pub targets: Vec<Arc<Target>>,
    /// One job for each check that is on, by target and kind.
    pub jobs: Vec<Job>,
    /// The modules of `/probe`, by name.
    pub modules: BTreeMap<Arc<str>, Arc<Module>>,
}

/// A gateway to watch.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the config.
    pub name: Arc<str>,
    /// Where it is.
    pub url: TargetUrl,
    /// All that the config says of it.
    pub settings: TargetSettings,
    /// When it is left alone.
    pub pauses: Vec<Pause>,
}

/// One check of one target, again and again.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its identity: unchanged over a reload if nothing about the job has changed.
    pub key: JobKey,
    /// The target.
    pub target: Arc<Target>,
    /// The check.
    pub check: CheckSpec,
}

/// A named check for `/probe`.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its name in the config.
    pub name: Arc<str>,
    /// What `target=` may name.
    pub allow: Allow,
    /// How to reach it. Has no `url`.
    pub settings: TargetSettings,
    /// The check.
    pub check: CheckSpec,
}

/// A `ws` or `wss` URL with a host. Its query never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetUrl(Url);

impl TargetUrl {
    pub(super) fn new(url: Url) -> Self {
        Self(url)
    }

    /// The URL itself, query and all.
    pub fn get(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_url(self.0.as_str()))
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Plan {
    /// A target by its name.
    pub fn target(&self, name: &str) -> Option<&Arc<Target>> {
        self.targets.iter().find(|target| &*target.name == name)
    }
}

impl Target {
    /// If it is to be left alone at a moment: until when.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.pauses.iter().filter_map(|pause| pause.paused_until(now)).max()
    }
}

impl Job {
    /// `trusted` is what `tls.ca_file` holds: authorities are read once, so that others make another job.
    pub(super) fn new(
        agent: &AgentSettings,
        target: &Arc<Target>,
        trusted: Option<&[u8]>,
        check: CheckSpec,
    ) -> Self {
        // What of the agent's settings reaches the wire belongs to each job.
        let agent_part = (agent.user_agent(), &agent.resolver);
        let target_part = TargetSettings { checks: Checks::default(), ..target.settings.clone() };
        let config_hash = hash(&(agent_part, &*target.name, target_part, trusted, &check));
        let key = JobKey { target: target.name.clone(), check: check.kind(), config_hash };
        Self { key, target: target.clone(), check }
    }
}

/// The same on every machine and in every process. Field order is that of the types, and maps are sorted.
fn hash(parts: &impl Serialize) -> u64 {
    // These types have no map keys but texts, and their numbers are finite.
    let text = serde_json::to_vec(parts).unwrap_or_default();
    let digest = Sha1::digest(text);
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

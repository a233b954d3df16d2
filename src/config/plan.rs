//! What the agent shall do: the validated config.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sha1::{Digest, Sha1};

use super::otlp::Otlp;
use super::pause::Pause;
use super::route::{Route, resolver};
use super::settings::{AgentSettings, Allow, TargetSettings};
use super::shard::Shard;
use crate::checks::{CheckSpec, Checks};
use crate::dialect::Dialect;
use crate::model::{JobKey, Span};
use crate::session::TokenEndpoint;
use crate::wire::{Endpoint, ResolverSettings};

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
    /// Which of several agents this is, where they share the targets.
    pub shard: Option<Shard>,
    /// Where metrics and traces are pushed to, by the file and the environment.
    pub otlp: Option<Otlp>,
}

/// A gateway to watch.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the config.
    pub name: Arc<str>,
    /// How to reach it, but for what is secret: [`TargetSettings::auth`] and [`TargetSettings::secret_headers`]
    /// belong to each dial.
    pub endpoint: Endpoint,
    /// What its protocol says.
    pub dialect: Arc<Dialect>,
    /// All that the config says of it.
    pub settings: TargetSettings,
    /// When it is left alone.
    pub pauses: Vec<Pause>,
    /// Where the gateway tells of itself; `ws` stands for http.
    pub observed: Option<Endpoint>,
    /// What issues its tokens.
    pub issuer: Option<Arc<TokenEndpoint>>,
    /// Changes with the content of files that were read for `endpoint` and `dialect`.
    pub(super) fingerprint: String,
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
    /// What share of its runs must pass. No part of the key: another objective disturbs no job.
    pub slo: Option<Slo>,
}

/// An objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    /// The share of conclusive runs that must pass, above 0 and below 1.
    pub objective: f64,
    /// The rolling time over which it holds.
    pub period: Span,
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
    /// What the protocol of those that it may probe says.
    pub dialect: Arc<Dialect>,
    /// The check.
    pub check: CheckSpec,
    /// How to reach what `target=` names: dials no other addresses than those allowed.
    pub route: Route,
}

impl Plan {
    pub(super) fn new(agent: AgentSettings) -> Self {
        Self {
            agent,
            targets: Vec::new(),
            jobs: Vec::new(),
            modules: BTreeMap::new(),
            shard: None,
            otlp: None,
        }
    }

    /// Whether there is nothing to watch.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.modules.is_empty()
    }

    /// Without the jobs that other shards run. All targets stay: `/probe` visits each of them from everywhere.
    pub fn of_its_shard(mut self) -> Self {
        if let Some(shard) = self.shard {
            self.jobs.retain(|job| shard.watches(&job.key.target));
        }
        self
    }

    /// The targets that this shard watches; all where targets are not shared.
    pub fn watched(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.iter().filter(|target| self.shard.is_none_or(|shard| shard.watches(&target.name)))
    }

    /// Which name servers to ask.
    pub fn resolver(&self) -> ResolverSettings {
        resolver(&self.agent.resolver)
    }

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

impl Module {
    /// Whether `target=` may name a host (an IPv6 address without brackets).
    pub fn allows(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.allow.hosts.iter().any(|pattern| match pattern.strip_prefix('*') {
            Some("") => true,
            Some(suffix) => host.len() > suffix.len() && ends_with(host, suffix.trim_end_matches('.')),
            None => host.eq_ignore_ascii_case(pattern.trim_end_matches('.')),
        })
    }
}

fn ends_with(host: &str, suffix: &str) -> bool {
    host.to_ascii_lowercase().ends_with(&suffix.to_ascii_lowercase())
}

impl Job {
    pub(super) fn new(
        agent: &AgentSettings,
        target: &Arc<Target>,
        check: CheckSpec,
        slo: Option<Slo>,
    ) -> Self {
        // What of the agent's settings reaches the wire belongs to each job.
        let agent_part = (agent.user_agent(), &agent.resolver);
        let target_part = TargetSettings { checks: Checks::default(), slo: None, ..target.settings.clone() };
        let config_hash = hash(&(agent_part, &*target.name, target_part, &target.fingerprint, &check));
        let key = JobKey { target: target.name.clone(), check: check.kind(), config_hash };
        Self { key, target: target.clone(), check, slo }
    }
}

/// The same on every machine and in every process, but where a secret has a part in it. Field order is that of the types, and maps are sorted.
fn hash(parts: &impl Serialize) -> u64 {
    // These types have no map keys but texts, and their numbers are finite.
    let text = serde_json::to_vec(parts).unwrap_or_default();
    let digest = Sha1::digest(text);
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_allows_only_the_hosts_it_names() {
        let hosts = "hosts: [a.example.com, '*.b.example.com', 192.0.2.1, '2001:db8::1']";
        let text = format!("modules: {{m: {{allow: {{{hosts}}}, checks: {{handshake: }}}}}}");
        let loader = crate::config::Loader::new(std::iter::empty(), Timestamp::UNIX_EPOCH);
        let (plan, _) = loader.text("f.yaml", text.as_bytes()).load().unwrap();
        let module = &plan.modules["m"];
        for good in [
            "a.example.com",
            "A.Example.com.",
            "x.b.example.com",
            "x.y.b.example.com",
            "192.0.2.1",
            "2001:db8::1",
        ] {
            assert!(module.allows(good), "{good}");
        }
        for bad in [
            "",
            "b.example.com",
            ".b.example.com",
            "xa.example.com",
            "xb.example.com",
            "192.0.2.10",
            "example.com",
        ] {
            assert!(!module.allows(bad), "{bad}");
        }
        let endpoint = module.route.endpoint("wss://a.example.com/".parse().unwrap()).unwrap();
        assert!(!endpoint.guard.permits("127.0.0.1".parse().unwrap()));
        assert!(!endpoint.guard.permits("169.254.169.254".parse().unwrap()));
        assert!(endpoint.guard.permits("192.0.2.1".parse().unwrap()));
    }
}

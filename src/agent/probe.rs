//! `/probe`: a run that somebody else schedules, of a target that the config names or a module allows.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use super::{Agent, lock};
use crate::config::{Module, mask_url};
use crate::http::{ProbeAnswer, ProbeError, ProbeFacts, ProbePhases, ProbeRequest};
use crate::model::{Event, JobKey, RunReport, Span};
use crate::runner::Job;
use crate::session::{Budget, Limits, Shelf, Target};
use crate::wire::Facts;

impl Agent {
    /// Runs a module's check once. Neither metrics nor history of the agent's own jobs see it.
    pub(super) async fn probe(self: &Arc<Self>, request: ProbeRequest) -> Result<ProbeAnswer, ProbeError> {
        let setup = self.setup();
        let module = setup.plan.modules.get(request.module.as_str());
        let known = setup.plan.modules.keys().map(AsRef::as_ref);
        let module = module.ok_or_else(|| ProbeError::no_module(&request.module, known))?;
        let module = Arc::clone(module);
        let timeout = timeout(&module, request.time, setup.plan.agent.http.probe_timeout)?;
        let (target, budget) = self.whom(&module, &request.target)?;
        let key = JobKey { target: Arc::clone(&target.name), check: module.check.kind(), config_hash: 0 };
        let spec = module.check.clone().with_timeout(timeout);
        let job = Job { key, target, spec, budget, shelf: Shelf::default() };
        let _running = self.sinks.running();
        // Dropped with the request when the client goes away; cut short with the jobs when the agent ends.
        let (report, facts) = setup.runner.probe(&job, &self.cut).await;
        job.shelf.let_go().await;
        let log = log(&report);
        let module = serde_json::to_string_pretty(&module.check).unwrap_or_default();
        Ok(ProbeAnswer { facts: probe_facts(&report, &facts, timeout.get()), log, module })
    }

    /// A configured target by its name or URL, else whatever the module allows.
    fn whom(&self, module: &Arc<Module>, asked: &str) -> Result<(Arc<Target>, Arc<Budget>), ProbeError> {
        let setup = self.setup();
        let url = parse(asked);
        let configured = setup.plan.targets.iter().find(|target| {
            *target.name == *asked || url.as_ref().is_ok_and(|url| *url == target.endpoint.url)
        });
        if let Some(configured) = configured {
            let target = setup.target(&configured.name).map(Arc::clone);
            let (Some(target), Some(budget)) = (target, self.budget(&configured.name)) else {
                return Err(ProbeError::Agent("the config is being reloaded".to_owned()));
            };
            return Ok((target, budget));
        }
        let url = url.map_err(ProbeError::Refused)?;
        permitted(module, &url).map_err(ProbeError::Refused)?;
        let stranger = setup.stranger(module, url).map_err(|error| ProbeError::Refused(error.to_string()))?;
        if let Some(address) = literal(&stranger.endpoint.url)
            && !stranger.endpoint.guard.permits(address)
        {
            let text = format!(
                "{address} is an internal address, which the module does not allow (see `allow.addresses`)"
            );
            return Err(ProbeError::Refused(text));
        }
        let limits = Limits::from(&module.settings.budget);
        Ok((Arc::new(stranger), lock(&self.jobs).module_budget(&module.name, limits)))
    }
}

/// The module's own time-out, or how long the client waits (`unnamed` where it does not say), whichever is
/// shorter; enough for the check to find something out.
fn timeout(module: &Module, patience: Option<Duration>, unnamed: Span) -> Result<Span, ProbeError> {
    let timeout = module.check.timeout().min(patience.map_or(unnamed, Span::from));
    let needed = module.check.worst_case();
    if timeout >= needed {
        return Ok(timeout);
    }
    let (what, remedy) = match patience {
        Some(_) => ("the scrape time-out", "raise scrape_timeout"),
        None => ("http.probe_timeout", "raise it"),
    };
    let text = format!("the check needs up to {needed}, and {what} leaves it {timeout}: {remedy}");
    Err(ProbeError::TooLittleTime(text))
}

fn parse(asked: &str) -> Result<Url, String> {
    let text = if asked.contains("://") { asked.to_owned() } else { format!("wss://{asked}") };
    let shown = mask_url(asked);
    let url: Url = text.parse().map_err(|_| format!("{shown:?} is neither a configured target nor a URL"))?;
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err(format!("{shown:?} is neither a configured target nor a ws:// or wss:// URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a target must hold no user and no password".to_owned());
    }
    Ok(url)
}

/// Whether the module names the host.
fn permitted(module: &Module, url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if module.allows(host) {
        return Ok(());
    }
    Err(format!("{host:?} is no configured target, and module {:?} does not allow that host", &*module.name))
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(name) => name.parse().ok(),
    }
}

fn probe_facts(report: &RunReport, facts: &Facts, timeout: Duration) -> ProbeFacts {
    let timings = facts.timings;
    let connect =
        [timings.tcp, timings.proxy, timings.tls].into_iter().flatten().reduce(|sum, time| sum + time);
    let status = facts.response.as_ref().map(|response| response.status);
    let upgraded = status == Some(101);
    ProbeFacts {
        outcome: report.outcome,
        duration: report.duration,
        timeout,
        ip_protocol: facts.peer.map(|peer| if peer.is_ipv4() { 4 } else { 6 }),
        dns_lookup: timings.dns,
        earliest_cert_expiry: facts.tls.as_ref().and_then(|tls| tls.earliest_not_after).map(|at| at as f64),
        tls_version: facts.tls.as_ref().and_then(|tls| tls.version).map(str::to_owned),
        status_code: status,
        upgraded,
        phases: ProbePhases {
            resolve: timings.dns,
            connect,
            processing: timings.upgrade,
            transfer: upgraded.then(|| report.duration.saturating_sub(timings.total())),
        },
    }
}

fn log(report: &RunReport) -> Vec<String> {
    let line = |event: &Event| {
        let text = serde_json::to_string(event).unwrap_or_default();
        format!("{:.6}s {text}", event.at().as_secs_f64())
    };
    let mut log: Vec<String> = report.timeline.events.iter().map(line).collect();
    log.push(format!("{:.6}s {}: {}", report.duration.as_secs_f64(), report.outcome, report.detail));
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_websocket_urls_without_logins_are_targets_and_their_queries_are_not_told() {
        assert_eq!(
            parse("gw.example.com:8443/x").map(String::from).as_deref(),
            Ok("wss://gw.example.com:8443/x")
        );
        for (asked, told) in [
            ("http://169.254.169.254/latest?key=s3cr3t", "ws:// or wss://"),
            ("wss://me:s3cr3t@gw.example.com", "no user and no password"),
            ("wss://", "nor a URL"),
        ] {
            let error = parse(asked).expect_err(asked);
            assert!(error.contains(told) && !error.contains("s3cr3t"), "{error}");
        }
    }
}

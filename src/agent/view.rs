//! How the agent and its jobs stand, for whoever looks.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::jobs::Driven;
use super::{Agent, lock};
use crate::checks::CheckSpec;
use crate::config::{self, mask_url};
use crate::http::{About, JobStanding, Notice, Objective, Promise};

/// Settings that say when a check runs, not what it wants; the page shows them by themselves.
const SCHEDULE: [&str; 3] = ["enabled", "interval", "timeout"];

/// How late a start may be before people are told.
const LATE: Duration = Duration::from_secs(1);

impl Agent {
    /// Each job of the plan in force, in its order.
    pub(super) fn standings(&self) -> Vec<JobStanding> {
        let (setup, now, failing) = (self.setup(), self.wall(), self.sinks.failing());
        let jobs = lock(&self.jobs);
        let standing = |job: &config::Job| {
            let driven = jobs.get(&job.key)?;
            let failures = failing.get(&(job.key.target.clone(), job.key.check)).copied().unwrap_or_default();
            Some(self.standing(job, driven, now, failures))
        };
        setup.plan.jobs.iter().filter_map(standing).collect()
    }

    fn standing(&self, job: &config::Job, driven: &Driven, now: Timestamp, failures: u32) -> JobStanding {
        let next = driven.standing.next().and_then(|next| Timestamp::try_from(next).ok());
        JobStanding {
            target: job.key.target.clone(),
            check: job.key.check,
            url: job.target.settings.url.as_ref().map(|url| mask_url(&url.0)).unwrap_or_default(),
            interval_seconds: job.check.interval().as_secs_f64(),
            timeout_seconds: job.check.timeout().as_secs_f64(),
            next_run_at: next,
            running: driven.standing.turn.is_taken(),
            ticks_left_out: driven.standing.left_out(),
            consecutive_failures: failures,
            paused: self.paused(driven, now),
            slo: job
                .slo
                .map(|slo| Objective { objective: slo.objective, period_seconds: slo.period.as_secs_f64() }),
        }
    }

    /// What is wrong with the agent itself.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut say = |about, lines: Vec<String>| {
            if !lines.is_empty() {
                notices.push(Notice { about, lines });
            }
        };
        if self.draining() {
            say(About::Drain, vec!["The agent is ending: no new runs are started.".to_owned()]);
        }
        if let Some(problem) = lock(&self.problem).as_ref() {
            let first = "The config in the files was not loaded; an older one is in force:".to_owned();
            say(About::Config, [first].into_iter().chain(problem.iter().cloned()).collect());
        }
        say(About::Restart, self.pending_restart());
        // A little late is no news: runs that suffered from it say so by themselves.
        let late = self.sinks.lateness();
        if late > LATE.max(self.setup().plan.agent.lag_bound.get()) {
            let line = format!(
                "The agent has too much to do: within the last minute, a run started {:.1} s later than it was due.",
                late.as_secs_f64()
            );
            say(About::Lag, vec![line]);
        }
        let failing = self.sinks.failing_exports();
        let line =
            |signal: &&str| format!("The collector takes no {signal}; the log says why. Checks go on.");
        say(About::Export, failing.iter().map(line).collect());
        notices
    }
}

/// A check's settings, a line each. Those of a check hold no secrets: they are what `gateprobe config show` prints.
pub(super) fn promises(check: &CheckSpec) -> Vec<Promise> {
    let mut found = Vec::new();
    // Externally tagged: the settings are below the kind. They have no map keys but texts.
    if let Ok(Value::Object(kinds)) = serde_json::to_value(check) {
        for (name, value) in kinds.values().filter_map(Value::as_object).flatten() {
            if !SCHEDULE.contains(&name.as_str()) {
                leaves(name.clone(), value, &mut found);
            }
        }
    }
    found
}

fn leaves(setting: String, value: &Value, found: &mut Vec<Promise>) {
    let value = match value {
        Value::Null => return,
        Value::Object(fields) => {
            return fields.iter().for_each(|(name, value)| leaves(format!("{setting}.{name}"), value, found));
        }
        Value::Array(items) if items.is_empty() => return,
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        value => plain(value),
    };
    found.push(Promise { setting, value });
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{Handshake, Zombie};

    #[test]
    fn a_checks_settings_are_told_as_a_config_has_them() {
        let zombie = promises(&CheckSpec::Zombie(Zombie::default()));
        let of = |setting: &str| zombie.iter().find(|promise| promise.setting == setting);
        assert_eq!(of("tolerance").map(|promise| promise.value.as_str()), Some("2s"));
        assert_eq!(of("recovery").map(|promise| promise.value.as_str()), Some("true"));
        for hidden in ["interval", "enabled", "timeout", "window", "without"] {
            assert_eq!(of(hidden), None, "{hidden} is no promise, or not set");
        }
        assert!(!promises(&CheckSpec::Handshake(Handshake::default())).is_empty());
    }
}

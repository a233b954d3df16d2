//! The agent that watches the gateway.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Subject;
use super::look::Look;
use super::place::{Place, RequestError};

/// An agent, by its JSON API.
pub struct Agent {
    place: Place,
    /// When each check failed last before the fault came.
    old_failures: BTreeMap<String, String>,
    /// The checks that the fault turned red.
    red: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Status {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    target: String,
    check: String,
    last: Run,
    last_failure: Option<Run>,
}

#[derive(Deserialize)]
struct Run {
    outcome: String,
    reason: Option<String>,
    started_at: String,
}

impl Job {
    fn told(&self) -> String {
        match &self.last.reason {
            Some(reason) => format!("{}: {} ({reason})", self.check, self.last.outcome),
            None => format!("{}: {}", self.check, self.last.outcome),
        }
    }

    fn is(&self, outcome: &str) -> bool {
        self.last.outcome == outcome
    }
}

impl Agent {
    /// The agent that serves there.
    pub fn new(place: Place) -> Self {
        Self { place, old_failures: BTreeMap::new(), red: BTreeSet::new() }
    }

    /// Whether it can be asked.
    ///
    /// # Errors
    /// When it can't, or when that is no agent.
    pub async fn answers(&self) -> Result<(), RequestError> {
        self.place.json::<Status>("api/v1/status", &[]).await.map(|_| ())
    }

    /// Whether the checks are green. Of those that the fault turned red, each has to have passed.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn green(&mut self, subject: &Subject) -> Result<Look, RequestError> {
        let jobs = self.jobs(subject).await?;
        let green = |job: &Job| match self.red.contains(&job.check) {
            true => job.is("pass"),
            false => !job.is("fail"),
        };
        let others: Vec<String> = jobs.iter().filter(|job| !green(job)).map(Job::told).collect();
        if !others.is_empty() || !jobs.iter().any(|job| job.is("pass")) {
            return Ok(Look::NotYet(match others.is_empty() {
                true => format!("no check of {subject} has passed yet"),
                false => others.join(", "),
            }));
        }
        self.old_failures = jobs
            .iter()
            .filter_map(|job| Some((job.check.clone(), job.last_failure.as_ref()?.started_at.clone())))
            .collect();
        let checks: Vec<&str> =
            jobs.iter().filter(|job| job.is("pass")).map(|job| job.check.as_str()).collect();
        Ok(Look::Seen(format!("{}: pass", checks.join(", "))))
    }

    /// Whether a check has turned red since it was green.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn red(&mut self, subject: &Subject) -> Result<Look, RequestError> {
        let jobs = self.jobs(subject).await?;
        let failed = jobs.iter().filter_map(|job| {
            let failure = job.last_failure.as_ref()?;
            let new = self.old_failures.get(&job.check) != Some(&failure.started_at);
            new.then(|| (job.check.clone(), failure.reason.clone().unwrap_or_default()))
        });
        let failed: Vec<(String, String)> = failed.collect();
        self.red.extend(failed.iter().map(|(check, _)| check.clone()));
        let told: Vec<String> =
            failed.into_iter().map(|(check, reason)| format!("{check}: {reason}")).collect();
        Ok(match told.is_empty() {
            true => Look::NotYet(jobs.iter().map(Job::told).collect::<Vec<_>>().join(", ")),
            false => Look::Seen(told.join(", ")),
        })
    }

    async fn jobs(&self, subject: &Subject) -> Result<Vec<Job>, RequestError> {
        let status: Status = self.place.json("api/v1/status", &[]).await?;
        let of_subject = |job: &Job| {
            job.target == subject.target && subject.check.as_ref().is_none_or(|check| *check == job.check)
        };
        Ok(status.jobs.into_iter().filter(of_subject).collect())
    }
}

//! A plan made ready to run: sockets' settings, certificates, the resolver.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::AgentError;
use crate::config::{self, Plan};
use crate::runner::{Job, Runner, Throttle};
use crate::session::{Budget, Control, Shelf, Target};
use crate::wire::{Dialer, EndpointError};

/// A plan made ready to run.
#[derive(Debug)]
pub struct Setup {
    /// The plan.
    pub plan: Plan,
    /// Runs its jobs.
    pub runner: Runner,
    dialer: Dialer,
    targets: HashMap<Arc<str>, Arc<Target>>,
}

impl Setup {
    /// Sets up the resolver, the control endpoint and the targets.
    ///
    /// # Errors
    /// When one of them can't be used.
    pub fn new(plan: Plan, throttle: Throttle) -> Result<Self, AgentError> {
        let dialer = Dialer::new(&plan.resolver())?;
        let visited =
            |target: &Arc<config::Target>| (Arc::clone(&target.name), Arc::new(target.visited(&dialer)));
        let targets = plan.targets.iter().map(visited).collect();
        let control = plan.control()?.map(|(endpoint, timeout)| Control::new(endpoint, timeout));
        let runner = Runner::new(dialer.clone(), control, throttle, plan.agent.lag_bound.get());
        Ok(Self { plan, runner, dialer, targets })
    }

    /// The same for a single command, with a watch on throttling that ends with the guard. Must be called
    /// within a runtime.
    ///
    /// # Errors
    /// As [`Setup::new`].
    pub fn standalone(plan: Plan) -> Result<(Self, DropGuard), AgentError> {
        let (throttle, stop) = (Throttle::default(), CancellationToken::new());
        tokio::spawn(stop.clone().run_until_cancelled_owned(throttle.clone().watch()));
        Ok((Self::new(plan, throttle)?, stop.drop_guard()))
    }

    /// A job of the plan, ready to run within a budget.
    pub fn job(&self, job: &config::Job, budget: &Arc<Budget>) -> Option<Job> {
        let target = Arc::clone(self.targets.get(&job.target.name)?);
        Some(Job {
            key: job.key.clone(),
            target,
            spec: job.check.clone(),
            budget: Arc::clone(budget),
            shelf: Shelf::default(),
        })
    }

    /// Whom a probe by a module visits.
    ///
    /// # Errors
    /// When the URL is no WebSocket URL (RFC 6455, section 3).
    pub fn stranger(&self, module: &config::Module, url: Url) -> Result<Target, EndpointError> {
        module.visited(url, &self.dialer)
    }

    /// A target of the plan.
    pub fn target(&self, name: &str) -> Option<&Arc<Target>> {
        self.targets.get(name)
    }
}

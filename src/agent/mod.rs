//! The one place where the parts meet: start, reload, drain.

mod handle;
mod jobs;
pub mod metrics;
mod probe;
mod sinks;
mod tally;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Plan, Problems};
use crate::metrics::{Recorder, RecorderError, Sample, Settings};
use crate::runner::{Control, Runner, Throttle};
use crate::schedule::Clock;
use crate::store::{Bounds, History};
use crate::wire::{Dialer, ResolverError};

pub use handle::AgentHandle;
use jobs::Jobs;
use sinks::Sinks;

/// How a plan is made anew for a reload.
pub type Loader = Box<dyn Fn() -> Result<Plan, Problems> + Send + Sync>;

/// Why an agent can't start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The metrics contradict each other.
    #[error(transparent)]
    Metrics(#[from] RecorderError),
    /// Names can't be resolved.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
}

/// The agent: all jobs of a plan, on their schedule.
pub struct Agent {
    loader: Loader,
    sinks: Arc<Sinks>,
    runner: ArcSwap<Runner>,
    throttle: Throttle,
    jobs: Mutex<Jobs>,
    plan: ArcSwap<Plan>,
    reload_problem: Mutex<Option<String>>,
    /// No new runs from now on.
    stop: CancellationToken,
    /// Runs in progress end now.
    cut: CancellationToken,
    tasks: TaskTracker,
    clock: Clock,
    replica: String,
}

impl Agent {
    /// An agent with a plan in force; `replica` tells replicas of one config apart, so that they spread
    /// over the interval. Must be called within a runtime.
    ///
    /// # Errors
    /// When the plan's resolver can't be set up.
    pub fn start(plan: Plan, loader: Loader, replica: String) -> Result<Arc<Self>, AgentError> {
        let settings = Settings { location: plan.settings.location.clone(), ..Settings::default() };
        let recorder = Recorder::new(&metrics::catalogue(), settings)?;
        let bounds = Bounds { runs_per_job: plan.settings.history.runs as usize, ..Bounds::default() };
        let throttle = Throttle::default();
        let runner = runner(&plan, throttle.clone())?;
        let agent = Arc::new(Self {
            loader,
            sinks: Arc::new(Sinks::new(recorder, History::new(bounds))),
            runner: ArcSwap::from_pointee(runner),
            throttle,
            jobs: Mutex::default(),
            plan: ArcSwap::from_pointee(plan),
            reload_problem: Mutex::default(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
            clock: Clock::start(),
            replica,
        });
        tokio::spawn(agent.stop.clone().run_until_cancelled_owned(agent.throttle.clone().watch()));
        agent.put_in_force();
        agent.sinks.loaded(true);
        Ok(agent)
    }

    /// Loads the config again. A broken one changes nothing but what is said about it.
    ///
    /// # Errors
    /// Every mistake of the new config, one a line.
    pub fn reload(self: &Arc<Self>) -> Result<String, String> {
        let loaded = (self.loader)().map_err(|problems| problems.to_string()).and_then(|plan| {
            let runner = runner(&plan, self.throttle.clone()).map_err(|error| error.to_string())?;
            Ok((plan, runner))
        });
        let result = match loaded {
            Ok((plan, runner)) => {
                self.plan.store(Arc::new(plan));
                self.runner.store(Arc::new(runner));
                Ok(self.put_in_force())
            }
            Err(problems) => Err(problems),
        };
        *lock(&self.reload_problem) = result.as_ref().err().cloned();
        self.sinks.loaded(result.is_ok());
        match &result {
            Ok(summary) => tracing::info!("config reloaded: {summary}"),
            Err(problems) => tracing::error!("config not reloaded, the old one stays in force:\n{problems}"),
        }
        result
    }

    /// Starts no more runs, lets those in progress finish for at most `grace`, then cuts them short: they
    /// end as inconclusive.
    pub async fn drain(&self, grace: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            self.cut.cancel();
            // A cut run has only its report left to make.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.tasks.wait()).await;
        }
    }

    /// The sinks of every report.
    pub fn sinks(&self) -> &Arc<Sinks> {
        &self.sinks
    }

    /// The plan in force.
    pub fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    /// Whether the agent has begun to drain.
    pub fn draining(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Makes the jobs those of the plan; what did not change goes on undisturbed.
    fn put_in_force(self: &Arc<Self>) -> String {
        let plan = self.plan.load_full();
        let change = lock(&self.jobs).become_those_of(&plan, |job| self.spawn(job));
        self.sinks.keep_only(&plan);
        self.sinks.recorder.record_agent(&Sample::new(&metrics::JOBS, plan.jobs.len() as f64));
        format!("{} jobs: {} new, {} unchanged, {} gone", plan.jobs.len(), change.new, change.kept, change.gone)
    }
}

fn runner(plan: &Plan, throttle: Throttle) -> Result<Runner, ResolverError> {
    let dialer = Dialer::new(&plan.resolver)?;
    let control = plan.control.as_ref().map(|(endpoint, timeout)| Control::new(endpoint.clone(), *timeout));
    Ok(Runner::new(dialer, control, throttle, plan.settings.lag_bound.get()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked held whole values only.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

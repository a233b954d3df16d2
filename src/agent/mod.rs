//! The one place where the parts meet: start, reload, drain.

mod exports;
mod handle;
mod jobs;
pub mod metrics;
mod probe;
mod setup;
mod sinks;
mod tally;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::settings::AgentSettings;
use crate::config::{Loaded, Plan};
use crate::export::ExportError;
use crate::http::{ReloadError, ReloadSummary};
use crate::metrics::{Reading, Recorder, RecorderError, Sample, Settings};
use crate::runner::Throttle;
use crate::schedule::Clock;
use crate::session::OpenConnections;
use crate::store::{Bounds, History};
use crate::wire::{ResolverError, TlsSetupError};

pub use handle::Handle;
use jobs::Jobs;
pub use setup::Setup;
pub use sinks::Sinks;

/// How long runs that were cut short may take to make their reports.
const LAST_REPORTS: Duration = Duration::from_secs(1);
/// How long the last exports may take, where the runs have used up the grace.
const LAST_EXPORTS: Duration = Duration::from_secs(1);

/// How a plan is made anew for a reload.
pub type Loader = Box<dyn Fn() -> Loaded + Send + Sync>;

/// Why a plan can't be put in force.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The metrics contradict each other.
    #[error(transparent)]
    Metrics(#[from] RecorderError),
    /// Nothing can be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Names can't be resolved.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
}

/// The agent: all jobs of a plan, on their schedule.
pub struct Agent {
    loader: Loader,
    /// What sockets were bound and series labelled with: a reload can't change it.
    started_with: AgentSettings,
    sinks: Arc<Sinks>,
    setup: ArcSwap<Setup>,
    throttle: Throttle,
    jobs: Mutex<Jobs>,
    /// Held during a reload: of two at once, the later must win.
    reloading: Mutex<()>,
    /// What is wrong with the config in the files, while an older one is in force.
    problem: Mutex<Option<Vec<String>>>,
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
    /// When the plan can't be set up.
    pub fn start(plan: Plan, loader: Loader, replica: String) -> Result<Arc<Self>, AgentError> {
        let settings = Settings { location: plan.agent.location.clone(), ..Settings::default() };
        let open = OpenConnections::default();
        let recorder = Arc::new(Recorder::with_readings(&metrics::catalogue(), readings(&open), settings)?);
        let exports = exports::start(&plan, &recorder, &replica)?;
        let bounds = Bounds { runs_per_job: plan.agent.history.runs as usize, ..Bounds::default() };
        let throttle = Throttle::default();
        let setup = Setup::new(plan, throttle.clone())?;
        let agent = Arc::new(Self {
            loader,
            started_with: setup.plan.agent.clone(),
            sinks: Arc::new(Sinks::new(recorder, History::new(bounds), exports)),
            setup: ArcSwap::from_pointee(setup),
            throttle: throttle.clone(),
            jobs: Mutex::new(Jobs::counted_in(open)),
            reloading: Mutex::default(),
            problem: Mutex::default(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
            clock: Clock::start(),
            replica,
        });
        tokio::spawn(agent.stop.clone().run_until_cancelled_owned(throttle.watch()));
        agent.put_in_force();
        agent.sinks.loaded(true);
        Ok(agent)
    }

    /// Loads the config again. A broken one changes nothing but what is said about it.
    ///
    /// # Errors
    /// Every mistake of the new config, one a line.
    pub fn reload(self: &Arc<Self>) -> Result<ReloadSummary, ReloadError> {
        let _alone = lock(&self.reloading);
        let result = self.load_anew();
        *lock(&self.problem) = result.as_ref().err().map(|error| match error {
            ReloadError::Config(lines) | ReloadError::Agent(lines) => lines.clone(),
        });
        self.sinks.loaded(result.is_ok());
        match &result {
            Ok(summary) => tracing::info!("config {}", summary.to_string().trim_end()),
            Err(ReloadError::Config(lines) | ReloadError::Agent(lines)) => {
                tracing::error!("config not reloaded, the old one stays in force:\n{}", lines.join("\n"));
            }
        }
        result
    }

    /// Starts no more runs, lets those in progress finish for at most `grace`, then cuts them short: they
    /// end as inconclusive. What is left of that time, and a second at least, is for the last exports.
    pub async fn drain(&self, grace: Duration) {
        let by = Instant::now() + grace;
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            self.cut.cancel();
            // A cut run has only its report left to make.
            let _ = tokio::time::timeout(LAST_REPORTS, self.tasks.wait()).await;
        }
        let left = by.saturating_duration_since(Instant::now());
        self.sinks.finish_exports(left.max(LAST_EXPORTS)).await;
    }

    /// The sinks of every report.
    pub fn sinks(&self) -> &Arc<Sinks> {
        &self.sinks
    }

    /// What is in force.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// Which settings of the config in force wait for a restart, in a sentence each.
    fn pending_restart(&self) -> Vec<String> {
        needs_restart(&self.started_with, &self.setup.load().plan.agent)
    }

    /// Whether the agent has begun to drain.
    pub fn draining(&self) -> bool {
        self.stop.is_cancelled()
    }

    fn load_anew(self: &Arc<Self>) -> Result<ReloadSummary, ReloadError> {
        let lines =
            |problems: &dyn std::fmt::Display| problems.to_string().lines().map(str::to_owned).collect();
        let (plan, warnings) = (self.loader)().map_err(|problems| ReloadError::Config(lines(&problems)))?;
        let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let setup = Setup::new(plan, self.throttle.clone());
        let setup = setup.map_err(|error| ReloadError::Agent(lines(&error)))?;
        warnings.extend(needs_restart(&self.started_with, &setup.plan.agent));
        self.setup.store(Arc::new(setup));
        Ok(ReloadSummary { warnings, ..self.put_in_force() })
    }

    /// Makes the jobs those of the plan; what did not change goes on undisturbed.
    fn put_in_force(self: &Arc<Self>) -> ReloadSummary {
        let setup = self.setup.load_full();
        // Before new jobs create their series, or these would be removed again.
        self.sinks.keep_only(&setup.plan);
        self.sinks.show_objectives(&setup.plan);
        let summary = lock(&self.jobs).become_those_of(&setup, |ready| self.spawn(ready));
        self.sinks.recorder.record_agent(&Sample::new(&metrics::JOBS, setup.plan.jobs.len() as f64));
        summary
    }
}

/// The gauges that are read when somebody looks.
fn readings(open: &OpenConnections) -> Vec<Reading> {
    let open = open.clone();
    vec![(&metrics::OPEN_CONNECTIONS, Arc::new(move || open.count() as f64))]
}

/// What a reload can't change: sockets that are bound, labels that series carry.
fn needs_restart(old: &AgentSettings, new: &AgentSettings) -> Vec<String> {
    let changed = [
        ("location", old.location != new.location),
        ("http", old.http != new.http),
        ("log", old.log != new.log),
        ("history", old.history != new.history),
        ("otlp", old.otlp != new.otlp),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed
        .map(|(field, _)| format!("`{field}` is not what the agent was started with; that takes a restart"))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked held whole values only.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

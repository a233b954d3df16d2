//! The one place where the parts meet: start, reload, drain.

pub mod canary;
mod change;
mod exports;
mod handle;
mod jobs;
pub mod metrics;
mod probe;
mod reload;
mod setup;
mod sinks;
mod standing;
mod tally;
mod view;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::settings::AgentSettings;
use crate::config::{Loaded, Plan, Sources};
use crate::export::ExportError;
use crate::metrics::{Reading, Recorder, RecorderError, Settings};
use crate::runner::Throttle;
use crate::schedule::Clock;
use crate::session::OpenConnections;
use crate::store::{Bounds, History, News};
use crate::wire::{ResolverError, TlsSetupError};

use canary::Canaries;
pub use handle::Handle;
use jobs::Jobs;
pub use setup::Setup;
pub use sinks::Sinks;
use standing::Pauses;

/// How long the last exports may take, where the runs have used up the grace.
const LAST_EXPORTS: Duration = Duration::from_secs(1);

/// How a plan is made anew for a reload.
pub type Loader = Box<dyn Fn() -> (Loaded, Sources) + Send + Sync>;

/// What of the grace is kept back, at most: for the reports of what is cut, goodbyes, and exports.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long all that is cut may take to end.
const CUT: Duration = Duration::from_secs(1);

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
    canaries: Canaries,
    /// Those asked for over the API.
    pauses: Pauses,
    /// Held during a reload: of two at once, the later must win.
    reloading: Mutex<()>,
    /// What is wrong with the config in the files, while an older one is in force.
    problem: Mutex<Option<Vec<String>>>,
    /// The warnings that the log has of the config in force.
    told: Mutex<BTreeSet<String>>,
    /// What the last load has read, good or not.
    sources: Mutex<Sources>,
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
        let plan = plan.of_its_shard();
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
            canaries: Canaries::default(),
            pauses: Pauses::default(),
            reloading: Mutex::default(),
            problem: Mutex::default(),
            told: Mutex::default(),
            sources: Mutex::default(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
            clock: Clock::start(),
            replica,
        });
        tokio::spawn(agent.stop.clone().run_until_cancelled_owned(throttle.watch()));
        agent.sinks.show_shard(agent.setup().plan.shard);
        agent.put_in_force();
        agent.sinks.loaded(true);
        canary::begin(&agent.sinks.recorder);
        Ok(agent)
    }

    /// Ends within `grace`: starts no more runs, lets those in progress finish until shortly before, then cuts them
    /// short, and they end as inconclusive. Held connections say goodbye as soon as no run looks at them. What is left
    /// of the time, and a second at least, is for the last exports.
    pub async fn drain(&self, grace: Duration) {
        let by = Instant::now() + grace;
        self.stop.cancel();
        self.sinks.history.feed().tell(News::Agent);
        self.tasks.close();
        let patience = grace - LAST_WORDS.min(grace / 5);
        if timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::info!("runs in progress are cut short");
            self.cut();
            // A cut run has only its report left to make, and its connections their goodbye.
            let _ = timeout(CUT, self.tasks.wait()).await;
        }
        let left = by.saturating_duration_since(Instant::now());
        self.sinks.finish_exports(left.max(LAST_EXPORTS)).await;
    }

    /// Cuts the runs in progress short.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// The sinks of every report.
    pub fn sinks(&self) -> &Arc<Sinks> {
        &self.sinks
    }

    /// What is in force.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// Whether the agent has begun to drain.
    pub fn draining(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// The gauges that are read when somebody looks.
fn readings(open: &OpenConnections) -> Vec<Reading> {
    let open = open.clone();
    vec![(&metrics::OPEN_CONNECTIONS, Arc::new(move || open.count() as f64))]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked held whole values only.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

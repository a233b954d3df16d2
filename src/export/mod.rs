//! Pushes metrics and traces to an OpenTelemetry collector (OTLP), by gRPC or HTTP.
//!
//! All of it happens on one thread with a runtime of its own: what is collected, encoded and sent there takes no
//! turn from a run. A run hands over its spans to a bounded queue and is done; counters and gauges are read from
//! the series that Prometheus is shown. So a collector that is away, slow, silent or angry costs counters, and
//! memory up to a bound.

mod health;
mod meters;
pub mod metrics;
mod pusher;
mod queue;
mod resource;
mod settings;
mod spans;
mod transport;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::metrics::Recorder;
use crate::model::RunReport;

use health::Health;
use meters::Meters;
use queue::Queue;
pub use settings::{Headers, Identity, Protocol, Resolve, Settings, Signal, Temporality};
pub use spans::Server;
use transport::Transport;

/// How long beyond its time the thread is waited for: it has only to notice.
const LAST_WORD: Duration = Duration::from_millis(200);

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A URL, a header or TLS that the libraries refuse.
    #[error("otlp: {0}")]
    Exporter(String),
    /// No thread.
    #[error("otlp: no thread could be started: {0}")]
    Thread(std::io::Error),
    /// A panic, whose message is on standard error.
    #[error("otlp: the thread ended at once: please report this")]
    Ended,
}

/// What exports, for as long as this lives.
#[derive(Debug)]
pub struct Exports {
    /// None where traces are off.
    spans: Option<Arc<Queue>>,
    /// How many targets there are: decides how many series OpenTelemetry may be told of.
    targets: Arc<AtomicUsize>,
    /// The moment by which the thread must be done; none while it goes on.
    end: watch::Sender<Option<Instant>>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    failing: Failing,
}

/// Whether the last export of each signal failed.
#[derive(Debug, Default, Clone)]
struct Failing {
    metrics: Arc<AtomicBool>,
    traces: Arc<AtomicBool>,
}

impl Exports {
    /// Begins to export what the recorder records from now on, for so many targets.
    ///
    /// # Errors
    /// When the settings are not usable. A collector that does not answer is no error.
    pub fn start(settings: Settings, targets: usize, recorder: &Arc<Recorder>) -> Result<Self, ExportError> {
        let targets = Arc::new(AtomicUsize::new(targets));
        let (end, ending) = watch::channel(None);
        let (done, ended) = oneshot::channel();
        let (tell, told) = mpsc::sync_channel(1);
        let (for_thread, recorder) = (Arc::clone(&targets), Arc::clone(recorder));
        let failing = Failing::default();
        let told_of = failing.clone();
        let work = async move {
            // Here, since connections belong to the runtime in which they were made.
            match pushers(settings, &for_thread, &recorder, &told_of) {
                Ok((metrics, traces)) => {
                    // Whoever asked waits for it.
                    let _ = tell.send(Ok(traces.as_ref().map(|traces| Arc::clone(&traces.queue))));
                    let metrics = OptionFuture::from(metrics.map(|metrics| metrics.push(ending.clone())));
                    let traces = OptionFuture::from(traces.map(|traces| traces.push(ending)));
                    tokio::join!(metrics, traces);
                    // Whoever waited may be gone.
                    let _ = done.send(());
                }
                Err(error) => _ = tell.send(Err(error)),
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ExportError::Thread)?;
        let thread = std::thread::Builder::new().name("otlp".to_owned());
        let work = move || {
            runtime.block_on(work);
            // A name that is being looked up must not hold up the end.
            runtime.shutdown_background();
        };
        thread.spawn(work).map_err(ExportError::Thread)?;
        let spans = told.recv().map_err(|_| ExportError::Ended)??;
        Ok(Self { spans, targets, end, ended: Mutex::new(Some(ended)), failing })
    }

    /// Hands over a run's spans. Quick, and never waits: where the queue is full, the oldest runs go.
    pub fn record(&self, report: &RunReport, server: &Server, location: Option<&str>) {
        if let Some(spans) = &self.spans {
            spans.push(spans::spans(report, server, location));
        }
    }

    /// The signals whose last export failed.
    pub fn failing(&self) -> Vec<&'static str> {
        let Failing { metrics, traces } = &self.failing;
        let signals = [("metrics", metrics), ("traces", traces)].into_iter();
        signals.filter(|(_, failing)| failing.load(Ordering::Relaxed)).map(|(name, _)| name).collect()
    }

    /// So many targets are in force now.
    pub fn set_targets(&self, targets: usize) {
        self.targets.store(targets, Ordering::Relaxed);
    }

    /// Exports what there is, within that time, and ends.
    pub async fn finish(&self, within: Duration) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ended) = ended else { return };
        self.end.send_replace(Some(Instant::now() + within));
        let _ = tokio::time::timeout(within + LAST_WORD, ended).await;
    }
}

/// What pushes each signal that is on. Must be called within the runtime that will do it.
fn pushers(
    settings: Settings,
    targets: &Arc<AtomicUsize>,
    recorder: &Arc<Recorder>,
    failing: &Failing,
) -> Result<(Option<pusher::Metrics>, Option<pusher::Traces>), ExportError> {
    let resource = resource::resource(&settings.identity);
    let transport = Transport::new(settings.resolve);
    let metrics = settings.metrics.as_ref().map(|signal| {
        let exporter = transport.metrics(signal, settings.temporality)?;
        let meters = Meters::new(recorder, &resource, settings.temporality, Arc::clone(targets));
        let health = Health::new(recorder, "metrics", signal, &failing.metrics);
        let (interval, timeout) = (settings.interval, signal.timeout);
        Ok(pusher::Metrics { exporter, meters, health, interval, timeout })
    });
    let traces = settings.traces.as_ref().map(|signal| {
        let exporter = transport.traces(signal, &resource)?;
        let health = Health::new(recorder, "traces", signal, &failing.traces);
        let queue = Arc::new(Queue::new(Arc::clone(recorder)));
        Ok(pusher::Traces { exporter, queue, health, timeout: signal.timeout })
    });
    Ok((metrics.transpose()?, traces.transpose()?))
}

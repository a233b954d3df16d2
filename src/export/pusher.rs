//! The two loops of the export thread: metrics at an interval, spans as they come.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, sleep, timeout, timeout_at};

use super::health::Health;
use super::meters::Meters;
use super::queue::Queue;
use super::transport::Exporter;

/// How long a span waits for company.
const SPAN_DELAY: Duration = Duration::from_secs(5);
/// How often a batch of spans is tried before it is given up: what is wrong with it may be the batch itself.
const TRIES: u32 = 12;

/// The moment by which everything must be done; none while the agent goes on.
type End = watch::Receiver<Option<Instant>>;

/// Pushes metrics.
pub(super) struct Metrics {
    pub(super) exporter: Exporter<MetricExporter>,
    pub(super) meters: Meters,
    pub(super) health: Health,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

/// Pushes spans.
pub(super) struct Traces {
    pub(super) exporter: Exporter<SpanExporter>,
    pub(super) queue: Arc<Queue>,
    pub(super) health: Health,
    pub(super) timeout: Duration,
}

impl Metrics {
    pub(super) async fn push(mut self, mut end: End) {
        let mut ticks = tokio::time::interval_at(Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let by = loop {
            if let Err(by) = unless_ending(&mut end, ticks.tick()).await {
                break by;
            }
            in_time(&mut end, self.round(None)).await;
        };
        self.round(Some(by)).await;
    }

    /// Exports what there is, by a moment where there is one.
    async fn round(&mut self, by: Option<Instant>) {
        let (exporter, meters) = (&self.exporter, &mut self.meters);
        let limit = patience(self.timeout, by);
        let round = async {
            for batch in meters.collect() {
                let result = exporter.inner.export(batch.data()).await;
                result.map_err(|error| exporter.explain(&error))?;
                meters.sent(batch);
            }
            Ok(())
        };
        let result = timeout(limit, round).await;
        self.health.count(&result.unwrap_or_else(|_| Err(self.exporter.explain(&silent(limit)))));
    }
}

impl Traces {
    pub(super) async fn push(mut self, mut end: End) {
        let queue = Arc::clone(&self.queue);
        let mut tries = 0;
        let by = loop {
            // After a failure a full queue is no reason to hurry.
            let due = async {
                tokio::select! {
                    () = queue.filled(), if tries == 0 => {}
                    () = sleep(SPAN_DELAY) => {}
                }
            };
            if let Err(by) = unless_ending(&mut end, due).await {
                break by;
            }
            let batch = queue.take();
            if batch.is_empty() {
                continue;
            }
            let taken = in_time(&mut end, self.export(batch.concat(), None)).await;
            tries = if taken == Some(true) { 0 } else { tries + 1 };
            if tries >= TRIES {
                queue.dropped(batch.iter().map(Vec::len).sum());
                tries = 0;
            } else if tries > 0 {
                queue.put_back(batch);
            }
        };
        loop {
            let batch = queue.take().concat();
            let spans = batch.len();
            if spans == 0 {
                return;
            }
            if !self.export(batch, Some(by)).await {
                queue.dropped(spans);
                return;
            }
        }
    }

    /// Whether the collector has them.
    async fn export(&mut self, spans: Vec<SpanData>, by: Option<Instant>) -> bool {
        let limit = patience(self.timeout, by);
        let result: Option<OTelSdkResult> = timeout(limit, self.exporter.inner.export(spans)).await.ok();
        let result = match result {
            Some(result) => result.map_err(|error| self.exporter.explain(&error)),
            None => Err(self.exporter.explain(&silent(limit))),
        };
        self.health.count(&result);
        result.is_ok()
    }
}

fn silent(limit: Duration) -> String {
    format!("no answer within {:.1} s", limit.as_secs_f64())
}

/// How long an export may take.
fn patience(timeout: Duration, by: Option<Instant>) -> Duration {
    by.map_or(timeout, |by| timeout.min(by.saturating_duration_since(Instant::now())))
}

/// Does the work, unless the agent ends before: then the moment by which all must be done.
async fn unless_ending<T>(end: &mut End, work: impl Future<Output = T>) -> Result<T, Instant> {
    tokio::select! {
        biased;
        by = ending(end) => Err(by),
        done = work => Ok(done),
    }
}

/// Does the work to its end, or as far as it comes when the agent ends.
async fn in_time<T>(end: &mut End, work: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => Some(done),
        by = ending(end) => timeout_at(by, work).await.ok(),
    }
}

/// The moment by which all must be done, once it is known; at once where whoever would have said it is gone.
async fn ending(end: &mut End) -> Instant {
    match end.wait_for(Option::is_some).await {
        Ok(by) => by.unwrap_or_else(Instant::now),
        Err(_) => Instant::now(),
    }
}

//! Spans that wait to be exported: bounded, the oldest runs go first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Notify;

use super::metrics::SPANS_DROPPED;
use crate::metrics::{Recorder, Sample};

/// Most spans that wait: some megabytes.
const MOST: usize = 4_096;
/// Most spans in one export; one run more may be in it, for runs stay together.
pub(super) const BATCH: usize = 512;

/// Spans that wait, by run.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when there is a batch.
    full: Notify,
    recorder: Arc<Recorder>,
}

#[derive(Default)]
struct Waiting {
    runs: VecDeque<Vec<SpanData>>,
    spans: usize,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("spans", &self.lock().spans).finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn new(recorder: Arc<Recorder>) -> Self {
        recorder.record_agent(&Sample::new(&SPANS_DROPPED, 0.0));
        Self { waiting: Mutex::default(), full: Notify::new(), recorder }
    }

    /// Adds a run; the oldest ones go where there is no room.
    pub(super) fn push(&self, run: Vec<SpanData>) {
        let mut waiting = self.lock();
        waiting.spans += run.len();
        waiting.runs.push_back(run);
        self.bound(waiting);
    }

    /// Puts back what could not be exported, as the oldest.
    pub(super) fn put_back(&self, runs: Vec<Vec<SpanData>>) {
        let mut waiting = self.lock();
        for run in runs.into_iter().rev() {
            waiting.spans += run.len();
            waiting.runs.push_front(run);
        }
        self.bound(waiting);
    }

    /// Takes a batch of the oldest runs; empty when nothing waits.
    pub(super) fn take(&self) -> Vec<Vec<SpanData>> {
        let mut waiting = self.lock();
        let (mut batch, mut spans) = (Vec::new(), 0);
        while spans < BATCH
            && let Some(run) = waiting.runs.pop_front()
        {
            spans += run.len();
            batch.push(run);
        }
        waiting.spans -= spans;
        batch
    }

    /// Returns when a whole batch waits.
    pub(super) async fn filled(&self) {
        loop {
            let notified = self.full.notified();
            if self.lock().spans >= BATCH {
                return;
            }
            notified.await;
        }
    }

    /// Counts spans that are given up.
    pub(super) fn dropped(&self, spans: usize) {
        if spans > 0 {
            self.recorder.record_agent(&Sample::new(&SPANS_DROPPED, spans as f64));
        }
    }

    fn bound(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let mut dropped = 0;
        while waiting.spans > MOST
            && let Some(run) = waiting.runs.pop_front()
        {
            waiting.spans -= run.len();
            dropped += run.len();
        }
        let full = waiting.spans >= BATCH;
        drop(waiting);
        self.dropped(dropped);
        if full {
            self.full.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Whoever panicked held whole runs only; a count that is off costs room, not truth.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::export::metrics::METRICS;
    use crate::export::spans::{Server, spans};
    use crate::metrics::Settings;
    use crate::model::{JobKey, Outcome, RunReport, Timeline, TraceContext};

    fn run(number: u128) -> Vec<SpanData> {
        let report = RunReport {
            job: JobKey { target: "edge".into(), check: "handshake", config_hash: 0 },
            peer: None,
            started_at: SystemTime::UNIX_EPOCH,
            duration: Duration::from_secs(1),
            outcome: Outcome::Pass,
            detail: String::new(),
            next: None,
            timeline: Timeline::default(),
            first: Duration::ZERO,
            trace: TraceContext { trace: number + 1, span: 1 },
            samples: Vec::new(),
        };
        spans(&report, &Server { scheme: "ws".into(), address: "h".into(), port: 1 }, None)
    }

    fn traces(batch: &[Vec<SpanData>]) -> Vec<u128> {
        let id = |run: &Vec<SpanData>| u128::from_be_bytes(run[0].span_context.trace_id().to_bytes()) - 1;
        batch.iter().map(id).collect()
    }

    fn dropped(recorder: &Recorder) -> f64 {
        let families = recorder.gather();
        let family = families.iter().find(|family| family.name() == SPANS_DROPPED.name).expect("there");
        family.get_metric()[0].get_counter().get_value()
    }

    #[test]
    fn a_full_queue_drops_the_oldest_and_counts_it() {
        let recorder = Arc::new(Recorder::new(METRICS, Settings::default()).expect("good"));
        let queue = Queue::new(Arc::clone(&recorder));
        let all = MOST as u128 + 10;
        (0..all).for_each(|number| queue.push(run(number)));
        assert_eq!(dropped(&recorder), 10.0);
        let batch = queue.take();
        assert_eq!(traces(&batch), (10..10 + BATCH as u128).collect::<Vec<_>>());
        // One more has come while the batch was tried.
        queue.push(run(all));
        queue.put_back(batch);
        assert_eq!(dropped(&recorder), 11.0);
        assert_eq!(traces(&queue.take())[0], 11, "in the old order");
    }

    #[tokio::test]
    async fn a_batch_is_told_of_even_if_nobody_waited_then() {
        let recorder = Arc::new(Recorder::new(METRICS, Settings::default()).expect("good"));
        let queue = Queue::new(recorder);
        (0..BATCH as u128).for_each(|number| queue.push(run(number)));
        queue.filled().await;
        assert_eq!(queue.take().len(), BATCH);
        assert!(queue.take().is_empty());
    }
}

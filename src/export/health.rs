//! How a signal's exports fare: counters always, the log when it changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use url::Url;

use super::metrics;
use super::settings::Signal;
use crate::metrics::{Recorder, Sample};

/// The health of one signal's exports.
pub(super) struct Health {
    recorder: Arc<Recorder>,
    signal: &'static str,
    /// Where it goes, without anything that may be a secret.
    endpoint: String,
    failing: Arc<AtomicBool>,
}

impl Health {
    /// `failing` is told whether the last export failed.
    pub(super) fn new(
        recorder: &Arc<Recorder>,
        name: &'static str,
        signal: &Signal,
        failing: &Arc<AtomicBool>,
    ) -> Self {
        for result in ["success", "failure"] {
            recorder.record_agent(&Sample::labelled(&metrics::EXPORTS, [name, result], 0.0));
        }
        Self {
            recorder: Arc::clone(recorder),
            signal: name,
            endpoint: origin(&signal.endpoint),
            failing: Arc::clone(failing),
        }
    }

    /// Counts an export. The error must hold no secret.
    pub(super) fn count(&mut self, result: &Result<(), String>) {
        let (signal, endpoint) = (self.signal, self.endpoint.as_str());
        let failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        let label = if result.is_ok() { "success" } else { "failure" };
        self.recorder.record_agent(&Sample::labelled(&metrics::EXPORTS, [signal, label], 1.0));
        match result {
            Ok(()) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let sample = Sample::labelled(&metrics::LAST_SUCCESS, [signal], now.as_secs_f64());
                self.recorder.record_agent(&sample);
                if failing {
                    tracing::info!(signal, endpoint, "the collector takes exports again");
                }
            }
            Err(error) if !failing => {
                tracing::warn!(
                    signal,
                    endpoint,
                    error,
                    "the collector takes no exports; runs go on as before"
                );
            }
            Err(error) => tracing::debug!(signal, endpoint, error, "export failed"),
        }
    }
}

/// Scheme, host and port.
fn origin(endpoint: &str) -> String {
    Url::parse(endpoint).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

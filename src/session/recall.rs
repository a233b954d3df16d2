//! What a run leaves for the one that is to confirm it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Times that a run measured and that the second run, which is to confirm its finding, is held against: a gateway that
/// grows slower and slower begins its second run slow. Lives as long as the two runs.
#[derive(Debug, Clone, Default)]
pub struct Recall(Arc<Mutex<HashMap<&'static str, Duration>>>);

impl Recall {
    /// What the earlier run has kept by this name; none in a first run.
    pub fn get(&self, name: &'static str) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// Keeps a time for the next run.
    pub fn keep(&self, name: &'static str, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, time);
    }
}

//! The control endpoint: something else out there that answers when our own way out works.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::model::Evidence;
use crate::wire::{Dialer, Endpoint};

/// A TCP endpoint that is asked before a gateway is accused of what the network may have done.
#[derive(Debug)]
pub struct Control {
    /// Where it is; only TCP is spoken with it.
    endpoint: Endpoint,
    /// How long it may take to accept.
    timeout: Duration,
    /// When it was last asked, and whether it answered. The lock makes all who ask at once share one answer.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Control {
    /// A control endpoint that has not been asked yet.
    pub fn new(endpoint: Endpoint, timeout: Duration) -> Self {
        Self { endpoint, timeout, last: Mutex::new(None) }
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether it accepts a connection within `patience`; unknown when it was not given `enough` time to be
    /// called dead. An answer that was asked for since `not_before` serves again.
    pub async fn answers(
        &self,
        dialer: &Dialer,
        not_before: Instant,
        patience: Duration,
        enough: Duration,
    ) -> Option<bool> {
        let asking = async {
            let mut last = self.last.lock().await;
            if let Some((_, answer)) = last.filter(|(asked, _)| *asked >= not_before) {
                return answer;
            }
            let asked = Instant::now();
            let evidence = Evidence::new();
            let connected = timeout(self.timeout, dialer.connect(&self.endpoint, &evidence)).await;
            let answer = connected.is_ok_and(|connected| connected.is_ok());
            *last = Some((asked, answer));
            answer
        };
        match timeout(patience, asking).await {
            Ok(answer) => Some(answer),
            Err(_) => (patience >= enough).then_some(false),
        }
    }
}

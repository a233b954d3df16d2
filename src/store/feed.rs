//! What is new, told to whoever listens: bounded, and nobody who records ever waits for a listener.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::broadcast;

use super::view::shared;

/// News that a slow listener may be behind, before it is told that it missed some.
const BEHIND: usize = 256;

/// What is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// A run has ended.
    Run {
        /// The target's name in the config.
        #[serde(serialize_with = "shared")]
        #[schemars(with = "String")]
        target: Arc<str>,
        /// The check's kind.
        check: &'static str,
        /// `pass`, `fail`, `inconclusive` or `unsupported`.
        outcome: &'static str,
        /// The stable reason behind anything but a pass.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// A job began a run, was paused or resumed.
    Job {
        /// The target's name in the config.
        #[serde(serialize_with = "shared")]
        #[schemars(with = "String")]
        target: Arc<str>,
        /// The check's kind.
        check: &'static str,
    },
    /// A verification of a canary began, made a run or ended.
    Canary {
        /// Names it.
        #[serde(serialize_with = "shared")]
        #[schemars(with = "String")]
        id: Arc<str>,
    },
    /// The agent itself changed: its config, or it drains.
    Agent,
}

/// The source of news.
#[derive(Debug, Clone)]
pub struct Feed(broadcast::Sender<News>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Feed {
    /// Tells whoever listens.
    pub fn tell(&self, news: News) {
        // Fails where nobody listens, which is no failure.
        let _ = self.0.send(news);
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<News> {
        self.0.subscribe()
    }
}

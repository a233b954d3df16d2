//! The compiled parts of a dialect.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::Message;
use super::capture::Capture;
use super::definition::Part;
use super::meaning::Answer;
use super::names::Scope;
use super::pattern::Pattern;
use super::spec::IntervalSpec;
use super::template::Template;
use super::text::Text;

/// A message of ours.
#[derive(Debug, Clone)]
pub enum Sending {
    /// A text as it stands.
    Text(Text),
    /// A JSON value between a prefix and a suffix.
    Json {
        /// Before it.
        prefix: Text,
        /// The value.
        json: Template,
        /// Behind it.
        suffix: String,
    },
    /// Bytes as they stand.
    Binary(Bytes),
}

/// A step after the upgrade.
#[derive(Debug, Clone)]
pub enum Step {
    /// The gateway's turn.
    Await {
        /// What has to come.
        pattern: Pattern,
        /// How long it may take.
        within: Option<Duration>,
        /// What is taken out of it, all of which has to be there.
        capture: Capture,
    },
    /// Our turn.
    Send(Sending),
}

/// A message of ours and its answers.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Which part of the dialect it is.
    pub part: Part,
    /// Our message.
    pub send: Sending,
    /// The answers, in the order in which they are looked for.
    pub answers: Vec<Reply>,
    /// The variables of one exchange that its answers are held against, or that it changes.
    pub kept: BTreeSet<String>,
}

/// One kind of answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What it means.
    pub meaning: Answer,
    /// What it looks like.
    pub pattern: Pattern,
    /// What is taken out of it, as far as it is there.
    pub capture: Capture,
}

/// The gateway's heartbeat.
#[derive(Debug, Clone)]
pub struct Beat {
    /// What it looks like.
    pub pattern: Pattern,
    /// What the reply needs of it.
    pub capture: Capture,
    /// Our reply.
    pub reply: Option<Sending>,
    /// How often it is promised.
    pub interval: Option<IntervalSpec>,
}

/// A message of the subscribed stream.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What it looks like.
    pub pattern: Pattern,
    /// What is taken out of it.
    pub capture: Capture,
}

/// The gateway's wish that its clients come back.
#[derive(Debug, Clone)]
pub struct Reconnect {
    /// What it looks like.
    pub pattern: Pattern,
    /// What the delay needs of it.
    pub capture: Capture,
    /// How long they are to stay away.
    pub delay: Option<IntervalSpec>,
}

impl Step {
    /// Whether its message is JSON.
    pub fn is_json(&self) -> bool {
        match self {
            Self::Await { pattern, .. } => pattern.is_json(),
            Self::Send(message) => message.is_json(),
        }
    }
}

impl Exchange {
    /// Whether any of its messages is JSON.
    pub fn is_json(&self) -> bool {
        self.send.is_json() || self.answers.iter().any(|reply| reply.pattern.is_json())
    }
}

impl Sending {
    /// Whether it is JSON.
    pub fn is_json(&self) -> bool {
        matches!(self, Self::Json { .. })
    }

    /// The message with its values.
    pub fn fill(&self, scope: Scope<'_>) -> Message {
        match self {
            Self::Text(text) => Message::Text(text.fill(scope)),
            Self::Json { prefix, json, suffix } => {
                Message::Text(format!("{}{}{suffix}", prefix.fill(scope), json.fill(scope)))
            }
            Self::Binary(bytes) => Message::Binary(bytes.clone()),
        }
    }

    /// Whether a placeholder of this name is in it.
    pub fn holds(&self, name: &str) -> bool {
        self.names().iter().any(|(_, known)| known == name)
    }

    /// The names of its placeholders, each with its place in the message.
    pub fn names(&self) -> Vec<(String, String)> {
        let of = |field: &str, text: &Text| -> Vec<(String, String)> {
            text.names().map(|name| (format!("/{field}"), name.to_owned())).collect()
        };
        match self {
            Self::Text(text) => of("text", text),
            Self::Json { prefix, json, .. } => {
                let mut names = of("prefix", prefix);
                json.names("/json", &mut names);
                names
            }
            Self::Binary(_) => Vec::new(),
        }
    }
}

//! A verification as it is told: while it runs, and when it is over.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Profile;
use crate::canary::{Decision, VERSION, Verdict};

/// Who was visited, without what may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Address {
    /// Its name in the config, or one made of its host.
    pub name: String,
    /// Its URL, without a query.
    pub url: String,
}

/// The gateways that are held against each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Addresses {
    /// The gateway that is known to be good enough; without one, absolute thresholds decide.
    pub baseline: Option<Address>,
    /// The gateway in question.
    pub canary: Address,
}

/// A verification: who, when, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Names the verification.
    pub id: String,
    /// The version of gateprobe.
    pub gateprobe: String,
    /// Whom it compares.
    pub gateways: Addresses,
    /// How much is looked at.
    pub profile: Profile,
    /// When it began (RFC 3339).
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When it ended (RFC 3339).
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// Whether it has ended.
    pub done: bool,
    /// The share of its runs that were made, or are not needed any more, from 0 to 1.
    pub progress: f64,
    /// How it stands, or how it ended.
    #[serde(flatten)]
    pub state: State,
}

/// How a verification stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum State {
    /// It is not over.
    Pending(Pending),
    /// It is over.
    Decided(Box<Decision>),
}

/// What can be said of a verification that is not over.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Pending {
    /// The version of this body.
    pub canary: u32,
    /// Always `pending`.
    pub verdict: PendingVerdict,
    /// How far it is, for people.
    pub sentence: String,
    /// What is left out or looked at less closely, a sentence each.
    pub notes: Vec<String>,
}

/// The verdict of what is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PendingVerdict {
    /// There is none yet.
    Pending,
}

impl Pending {
    /// How far it is.
    pub fn new(sentence: String, notes: Vec<String>) -> Self {
        Self { canary: VERSION, verdict: PendingVerdict::Pending, sentence, notes }
    }
}

/// The JSON Schema of a [`Report`], for those who read one.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(Report)
}

impl Report {
    /// The verdict, once there is one.
    pub fn verdict(&self) -> Option<Verdict> {
        self.decision().map(|decision| decision.verdict)
    }

    /// All that was decided, once it is.
    pub fn decision(&self) -> Option<&Decision> {
        match &self.state {
            State::Pending(_) => None,
            State::Decided(decision) => Some(decision),
        }
    }

    /// How it stands, in a sentence.
    pub fn sentence(&self) -> &str {
        match &self.state {
            State::Pending(pending) => &pending.sentence,
            State::Decided(decision) => &decision.sentence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the file anew where it is stale, and fails all the same: look at the change and commit it.
    #[test]
    fn the_schema_in_the_repository_is_fresh() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/canary.schema.json");
        let fresh = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
        if std::fs::read_to_string(&path).unwrap_or_default() != fresh {
            std::fs::write(&path, fresh).unwrap();
            panic!("config/canary.schema.json was stale; it is fresh now, commit it");
        }
    }
}

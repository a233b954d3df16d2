//! How much a verification looks at.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a verification looks at.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// About a minute: what breaks at once, and what gets much slower.
    #[default]
    Quick,
    /// About ten minutes: smaller differences too.
    Full,
}

impl Profile {
    /// The profile's word, in arguments as in requests.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }

    /// Runs of a check in each arm, where time and budget allow. None of `hold`, which takes days.
    pub fn runs(self, check: &str) -> usize {
        let (quick, full) = match check {
            "handshake" => (30, 200),
            "heartbeat" => (30, 100),
            "flapping" => (7, 20),
            "token_refresh" | "network_switch" => (8, 40),
            "zombie" => (7, 12),
            "malformed" => (3, 3),
            _ => (0, 0),
        };
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }

    /// How long it may take where nobody says.
    pub fn longest(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(120),
            Self::Full => Duration::from_secs(1_200),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::tests::world::{FULL, QUICK};

    #[test]
    fn what_is_promised_was_measured_with_these_numbers_of_runs() {
        for (profile, measured) in [(Profile::Quick, QUICK), (Profile::Full, FULL)] {
            for (check, runs) in measured {
                assert_eq!(profile.runs(check), *runs, "{check}");
            }
        }
    }
}

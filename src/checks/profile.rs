//! How hard a check looks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How hard a check looks: where its numbers come from that the config does not give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Fit for production, all day long.
    #[default]
    Light,
    /// A handful of connections, for a gateway that is about to be deployed.
    Suite,
    /// Dozens of connections, for a gateway that nobody else uses.
    Full,
}

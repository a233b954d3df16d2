//! The form in which a command prints its results.

use clap::ValueEnum;

/// For people, or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// JSON, for programs
    Json,
}

//! Which config files a command reads.

use std::path::{Path, PathBuf};

use crate::config;

/// The config where none is named.
const DEFAULT: &str = "gateprobe.yaml";

/// The files that were named; else `gateprobe.yaml`, where it is here; else none, where variables of the environment
/// say whom to watch, and so are a config by themselves.
///
/// # Errors
/// That there is no config at all; what to do about it is the command's to say.
pub fn named_or_here(
    named: &[PathBuf],
    mut environment: impl Iterator<Item = (String, String)>,
) -> Result<Vec<PathBuf>, String> {
    match named {
        [] if Path::new(DEFAULT).exists() => Ok(vec![DEFAULT.into()]),
        [] if environment.any(|(name, _)| config::names_whom_to_watch(&name)) => Ok(Vec::new()),
        [] => Err(format!("there is no {DEFAULT} here")),
        files => Ok(files.to_vec()),
    }
}

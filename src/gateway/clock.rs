//! The time of day by the gateway's clock: the system's, or on demand one that runs ahead.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fault::{FaultKind, FaultSet};

/// The time since the Unix epoch, with these faults.
pub fn now(faults: &FaultSet) -> Duration {
    // A clock before 1970 is not worth an error of its own: every token is not yet valid then.
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    real.saturating_add(faults.duration(FaultKind::ClockSkew).unwrap_or_default())
}

/// The time since the Unix epoch that it tells its clients.
pub fn told(faults: &FaultSet) -> Duration {
    now(faults).saturating_add(faults.duration(FaultKind::DateSkew).unwrap_or_default())
}

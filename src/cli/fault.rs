//! A fault on the command line.

use crate::config::nearest;
use crate::gateway::{Fault, FaultError, FaultKind};

/// Reads `NAME[=VALUE]`. A name that does not exist gets the nearest one instead of all ninety.
pub fn parse(text: &str) -> Result<Fault, String> {
    text.parse().map_err(|error| match error {
        FaultError::Unknown { name } => {
            let meant = nearest(&name, FaultKind::ALL.iter().map(|kind| kind.name()));
            let meant = meant.map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
            format!("no fault is called {name:?}; {meant}`gateprobe gateway --help` lists them")
        }
        error => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_by_the_nearest_name() {
        assert_eq!(parse("upgrade_status=503"), Ok(Fault::UpgradeStatus(503)));
        assert!(parse("zombie_kept").unwrap_err().contains("did you mean zombies_kept?"));
        assert!(parse("nonsense").unwrap_err().ends_with("; `gateprobe gateway --help` lists them"));
        assert!(parse("upgrade_status").unwrap_err().contains("wants a value"));
    }
}

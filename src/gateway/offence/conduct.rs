//! What faults make of the way an offence is dealt with.

use super::{Offence, Scope};
use crate::gateway::fault::{FaultKind, FaultSet};

/// What the gateway does about an offence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// Refuses it, as it should.
    Refuse,
    /// Takes it as good.
    Accept,
    /// Fails: 1011, or status 500.
    Error,
    /// Says no word any more on that connection.
    Hang,
    /// Resets all connections.
    Crash,
    /// Closes with 1000, or refuses with status 200.
    WrongCode,
}

/// What is done about an offence with these faults; the worst, where more than one concerns it.
pub fn conduct(faults: &FaultSet, offence: Offence) -> Conduct {
    use FaultKind as K;
    let conducts = [
        (K::MalformedCrash, Conduct::Crash),
        (K::MalformedHang, Conduct::Hang),
        (K::MalformedError, Conduct::Error),
        (K::MalformedWrongCode, Conduct::WrongCode),
        (K::MalformedAccepted, Conduct::Accept),
    ];
    let worst = conducts.into_iter().find(|(kind, _)| covers(faults, *kind, offence));
    worst.map_or(Conduct::Refuse, |(_, conduct)| conduct)
}

/// Whether any fault concerns an offence.
pub fn is_watched(faults: &FaultSet, offence: Offence) -> bool {
    conduct(faults, offence) != Conduct::Refuse || covers(faults, FaultKind::MalformedHurts, offence)
}

/// Whether a fault is on and concerns an offence.
pub fn covers(faults: &FaultSet, kind: FaultKind, offence: Offence) -> bool {
    let scope: Option<&Scope> = faults.get(kind).and_then(|fault| fault.get());
    scope.is_some_and(|scope| scope.covers(offence))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn the_worst_decides_and_only_where_it_is_concerned() {
        let mut faults = FaultSet::default();
        for fault in ["malformed_accepted=any", "malformed_crash=unmasked", "malformed_hang=framing"] {
            faults.insert(fault.parse().unwrap(), Instant::now());
        }
        assert_eq!(conduct(&faults, Offence::Unmasked), Conduct::Crash);
        assert_eq!(conduct(&faults, Offence::ReservedBit), Conduct::Hang);
        assert_eq!(conduct(&faults, Offence::NotUtf8), Conduct::Accept);
        faults.remove(FaultKind::MalformedAccepted);
        assert_eq!(conduct(&faults, Offence::NotUtf8), Conduct::Refuse);
        assert!(!is_watched(&faults, Offence::NotUtf8));
        faults.insert("malformed_hurts=encoding".parse().unwrap(), Instant::now());
        assert!(is_watched(&faults, Offence::NotUtf8));
    }
}

//! Which failures end a verification at once.

use crate::model::Failure;

/// Findings about security, crashes and leaks: one of them is enough, where the baseline does not show it too.
pub(super) fn is_critical(failure: Failure) -> bool {
    use Failure::{
        BadTokenAccepted, ExpiredSessionSurvives, MalformedCrash, OriginNotChecked, TokenNotRequired,
        ZombieLeaked,
    };
    matches!(
        failure,
        BadTokenAccepted
            | ExpiredSessionSurvives
            | TokenNotRequired
            | OriginNotChecked
            | MalformedCrash
            | ZombieLeaked
    )
}

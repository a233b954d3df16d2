//! What `token_refresh` measures.

use super::Scene;
use super::bad_token::BadToken;
use super::bad_tokens::Reception;
use super::client::Refresh;
use super::expiry::Expired;
use super::renew::{Fate, Session};
use crate::dialect::Answer;
use crate::metrics::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};

/// How long refreshes took.
pub static DURATION: Descriptor = Descriptor {
    name: "gateprobe_token_refresh_duration_seconds",
    help: "From a refresh of the token to the gateway's answer that it accepts the new one.",
    scope: Scope::Job,
    kind: Kind::Histogram { buckets: &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0] },
    unit: Unit::Seconds,
    labels: &[],
};

/// How long those of the last run took.
pub static LAST_DURATION: Descriptor = Descriptor {
    name: "gateprobe_last_token_refresh_duration_seconds",
    help: "The mean of the last run that had a refresh accepted.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// Refreshes by their results.
pub static REFRESHES: Descriptor = Descriptor {
    name: "gateprobe_token_refreshes_total",
    help: "Refreshes by a good token, by what came of them.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["result"],
};

/// Bad tokens by their results.
pub static BAD_TOKENS: Descriptor = Descriptor {
    name: "gateprobe_bad_tokens_total",
    help: "Refreshes by a token that must be refused, by what was wrong with it and how the gateway took it.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["forgery", "result"],
};

/// Sessions that were not refreshed.
pub static EXPIRED: Descriptor = Descriptor {
    name: "gateprobe_expired_sessions_total",
    help: "Sessions whose token had expired, by what became of them.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["result"],
};

/// When the last of them was closed.
pub static LAST_CLOSE: Descriptor = Descriptor {
    name: "gateprobe_last_expired_session_close_seconds",
    help: "From the token's `exp`, by the gateway's clock where it tells it, to the end of the last session that was not refreshed.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// Every metric of the check.
pub static METRICS: &[&Descriptor] =
    &[&DURATION, &LAST_DURATION, &REFRESHES, &BAD_TOKENS, &EXPIRED, &LAST_CLOSE];

const RESULTS: [&str; 5] = ["accepted", "refused", "unanswered", "not_applied", "dropped"];

/// The series that exist at 0 before the first run.
pub(super) fn expected() -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
    let refreshes = RESULTS.iter().map(|result| (&REFRESHES, vec![(*result).into()]));
    let bad = BadToken::ALL.into_iter().flat_map(|bad| {
        ["refused", "accepted"].map(|result| (&BAD_TOKENS, vec![bad.label().into(), result.into()]))
    });
    let expired = ["closed", "survived"].into_iter().map(|result| (&EXPIRED, vec![result.into()]));
    refreshes.chain(bad).chain(expired).chain([(&DURATION, vec![])]).collect()
}

/// Keeps what was seen, well or not.
pub(super) fn keep(scene: &Scene<'_>) {
    let (visit, seen) = (scene.visit, scene.seen());
    for session in &seen.sessions {
        for result in results(session) {
            visit.measure(Sample::labelled(&REFRESHES, [result], 1.0));
        }
    }
    for (_, took) in seen.accepted() {
        visit.measure(Sample::new(&DURATION, took.as_secs_f64()));
    }
    if let Some(mean) = seen.mean() {
        visit.measure(Sample::new(&LAST_DURATION, mean.as_secs_f64()));
    }
    for (bad, reception) in &seen.bad {
        let result = match reception {
            Reception::Refused | Reception::Closed => "refused",
            Reception::Accepted => "accepted",
            Reception::Silent => continue,
        };
        visit.measure(Sample::labelled(&BAD_TOKENS, [bad.label(), result], 1.0));
    }
    match &seen.expired {
        Some(Expired::Closed { after, early, .. }) => {
            if !early {
                visit.measure(Sample::labelled(&EXPIRED, ["closed"], 1.0));
            }
            visit.measure(Sample::new(&LAST_CLOSE, *after));
        }
        Some(Expired::Survived { .. }) => visit.measure(Sample::labelled(&EXPIRED, ["survived"], 1.0)),
        Some(Expired::Doubtful) | None => {}
    }
}

/// One for each refresh; the last that was accepted bears what became of the session.
fn results(session: &Session) -> Vec<&'static str> {
    let of = |refresh: &Refresh| match refresh.answer {
        Some((Answer::Accepted, _)) => "accepted",
        Some(_) => "refused",
        None => "unanswered",
    };
    let mut results: Vec<&'static str> = session.refreshes.iter().map(of).collect();
    let fate = match session.fate {
        Fate::Dropped(_) => "dropped",
        Fate::NotApplied(_) => "not_applied",
        Fate::Lives(_) | Fate::Closed(_) | Fate::Unserved | Fate::Expired(_) | Fate::Unknown => {
            return results;
        }
    };
    match results.iter_mut().rev().find(|result| **result == "accepted") {
        Some(result) => *result = fate,
        // It was dropped in place of an answer.
        None => results.push(fate),
    }
    results
}

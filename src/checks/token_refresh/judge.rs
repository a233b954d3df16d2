//! What became of the refreshes, the sessions and the stream, held against what is promised.

use std::time::Duration;

use super::Scene;
use super::bad_token::BadToken;
use super::bad_tokens::Reception;
use super::client::{Refresh, told};
use super::config::Case;
use super::expiry::Expired;
use super::renew::{Fate, Proof, Session};
use super::seen::Seen;
use super::stream;
use crate::checks::{Capability, Finding, capability, finding};
use crate::dialect::Answer;
use crate::model::{Cause, Failure, Outcome, Verdict, Why};

/// What the check asserts; each turns a run red on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the failures' own sentences say it")]
pub enum Assertion {
    BadRefused,
    Expires,
    Kept,
    Answered,
    Accepted,
    Applied,
    NotClosed,
    Undisturbed,
    Fast,
}

impl Assertion {
    /// Every assertion.
    pub const ALL: &'static [Self] = &[
        Self::BadRefused,
        Self::Expires,
        Self::Kept,
        Self::Answered,
        Self::Accepted,
        Self::Applied,
        Self::NotClosed,
        Self::Undisturbed,
        Self::Fast,
    ];
}

/// The verdict of a run. What was found before something else went wrong stands.
///
/// # Errors
/// None of its own; what went wrong.
pub(super) fn verdict(scene: &Scene<'_>, course: Result<(), Verdict>) -> Result<Verdict, Verdict> {
    let mut seen = scene.seen();
    seen.decide();
    let findings = findings(scene, &seen).into_iter();
    let mut findings = findings.filter(|(what, _)| Some(*what) != scene.check.without);
    if let Some((_, verdict)) = findings.next() {
        for (_, further) in findings {
            scene.visit.evidence.remark(format!("also: {}", further.detail));
        }
        return Ok(verdict);
    }
    course?;
    if let Some(ended) = seen.own_token() {
        return Err(super::own_token(ended));
    }
    capability(scene.visit, Capability::RefreshProof, seen.proof() == Some(&Proof::Shown));
    if let Some(expired @ (Expired::Closed { .. } | Expired::Survived { .. })) = &seen.expired {
        let survives = matches!(expired, Expired::Survived { .. });
        finding(scene.visit, Finding::ExpiredSessionSurvives, survives);
    }
    let story = describe(scene, &seen);
    let renews = scene.check.renews() || scene.check.looks_at(Case::NearExpiry);
    if matches!(seen.expired, Some(Expired::Doubtful)) && scene.check.enforced() {
        return Err(Verdict::new(Outcome::Inconclusive(Cause::Budget), story));
    }
    if seen.same_token {
        let detail = format!("the target's token was the same all the time; {story}");
        return Ok(Verdict::new(Outcome::Unsupported(Why::SameToken), detail));
    }
    if renews && seen.accepted().next().is_none() || nothing(&seen) {
        return Ok(Verdict::new(Outcome::Unsupported(Why::Promise), story));
    }
    Ok(Verdict::new(Outcome::Pass, story))
}

/// Whether nothing at all was found out. Silence is neither a refusal nor an acceptance.
fn nothing(seen: &Seen) -> bool {
    let told = seen.bad.iter().any(|(_, reception)| *reception != Reception::Silent);
    seen.refreshes().next().is_none() && !told && seen.expired.is_none()
}

/// What was wrong, the most telling first.
fn findings(scene: &Scene<'_>, seen: &Seen) -> Vec<(Assertion, Verdict)> {
    let mut found = Vec::new();
    let mut fail = |assertion, failure, detail: String| {
        found.push((assertion, Verdict::new(Outcome::Fail(failure), detail)));
    };
    let taken = |(_, reception): &&(BadToken, Reception)| *reception == Reception::Accepted;
    let taken: Vec<&str> = seen.bad.iter().filter(taken).map(|(bad, _)| bad.describe()).collect();
    if !taken.is_empty() {
        let detail = format!("accepted in a refresh: {}", taken.join(", "));
        fail(Assertion::BadRefused, Failure::BadTokenAccepted, detail);
    }
    if let (Some(Expired::Survived { after, served }), true) = (&seen.expired, scene.check.enforced()) {
        let how = if *served { "and was served" } else { "though it was not served" };
        let detail = format!("a session was still open {} after its token's expiry, {how}", told(*after));
        fail(Assertion::Expires, Failure::ExpiredSessionSurvives, detail);
    }
    if let Some(Expired::Closed { early: true, after, verdict, .. }) = &seen.expired {
        let early = told(Duration::from_secs_f64(after.abs()));
        let detail = format!("a session was closed {early} before its token's expiry: {}", verdict.detail);
        fail(Assertion::NotClosed, Failure::SessionClosed, detail);
    }
    let mut sessions: Vec<&Session> = seen.sessions.iter().collect();
    sessions.sort_by_key(|session| session.case);
    for session in sessions {
        found.extend(fate(session));
        found.extend(answers(scene, session));
    }
    if seen.streamed {
        found.extend(stream::stream(scene, seen));
    }
    let (longest_mean, longest) = scene.check.longest();
    let slowest = seen.accepted().map(|(_, took)| took).max();
    let times = [("on average", seen.mean(), longest_mean), ("the slowest", slowest, longest)];
    for (which, took, allowed) in times {
        if let (Some(took), Some(allowed)) = (took, allowed)
            && took > allowed.get()
        {
            let detail = format!("refreshes took {} {which}; {allowed} are allowed", told(took));
            found.push((Assertion::Fast, Verdict::new(Outcome::Fail(Failure::TooSlow), detail)));
        }
    }
    found.sort_by_key(|(assertion, _)| *assertion);
    found
}

fn fate(session: &Session) -> Option<(Assertion, Verdict)> {
    let case = session.case.word();
    let (assertion, failure, detail) = match &session.fate {
        Fate::Lives(_) | Fate::Expired(_) | Fate::Unknown => return None,
        Fate::Dropped(end) => {
            let detail = format!("{case}: {}, right after a refresh or in place of its answer", end.detail);
            (Assertion::Kept, Failure::SessionDroppedByRefresh, detail)
        }
        Fate::NotApplied(end) => {
            let detail =
                format!("{case}: a new token was accepted, and when the old one expired {}", end.detail);
            (Assertion::Applied, Failure::RefreshNotApplied, detail)
        }
        Fate::Unserved => {
            let detail = format!("{case}: the session was not served any more");
            (Assertion::Undisturbed, Failure::RefreshDisturbs, detail)
        }
        Fate::Closed(end) => return Some((Assertion::NotClosed, end.clone())),
    };
    Some((assertion, Verdict::new(Outcome::Fail(failure), detail)))
}

/// What the gateway said to good tokens.
fn answers(scene: &Scene<'_>, session: &Session) -> Vec<(Assertion, Verdict)> {
    let mut found = Vec::new();
    let within = scene.check.refresh_timeout;
    for case in Case::ALL {
        let of_case: Vec<&Refresh> =
            session.refreshes.iter().filter(|refresh| refresh.case == case).collect();
        let count = of_case.len();
        let unanswered = of_case.iter().filter(|refresh| refresh.answer.is_none()).count();
        let refused =
            |refresh: &&&Refresh| matches!(refresh.answer, Some((answer, _)) if answer != Answer::Accepted);
        let refused = of_case.iter().filter(refused).count();
        let case = session_case(session, case);
        if unanswered > 0 {
            let detail =
                format!("{case}: {unanswered} of {count} refreshes were not answered within {within}");
            found
                .push((Assertion::Answered, Verdict::new(Outcome::Fail(Failure::RefreshUnanswered), detail)));
        }
        // Of two at once, one may be refused: it renews a token that is not the current one any more.
        let allowed =
            if of_case.first().is_some_and(|refresh| refresh.case == Case::Together) { 1 } else { 0 };
        if refused > allowed {
            let accepted = count - refused - unanswered;
            let detail = format!("{case}: {refused} of {count} refreshes were refused, {accepted} accepted");
            found.push((Assertion::Accepted, Verdict::new(Outcome::Fail(Failure::RefreshRefused), detail)));
        }
    }
    found
}

fn session_case(session: &Session, case: Case) -> &'static str {
    if session.case == Case::Renew { case.word() } else { session.case.word() }
}

fn describe(scene: &Scene<'_>, seen: &Seen) -> String {
    let mut parts = Vec::new();
    if let Some(mean) = seen.mean() {
        let count = seen.accepted().count();
        parts.push(format!("{count} refreshes accepted within {} on average", told(mean)));
        parts.push(match seen.proof() {
            Some(Proof::Shown) => "served after the old token's expiry".to_owned(),
            Some(Proof::Missing(why)) => format!("not proven by life after the old token's expiry: {why}"),
            Some(Proof::ByDate | Proof::Nothing) | None => {
                "not proven by life after the old token's expiry".to_owned()
            }
        });
    }
    if seen.streamed
        && let Some(stream) = &scene.stream
    {
        parts.push(format!("{} messages beside them, none lost", stream.ledger().account().delivered));
    }
    if !seen.bad.is_empty() {
        let of = |wanted: &[Reception]| seen.bad.iter().filter(|(_, r)| wanted.contains(r)).count();
        let refused = of(&[Reception::Refused, Reception::Closed]);
        parts.push(format!("{refused} of {} bad tokens refused", seen.bad.len()));
        match of(&[Reception::Silent]) {
            0 => {}
            silent => {
                parts.push(format!("{silent} not answered, so that nobody knows whether they were taken"))
            }
        }
    }
    match &seen.expired {
        Some(Expired::Closed { after, .. }) => {
            parts.push(format!("a session that was not refreshed was closed {after:.1} s after its expiry"));
        }
        Some(Expired::Survived { after, .. }) => {
            let after = told(*after);
            parts.push(format!(
                "a session that was not refreshed was open {after} after its expiry, which nobody rules out"
            ));
        }
        Some(Expired::Doubtful) => parts.push(
            "a session that was not refreshed was open after its expiry by the gateway's `Date`, but not by our clock, \
             for which the run was too short"
                .to_owned(),
        ),
        None if scene.check.looks_at(Case::Expiry) => {
            parts.push("no token's expiry could be waited for".to_owned());
        }
        None => {}
    }
    if scene.check.looks_at(Case::NearExpiry)
        && !seen.sessions.iter().any(|s| s.case == Case::NearExpiry && !s.refreshes.is_empty())
    {
        parts.push("near_expiry was left out: no token expires in time".to_owned());
    }
    if parts.is_empty() { "nothing could be looked at".to_owned() } else { parts.join("; ") }
}

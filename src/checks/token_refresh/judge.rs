//! What became of the refreshes, the sessions and the stream, held against what is promised.

use std::time::{Duration, Instant};

use super::Scene;
use super::bad_token::BadToken;
use super::bad_tokens::Reception;
use super::client::{Refresh, told};
use super::config::{AFTERMATH, Case};
use super::expiry::Expired;
use super::renew::{Fate, Proof, Session};
use crate::checks::{Capability, Finding, capability, finding};
use crate::dialect::Answer;
use crate::model::{Cause, Failure, Outcome, Verdict, Why};
use crate::session::{Account, Ledger, tell};

/// Messages before the first refresh that tell what is usual, at the least.
const USUAL: usize = 3;
/// How much later than usual a message may come where nothing else is said.
const SLACK: Duration = Duration::from_secs(1);

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

/// What was seen of all sessions of a run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those that renewed their token.
    pub sessions: Vec<Session>,
    /// Bad tokens, and how they were taken.
    pub bad: Vec<(BadToken, Reception)>,
    /// The one that did not renew its token.
    pub expired: Option<Expired>,
    /// The stream was listened to, to its end.
    pub streamed: bool,
    /// There was no new token to renew by.
    pub same_token: bool,
}

impl Seen {
    /// Accepted refreshes, and how long each took.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (&Refresh, Duration)> {
        self.refreshes().filter_map(|refresh| match refresh.answer {
            Some((Answer::Accepted, took)) => Some((refresh, took)),
            _ => None,
        })
    }

    fn refreshes(&self) -> impl Iterator<Item = &Refresh> {
        self.sessions.iter().flat_map(|session| &session.refreshes)
    }

    /// The end of a session by a token that had expired, which is no fault of the gateway's.
    fn own_token(&self) -> Option<&Verdict> {
        self.sessions.iter().find_map(|session| match &session.fate {
            Fate::Expired(verdict) => Some(verdict),
            _ => None,
        })
    }

    /// Makes up its mind about what was shown by the gateway's own clock: another session that was closed by it in time
    /// has shown that tokens go by it.
    fn decide(&mut self) {
        let confirmed = matches!(self.expired, Some(Expired::Closed { by_date: true, .. }));
        for session in &mut self.sessions {
            if let Fate::Lives(proof @ Proof::ByDate) = &mut session.fate {
                let why = "the gateway's `Date` is ahead of our clock, and no session showed which one tokens go by";
                *proof = if confirmed { Proof::Shown } else { Proof::Missing(why.to_owned()) };
            }
        }
    }

    fn proof(&self) -> Option<&Proof> {
        let proofs = || {
            self.sessions.iter().filter_map(|session| match &session.fate {
                Fate::Lives(proof) => Some(proof),
                _ => None,
            })
        };
        let missing = || proofs().find(|proof| matches!(proof, Proof::Missing(_)));
        proofs().find(|proof| **proof == Proof::Shown).or_else(missing)
    }
}

/// The mean of the times of accepted refreshes.
pub(super) fn mean(seen: &Seen) -> Option<Duration> {
    let count = u32::try_from(seen.accepted().count()).ok().filter(|count| *count > 0)?;
    Some(seen.accepted().map(|(_, took)| took).sum::<Duration>() / count)
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
        found.extend(stream(scene, seen));
    }
    let (longest_mean, longest) = scene.check.longest();
    let slowest = seen.accepted().map(|(_, took)| took).max();
    let times = [("on average", mean(seen), longest_mean), ("the slowest", slowest, longest)];
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

/// What the stream suffered.
fn stream(scene: &Scene<'_>, seen: &Seen) -> Option<(Assertion, Verdict)> {
    let ledger = scene.stream.as_ref()?.ledger();
    let Account { lost, duplicated, reordered, unknown, .. } = ledger.account();
    let fates = [
        (lost, "were never delivered"),
        (duplicated, "came more than once"),
        (reordered, "came after later ones"),
        (unknown, "were neither acknowledged nor delivered"),
    ];
    let all = ledger.publications();
    let suffered = fates.into_iter().find(|(numbers, _)| !numbers.is_empty());
    let detail = match suffered {
        Some((numbers, what)) => {
            format!("of {all} messages beside the refreshes, {} {what}: {}", numbers.len(), tell(&numbers))
        }
        None => late(scene, seen, &ledger)?,
    };
    Some((Assertion::Undisturbed, Verdict::new(Outcome::Fail(Failure::RefreshDisturbs), detail)))
}

/// Messages that were published while a token was refreshed, and came later than they may.
fn late(scene: &Scene<'_>, seen: &Seen, ledger: &Ledger) -> Option<String> {
    let beside: Vec<&Session> = seen.sessions.iter().filter(|session| session.case == Case::Renew).collect();
    let refreshes = || beside.iter().flat_map(|session| &session.refreshes);
    let first = refreshes().map(|refresh| refresh.sent).min()?;
    let mut usual: Vec<Duration> =
        ledger.times().filter(|(published, _)| *published < first).map(|(_, took)| took).collect();
    let limit = scene.check.thresholds.delivery.map(|span| span.get()).or_else(|| limit(&mut usual))?;
    // While it waits for its answer, and for as long as what it holds up may take.
    let around = |published: Instant| {
        refreshes().any(|refresh| {
            let until = refresh.sent + refresh.answer.map_or(limit, |(_, took)| took) + AFTERMATH;
            refresh.sent.checked_sub(limit).is_some_and(|from| from <= published) && published <= until
        })
    };
    let late = ledger.times().filter(|(published, took)| *took > limit && around(*published));
    let (count, slowest) =
        late.fold((0, Duration::ZERO), |(count, most), (_, took)| (count + 1, most.max(took)));
    let (slowest, limit) = (told(slowest), told(limit));
    (count > 0)
        .then(|| format!("{count} messages came up to {slowest} late beside a refresh; {limit} are allowed"))
}

/// Three times the p95 of what was usual, and at least its median + 1 s; none where too little is known.
fn limit(usual: &mut [Duration]) -> Option<Duration> {
    usual.sort_unstable();
    let nearest = |share: f64| {
        let rank = (usual.len() as f64 * share).ceil() as usize;
        usual.get(rank.saturating_sub(1)).copied()
    };
    (usual.len() >= USUAL).then_some(())?;
    Some((nearest(0.95)? * 3).max(nearest(0.5)? + SLACK))
}

fn describe(scene: &Scene<'_>, seen: &Seen) -> String {
    let mut parts = Vec::new();
    if let Some(mean) = mean(seen) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn session(case: Case, answers: &[Option<(Answer, Duration)>], fate: Fate) -> Session {
        let refresh =
            |answer: &Option<(Answer, Duration)>| Refresh { case, sent: Instant::now(), answer: *answer };
        Session { case, refreshes: answers.iter().map(refresh).collect(), fate }
    }

    #[test]
    fn what_is_late_is_told_by_what_was_usual() {
        assert_eq!(limit(&mut [ms(5), ms(6)]), None, "too little is known");
        assert_eq!(limit(&mut [ms(9), ms(5), ms(7)]), Some(ms(1_007)), "the median and a second");
        let mut slow: Vec<Duration> = (1..=20).map(|n| ms(100 * n)).collect();
        assert_eq!(limit(&mut slow), Some(ms(5_700)), "three times the p95");
    }

    #[test]
    fn the_mean_is_of_what_was_accepted() {
        let answers = [
            Some((Answer::Accepted, ms(10))),
            Some((Answer::Refused, ms(90))),
            Some((Answer::Accepted, ms(30))),
            None,
        ];
        let mut seen = Seen::default();
        assert_eq!(mean(&seen), None);
        seen.sessions.push(session(Case::Renew, &answers, Fate::Unknown));
        assert_eq!(mean(&seen), Some(ms(20)));
    }

    #[test]
    fn one_session_that_lived_on_is_proof_enough() {
        let lives = |proof| session(Case::Renew, &[], Fate::Lives(proof));
        let missing = Proof::Missing("too late".into());
        let mut seen = Seen { sessions: vec![lives(Proof::Nothing)], ..Seen::default() };
        assert_eq!(seen.proof(), None);
        seen.sessions.push(lives(missing.clone()));
        assert_eq!(seen.proof(), Some(&missing));
        seen.sessions.push(lives(Proof::Shown));
        assert_eq!(seen.proof(), Some(&Proof::Shown));
    }
}

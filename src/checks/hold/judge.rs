//! How the connections fared, held against what is tolerated. Pure.

use std::time::{Duration, Instant, SystemTime};

use super::config::Hold;
use crate::model::{Cause, Failure, Outcome, Span, Verdict};
use crate::session::{End, EndClass, Glance, Standing};

/// Ends within this time of each other are one event.
const ONE_EVENT: Duration = Duration::from_secs(1);

/// A rolling restart drains a connection anew each time when it lands on an instance that is yet to go. But that it
/// does so within a minute each time, so often and for so long, is no restart any more.
const DRAINS: u32 = 5;
const DRAINED_FOR: Duration = Duration::from_secs(5 * 60);
/// Whoever lived so long could stay.
const STAYED: Span = Span::secs(60);

/// What the check asserts; each turns a run red on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the failures' own sentences say it")]
pub enum Assertion {
    NotClosed,
    NotCut,
    NotReset,
    PongComes,
    ComesBack,
}

impl Assertion {
    /// Every assertion.
    pub const ALL: &'static [Self] =
        &[Self::NotClosed, Self::NotCut, Self::NotReset, Self::PongComes, Self::ComesBack];

    fn of(class: EndClass) -> Self {
        match class {
            EndClass::Fin => Self::NotCut,
            EndClass::Rst | EndClass::Lost => Self::NotReset,
            EndClass::PongLost => Self::PongComes,
            _ => Self::NotClosed,
        }
    }
}

/// Something that is wrong, or can't be known.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// What is asserted to be otherwise, where the gateway is accused.
    pub assertion: Option<Assertion>,
    /// What it means.
    pub verdict: Verdict,
    /// The end that it is about.
    pub end: Option<&'a End>,
}

/// What is wrong or unknown, accusations first, each kind in the order of time.
pub fn findings<'a>(check: &Hold, glance: &'a Glance, now: Instant) -> Vec<Finding<'a>> {
    let mut found = Vec::new();
    for event in events(&glance.ends) {
        ended(check, glance, event, &mut found);
        drained_again(check, event, &mut found);
        away(check, event, now, &mut found);
    }
    found.extend(glance.standings.iter().filter_map(|standing| stands(check, standing, now)));
    found.retain(|finding| finding.assertion.is_none() || finding.assertion != check.without);
    found.sort_by_key(|finding| !matches!(finding.verdict.outcome, Outcome::Fail(_)));
    found
}

/// The ends that belong together: close to each other, and of different connections.
pub fn events(ends: &[End]) -> Vec<&[End]> {
    let (mut events, mut rest) = (Vec::new(), ends);
    while let Some(first) = rest.first() {
        let together = |(index, end): (usize, &End)| {
            end.at.saturating_duration_since(first.at) <= ONE_EVENT
                && rest[..index].iter().all(|before| before.slot != end.slot)
        };
        let size = rest.iter().enumerate().take_while(|indexed| together(*indexed)).count();
        let (event, later) = rest.split_at(size.max(1));
        events.push(event);
        rest = later;
    }
    events
}

/// Whether an end was the gateway's right.
fn is_right(check: &Hold, end: &End) -> bool {
    end.class == EndClass::Drained || check.lifetime.is_some_and(|lifetime| end.age >= lifetime.get())
}

/// The worst end of an event speaks for it.
fn ended<'a>(check: &Hold, glance: &Glance, event: &'a [End], found: &mut Vec<Finding<'a>>) {
    let wrong = event.iter().filter(|end| !is_right(check, end));
    let worst = wrong.min_by_key(|end| !matches!(end.verdict.outcome, Outcome::Fail(_)));
    let Some(end) = worst else { return };
    let detail = format!("{}: {}", describe(check, glance, event), end.verdict.detail);
    let assertion = matches!(end.verdict.outcome, Outcome::Fail(_)).then(|| Assertion::of(end.class));
    found.push(Finding { assertion, verdict: Verdict::new(end.verdict.outcome, detail), end: Some(end) });
}

/// Connections that are let in, and never let stay.
fn drained_again<'a>(check: &Hold, event: &'a [End], found: &mut Vec<Finding<'a>>) {
    if check.lifetime.is_some_and(|lifetime| lifetime <= STAYED) {
        return;
    }
    let again = |end: &&End| {
        let soon = end.drains.as_ref();
        soon.is_some_and(|soon| {
            soon.times >= DRAINS && end.at.saturating_duration_since(soon.since) >= DRAINED_FOR
        })
    };
    let Some((end, drains)) = event.iter().find(again).and_then(|end| Some((end, end.drains?))) else {
        return;
    };
    let detail = format!(
        "connection {} was drained {} times in a row within {}, and lived for less than {STAYED} each time: no \
         client can stay",
        end.slot + 1,
        drains.times,
        whole(end.at.saturating_duration_since(drains.since)),
    );
    let verdict = Verdict::new(Outcome::Fail(Failure::SessionClosed), detail);
    found.push(Finding { assertion: Some(Assertion::NotClosed), verdict, end: Some(end) });
}

/// Connections that were not let in again in time.
fn away<'a>(check: &Hold, event: &'a [End], now: Instant, found: &mut Vec<Finding<'a>>) {
    let within = check.back_within;
    for end in event {
        let away = end.back.unwrap_or(now.saturating_duration_since(end.at));
        let asked = end.asked_away();
        let in_time = away <= asked + within.get();
        let (outcome, why) = match (&end.refusal, end.back) {
            (_, Some(_)) if in_time => continue,
            // Nobody refused: it was our own back-off that took so long.
            (None, Some(_)) => continue,
            (None, None) if away < asked => {
                let detail = format!("the gateway asked us to stay away for {}", whole(asked));
                (Outcome::Inconclusive(Cause::Restarting), detail)
            }
            (None, None) if end.class == EndClass::Drained => {
                (Outcome::Inconclusive(Cause::Restarting), "it was not tried yet".to_owned())
            }
            (None, None) => (Outcome::Inconclusive(Cause::Budget), "it was not tried yet".to_owned()),
            (Some(_), None) if in_time => {
                let detail = "the time-out came before it had to be back".to_owned();
                (Outcome::Inconclusive(Cause::Restarting), detail)
            }
            (Some(refusal), _) => (accused(refusal), format!("the last try: {}", refusal.detail)),
        };
        let back = if end.back.is_some() { "was back only after" } else { "is not back after" };
        let (number, away) = (end.slot + 1, whole(away));
        let detail = format!("connection {number} {back} {away} ({within} is allowed); {why}");
        let assertion = matches!(outcome, Outcome::Fail(_)).then_some(Assertion::ComesBack);
        found.push(Finding { assertion, verdict: Verdict::new(outcome, detail), end: Some(end) });
        return;
    }
}

/// Whoever was let in before accuses the gateway himself of what `handshake` would count; all else is excused.
fn accused(refusal: &Verdict) -> Outcome {
    match refusal.outcome {
        Outcome::Inconclusive(Cause::Precondition) | Outcome::Fail(_) => {
            Outcome::Fail(Failure::ReconnectFailed)
        }
        other => other,
    }
}

/// What a connection that is not served at the moment means, where no end tells it.
fn stands<'a>(check: &Hold, standing: &Standing, now: Instant) -> Option<Finding<'a>> {
    let verdict = match standing {
        Standing::Up { answered: Some(at), starved, .. } => {
            let old = now.saturating_duration_since(*at);
            let fresh = check.every.get() + check.pong_timeout.get();
            // Twice, since a ping waits for the one before it.
            if !starved || old <= 2 * fresh {
                return None;
            }
            let detail = format!("the target's budget has allowed no ping for {}", whole(old));
            Verdict::new(Outcome::Inconclusive(Cause::Budget), detail)
        }
        Standing::Up { answered: None, .. } => {
            let detail = "the target's budget, or the time-out, did not let a ping be answered";
            Verdict::new(Outcome::Inconclusive(Cause::Budget), detail)
        }
        Standing::Down { unread: true, .. } => return None,
        Standing::Down { refusal: Some(refusal), .. } => refusal.clone(),
        Standing::Down { since, asked_away, refusal: None, .. }
            if now.saturating_duration_since(*since) < *asked_away =>
        {
            let detail = format!("the gateway asked us to stay away for {}", whole(*asked_away));
            Verdict::new(Outcome::Inconclusive(Cause::Restarting), detail)
        }
        Standing::Down { since, refusal: None, .. } => {
            let away = whole(now.saturating_duration_since(*since));
            let detail =
                format!("a connection was not tried to be opened for {away}: the budget, or our back-off");
            Verdict::new(Outcome::Inconclusive(Cause::Budget), detail)
        }
        Standing::Abandoned => {
            let detail = "gateprobe stopped to hold a connection; the message is on standard error";
            Verdict::new(Outcome::Inconclusive(Cause::AgentPanic), detail)
        }
    };
    Some(Finding { assertion: None, verdict, end: None })
}

/// An event for people: what happened to how many, when, at which age, and when they were back.
pub fn describe(check: &Hold, glance: &Glance, event: &[End]) -> String {
    let (many, all) = (event.len(), glance.standings.len());
    let how = |end: &End| match (end.class, end.code) {
        (EndClass::Drained, Some(code)) => format!("drained (Close {code})"),
        (_, Some(code)) => format!("closed (Close {code})"),
        (EndClass::Fin, _) => "cut (FIN)".to_owned(),
        (EndClass::Rst, _) => "cut (RST)".to_owned(),
        (class, _) => class.label().replace('_', " "),
    };
    let mut kinds: Vec<String> = event.iter().map(how).collect();
    kinds.sort_unstable();
    kinds.dedup();
    // What comes together has one cause; only the gateway itself says which.
    let what = match event {
        [_] | [] => "",
        many if many.iter().any(|end| end.class == EndClass::Drained) => "a restart: ",
        _ => "lost together: ",
    };
    let ages = event.iter().map(|end| end.age);
    let age = ages.max().map(whole).unwrap_or_default();
    let lived = if event.iter().all(|end| is_right(check, end) && end.class != EndClass::Drained) {
        ", as old as the gateway lets them become"
    } else {
        ""
    };
    let at = event.first().map(|end| utc(end.wall)).unwrap_or_default();
    let spread = match event {
        [first, .., last] => format!(" within {}", whole(last.at.saturating_duration_since(first.at))),
        _ => String::new(),
    };
    let backs: Option<Vec<Duration>> = event.iter().map(|end| end.back).collect();
    let back = match backs.and_then(|backs| backs.into_iter().max()) {
        Some(back) => format!("back after {}", whole(back)),
        None => "not back yet".to_owned(),
    };
    let asked = asked(event);
    let kinds = kinds.join(" and ");
    format!("{what}{many} of {all} {kinds} at {at}{spread}, up to {age} old{lived}{asked}, {back}")
}

/// How many had been asked to come back, and after how long.
fn asked(event: &[End]) -> String {
    let invitations: Vec<_> = event.iter().filter_map(|end| end.invitation).collect();
    let longest = invitations.iter().map(|invitation| invitation.delay).max();
    let Some(longest) = longest else { return String::new() };
    let some =
        if invitations.len() == event.len() { String::new() } else { format!("{} ", invitations.len()) };
    match longest.is_zero() {
        true => format!(", {some}asked to come back at once"),
        false => format!(", {some}asked to come back in {}", whole(longest)),
    }
}

/// For people: milliseconds are as much as anybody wants to read.
pub fn whole(duration: Duration) -> Span {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match duration.as_secs() {
        ..60 => Span::millis(millis),
        _ => Span::secs(millis / 1_000),
    }
}

fn utc(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map(|at| format!("{at:.3}")).unwrap_or_default()
}

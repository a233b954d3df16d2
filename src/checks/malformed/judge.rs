//! What was seen, held against what is right. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::acceptable::{Word, list};
use super::reaction::{Reaction, Seen};
use super::unasked::Unasked;
use super::vectors::Vector;
use crate::dialect::CloseClass;
use crate::model::{Cause, Failure, Outcome, Verdict, Why};

/// What the check asserts; each turns a run red on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the failures' own sentences say it")]
pub enum Assertion {
    Survives,
    BystanderServed,
    NoError,
    NoHang,
    NotAccepted,
    ReactsRightly,
}

impl Assertion {
    /// Every assertion.
    pub const ALL: &'static [Self] = &[
        Self::Survives,
        Self::BystanderServed,
        Self::NoError,
        Self::NoHang,
        Self::NotAccepted,
        Self::ReactsRightly,
    ];
}

/// What a reaction was, by how bad it is: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judgement {
    /// The gateway could not be reached any more.
    Crash,
    /// The gateway failed.
    Error,
    /// The gateway neither served the connection nor ended it.
    Hang,
    /// The gateway let pass what it should have refused.
    Accepted,
    /// The gateway did something else that is not right.
    Wrong,
    /// Right.
    Ok,
    /// Nothing can be said.
    NotJudged,
}

impl Judgement {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Crash, Self::Error, Self::Hang, Self::Accepted, Self::Wrong, Self::Ok, Self::NotJudged];

    /// The value of the label `verdict`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Error => "error",
            Self::Hang => "hang",
            Self::Accepted => "accepted",
            Self::Wrong => "wrong",
            Self::Ok => "ok",
            Self::NotJudged => "not_judged",
        }
    }

    /// The failure that it is, and the assertion that finds it.
    fn failure(self) -> Option<(Assertion, Failure)> {
        match self {
            Self::Crash => Some((Assertion::Survives, Failure::MalformedCrash)),
            Self::Error => Some((Assertion::NoError, Failure::MalformedError)),
            Self::Hang => Some((Assertion::NoHang, Failure::MalformedHang)),
            Self::Accepted => Some((Assertion::NotAccepted, Failure::MalformedAccepted)),
            Self::Wrong => Some((Assertion::ReactsRightly, Failure::MalformedReaction)),
            Self::Ok | Self::NotJudged => None,
        }
    }
}

/// What became of a vector.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which.
    pub vector: &'static Vector,
    /// What the gateway did, or why nothing was seen.
    pub seen: Result<Seen, Unasked>,
    /// What is right.
    pub acceptable: Vec<Word>,
    /// What it was.
    pub judgement: Judgement,
    /// What else there is to tell.
    pub note: Option<String>,
}

impl Entry {
    /// A vector that was not sent, or not looked at.
    pub fn unasked(vector: &'static Vector, why: Unasked) -> Self {
        Self { vector, seen: Err(why), acceptable: Vec::new(), judgement: Judgement::NotJudged, note: None }
    }

    /// A reaction, judged.
    pub fn judged(vector: &'static Vector, seen: Seen, acceptable: Vec<Word>) -> Self {
        let judgement = judge(vector, &seen, &acceptable);
        Self { vector, seen: Ok(seen), acceptable, judgement, note: None }
    }

    /// A gateway that could not be reached after the vector.
    pub fn crash(vector: &'static Vector, note: String) -> Self {
        Self {
            vector,
            seen: Ok(Seen::plain(Reaction::Crash)),
            acceptable: Vec::new(),
            judgement: Judgement::Crash,
            note: Some(note),
        }
    }

    /// The value of the label `reaction`.
    pub fn label(&self) -> &'static str {
        self.seen.map_or("not_asked", |seen| seen.reaction.label())
    }

    /// What a config can say where the gateway means it so.
    fn hint(&self, seen: &Seen) -> &'static str {
        match (self.judgement, seen.reaction) {
            (Judgement::Wrong, Reaction::Close(Some(4_000..=4_999)))
                if self.acceptable.contains(&Word::Refused) =>
            {
                ", or a code that the dialect lists under `closes: refused`"
            }
            (Judgement::Wrong, _) => ", or what the check's `reactions` say",
            _ => "",
        }
    }

    /// The finding, for people.
    fn describe(&self) -> String {
        let name = self.vector.name;
        match (&self.seen, &self.note) {
            (Err(why), _) => format!("{name}: not asked ({})", why.why()),
            (Ok(_), Some(note)) => format!("{name}: {note}"),
            (Ok(seen), None) => {
                let right = list(&self.acceptable);
                format!("{name}: {} (right: {right}{})", seen.reaction, self.hint(seen))
            }
        }
    }
}

/// A gateway that speaks of itself has said nothing of the vector.
pub fn judge(vector: &Vector, seen: &Seen, acceptable: &[Word]) -> Judgement {
    let malformed = !vector.may_be_served();
    match seen.reaction {
        _ if acceptable.iter().any(|word| word.covers(seen)) => Judgement::Ok,
        _ if excuse(seen).is_some() => Judgement::NotJudged,
        Reaction::Crash => Judgement::Crash,
        Reaction::Close(Some(1011)) | Reaction::Status(500..=599) => Judgement::Error,
        Reaction::Hang => Judgement::Hang,
        Reaction::Accepted | Reaction::Upgraded | Reaction::Ignored if malformed => Judgement::Accepted,
        // What should have failed the connection has reached the application, which alone answers so.
        Reaction::ErrorReply | Reaction::Replied if malformed && vector.group.is_below_messages() => {
            Judgement::Accepted
        }
        _ => Judgement::Wrong,
    }
}

/// What a gateway says to everybody, whatever it was sent: come later, I restart, I have no capacity.
pub fn excuse(seen: &Seen) -> Option<Outcome> {
    match (seen.reaction, seen.class) {
        _ if seen.asks_for_patience() => Some(Outcome::Inconclusive(Cause::Throttled)),
        (Reaction::Close(_), Some(CloseClass::Drained)) | (Reaction::Close(Some(1001 | 1012)), None) => {
            Some(Outcome::Inconclusive(Cause::Restarting))
        }
        (Reaction::Close(_), Some(CloseClass::Unavailable)) | (Reaction::Close(Some(1013)), None) => {
            Some(Outcome::Fail(Failure::Unavailable))
        }
        _ => None,
    }
}

/// How the run came to its end.
#[derive(Debug)]
pub enum End {
    /// Everything that was to be sent was.
    Done,
    /// The bystander grew slow after this vector.
    Bystander(&'static Vector, String),
    /// Something else keeps it from going on.
    Stopped(Verdict),
    /// The deadline came.
    Late,
}

/// Findings that a detail names, at most.
const NAMED: usize = 12;

/// The verdict of the run: the worst first.
pub fn verdict(entries: &[Entry], end: &End, without: Option<Assertion>) -> Verdict {
    let mut findings: Vec<(Failure, &Entry)> = entries
        .iter()
        .filter_map(|entry| {
            let (assertion, failure) = entry.judgement.failure()?;
            (Some(assertion) != without).then_some((failure, entry))
        })
        .collect();
    findings.sort_by_key(|(_, entry)| entry.judgement);
    let told = describe(&findings);
    let crashed = findings.first().is_some_and(|(failure, _)| *failure == Failure::MalformedCrash);
    match (findings.first(), end) {
        (_, End::Bystander(vector, how)) if !crashed => {
            let mut detail = format!("after {}: {how}", vector.name);
            if !findings.is_empty() {
                let _ = write!(detail, "; before: {told}");
            }
            Verdict::new(Outcome::Inconclusive(Cause::BystanderSlowed), detail)
        }
        (Some((failure, _)), End::Stopped(verdict)) => {
            Verdict::new(Outcome::Fail(*failure), format!("{told}; then it stopped {}", verdict.detail))
        }
        (Some((failure, _)), _) => Verdict::new(Outcome::Fail(*failure), told),
        (None, End::Stopped(verdict)) => verdict.clone(),
        (None, _) => unspectacular(entries, end),
    }
}

/// Where nothing was wrong.
fn unspectacular(entries: &[Entry], end: &End) -> Verdict {
    let right = entries.iter().filter(|entry| entry.judgement == Judgement::Ok).count();
    let mut reasons: BTreeMap<Unasked, usize> = BTreeMap::new();
    for why in entries.iter().filter_map(|entry| entry.seen.err()) {
        *reasons.entry(why).or_default() += 1;
    }
    let short = matches!(end, End::Late) || reasons.keys().any(|why| why.is_ours());
    let unasked: Vec<String> =
        reasons.iter().map(|(why, count)| format!("{count} not asked, {}", why.why())).collect();
    let mut detail = format!("{right} vectors met as they should be");
    for line in unasked {
        let _ = write!(detail, "; {line}");
    }
    let outcome = match (short, right) {
        (true, _) => Outcome::Inconclusive(Cause::Budget),
        (false, 0) => Outcome::Unsupported(Why::Promise),
        (false, _) => Outcome::Pass,
    };
    Verdict::new(outcome, detail)
}

fn describe(findings: &[(Failure, &Entry)]) -> String {
    let named: Vec<String> = findings.iter().take(NAMED).map(|(_, entry)| entry.describe()).collect();
    let mut told = named.join("; ");
    if findings.len() > NAMED {
        let _ = write!(told, "; and {} more", findings.len() - NAMED);
    }
    told
}

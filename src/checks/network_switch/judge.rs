//! What became of the messages and of the session, held against what is promised.

use std::time::Duration;

use super::Scene;
use super::subscriber::Switch;
use crate::dialect::Answer;
use crate::model::{Failure, Outcome, Span, Verdict, Why};
use crate::session::{Account, tell};

/// What the check asserts; each turns a run red on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the failures' own sentences say it")]
pub enum Assertion {
    TrulyResumed,
    NothingLost,
    NothingTwice,
    InOrder,
    Answered,
    Resumed,
    Fast,
}

impl Assertion {
    /// Every assertion.
    pub const ALL: &'static [Self] = &[
        Self::TrulyResumed,
        Self::NothingLost,
        Self::NothingTwice,
        Self::InOrder,
        Self::Answered,
        Self::Resumed,
        Self::Fast,
    ];
}

/// The verdict of a run that came to its end.
pub(super) fn verdict(scene: &Scene<'_>, switches: &[Switch]) -> Verdict {
    let account = scene.stream.ledger().account();
    let findings = findings(scene, switches, &account).into_iter();
    let mut findings = findings.filter(|(what, _)| Some(*what) != scene.check.without);
    if let Some((_, verdict)) = findings.next() {
        for (_, further) in findings {
            scene.visit.evidence.remark(format!("also: {}", further.detail));
        }
        return verdict;
    }
    let story = describe(switches, &account);
    if switches.iter().any(|switch| switch.answer.is_none()) {
        let detail = format!("the dialect takes up no session again; {story}");
        return Verdict::new(Outcome::Unsupported(Why::Promise), detail);
    }
    let anew = |switch: &Switch| switch.answer != Some(Answer::Resumed) && !is_absence(scene, switch);
    if scene.check.retention.is_none() && switches.iter().any(anew) {
        let detail = format!("nobody promises that a session outlives its connection; {story}");
        return Verdict::new(Outcome::Unsupported(Why::Promise), detail);
    }
    Verdict::new(Outcome::Pass, story)
}

/// What was wrong, the most telling first.
fn findings(scene: &Scene<'_>, switches: &[Switch], account: &Account) -> Vec<(Assertion, Verdict)> {
    let mut found = Vec::new();
    let mut fail = |assertion, failure, detail: String| {
        found.push((assertion, Verdict::new(Outcome::Fail(failure), detail)));
    };
    for (number, switch) in switches.iter().enumerate().filter(|(_, s)| s.answer == Some(Answer::Resumed)) {
        let (owed, came) = scene.stream.ledger().between(switch.left, switch.asked);
        // One alone may be lost like any other.
        if owed > 1 && came == 0 {
            let detail = format!(
                "switch {}: resumed, it says, but none of the {owed} messages of the time between came",
                number + 1
            );
            fail(Assertion::TrulyResumed, Failure::FalselyResumed, detail);
        }
    }
    let all = scene.stream.ledger().acknowledgements();
    let Account { lost, duplicated, reordered, .. } = account;
    let fates = [
        (Assertion::NothingLost, Failure::MessagesLost, lost, "were acknowledged and never delivered"),
        (Assertion::NothingTwice, Failure::MessagesDuplicated, duplicated, "came more than once"),
        (Assertion::InOrder, Failure::MessagesReordered, reordered, "came after later ones"),
    ];
    for (assertion, failure, numbers, what) in fates {
        if !numbers.is_empty() {
            let detail = format!("{} of {all} messages {what}: {}", numbers.len(), tell(numbers));
            fail(assertion, failure, detail);
        }
    }
    if !account.unknown.is_empty() {
        let (count, all) = (account.unknown.len(), scene.stream.ledger().publications());
        let numbers = tell(&account.unknown);
        let detail = format!("{count} of {all} messages were neither acknowledged nor delivered: {numbers}");
        fail(Assertion::Answered, Failure::DialectMismatch, detail);
    }
    for (number, switch) in switches.iter().enumerate() {
        let promised = scene.check.retention.filter(|retention| switch.absent() < retention.get());
        if let (Some(promised), Some(Answer::Fresh | Answer::Refused)) = (promised, switch.answer) {
            let detail = format!(
                "switch {}: a new session after {}; {promised} are promised",
                number + 1,
                Span::from(switch.absent()).told()
            );
            fail(Assertion::Resumed, Failure::NotResumed, detail);
        }
    }
    if let (Some(longest), Some(slowest)) =
        (scene.check.longest_resume(), switches.iter().map(|switch| switch.took).max())
        && slowest > longest.get()
    {
        let detail = format!("back after {}; {longest} are allowed", Span::from(slowest));
        fail(Assertion::Fast, Failure::TooSlow, detail);
    }
    found
}

/// Whether the switch was made to see a session end.
fn is_absence(scene: &Scene<'_>, switch: &Switch) -> bool {
    scene.check.long_absence().is_some_and(|absence| switch.away == absence)
}

impl Switch {
    /// From the last word of the old connection until the session was ours again.
    fn absent(&self) -> Duration {
        self.back.saturating_duration_since(self.left)
    }
}

fn describe(switches: &[Switch], account: &Account) -> String {
    let resumed = switches.iter().filter(|switch| switch.answer == Some(Answer::Resumed)).count();
    let slowest = switches.iter().map(|switch| switch.took).max().unwrap_or_default();
    let Account { delivered, excused, .. } = account;
    let mut story = format!(
        "{resumed} of {} switches resumed, the slowest back within {}; {delivered} messages delivered, none lost",
        switches.len(),
        Span::from(slowest).told()
    );
    if *excused > 0 {
        story.push_str(&format!("; {excused} ended with a session that was over"));
    }
    story
}

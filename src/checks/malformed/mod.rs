//! The `malformed` check: sends what is malformed, one thing a connection, and watches how the gateway takes it,
//! whether it is still there afterwards, and whether somebody else has to suffer.

mod acceptable;
mod config;
mod course;
mod door;
mod ear;
mod judge;
mod metrics;
mod reaction;
mod scene;
mod session;
mod shot;
#[cfg(test)]
mod tests;
mod unasked;
mod vectors;

use futures_util::future::join;
use tokio::time::timeout_at;

pub use acceptable::{Word, list};
pub use config::Malformed;
pub use judge::Assertion;
pub use metrics::METRICS;
pub use unasked::Unasked;
pub use vectors::{Class, Group, Need, Patience, Vector};

use crate::checks::{Capability, capability};
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Failure, Verdict};
use crate::session::{Ask, Companion, Talk, Target, Visit};
use crate::wire::Record;
use judge::{End, Entry};
use scene::Scene;

/// What it may find, beside what any session may end with.
pub(super) const FAILURES: &[Failure] = &[
    Failure::MalformedAccepted,
    Failure::MalformedReaction,
    Failure::MalformedError,
    Failure::MalformedHang,
    Failure::MalformedCrash,
    Failure::CollateralDamage,
];

impl Malformed {
    /// Sends the vectors one after another, and judges how the gateway took them.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self.steps(visit).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }

    /// The series that exist at 0 before the first run.
    pub fn series_at_zero(&self, _: &Target) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        let chosen = |group: &Group| self.chosen().any(|vector| vector.group == *group);
        metrics::expected(Group::ALL.iter().copied().filter(chosen))
    }

    async fn steps(&self, visit: &Visit) -> Result<Verdict, Verdict> {
        let within = self.connect_timeout.get();
        let ask = Ask { within: Some(within), ..Ask::default() };
        let opened = visit.open(&ask, &Record::new()).await.map_err(|refusal| refusal.precondition())?;
        let peer = visit.peer(&opened);
        let talk = Talk::begin(visit, opened, within).await?;
        let words = Scene::words(visit, talk.variables());
        let mut bystander = Companion::learn(visit, talk, words, self.pong_timeout.get()).await?;
        let mut samples = bystander.listen();
        let scene = Scene::new(self, visit, peer, words);
        let volleys = async {
            let last = visit.until(None);
            // Cut off by the deadline, a run keeps what it has seen.
            let end = timeout_at(last, scene.volleys(&mut samples)).await.unwrap_or(End::Late);
            scene.over.cancel();
            end
        };
        let (end, ()) = join(volleys, scene.watch(bystander)).await;
        let entries = std::mem::take(&mut *scene.entries());
        self.tell_capabilities(visit, &entries);
        metrics::keep(visit, &entries);
        Ok(judge::verdict(&entries, &end, self.without))
    }

    fn tell_capabilities(&self, visit: &Visit, entries: &[Entry]) {
        let about = |needs: fn(Need) -> bool, what: Capability| {
            let mut asked = entries.iter().filter(|entry| needs(entry.vector.needs)).peekable();
            if asked.peek().is_some() {
                let can = asked.any(|entry| !matches!(entry.seen, Err(why) if !why.is_ours()));
                capability(visit, what, can);
            }
        };
        about(|need| need == Need::Json, Capability::JsonMessages);
        about(|need| need == Need::Token, Capability::BrokenToken);
        about(|need| matches!(need, Need::Deflate | Need::DeflateAndLimitBelow(_)), Capability::Deflate);
    }
}

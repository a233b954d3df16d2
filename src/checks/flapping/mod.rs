//! The `flapping` check: clients connect, leave and come back. Are they let in each time, as fast as before, and does
//! the gateway forget those who have left?

mod config;
mod cycles;
mod drift;
mod growth;
mod judge;
mod metrics;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use config::{Drift, Flapping, Leave};
pub use judge::Assertion;
pub use metrics::METRICS;

use crate::checks::{Capability, capability};
use crate::dialect::{Dialect, Origin, Part, Variables};
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Failure, Verdict};
use crate::session::{Ask, Companion, ObserveError, Proof, Talk, Visit};
use cycles::Scene;
use growth::Growth;
use judge::Seen;

/// What it may find, beside what any session may end with.
pub(super) const FAILURES: &[Failure] = &[
    Failure::ReconnectFailed,
    Failure::ReconnectSlowed,
    Failure::UnstableAfterFlapping,
    Failure::SessionsLeaked,
    Failure::MemoryGrew,
    Failure::CollateralDamage,
];

/// What a connection is asked that must work: what the dialect has, or else a ping.
const SIGNS_OF_LIFE: &[Part] = &[Part::Heartbeat, Part::Echo];

/// What the clients that come and go leave behind.
type Flown = (Vec<cycles::Round>, Option<Result<Duration, Verdict>>, Option<Result<Growth, ObserveError>>);

impl Flapping {
    /// Comes and goes beside a connection that stays, and judges what became of both.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self.steps(visit).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }

    /// The series that exist at 0 before the first run.
    pub fn series_at_zero(&self) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        metrics::expected(self.clients() > 0)
    }

    async fn steps(&self, visit: &Visit) -> Result<Verdict, Verdict> {
        let idle = if self.settles { growth::look(visit).await.ok() } else { None };
        let talk = self.first(visit).await?;
        let scene = Scene::new(self, visit, visit.peer(&talk.opened));
        let words = words(&visit.target().dialect, talk.variables());
        let bystander = Companion::learn(visit, talk, words, self.pong_timeout.get()).await?;
        // The bystander is a session before as after.
        let before = match &visit.target().observe {
            Some(_) => Some(Growth::before(self, visit, idle.as_ref()).await),
            None => None,
        };
        let (over, tripped) = (CancellationToken::new(), AtomicBool::new(false));
        let (bystander, (rounds, stable, growth)) =
            tokio::join!(beside(&scene, bystander, &over, &tripped), async {
                let flown = self.fly(&scene, before).await;
                over.cancel();
                flown
            });
        let seen = Seen { rounds, stable, bystander, tripped: tripped.into_inner(), growth };
        tell(visit, &seen);
        metrics::keep(visit, &seen);
        Ok(judge::verdict(self, visit, &seen))
    }

    /// The cycles, the connection after them, and what they leave behind.
    async fn fly(&self, scene: &Scene<'_>, mut growth: Option<Result<Growth, ObserveError>>) -> Flown {
        let landed = CancellationToken::new();
        let watching = async {
            if let Some(Ok(growth)) = &mut growth {
                growth.watch(scene.visit, &landed).await;
            }
        };
        let flying = async {
            let mut rounds = vec![scene.alone().await];
            if self.clients() > 0 && !scene.stop.is_cancelled() {
                rounds.push(scene.together().await);
            }
            landed.cancel();
            rounds
        };
        let ((), rounds) = tokio::join!(watching, flying);
        if scene.stop.is_cancelled() || rounds.iter().any(|round| round.cut) {
            return (rounds, None, growth);
        }
        let stable = scene.stop.run_until_cancelled(self.stable(scene)).await;
        if let Some(Ok(growth)) = &mut growth {
            scene.stop.run_until_cancelled(growth.settle(self, scene.visit)).await;
        }
        (rounds, stable, growth)
    }

    /// One more connection works as if nothing had happened; gives its round-trip time.
    async fn stable(&self, scene: &Scene<'_>) -> Result<Duration, Verdict> {
        let mut talk = scene.enter().await?;
        let (_, rtt) = talk.say_something(scene.visit, SIGNS_OF_LIFE, self.stable_within.get()).await?;
        talk.leave(scene.visit).await;
        Ok(rtt)
    }

    /// The first connection of the run, which is the bystander's.
    async fn first(&self, visit: &Visit) -> Result<Talk, Verdict> {
        let within = self.connect_timeout.get();
        let ask = Ask { within: Some(within), ..Ask::default() };
        let opened = visit.open(&ask, visit.record()).await.map_err(|refusal| refusal.precondition())?;
        Talk::begin(visit, opened, within).await
    }
}

/// The healthy connection, until all is over. Where it is lost or grows slow, nobody comes back any more.
async fn beside(
    scene: &Scene<'_>,
    bystander: Companion,
    over: &CancellationToken,
    tripped: &AtomicBool,
) -> Result<Proof, Verdict> {
    let trip = || {
        tripped.store(true, Ordering::Relaxed);
        scene.stop.cancel();
    };
    let trip: Option<&(dyn Fn() + Sync)> = match scene.check.without {
        Some(Assertion::BystanderServed) => None,
        _ => Some(&trip),
    };
    let proof = bystander.watch(scene.visit, scene.check.bystander_every(), over, trip).await;
    if proof.is_err() && scene.check.without != Some(Assertion::BystanderStays) {
        scene.stop.cancel();
    }
    proof
}

/// What the bystander says: where the gateway counts our data, a ping frame is no sign of life.
fn words(dialect: &Dialect, captured: &Variables) -> &'static [Part] {
    match dialect.zombie(captured) {
        Some(promise) if promise.origin == Origin::LastClientData => SIGNS_OF_LIFE,
        _ => &[Part::Heartbeat],
    }
}

fn tell(visit: &Visit, seen: &Seen) {
    let looked = seen.growth.as_ref().and_then(|growth| growth.as_ref().ok());
    let after = looked.and_then(Growth::looked_after).map(|look| look.observed);
    capability(visit, Capability::ObservedSessions, after.is_some_and(|seen| seen.sessions.is_some()));
    capability(visit, Capability::ObservedMemory, after.is_some_and(|seen| seen.memory.is_some()));
    if let Some(error) = seen.unobserved() {
        visit.evidence.remark(format!("nothing is known of the gateway's sessions and memory: {error}"));
    }
}

//! The healthy connections beside the silent ones. The first one is the bystander: when it grows slow, the check
//! stops.

use std::time::Duration;

use tokio::time::Instant;

use super::Scene;
use super::config::BASELINE;
use super::silent::say_something;
use crate::model::{Cause, Failure, Outcome, Verdict};
use crate::session::{Bystander, Talk, Word};

/// Whether a healthy connection was seen to be served to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It answered after the silent ones were settled.
    Served,
    /// The run was over before that could be seen.
    Missing,
}

/// The bystander's connection, with what it is used to.
pub(super) struct Witness {
    talk: Talk,
    bystander: Bystander,
}

impl Witness {
    /// Learns the usual round-trip time before anything is mistreated.
    pub(super) async fn learn(scene: &Scene<'_>, mut talk: Talk) -> Result<Self, Verdict> {
        let (pings, every) = BASELINE;
        let mut bystander = Bystander::default();
        for _ in 0..pings {
            let next = Instant::now() + every;
            let (_, rtt) = say_something(scene, &mut talk).await.map_err(precondition)?;
            bystander.learn(rtt);
            // Listens on: a gateway's heartbeat must not wait for its answer.
            loop {
                match talk.next(next).await {
                    Word::Nothing { mid_frame: false } => break,
                    over @ (Word::Over(..) | Word::Nothing { .. }) => {
                        return Err(over.unexpected("although it had been answered"));
                    }
                    _ => {}
                }
            }
        }
        Ok(Self { talk, bystander })
    }

    /// Its usual round-trip time, at most.
    pub(super) fn rtt(&self) -> Duration {
        self.bystander.slowest().unwrap_or_default()
    }

    /// Goes on until the silent ones are settled; trips where it grows slow, or is not answered at all.
    pub(super) async fn watch(self, scene: &Scene<'_>) -> Result<Proof, Verdict> {
        let Self { mut talk, mut bystander } = self;
        while !scene.settled.is_cancelled() && scene.time_left() {
            let next = Instant::now() + scene.check.bystander_every();
            match say_something(scene, &mut talk).await {
                Ok((_, rtt)) if bystander.trips(rtt) => scene.trip(),
                Ok(_) => {}
                Err(Verdict { outcome: Outcome::Fail(Failure::PongLost), .. }) if scene.may_trip() => {
                    scene.trip();
                    return Ok(Proof::Missing);
                }
                Err(verdict) => return Err(verdict),
            }
            while let Some(word) = talk.next_unless(&scene.settled, next.min(scene.visit.until(None))).await {
                match word {
                    Word::Nothing { .. } => break,
                    over @ Word::Over(..) => return Err(over.unexpected("although it had been answered")),
                    _ => {}
                }
            }
        }
        prove(scene, talk).await
    }
}

/// Before anything is mistreated, an answer that does not come is for `heartbeat` to count.
fn precondition(verdict: Verdict) -> Verdict {
    match verdict.outcome {
        Outcome::Fail(Failure::PongLost) => {
            Verdict::new(Outcome::Inconclusive(Cause::Precondition), verdict.detail)
        }
        _ => verdict,
    }
}

/// A healthy connection: answers everything, and says something from time to time.
pub(super) async fn attend(scene: &Scene<'_>, mut talk: Talk) -> Result<Proof, Verdict> {
    let mut next = Instant::now() + scene.check.keep_alive();
    loop {
        if Instant::now() >= next {
            next += scene.check.keep_alive();
            say_something(scene, &mut talk).await?;
        }
        match talk.next_unless(&scene.settled, next.min(scene.visit.until(None))).await {
            None => return prove(scene, talk).await,
            Some(word @ Word::Over(..)) => return Err(word.unexpected("although it had been answered")),
            Some(_) if !scene.time_left() => return Ok(Proof::Missing),
            Some(_) => {}
        }
    }
}

/// To be open is not enough: it must still be served.
async fn prove(scene: &Scene<'_>, mut talk: Talk) -> Result<Proof, Verdict> {
    if scene.tripped() || !scene.time_left() {
        return Ok(Proof::Missing);
    }
    say_something(scene, &mut talk).await?;
    talk.leave(scene.visit).await;
    Ok(Proof::Served)
}

//! The healthy connections beside the silent ones. The first one is the bystander: when it grows slow, the check
//! stops.

use tokio::time::Instant;

use super::Scene;
use super::silent::say_something;
use crate::model::Verdict;
use crate::session::{Companion, Proof, Talk, Word};

/// Watches the bystander until the silent ones are settled.
pub(super) async fn watch(scene: &Scene<'_>, bystander: Companion) -> Result<Proof, Verdict> {
    let trip = || scene.trip();
    let trip: Option<&(dyn Fn() + Sync)> = if scene.may_trip() { Some(&trip) } else { None };
    bystander.watch(scene.visit, scene.check.bystander_every(), &scene.settled, trip).await
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
            None if scene.tripped() => return Ok(Proof::Missing),
            None => return talk.prove(scene.visit, scene.words(), scene.check.pong_timeout.get()).await,
            Some(word @ Word::Over(..)) => return Err(word.in_session(talk.has_answered())),
            Some(_) if !scene.time_left() => return Ok(Proof::Missing),
            Some(_) => {}
        }
    }
}

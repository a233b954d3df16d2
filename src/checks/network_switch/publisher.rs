//! The connection that publishes, whatever happens to the one that listens.

use std::collections::HashMap;

use tokio::time::Instant;

use super::Scene;
use crate::dialect::{Answer, Part, Variables};
use crate::model::{Failure, Outcome, Verdict};
use crate::session::{Talk, Word};

/// Publishes one message each `every`, until it is told to stop, and waits for what it still owes an answer.
pub(super) async fn publish(scene: &Scene<'_>, mut talk: Talk) -> Result<(), Verdict> {
    let answers = scene.visit.target().dialect.answers(Part::Publish);
    let payload = "x".repeat(scene.check.payload as usize);
    let mut waiting: HashMap<u64, u64> = HashMap::new();
    let mut next = Instant::now();
    let mut sequence = 0;
    while !scene.enough.is_cancelled() {
        sequence += 1;
        let given = Variables::new().with("sequence", sequence).with("payload", payload.as_str());
        let asked = talk.ask(Part::Publish, &given).await;
        let asked = asked.map_err(|word| word.unexpected("in the middle of what was published"))?;
        if let Some((exchange, at)) = asked {
            scene.ledger().published(sequence, at);
            match answers {
                true => drop(waiting.insert(exchange, sequence)),
                // All that is known of it is that it was sent.
                false => scene.ledger().acknowledged(sequence, at),
            }
        }
        // A moment that was missed is not made up for: a burst would be another test.
        next = (next + scene.check.every.get()).max(Instant::now());
        listen(scene, &mut talk, &mut waiting, next).await?;
    }
    let patience = scene.visit.until(Some(scene.check.settle.get()));
    while !waiting.is_empty() && Instant::now() < patience {
        listen(scene, &mut talk, &mut waiting, patience).await?;
    }
    scene.published.cancel();
    talk.leave(scene.visit).await;
    Ok(())
}

/// Takes the gateway's answers until then, or until none is owed and no more is to be published.
async fn listen(
    scene: &Scene<'_>,
    talk: &mut Talk,
    waiting: &mut HashMap<u64, u64>,
    until: Instant,
) -> Result<(), Verdict> {
    loop {
        match talk.next(until).await {
            Word::Answer { exchange, part: Part::Publish, answer, at } => {
                let Some(sequence) = waiting.remove(&exchange) else { continue };
                if answer == Answer::Refused {
                    let detail = format!("the gateway refused to publish message {sequence}");
                    return Err(Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail));
                }
                scene.ledger().acknowledged(sequence, at);
                if waiting.is_empty() && scene.enough.is_cancelled() {
                    return Ok(());
                }
            }
            Word::Nothing { mid_frame: false } => return Ok(()),
            over @ (Word::Over(..) | Word::Nothing { .. }) => {
                return Err(over.unexpected("in the middle of what was published"));
            }
            _ => {}
        }
    }
}

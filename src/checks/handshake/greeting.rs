//! The first message of a gateway that speaks first.

use std::time::Duration;

use super::config::{FirstMessage, MessageKind};
use super::metrics;
use crate::dialect::Message;
use crate::model::{Failure, Outcome, Phase, Verdict};
use crate::session::{Heard, Opened, Visit};

/// Waits for the first message and tells how long it took from the end of the upgrade.
pub(super) async fn first_message(
    visit: &Visit,
    opened: &mut Opened,
    wanted: &FirstMessage,
) -> Result<Duration, Verdict> {
    opened.evidence.enter(Phase::FirstMessage);
    let until = visit.until(wanted.within.map(|within| within.get()));
    let fail = |failure, detail: String| Err(Verdict::new(Outcome::Fail(failure), detail));
    loop {
        match opened.hear(until).await {
            Heard::Message { message, at } => {
                let took = at.saturating_duration_since(opened.upgraded_at);
                metrics::phase(visit, Phase::FirstMessage.label(), took.as_secs_f64());
                return match mismatch(wanted, &message) {
                    None => Ok(took),
                    Some(detail) => fail(Failure::FirstMessageMismatch, detail),
                };
            }
            Heard::Ping { .. } | Heard::Pong { .. } => {}
            Heard::Nothing { mid_frame: true } => {
                return fail(
                    Failure::FrameStalled,
                    "the first message began, but did not end in time".into(),
                );
            }
            Heard::Nothing { mid_frame: false } => {
                return fail(Failure::FirstMessageTimeout, "no message came in time".into());
            }
            other => return Err(other.unexpected("instead of its first message")),
        }
    }
}

/// What is wrong with the message. Never quotes it.
fn mismatch(wanted: &FirstMessage, message: &Message) -> Option<String> {
    match (wanted.kind, message) {
        (Some(MessageKind::Text), Message::Binary(_)) => {
            return Some("it is binary, text is promised".into());
        }
        (Some(MessageKind::Binary), Message::Text(_)) => {
            return Some("it is text, binary is promised".into());
        }
        _ => {}
    }
    let contains = wanted.contains.as_deref()?;
    let found = matches!(message, Message::Text(text) if text.contains(contains));
    (!found).then(|| "it does not contain the text that `first_message.contains` names".into())
}

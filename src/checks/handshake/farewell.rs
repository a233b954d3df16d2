//! The end of the conversation: a polite Close, its answer, and the end of TCP.

use std::time::Duration;

use crate::checks::finding::{Finding, finding};
use crate::model::{Failure, Outcome, Phase, Span, Verdict};
use crate::session::{Heard, Opened, Visit};

/// How long a gateway is given to throw us out by itself before we say goodbye: one that does so says it in
/// the same breath as the 101.
const SETTLE: Duration = Duration::from_millis(50);

const NORMAL: u16 = 1000;

/// Closes the connection and holds the gateway to RFC 6455, sections 5.5.1 and 7.1.1. Gives what is odd about the
/// gateway's part in it, in words, and yet right.
pub(super) async fn part(
    visit: &Visit,
    mut opened: Opened,
    patience: Duration,
) -> Result<Vec<String>, Verdict> {
    // First, so that nothing lies between what was heard last and our Close.
    opened.afford_control().await;
    let settled = visit.until(Some(SETTLE));
    loop {
        match opened.hear(settled).await {
            Heard::Message { .. } | Heard::Ping { .. } | Heard::Pong { .. } => {}
            // A frame that drips is given its time below.
            Heard::Nothing { .. } => break,
            other => return Err(other.unexpected("right after the upgrade")),
        }
    }
    opened.evidence.enter(Phase::Close);
    let until = visit.until(Some(patience));
    if let Err(heard) = opened.say_close(NORMAL, until).await {
        return Err(heard.unexpected("before our Close could be sent"));
    }
    // A gateway that goes on talking is not one whose frame got stuck.
    let mut talks = false;
    let answer = loop {
        match opened.hear(until).await {
            Heard::Message { .. } | Heard::Ping { .. } | Heard::Pong { .. } => talks = true,
            // An answer typically echoes our code, but need not (RFC 6455, section 5.5.1). A Close that was sent
            // before ours came can't be told from one.
            Heard::Close { code, .. } if code.is_none_or(Heard::may_be_sent) => {
                break code.filter(|code| *code != NORMAL);
            }
            Heard::Nothing { mid_frame: true } if !talks => {
                let detail = "a frame began, and neither ended nor gave way to a Close";
                return Err(Verdict::new(Outcome::Fail(Failure::FrameStalled), detail));
            }
            Heard::Nothing { .. } => {
                let detail = "no Close came back";
                return Err(Verdict::new(Outcome::Fail(Failure::CloseUnanswered), detail));
            }
            other => return Err(other.unexpected("instead of answering our Close")),
        }
    };
    let mut odd: Vec<String> =
        answer.iter().map(|code| format!("our Close was answered by code {code}")).collect();
    let ended = match opened.hear(until).await {
        Heard::Ended { .. } => true,
        illegal @ (Heard::Illegal(_) | Heard::TooLarge { .. }) => {
            return Err(illegal.unexpected("after it had answered our Close"));
        }
        _ => false,
    };
    finding(visit, Finding::TcpLeftOpen, !ended);
    if !ended {
        odd.push(format!("the gateway left it to us to end TCP, for {}", Span::from(patience)));
    }
    odd.iter().for_each(|odd| opened.evidence.remark(odd));
    Ok(odd)
}

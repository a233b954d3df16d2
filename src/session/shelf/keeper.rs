//! Holds one connection: opens it, answers, pings, and opens it again after each end.

use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Terms;
use super::backoff::Backoff;
use super::end::{End, Invitation};
use super::lateness::Lateness;
use super::ledger::Ledger;
use crate::dialect::{Part, Variables};
use crate::model::{Cause, Evidence, Outcome, Span, Verdict};
use crate::session::manners::Level;
use crate::session::opened::Heard;
use crate::session::talk::Talk;
use crate::session::visit::Visit;
use crate::session::word::Word;
use crate::session::{Ask, COURTESY};
use crate::wire::Record;

/// How often is looked whether the agent is late.
const LOOK: Duration = Duration::from_secs(1);
/// How long a try may take, with its wait for the budget: what takes longer is tried anew.
const TRY: Duration = Duration::from_secs(120);
/// How long we stay away at most because the gateway asked us to.
const LONGEST_AWAY: Duration = Duration::from_secs(3_600);
/// Events of a connection that are kept, from its beginning and from its end.
const ROOM: usize = 8;

/// Holds one connection.
pub struct Keeper {
    visit: Visit,
    slot: usize,
    terms: Terms,
    ledger: Arc<Ledger>,
    stop: CancellationToken,
}

/// The pings of one level: one at a time, so that days of them fill no memory.
struct Pulse {
    level: Level,
    next: Instant,
    waiting: Option<(u64, Instant)>,
}

/// Tells the ledger where a keeper ends that was not asked to.
struct Watchman<'a>(&'a Keeper);

impl Drop for Watchman<'_> {
    fn drop(&mut self) {
        if !self.0.stop.is_cancelled() {
            self.0.ledger.abandoned(self.0.slot);
        }
    }
}

impl Keeper {
    /// One that holds a connection of its own as the visit's run would.
    pub fn new(
        visit: &Visit,
        slot: usize,
        terms: Terms,
        ledger: Arc<Ledger>,
        stop: CancellationToken,
    ) -> Self {
        Self { visit: visit.outliving(ROOM), slot, terms, ledger, stop }
    }

    /// Holds until it is stopped; then says goodbye.
    pub async fn keep(self) {
        let _watchman = Watchman(&self);
        let (mut backoff, mut wait) = (Backoff::default(), Duration::ZERO);
        // Not to come back before the gateway wants us to.
        let mut not_before = Instant::now();
        let mut lateness = Lateness::new(Instant::now());
        loop {
            let opened = self.stop.run_until_cancelled(async {
                sleep_until(not_before.max(Instant::now() + wait)).await;
                Box::pin(self.open()).await
            });
            match opened.await {
                None => return,
                Some(Err(verdict)) => {
                    self.ledger.refused(self.slot, verdict);
                    backoff.refused();
                }
                Some(Ok((visit, talk))) => {
                    let Some(end) = Box::pin(self.hold(&visit, talk, &mut lateness)).await else { return };
                    backoff.ended(end.age);
                    not_before = Instant::from_std(end.at) + end.asked_away();
                    self.ledger.ended(end);
                }
            }
            wait = backoff.wait(rand::random());
        }
    }

    /// Opens the connection.
    async fn open(&self) -> Result<(Visit, Talk), Verdict> {
        // Evidence, cookies of a run and the like are this connection's own.
        let visit = self.visit.outliving(ROOM);
        let within = self.terms.connect_timeout;
        let ask = Ask { within: Some(within), ..Ask::default() };
        let opening = async {
            let opened = visit.open(&ask, &Record::new()).await.map_err(|refusal| refusal.precondition())?;
            Talk::begin(&visit, opened, within).await
        };
        match timeout(TRY, opening).await {
            Ok(talk) => Ok((visit, talk?)),
            Err(_) => Err(out_of_time(&visit.evidence)),
        }
    }

    /// Answers and pings until the connection ends; none where it was let go.
    async fn hold(&self, visit: &Visit, mut talk: Talk, lateness: &mut Lateness) -> Option<End> {
        let opened = talk.opened.upgraded_at;
        self.ledger.opened(self.slot, opened);
        let mut pulses = self.pulses(&talk);
        let (mut invitation, mut asked) = (None, None);
        let mut end = loop {
            talk.grant(Instant::now() + self.terms.pong_timeout);
            if let Err(word) = self.ping(&mut talk, &mut pulses).await {
                let ended = talk.opened.credential_may_have_ended();
                break End::of(self.slot, opened, word, talk.has_answered(), ended);
            }
            let until = self.next_look(&pulses);
            let word = talk.next_unless(&self.stop, until).await;
            let now = Instant::now();
            lateness.woken(until, now);
            match word {
                None => {
                    // No goodbye is worth more than that.
                    talk.grant(now + COURTESY);
                    talk.leave(visit).await;
                    return None;
                }
                Some(Word::Pong { payload, at }) => {
                    let id = payload.as_ref().try_into().map(u64::from_be_bytes).ok();
                    self.answered(&mut pulses, Level::Protocol, id, at);
                }
                Some(Word::Answer { exchange, part: Part::Heartbeat, at, .. }) => {
                    self.answered(&mut pulses, Level::Application, Some(exchange), at);
                }
                Some(Word::Beat { at, .. }) if talk.has_answered() => asked = Some(at),
                Some(Word::Reconnect { delay, at }) => {
                    let delay = delay.unwrap_or_default().min(LONGEST_AWAY);
                    invitation = Some(Invitation { at, delay });
                }
                Some(word @ Word::Over(..)) => {
                    let ended = talk.opened.credential_may_have_ended();
                    let code = match &word {
                        Word::Over(Heard::Close { code, .. }, _) => Some(*code),
                        _ => None,
                    };
                    let end = End::of(self.slot, opened, word, talk.has_answered(), ended);
                    if let Some(code) = code {
                        answer_close(&mut talk, code).await;
                    }
                    break end;
                }
                // What was there to be read has been read by now.
                Some(Word::Nothing { .. }) => {
                    let patience = self.terms.pong_timeout;
                    let overdue =
                        |pulse: &&Pulse| pulse.waiting.is_some_and(|(_, sent)| now >= sent + patience);
                    if let Some(pulse) = pulses.iter().find(overdue) {
                        let (level, patience) = (pulse.level.label(), Span::from(patience));
                        let detail = format!("the gateway did not answer a {level} ping within {patience}");
                        let end = End::pong_lost(self.slot, opened, detail);
                        talk.grant(now + COURTESY);
                        talk.leave(visit).await;
                        break end;
                    }
                }
                Some(_) => {}
            }
        };
        end = end.after(invitation).with_last_answer(asked);
        end.late = lateness.worst(Instant::now());
        end.control = self.ask_control(&end).await;
        Some(end)
    }

    /// The levels take turns; the first pings go out at once, so that a connection is soon known to be served.
    fn pulses(&self, talk: &Talk) -> Vec<Pulse> {
        let now = Instant::now();
        let levels = [Level::Protocol, Level::Application];
        let has = |level: &Level| *level == Level::Protocol || talk.has(Part::Heartbeat);
        levels.into_iter().filter(has).map(|level| Pulse { level, next: now, waiting: None }).collect()
    }

    /// Sends the pings that are due.
    async fn ping(&self, talk: &mut Talk, pulses: &mut [Pulse]) -> Result<(), Word> {
        for pulse in pulses {
            let now = Instant::now();
            if pulse.waiting.is_some() || now < pulse.next {
                continue;
            }
            pulse.next = now + self.terms.every;
            let sent = match pulse.level {
                Level::Protocol => {
                    let id: u64 = rand::random();
                    talk.ping(id.to_be_bytes().to_vec()).await.map(|_| Some(id))
                }
                Level::Application => {
                    let asked = talk.ask(Part::Heartbeat, &Variables::default()).await;
                    asked.map(|asked| asked.map(|(exchange, _)| exchange))
                }
            };
            match sent {
                // Counted from after the write: what waited for the budget is not the gateway's doing.
                Ok(id) => pulse.waiting = id.map(|id| (id, Instant::now())),
                Err(Word::Unaffordable) => self.ledger.starved(self.slot),
                Err(word) => return Err(word),
            }
        }
        Ok(())
    }

    fn answered(&self, pulses: &mut [Pulse], level: Level, id: Option<u64>, at: StdInstant) {
        let waits = |pulse: &&mut Pulse| {
            pulse.level == level && pulse.waiting.is_some_and(|(waiting, _)| Some(waiting) == id)
        };
        if let Some(pulse) = pulses.iter_mut().find(waits) {
            pulse.waiting = None;
            self.ledger.answered(self.slot, at);
        }
    }

    /// When there is something to do even if the gateway says nothing.
    fn next_look(&self, pulses: &[Pulse]) -> Instant {
        let due = pulses.iter().map(|pulse| match pulse.waiting {
            Some((_, sent)) => sent + self.terms.pong_timeout,
            None => pulse.next,
        });
        due.chain([Instant::now() + LOOK]).min().unwrap_or_else(Instant::now)
    }

    /// Whether our own way out works at this moment, where the end might have come from there.
    async fn ask_control(&self, end: &End) -> Option<bool> {
        if !end.class.may_be_the_way() {
            return None;
        }
        let control = self.ledger.control()?;
        // Connections that end together share an answer.
        let moment = Instant::from_std(end.at);
        let patience = control.timeout();
        control.answers(self.visit.dialer(), moment, patience, patience / 2).await
    }
}

/// Answers the gateway's Close (RFC 6455, section 5.5.1), and leaves it a moment to end TCP first.
async fn answer_close(talk: &mut Talk, code: Option<u16>) {
    let until = Instant::now() + COURTESY;
    let code = code.filter(|code| Heard::may_be_sent(*code)).unwrap_or(1000);
    if talk.opened.say_close(code, until).await.is_ok() {
        while !matches!(
            talk.opened.hear(until).await,
            Heard::Ended { .. } | Heard::Broken(_) | Heard::Nothing { .. } | Heard::TooLarge { .. }
        ) {}
    }
}

fn out_of_time(evidence: &Evidence) -> Verdict {
    let phase = evidence.phase();
    let cause = match phase.timed_out() {
        Outcome::Inconclusive(cause) => cause,
        _ => Cause::Precondition,
    };
    let detail = format!("no connection within {}, which ended in phase {phase}", Span::from(TRY));
    Verdict::new(Outcome::Inconclusive(cause), detail)
}

//! Clients that come and go.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant as StdInstant};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::config::{Flapping, Leave};
use super::judge::Assertion;
use crate::model::{End, Failure, Outcome, Phase, Verdict};
use crate::session::{Ask, COURTESY, Heard, Manners, Talk, Visit, Word};
use crate::wire::Record;

/// How long a client that says goodbye waits for the answer, which `handshake` judges.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the connections of a run share.
pub(super) struct Scene<'a> {
    pub check: &'a Flapping,
    pub visit: &'a Visit,
    /// Where the first connection went.
    pub peer: Option<IpAddr>,
    /// Cancelled when no more connections are to be opened.
    pub stop: CancellationToken,
    failed: AtomicU32,
}

/// How many clients flap at once: only like is compared with like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    Single,
    Concurrent,
}

impl Load {
    /// The value of the label `load`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Concurrent => "concurrent",
        }
    }
}

/// What became of the cycles under one load.
#[derive(Debug)]
pub(super) struct Round {
    pub load: Load,
    /// When each connection began, and how long the dial took, without any wait for the budget.
    pub connects: Vec<(StdInstant, Duration)>,
    /// Cycles that came to nothing, by the gateway's doing.
    pub failed: Vec<Verdict>,
    /// What ended the run at once: who asks for patience gets it.
    pub ended: Option<Verdict>,
    /// The run's time was over before the cycles were.
    pub cut: bool,
}

impl Round {
    fn empty(load: Load) -> Self {
        Self { load, connects: Vec::new(), failed: Vec::new(), ended: None, cut: false }
    }

    /// The connect times in the order in which they began.
    pub fn times(&self) -> Vec<Duration> {
        self.connects.iter().map(|(_, took)| *took).collect()
    }
}

impl<'a> Scene<'a> {
    pub(super) fn new(check: &'a Flapping, visit: &'a Visit, peer: Option<IpAddr>) -> Self {
        Self { check, visit, peer, stop: CancellationToken::new(), failed: AtomicU32::new(0) }
    }

    /// One client alone.
    pub(super) async fn alone(&self) -> Round {
        self.client(Load::Single, 0, self.check.cycles()).await
    }

    /// Several clients at once.
    pub(super) async fn together(&self) -> Round {
        let cycles = self.check.client_cycles;
        let clients = (0..self.check.clients()).map(|n| self.client(Load::Concurrent, n, cycles));
        let rounds = join_all(clients).await;
        let mut all = rounds.into_iter().fold(Round::empty(Load::Concurrent), |mut all, round| {
            all.connects.extend(round.connects);
            all.failed.extend(round.failed);
            all.ended = all.ended.or(round.ended);
            all.cut |= round.cut;
            all
        });
        all.connects.sort_by_key(|(began, _)| *began);
        all
    }

    async fn client(&self, load: Load, number: u32, cycles: u32) -> Round {
        let mut round = Round::empty(load);
        let ways = &self.check.leave;
        for cycle in 0..cycles {
            if self.stop.is_cancelled() {
                break;
            }
            if !self.has_time_for_one() {
                round.cut = true;
                break;
            }
            let way = ways[(cycle + number) as usize % ways.len()];
            match self.stop.run_until_cancelled(self.cycle(way, &mut round)).await {
                None => break,
                Some(Ok(())) => {}
                Some(Err(verdict)) => self.take(verdict, &mut round),
            }
            self.stop.run_until_cancelled(sleep(self.check.gap())).await;
        }
        round
    }

    /// A cycle that came to nothing. Where it is clear already that too many did, no more are made.
    fn take(&self, verdict: Verdict, round: &mut Round) {
        match verdict.outcome {
            _ if !self.has_time() => round.cut = true,
            Outcome::Fail(failure) if failure != Failure::Unavailable => {
                round.failed.push(verdict);
                let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
                if failed <= self.check.may_fail() || self.check.without == Some(Assertion::Reconnects) {
                    return;
                }
            }
            _ => round.ended = Some(verdict),
        }
        self.stop.cancel();
    }

    async fn cycle(&self, way: Leave, round: &mut Round) -> Result<(), Verdict> {
        let mut talk = self.enter().await?;
        let (upgraded, took) = (talk.opened.upgraded_at, talk.opened.dialed.timings.total());
        let until = (Instant::now() + self.check.hold()).min(self.visit.until(None));
        loop {
            match talk.next(until).await {
                Word::Nothing { .. } => break,
                over @ Word::Over(..) => return Err(over.unexpected("as soon as it was open")),
                _ => {}
            }
        }
        round.connects.push((upgraded.checked_sub(took).unwrap_or(upgraded), took));
        self.leave(talk, way).await;
        Ok(())
    }

    /// One more session with the gateway; why not, where it does not come about.
    pub(super) async fn enter(&self) -> Result<Talk, Verdict> {
        let within = Some(self.check.connect_timeout.get());
        let ask = Ask { peer: self.peer, within, ..Ask::default() };
        let opened = self.visit.open(&ask, &Record::new()).await;
        let mut talk = Talk::new(self.visit, opened.map_err(|refusal| refusal.verdict())?);
        talk.open(self.visit, within).await?;
        Ok(talk)
    }

    async fn leave(&self, mut talk: Talk, way: Leave) {
        let how = match way {
            Leave::Fin => End::Fin,
            Leave::Rst => End::Rst,
            Leave::Close => {
                talk.opened.afford_control().await;
                talk.opened.evidence.enter(Phase::Close);
                let said = talk.opened.say_close(1000, self.visit.until(Some(COURTESY))).await;
                let until = self.visit.until(Some(GOODBYE));
                // Behind a Close nothing is said.
                talk.manners = Manners::MUTE;
                while said.is_ok() {
                    match talk.next(until).await {
                        // To end TCP is the gateway's part.
                        Word::Over(Heard::Ended { .. }, _) => return,
                        Word::Over(Heard::Broken(_) | Heard::TooLarge { .. }, _) | Word::Nothing { .. } => {
                            break;
                        }
                        _ => {}
                    }
                }
                End::Fin
            }
        };
        talk.opened.dialed.socket.sever(how);
    }

    fn has_time(&self) -> bool {
        Instant::now() < self.visit.until(None)
    }

    fn has_time_for_one(&self) -> bool {
        Instant::now() + self.check.connect_timeout.get() < self.visit.until(None)
    }
}

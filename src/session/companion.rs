//! The healthy connection beside a check that mistreats a gateway: when it grows slow, the check has to stop.

use std::time::{Duration, Instant as StdInstant};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bystander::Bystander;
use super::talk::Talk;
use super::visit::Visit;
use super::word::Word;
use crate::dialect::Part;
use crate::model::{Cause, Failure, Outcome, Verdict};

/// Whether a healthy connection was seen to be served to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It answered after all was over.
    Served,
    /// The run was over before that could be seen.
    Missing,
}

/// A healthy connection with what it is used to.
#[derive(Debug)]
pub struct Companion {
    talk: Talk,
    bystander: Bystander,
    /// What it says; see [`Talk::say_something`].
    parts: &'static [Part],
    within: Duration,
    /// Who wants to know of each sample.
    listener: Option<watch::Sender<Option<Sampled>>>,
}

/// A sample of a companion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampled {
    /// Right before it was asked.
    pub at: StdInstant,
    /// The answer was later than usual.
    pub slow: bool,
}

impl Companion {
    /// Samples of the time before, and the time between them.
    pub const BASELINE: (u32, Duration) = (5, Duration::from_millis(200));

    /// Learns the usual round-trip time before anything is mistreated.
    ///
    /// # Errors
    /// The verdict, when the connection ends; inconclusive where an answer does not come, for `heartbeat` to count.
    pub async fn learn(
        visit: &Visit,
        mut talk: Talk,
        parts: &'static [Part],
        within: Duration,
    ) -> Result<Self, Verdict> {
        let (samples, every) = Self::BASELINE;
        let mut bystander = Bystander::default();
        for _ in 0..samples {
            let next = Instant::now() + every;
            let (_, rtt) = talk.say_something(visit, parts, within).await.map_err(precondition)?;
            bystander.learn(rtt);
            // Listens on: a gateway's heartbeat must not wait for its answer.
            loop {
                match talk.next(next).await {
                    Word::Nothing { mid_frame: false } => break,
                    over @ (Word::Over(..) | Word::Nothing { .. }) => {
                        return Err(over.in_session(talk.has_answered()));
                    }
                    _ => {}
                }
            }
        }
        Ok(Self { talk, bystander, parts, within, listener: None })
    }

    /// From now on the latest sample can be seen; the channel closes when nothing is watched any more.
    pub fn listen(&mut self) -> watch::Receiver<Option<Sampled>> {
        let (listener, samples) = watch::channel(None);
        self.listener = Some(listener);
        samples
    }

    /// Its usual round-trip time, at most.
    pub fn rtt(&self) -> Duration {
        self.bystander.slowest().unwrap_or_default()
    }

    /// The connection, where nothing more is to be watched.
    pub fn into_talk(self) -> Talk {
        self.talk
    }

    /// Says something each `every` until all is over; calls `trip` where it grows slow, or is not answered at all.
    /// Without `trip`, slowness is of no interest, and a lost answer is an error.
    ///
    /// # Errors
    /// The verdict, when the gateway ends the connection.
    pub async fn watch(
        mut self,
        visit: &Visit,
        every: Duration,
        over: &CancellationToken,
        trip: Option<&(dyn Fn() + Sync)>,
    ) -> Result<Proof, Verdict> {
        let mut tripped = false;
        while !over.is_cancelled() && time_left(visit, self.within) {
            let next = Instant::now() + every;
            match (self.talk.say_something(visit, self.parts, self.within).await, trip) {
                (Ok((at, rtt)), Some(trip)) => {
                    if self.bystander.trips(rtt) {
                        tripped = true;
                        trip();
                    }
                    self.tell(Sampled { at, slow: self.bystander.is_slow() });
                }
                (Ok((at, _)), None) => self.tell(Sampled { at, slow: false }),
                (Err(Verdict { outcome: Outcome::Fail(Failure::PongLost), .. }), Some(trip)) => {
                    trip();
                    return Ok(Proof::Missing);
                }
                (Err(verdict), _) => return Err(verdict),
            }
            while let Some(word) = self.talk.next_unless(over, next.min(visit.until(None))).await {
                match word {
                    Word::Nothing { .. } => break,
                    end @ Word::Over(..) => return Err(end.in_session(self.talk.has_answered())),
                    _ => {}
                }
            }
        }
        if tripped {
            return Ok(Proof::Missing);
        }
        self.talk.prove(visit, self.parts, self.within).await
    }

    fn tell(&self, sample: Sampled) {
        if let Some(listener) = &self.listener {
            listener.send_replace(Some(sample));
        }
    }
}

impl Talk {
    /// To be open is not enough: it must still be served. Says goodbye then.
    ///
    /// # Errors
    /// As [`Talk::say_something`].
    pub async fn prove(mut self, visit: &Visit, parts: &[Part], within: Duration) -> Result<Proof, Verdict> {
        if !time_left(visit, within) {
            return Ok(Proof::Missing);
        }
        self.say_something(visit, parts, within).await?;
        self.leave(visit).await;
        Ok(Proof::Served)
    }
}

/// Whether an answer can still come before the run must end.
pub(super) fn time_left(visit: &Visit, within: Duration) -> bool {
    Instant::now() + within < visit.until(None)
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

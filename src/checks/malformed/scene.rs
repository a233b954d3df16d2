//! What all connections of a run share: the way in, the bystander beside it, and what was seen so far.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant};

use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::config::Malformed;
use super::judge::{Assertion, Entry};
use super::vectors::Vector;
use crate::dialect::{Origin, Part, Variables};
use crate::model::{Outcome, Verdict};
use crate::session::{Ask, Companion, Proof, Sampled, Talk, Visit};
use crate::wire::Record;

/// How long a bystander that grew slow is watched for getting well again.
const RECOVERY: Duration = Duration::from_secs(30);

/// What all connections of a run share.
pub(super) struct Scene<'a> {
    pub check: &'a Malformed,
    pub visit: &'a Visit,
    /// Where every connection of the run goes.
    pub peer: Option<IpAddr>,
    /// Cancelled when nothing more is sent.
    pub over: CancellationToken,
    pub entries: Mutex<Vec<Entry>>,
    tripped: AtomicBool,
    /// How the bystander ended, once it has.
    bystander: Mutex<Option<Result<Proof, Verdict>>>,
}

/// How the bystander is.
#[derive(Debug)]
pub(super) enum Beside {
    /// Served as before.
    Well,
    /// Grown slow.
    Slow,
    /// Let down; the verdict says how.
    Gone(Verdict),
    /// There was no time left to see.
    Unknown,
}

impl<'a> Scene<'a> {
    pub fn new(check: &'a Malformed, visit: &'a Visit, peer: Option<IpAddr>) -> Self {
        Self {
            check,
            visit,
            peer,
            over: CancellationToken::new(),
            entries: Mutex::default(),
            tripped: AtomicBool::new(false),
            bystander: Mutex::new(None),
        }
    }

    /// What has been seen so far.
    pub fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down what became of a vector.
    pub fn note(&self, entry: Entry) {
        let line = format!("{}: {} ({})", entry.vector.name, entry.label(), entry.judgement.label());
        self.visit.evidence.remark(line);
        self.entries().push(entry);
    }

    /// Whether a vector can still be seen to its end.
    pub fn time_for(&self, vector: &Vector) -> bool {
        Instant::now() + self.check.longest(vector) < self.visit.until(None)
    }

    /// A connection in a session.
    ///
    /// # Errors
    /// The verdict, as it is: what it means beside a vector is for the caller to say.
    pub async fn enter(&self, ask: Ask) -> Result<Talk, Verdict> {
        let within = Some(self.check.connect_timeout.get());
        let ask = Ask { peer: self.peer, within, ..ask };
        let opened = self.visit.open(&ask, &Record::new()).await.map_err(|refusal| refusal.verdict())?;
        let mut talk = Talk::new(self.visit, opened);
        talk.open(self.visit, within).await?;
        Ok(talk)
    }

    /// A new connection must open and answer a ping.
    pub async fn probe(&self) -> Result<(), Verdict> {
        let mut talk = self.enter(Ask::default()).await?;
        talk.say_something(self.visit, &[], self.check.pong_timeout.get()).await?;
        talk.leave(self.visit).await;
        Ok(())
    }

    /// Watches the bystander until nothing more is sent.
    pub async fn watch(&self, bystander: Companion) {
        let trip = || self.tripped.store(true, Ordering::Relaxed);
        let may_trip = self.check.without != Some(Assertion::BystanderServed);
        let trip: Option<&(dyn Fn() + Sync)> = if may_trip { Some(&trip) } else { None };
        let every = self.check.bystander_every();
        // The listener's end and this note come in one step: nobody looks in between.
        let ended = bystander.watch(self.visit, every, &self.over, trip).await;
        *self.bystander.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }

    /// How the bystander is, by a sample that began after `since`. While its samples are slow nothing else is sent,
    /// so that what slowed it is known.
    pub async fn beside(&self, samples: &mut Receiver<Option<Sampled>>, since: StdInstant) -> Beside {
        loop {
            if self.tripped.load(Ordering::Relaxed) {
                return Beside::Slow;
            }
            let sample = *samples.borrow_and_update();
            if sample.is_some_and(|sample| sample.at > since && !sample.slow) {
                return Beside::Well;
            }
            if samples.changed().await.is_err() {
                break;
            }
        }
        let ended = self.bystander.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match ended {
            _ if self.tripped.load(Ordering::Relaxed) => Beside::Slow,
            Some(Err(_)) if self.check.without == Some(Assertion::BystanderServed) => Beside::Well,
            Some(Err(verdict)) => Beside::Gone(verdict),
            Some(Ok(_)) | None => Beside::Unknown,
        }
    }

    /// After a trip: how long it takes until the bystander is served as before; none where it is not, in time. A
    /// second run that confirms the finding must not learn from a gateway that still suffers.
    pub async fn recovery(&self, samples: &mut Receiver<Option<Sampled>>) -> Option<Duration> {
        let began = Instant::now();
        let recovered = async {
            loop {
                let well = samples.borrow_and_update().is_some_and(|sample| !sample.slow);
                if well {
                    return true;
                }
                if samples.changed().await.is_err() {
                    return false;
                }
            }
        };
        let until = self.visit.until(Some(RECOVERY));
        timeout_at(until, recovered).await.unwrap_or(false).then(|| began.elapsed())
    }

    /// What a well-behaved client says: where the gateway counts our data, an echo does too.
    pub fn words(visit: &Visit, captured: &Variables) -> &'static [Part] {
        match visit.target().dialect.zombie(captured) {
            Some(promise) if promise.origin == Origin::LastClientData => &[Part::Heartbeat, Part::Echo],
            _ => &[Part::Heartbeat],
        }
    }

    /// Whether a verdict accuses the gateway.
    pub fn accuses(verdict: &Verdict) -> bool {
        matches!(verdict.outcome, Outcome::Fail(_))
    }
}

/// A moment of the socket's clock on the timer's.
pub(super) fn after(since: StdInstant, pause: Duration) -> Instant {
    let left = (since + pause).saturating_duration_since(StdInstant::now());
    Instant::now() + left
}

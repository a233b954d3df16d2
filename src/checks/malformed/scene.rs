//! What all connections of a run share: the way in, the bystander beside it, and what was seen so far.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant};

use futures_util::future::BoxFuture;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::acceptable::Word;
use super::config::Malformed;
use super::course::is_crash;
use super::judge::{Assertion, Entry};
use super::vectors::Vector;
use crate::dialect::{Origin, Part, Variables};
use crate::model::{Cause, Failure, Outcome, Verdict};
use crate::session::{Ask, Companion, Proof, Sampled, Talk, Visit};
use crate::wire::Record;

/// How long a bystander that grew slow is watched for getting well again.
const RECOVERY: Duration = Duration::from_secs(30);
/// Before a connection that failed is tried again, and once more.
pub(super) const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
/// Connections that may be tried again in a run.
pub(super) const SPARE: u32 = 6;
/// Vectors that were sent so short before harm was seen may have done it as well.
const SUSPECT: Duration = Duration::from_secs(1);

/// What all connections of a run share.
pub(super) struct Scene<'a> {
    pub check: &'a Malformed,
    pub visit: &'a Visit,
    /// Where every connection of the run goes.
    pub peer: Option<IpAddr>,
    /// Cancelled when nothing more is sent.
    pub over: CancellationToken,
    /// Cancelled when the bystander suffers: then nothing more is sent.
    pub stop: CancellationToken,
    entries: Mutex<Vec<Entry>>,
    /// What a well-behaved client says to be answered; see [`Scene::words`].
    pub parts: &'static [Part],
    /// What was sent, and when.
    shots: Mutex<Vec<(&'static Vector, StdInstant)>>,
    /// Connections that failed and that a later one may make good.
    spare: AtomicU32,
    tripped: AtomicBool,
    /// How the bystander ended, once it has.
    bystander: Mutex<Option<Result<Proof, Verdict>>>,
}

/// How the bystander is.
#[derive(Debug)]
pub(super) enum Beside {
    /// Served as before.
    Well,
    /// Not any more.
    Harmed(Harm),
    /// There was no time left to see.
    Unknown,
}

/// What the bystander suffered.
#[derive(Debug)]
pub(super) enum Harm {
    /// It grew slow.
    Slow,
    /// The gateway dropped it.
    Dropped(Verdict),
    /// The gateway ended it for a reason that it gave, or something else did.
    Over(Verdict),
}

impl<'a> Scene<'a> {
    pub fn new(check: &'a Malformed, visit: &'a Visit, peer: Option<IpAddr>, parts: &'static [Part]) -> Self {
        Self {
            check,
            visit,
            peer,
            over: CancellationToken::new(),
            stop: CancellationToken::new(),
            entries: Mutex::default(),
            parts,
            shots: Mutex::default(),
            spare: AtomicU32::new(SPARE),
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
        talk.say_something(self.visit, self.parts, self.check.pong_timeout.get()).await?;
        talk.leave(self.visit).await;
        Ok(())
    }

    /// Tries again, twice, what needs a connection that did not come about or did not work: one failure among many
    /// is no crash. Who says that it has no capacity is not asked again.
    ///
    /// # Errors
    /// The last failure; or inconclusive, where connections fail now and then all through the run.
    pub async fn patiently<'f, T>(
        &self,
        what: impl Fn() -> BoxFuture<'f, Result<T, Verdict>>,
    ) -> Result<T, Verdict> {
        for pause in AGAIN {
            let verdict = match what().await {
                Err(verdict) if is_crash(&verdict) => verdict,
                done => return done,
            };
            let line = format!("a connection came to nothing, and is tried again: {}", verdict.detail);
            self.visit.evidence.remark(line);
            let take = |left: u32| left.checked_sub(1);
            if self.spare.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
                let detail = format!("connections fail now and then: {}", verdict.detail);
                return Err(Verdict::new(Outcome::Inconclusive(Cause::Precondition), detail));
            }
            sleep(pause).await;
        }
        what().await
    }

    /// What is right for a vector.
    pub fn right(&self, vector: &Vector) -> Vec<Word> {
        self.check.acceptable(vector, Some(&self.visit.target().dialect))
    }

    /// Takes down that a vector goes out now.
    pub fn shoots(&self, vector: &'static Vector) {
        self.shots.lock().unwrap_or_else(PoisonError::into_inner).push((vector, StdInstant::now()));
    }

    /// Whether anything of a vector went out.
    pub fn has_shot(&self, vector: &Vector) -> bool {
        let shots = self.shots.lock().unwrap_or_else(PoisonError::into_inner);
        shots.last().is_some_and(|(last, _)| last.name == vector.name)
    }

    /// For people: how many others were sent shortly before harm was seen after this vector.
    pub fn others(&self, vector: &Vector) -> String {
        let shots = self.shots.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: &StdInstant| at.elapsed() < SUSPECT;
        let others = shots.iter().filter(|(other, at)| other.name != vector.name && recent(at)).count();
        match others {
            0 => String::new(),
            count => format!(" (or one of the {count} before it, sent within the last second, did it)"),
        }
    }

    /// Watches the bystander until nothing more is sent.
    pub async fn watch(&self, bystander: Companion) {
        let trip = || {
            self.tripped.store(true, Ordering::Relaxed);
            self.stop.cancel();
        };
        let may_trip = self.check.without != Some(Assertion::BystanderServed);
        let trip: Option<&(dyn Fn() + Sync)> = if may_trip { Some(&trip) } else { None };
        let every = self.check.bystander_every();
        // The listener's end and this note come in one step: nobody looks in between.
        let ended = bystander.watch(self.visit, every, &self.over, trip).await;
        *self.bystander.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        if self.harm().is_some() {
            self.stop.cancel();
        }
    }

    /// What the bystander has suffered so far.
    pub fn harm(&self) -> Option<Harm> {
        if self.tripped.load(Ordering::Relaxed) {
            return Some(Harm::Slow);
        }
        let ended = self.bystander.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match ended?.err()? {
            // Only where its slowness is of no interest.
            Verdict { outcome: Outcome::Fail(Failure::PongLost), .. } => None,
            // Who says goodbye to it by a Close is alive: it may have its own reasons, such as the session's age.
            verdict @ Verdict { outcome: Outcome::Fail(Failure::SessionClosed), .. } => {
                Some(Harm::Over(verdict))
            }
            verdict if is_crash(&verdict) => Some(Harm::Dropped(verdict)),
            verdict => Some(Harm::Over(verdict)),
        }
    }

    /// How the bystander is, by a sample that began after `since`. While its samples are slow nothing else is sent,
    /// so that what slowed it is known.
    pub async fn beside(&self, samples: &mut Receiver<Option<Sampled>>, since: StdInstant) -> Beside {
        loop {
            if let Some(harm) = self.harm() {
                return Beside::Harmed(harm);
            }
            let sample = *samples.borrow_and_update();
            if sample.is_some_and(|sample| sample.at > since && !sample.slow) {
                return Beside::Well;
            }
            if samples.changed().await.is_err() {
                break;
            }
        }
        match self.harm() {
            Some(harm) => Beside::Harmed(harm),
            None if self.check.without == Some(Assertion::BystanderServed) => Beside::Well,
            None => Beside::Unknown,
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
}

/// A moment of the socket's clock on the timer's.
pub(super) fn after(since: StdInstant, pause: Duration) -> Instant {
    let left = (since + pause).saturating_duration_since(StdInstant::now());
    Instant::now() + left
}

//! The `zombie` check: connections go silent with TCP up. When does the gateway let go of them, how, and does it
//! keep those that behave?

mod clock;
mod company;
mod config;
mod judge;
mod metrics;
mod recovery;
mod silent;
mod stalled;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{OptionFuture, join, join_all};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use config::{Mode, Window, Zombie};
pub use judge::Assertion;
pub use metrics::METRICS;

use crate::checks::{Capability, capability};
use crate::dialect::{Origin, Part};
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Failure, Verdict};
use crate::session::{Ask, Companion, Talk, Target, Visit};
use crate::wire::Record;
use clock::{Limits, Observation};
use judge::Seen;

/// What it may find, beside what any session may end with.
pub(super) const FAILURES: &[Failure] = &[
    Failure::ZombieLeaked,
    Failure::HalfClosedLeak,
    Failure::EvictedEarly,
    Failure::RecoveredEvicted,
    Failure::FalseEviction,
    Failure::CollateralDamage,
];

/// What all connections of a run share.
struct Scene<'a> {
    check: &'a Zombie,
    visit: &'a Visit,
    limits: Limits,
    /// The largest round-trip time that was usual before.
    rtt: Duration,
    /// Cancelled when the check has to stop at once.
    stop: CancellationToken,
    /// Cancelled when the fate of all silent connections is known.
    settled: CancellationToken,
    tripped: AtomicBool,
    /// One for each healthy connection that is open.
    present: Semaphore,
}

impl Scene<'_> {
    fn window(&self) -> Option<&Window> {
        self.check.window.as_ref()
    }

    /// What counts as a sign of life. Where the gateway counts our data, an echo does too; elsewhere a ping frame is
    /// less.
    fn words(&self) -> &'static [Part] {
        match self.window() {
            Some(Window { origin: Origin::LastClientData, .. }) => &[Part::Heartbeat, Part::Echo],
            _ => &[Part::Heartbeat],
        }
    }

    fn may_trip(&self) -> bool {
        self.check.without != Some(Assertion::BystanderServed)
    }

    fn trip(&self) {
        if self.may_trip() {
            self.tripped.store(true, Ordering::Relaxed);
            self.stop.cancel();
        }
    }

    fn tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }

    /// Waits until all healthy connections are open: silence is not to begin before; false where it never comes
    /// to that.
    async fn everybody_is_present(&self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            present = self.present.acquire_many(self.check.healthy() - 1) => present.is_ok(),
        }
    }

    /// Whether a ping can still be answered before the run must end.
    fn time_left(&self) -> bool {
        Instant::now() + self.check.pong_timeout.get() < self.visit.until(None)
    }
}

impl Zombie {
    /// Holds silent and healthy connections together, and judges what became of them.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self.steps(visit).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }

    /// The series that exist at 0 before the first run.
    pub fn series_at_zero(&self, target: &Target) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        let modes = self.modes().into_iter().filter(|mode| Self::has(&target.dialect, *mode));
        metrics::expected(modes)
    }

    async fn steps(&self, visit: &Visit) -> Result<Verdict, Verdict> {
        let talk = self.connect(visit, None, None).await?;
        let peer = visit.peer(&talk.opened);
        let check = self.clone().promised(&visit.target().dialect, talk.variables());
        let mut scene = Scene {
            check: &check,
            visit,
            limits: Limits {
                tolerance: check.tolerance.get(),
                beat_within: check.beat_within(),
                release: check.close_timeout(),
            },
            rtt: Duration::ZERO,
            stop: CancellationToken::new(),
            settled: CancellationToken::new(),
            tripped: AtomicBool::new(false),
            present: Semaphore::new(0),
        };
        let within = check.pong_timeout.get();
        let bystander = Companion::learn(visit, talk, scene.words(), within).await?;
        scene.rtt = bystander.rtt();
        let seen = check.hold(&scene, peer, bystander).await?;
        check.tell_capabilities(&scene, &seen);
        metrics::keep(&scene, &seen);
        Ok(judge::verdict(&scene, &seen))
    }

    /// Holds all connections together until the fate of the silent ones is known.
    async fn hold(
        &self,
        scene: &Scene<'_>,
        peer: Option<IpAddr>,
        bystander: Companion,
    ) -> Result<Seen, Verdict> {
        let has = |mode: &&Mode| Self::has(&scene.visit.target().dialect, **mode);
        let modes = Mode::ALL.iter().filter(has);
        let silent = modes.flat_map(|mode| (0..self.zombies(*mode)).map(|_| *mode));
        let silent = join_all(silent.map(|mode| self.silent(scene, peer, mode)));
        let recovery = OptionFuture::from(self.earliest().map(|earliest| async move {
            if !scene.everybody_is_present().await {
                return Ok(recovery::Recovery::default());
            }
            let talk = self.join(scene, peer, None).await?;
            Ok::<_, Verdict>(recovery::watch(scene, talk, earliest).await)
        }));
        let settling = async {
            let results = join(silent, recovery).await;
            scene.settled.cancel();
            results
        };
        let healthy = join_all((1..self.healthy()).map(async |_| {
            let talk = self.join(scene, peer, None).await?;
            scene.present.add_permits(1);
            // Whoever was connected and then let down is told of apart.
            Ok::<_, Verdict>(company::attend(scene, talk).await)
        }));
        let ((silent, recovery), first, others) =
            tokio::join!(settling, company::watch(scene, bystander), healthy);
        let mut healthy = vec![first];
        for other in others {
            healthy.push(other?);
        }
        let silent = silent.into_iter().collect::<Result<Vec<_>, Verdict>>()?;
        Ok(Seen {
            unshut: silent.iter().filter(|seen| seen.is_none()).count(),
            silent: silent.into_iter().flatten().collect(),
            recovery: recovery.transpose()?,
            healthy,
        })
    }

    async fn silent(
        &self,
        scene: &Scene<'_>,
        peer: Option<IpAddr>,
        mode: Mode,
    ) -> Result<Option<Observation>, Verdict> {
        if !scene.everybody_is_present().await {
            return Ok(None);
        }
        match mode {
            Mode::Stalled => {
                let talk = self.join(scene, peer, Some(stalled::RECEIVE_BUFFER)).await?;
                Ok(stalled::watch(scene, talk).await)
            }
            Mode::Mute | Mode::HalfDead => {
                let talk = self.join(scene, peer, None).await?;
                Ok(Some(silent::watch(scene, talk, mode).await))
            }
        }
    }

    /// The earliest promised time, where recovery is looked at: who may be closed at any time can't be saved by
    /// an answer.
    fn earliest(&self) -> Option<Duration> {
        let window = self.window.as_ref().filter(|_| self.recovery)?;
        window.earliest.map(|earliest| earliest.get()).filter(|earliest| *earliest > Duration::ZERO)
    }

    /// One more connection; without it the run is over.
    async fn join(
        &self,
        scene: &Scene<'_>,
        peer: Option<IpAddr>,
        buffer: Option<u32>,
    ) -> Result<Talk, Verdict> {
        let talk = self.connect(scene.visit, peer, buffer).await;
        talk.inspect_err(|_| scene.stop.cancel())
    }

    async fn connect(
        &self,
        visit: &Visit,
        peer: Option<IpAddr>,
        receive_buffer: Option<u32>,
    ) -> Result<Talk, Verdict> {
        let within = Some(self.connect_timeout.get());
        let ask = Ask { peer, receive_buffer, within, ..Ask::default() };
        let opened = visit.open(&ask, &Record::new()).await.map_err(|refusal| refusal.precondition())?;
        Talk::begin(visit, opened, self.connect_timeout.get()).await
    }

    fn tell_capabilities(&self, scene: &Scene<'_>, seen: &Seen) {
        let visit = scene.visit;
        capability(visit, Capability::ZombieWindow, self.window.is_some());
        capability(visit, Capability::Recovery, self.earliest().is_some());
        for mode in self.modes() {
            let (what, can) = match mode {
                Mode::Mute => (Capability::Mute, true),
                Mode::HalfDead => {
                    let asked = seen.silent.iter().any(|seen| seen.mode == mode && seen.origin.is_some());
                    (Capability::HalfDead, asked || self.window.is_none())
                }
                Mode::Stalled => (Capability::Stalled, seen.unshut == 0),
            };
            capability(visit, what, can);
        }
    }
}

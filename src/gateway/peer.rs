//! One connection as the rest of the gateway sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::arrival::Turn;
use super::event::EventKind;
use super::fault::{FaultKind, FaultSet};
use super::kernel::monotonic_ns;
use super::offence::Offence;
use super::settings::Settings;
use super::shared::Shared;
use super::traffic::{Quantity, Traffic};

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// TCP only.
    Accepted,
    /// TLS is up; the upgrade is not.
    Secured,
    /// The 101 was sent.
    Open,
}

impl Phase {
    /// Its name in the control API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Secured => "secured",
            Self::Open => "open",
        }
    }
}

/// One connection as the rest of the gateway sees it.
pub struct Peer {
    /// Counts connections from 1.
    pub id: u64,
    /// The client's address.
    pub address: SocketAddr,
    /// When it was accepted, in nanoseconds of `CLOCK_MONOTONIC`.
    pub accepted_ns: u64,
    /// What counting faults have in store for it.
    pub turn: Turn,
    /// The faults that were on when it was accepted.
    pub faults: Arc<FaultSet>,
    /// Cancelled when the gateway crashes.
    pub crash: CancellationToken,
    /// The gateway it belongs to.
    pub shared: Arc<Shared>,
    /// How it does.
    pub vitals: Vitals,
    /// What went over it.
    pub traffic: Traffic,
    dismissed: Notify,
    phase: AtomicU8,
}

impl Peer {
    /// A connection that was accepted just now.
    pub fn new(
        id: u64,
        address: SocketAddr,
        turn: Turn,
        faults: Arc<FaultSet>,
        crash: CancellationToken,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            id,
            address,
            accepted_ns: monotonic_ns(),
            turn,
            faults,
            crash,
            shared,
            vitals: Vitals::default(),
            traffic: Traffic::default(),
            dismissed: Notify::new(),
            phase: AtomicU8::new(Phase::Accepted as u8),
        }
    }

    /// Counts and logs what happens on this connection now.
    pub fn log(&self, event: EventKind) {
        self.log_at(None, event);
    }

    /// Counts and logs what happened on this connection at `at`, in nanoseconds of
    /// `CLOCK_MONOTONIC`, or now.
    pub fn log_at(&self, at: Option<u64>, event: EventKind) {
        let shared = &self.shared;
        shared.metrics.count(&event);
        match event {
            EventKind::TlsDone => self.phase.store(Phase::Secured as u8, Ordering::Relaxed),
            EventKind::Upgraded => {
                shared.metrics.sessions(1);
                self.phase.store(Phase::Open as u8, Ordering::Relaxed);
            }
            _ => {}
        }
        shared.log.push(Some((self.id, self.address)), at, event);
    }

    /// Notes, with the faults that concern it now, what the client did wrong at `at`, in nanoseconds
    /// of `CLOCK_MONOTONIC`, or now.
    pub fn offend(&self, at: Option<u64>, offence: Offence, faults: &FaultSet) {
        self.log_at(at, EventKind::Offence { offence });
        self.shared.blame(self.id, offence, faults);
    }

    /// Counts what went over this connection.
    pub fn count(&self, quantity: Quantity, count: u64) {
        self.traffic.add(quantity, count);
        self.shared.metrics.traffic(quantity, count);
    }

    /// Whether a fault was on when the connection was accepted.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.faults.has(kind)
    }

    /// How far it has come.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Accepted,
            1 => Phase::Secured,
            _ => Phase::Open,
        }
    }

    /// Tells its session to close, though it did nothing wrong.
    pub fn dismiss(&self) {
        self.vitals.leave();
        self.dismissed.notify_one();
    }

    /// Waits until the session is to close.
    pub async fn dismissed(&self) {
        self.dismissed.notified().await;
    }
}

/// A client counts as suspect once a ping has been unanswered for so much of its timeout.
pub const SUSPECT: f64 = 0.4;
/// Where only data messages count, a client may be silent for long and still be well.
const SUSPECT_IDLE: f64 = 0.9;

/// How a session does, as the others may see it; times on the clock of [`Shared`], 0 for none.
#[derive(Debug, Default)]
pub struct Vitals {
    ping: AtomicU64,
    application_ping: AtomicU64,
    data: AtomicU64,
    leaving: AtomicBool,
}

impl Vitals {
    /// Notes when the oldest unanswered ping of each level was sent, and when data came last.
    pub fn note(&self, ping: u64, application_ping: u64, data: u64) {
        self.ping.store(ping, Ordering::Relaxed);
        self.application_ping.store(application_ping, Ordering::Relaxed);
        self.data.store(data, Ordering::Relaxed);
    }

    /// Notes that the session is about to end.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether a ping has been unanswered for suspiciously long.
    pub fn is_suspect(&self, settings: &Settings, now: u64) -> bool {
        !self.leaving.load(Ordering::Relaxed) && self.unanswered(settings, now) >= SUSPECT
    }

    /// How much of a timeout has passed; `None` for a session that is suspect or about to end.
    pub fn sickness(&self, settings: &Settings, now: u64) -> Option<f64> {
        let unanswered = self.unanswered(settings, now);
        let idle = part(&self.data, settings.idle_timeout, now);
        let well = unanswered < SUSPECT && idle < SUSPECT_IDLE && !self.leaving.load(Ordering::Relaxed);
        well.then_some(unanswered.max(idle))
    }

    fn unanswered(&self, settings: &Settings, now: u64) -> f64 {
        let application = settings.application_heartbeat.map(|beat| beat.timeout);
        let protocol = part(&self.ping, Some(settings.heartbeat_timeout), now);
        protocol.max(part(&self.application_ping, application, now))
    }
}

/// How much of `limit` has passed since `moment`.
fn part(moment: &AtomicU64, limit: Option<Duration>, now: u64) -> f64 {
    match (moment.load(Ordering::Relaxed), limit) {
        (0, _) | (_, None) => 0.0,
        (moment, Some(limit)) => {
            Duration::from_nanos(now.saturating_sub(moment)).as_secs_f64() / limit.as_secs_f64()
        }
    }
}

//! What all connections of one gateway share: settings, the faults that are on, log and metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::arrival::Arrivals;
use super::damage::Damage;
use super::event::EventKind;
use super::fault::{Fault, FaultError, FaultKind, FaultSet, lacks};
use super::hub::Hub;
use super::jwt::UsedTokens;
use super::kernel::monotonic_ns;
use super::leak::Leaks;
use super::log::Log;
use super::metrics::Metrics;
use super::offence::{Offence, covers};
use super::peer::{Peer, Phase};
use super::settings::Settings;
use super::tls::Identity;

/// Shared by the accept loop, all connections, the control API and the handle.
pub struct Shared {
    /// What the gateway was started with.
    pub settings: Settings,
    /// What it did.
    pub log: Log,
    /// How often it did it.
    pub metrics: Metrics,
    /// The streams, and the sessions that subscribe to them.
    hub: Mutex<Hub>,
    used_tokens: Mutex<UsedTokens>,
    /// The certificates, where the gateway speaks TLS.
    pub identity: Option<Identity>,
    /// Cancelled when the gateway begins to shut down.
    pub drain: CancellationToken,
    /// Cancelled when every connection must end at once.
    pub cut: CancellationToken,
    faults: watch::Sender<Arc<FaultSet>>,
    started: Instant,
    arrivals: Arrivals,
    leaks: Mutex<Leaks>,
    damage: Damage,
    peers: Mutex<BTreeMap<u64, Arc<Peer>>>,
    last_id: AtomicU64,
}

impl Shared {
    /// The state of a gateway that has no connection yet, and no fault.
    pub fn new(settings: Settings, identity: Option<Identity>) -> Self {
        Self {
            log: Log::new(settings.log_capacity),
            metrics: Metrics::new(),
            hub: Mutex::new(Hub::new(settings.session_retention)),
            used_tokens: Mutex::default(),
            settings,
            identity,
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
            faults: watch::Sender::default(),
            started: Instant::now(),
            arrivals: Arrivals::default(),
            leaks: Mutex::default(),
            damage: Damage::default(),
            peers: Mutex::default(),
            last_id: AtomicU64::new(0),
        }
    }

    /// Counts and logs what concerns no single connection.
    pub fn record(&self, event: EventKind) {
        self.metrics.count(&event);
        self.log.push(None, None, event);
    }

    /// The streams. Never held across an await.
    pub fn hub(&self) -> MutexGuard<'_, Hub> {
        lock(&self.hub)
    }

    /// The tokens that refreshes have used. Never held across an await.
    pub fn used_tokens(&self) -> MutexGuard<'_, UsedTokens> {
        lock(&self.used_tokens)
    }

    /// The faults that are on now.
    pub fn faults(&self) -> Arc<FaultSet> {
        self.faults.borrow().clone()
    }

    /// Follows the faults that are on.
    pub fn follow_faults(&self) -> watch::Receiver<Arc<FaultSet>> {
        self.faults.subscribe()
    }

    /// Switches a fault on, or gives it another value.
    ///
    /// # Errors
    /// A fault that could never show on this gateway, or whose value is out of range.
    pub fn set_fault(&self, fault: Fault) -> Result<(), FaultError> {
        let kind = fault.kind();
        // A value made in code may be one that the text form refuses.
        kind.with_value(fault.value().as_deref())?;
        if let Some(lacks) = lacks(&fault, &self.settings) {
            let name = kind.name();
            return Err(FaultError::NoEffect { name, lacks });
        }
        if let Some(identity) = &self.identity {
            identity.prepare(&fault)?;
        }
        let text = fault.to_string();
        // What is counted from the switch begins at the moment that the log tells.
        let switched = monotonic_ns();
        self.faults.send_modify(|faults| Arc::make_mut(faults).insert(fault, Instant::now()));
        self.metrics.fault(kind, true);
        self.log.push(None, Some(switched), EventKind::FaultSet { fault: text });
        Ok(())
    }

    /// Switches a fault off; `false` when it was not on.
    pub fn clear_fault(&self, kind: FaultKind) -> bool {
        let was_on =
            self.faults.send_if_modified(|faults| faults.has(kind) && Arc::make_mut(faults).remove(kind));
        if was_on {
            self.mend(kind);
            self.metrics.fault(kind, false);
            self.record(EventKind::FaultCleared { fault: kind.name() });
        }
        was_on
    }

    /// Switches all faults off.
    pub fn clear_all(&self) {
        for kind in FaultKind::ALL {
            self.clear_fault(*kind);
        }
    }

    /// Takes a new connection in, with the faults that are on now.
    pub fn enter(self: &Arc<Self>, address: SocketAddr) -> Arc<Peer> {
        let faults = self.faults();
        let now = Instant::now();
        let mut turn = self.arrivals.next(&faults, now);
        let crash = self.damage.join(now);
        turn.refused |= crash.is_none();
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let peer = Arc::new(Peer::new(id, address, turn, faults, crash.unwrap_or_default(), self.clone()));
        lock(&self.peers).insert(peer.id, peer.clone());
        self.metrics.open(1);
        peer.log(EventKind::Accepted);
        peer
    }

    /// Lets a connection go.
    pub fn leave(&self, peer: &Peer, reset: bool) {
        // Before the connection is gone: who sees none left also sees what their sessions left behind.
        if peer.phase() == Phase::Open {
            self.end_session();
        }
        lock(&self.peers).remove(&peer.id);
        self.metrics.open(-1);
        peer.log(EventKind::TcpClosed { reset });
    }

    /// Counts a session that ended, unless a leak is on.
    fn end_session(&self) {
        // The switch is looked at under the lock: what leaks after it was switched off would stay.
        let mut leaks = lock(&self.leaks);
        let faults = self.faults();
        if let Some(kib) = faults.number(FaultKind::MemoryLeaked) {
            leaks.keep(usize::try_from(kib.get()).unwrap_or(usize::MAX).saturating_mul(1024));
        }
        if faults.has(FaultKind::SessionsLeaked) {
            leaks.sessions += 1;
        } else {
            self.metrics.sessions(-1);
        }
    }

    /// Ends what a fault left behind that was switched off.
    fn mend(&self, kind: FaultKind) {
        match kind {
            FaultKind::SessionsLeaked => {
                let leaked = std::mem::take(&mut lock(&self.leaks).sessions);
                self.metrics.sessions(-leaked);
            }
            FaultKind::MemoryLeaked => lock(&self.leaks).free(),
            FaultKind::MalformedCrash => self.damage.restart(),
            FaultKind::MalformedHurts => self.damage.heal(),
            _ => {}
        }
    }

    /// Lets all others suffer for what a client did wrong, where a fault says so.
    pub fn blame(&self, connection: u64, offence: Offence, faults: &FaultSet) {
        if covers(faults, FaultKind::MalformedHurts, offence) {
            self.damage.hurt(connection, Instant::now());
        }
    }

    /// Resets all connections, like a process that dies and is started again.
    pub fn crash(&self) {
        self.record(EventKind::Crashed);
        self.damage.crash(Instant::now());
    }

    /// How much later the pongs of a connection come for another one's offence.
    pub fn slowed_by_offence(&self, connection: u64) -> Duration {
        self.damage.delay(connection, Instant::now())
    }

    /// The connections that are open now, the oldest first.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.peers).values().cloned().collect()
    }

    /// Whether a connection other than `own` leaves a ping unanswered for suspiciously long.
    pub fn has_suspect_beside(&self, own: u64) -> bool {
        let now = self.clock();
        let peers = lock(&self.peers);
        peers.values().any(|peer| peer.id != own && peer.vitals.is_suspect(&self.settings, now))
    }

    /// Picks the healthiest session other than `own`, and tells it to close.
    pub fn dismiss_healthy_beside(&self, own: u64) {
        let now = self.clock();
        let peers = lock(&self.peers);
        let others = peers.values().filter(|peer| peer.id != own && peer.phase() == Phase::Open);
        let healthy = others.filter_map(|peer| Some((peer.vitals.sickness(&self.settings, now)?, peer)));
        if let Some((_, peer)) = healthy.min_by(|(a, _), (b, _)| a.total_cmp(b)) {
            peer.dismiss();
        }
    }

    /// Nanoseconds since the gateway was made, at least 1.
    pub fn clock(&self) -> u64 {
        self.clock_of(Instant::now())
    }

    /// A moment on the gateway's own clock.
    pub fn clock_of(&self, moment: Instant) -> u64 {
        let elapsed = moment.saturating_duration_since(self.started);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> usize {
        lock(&self.peers).len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

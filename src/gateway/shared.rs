//! What all connections of one gateway share: settings, the faults that are on, log and metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clock::monotonic_ns;
use super::fault::{Fault, FaultError, FaultKind};
use super::log::{EventKind, Log};
use super::metrics::Metrics;
use super::settings::Settings;
use super::tls::Identity;

/// The faults that are on at one moment.
#[derive(Debug, Clone, Default)]
pub struct FaultSet(BTreeMap<FaultKind, Fault>);

impl FaultSet {
    /// Whether `kind` is on.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.0.contains_key(&kind)
    }

    /// The fault of this kind with its value, when it is on.
    pub fn get(&self, kind: FaultKind) -> Option<&Fault> {
        self.0.get(&kind)
    }

    /// The value of a fault that is on and has a duration.
    pub fn duration(&self, kind: FaultKind) -> Option<Duration> {
        match self.get(kind)? {
            Fault::AcceptDelay(value)
            | Fault::TlsExpiresIn(value)
            | Fault::UpgradeDelay(value)
            | Fault::UpgradeDrip(value)
            | Fault::HelloDelay(value)
            | Fault::FrameDrip(value)
            | Fault::CloseDelay(value) => Some(*value),
            _ => None,
        }
    }

    /// All that are on.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.values()
    }
}

/// Shared by the accept loop, all connections, the control API and the handle.
pub struct Shared {
    /// What the gateway was started with.
    pub settings: Settings,
    /// What it did.
    pub log: Log,
    /// How often it did it.
    pub metrics: Metrics,
    /// The certificates, where the gateway speaks TLS.
    pub identity: Option<Identity>,
    /// Cancelled when the gateway begins to shut down.
    pub drain: CancellationToken,
    /// Cancelled when every connection must end at once.
    pub cut: CancellationToken,
    faults: Mutex<Arc<FaultSet>>,
    refuse_counter: AtomicU64,
    peers: Mutex<BTreeMap<u64, Arc<Peer>>>,
    last_id: AtomicU64,
}

impl Shared {
    /// The state of a gateway that has no connection yet, and no fault.
    pub fn new(settings: Settings, identity: Option<Identity>) -> Self {
        Self {
            log: Log::new(settings.log_capacity),
            metrics: Metrics::new(),
            settings,
            identity,
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
            faults: Mutex::default(),
            refuse_counter: AtomicU64::new(0),
            peers: Mutex::default(),
            last_id: AtomicU64::new(0),
        }
    }

    /// Counts and logs what concerns no single connection.
    pub fn record(&self, event: EventKind) {
        self.metrics.count(&event);
        self.log.push(None, event);
    }

    /// The faults that are on now.
    pub fn faults(&self) -> Arc<FaultSet> {
        lock(&self.faults).clone()
    }

    /// Switches a fault on, or gives it another value.
    ///
    /// # Errors
    /// A fault that could never show on this gateway, or whose value is out of range.
    pub fn set_fault(&self, fault: Fault) -> Result<(), FaultError> {
        let kind = fault.kind();
        // A value made in code may be one that the text form refuses.
        kind.with_value(fault.value().as_deref())?;
        if let Some(lacks) = self.lacks(kind) {
            let name = kind.name();
            return Err(FaultError::NoEffect { name, lacks });
        }
        if let Some(identity) = &self.identity {
            identity.prepare(&fault)?;
        }
        if kind == FaultKind::RefuseEvery {
            self.refuse_counter.store(0, Ordering::Relaxed);
        }
        let text = fault.to_string();
        Arc::make_mut(&mut lock(&self.faults)).0.insert(kind, fault);
        self.metrics.fault(kind, true);
        self.record(EventKind::FaultSet { fault: text });
        Ok(())
    }

    /// Switches a fault off; `false` when it was not on.
    pub fn clear_fault(&self, kind: FaultKind) -> bool {
        let was_on = Arc::make_mut(&mut lock(&self.faults)).0.remove(&kind).is_some();
        if was_on {
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
        let refused = match faults.get(FaultKind::RefuseEvery) {
            Some(Fault::RefuseEvery(every)) => {
                let count = self.refuse_counter.fetch_add(1, Ordering::Relaxed) + 1;
                count.is_multiple_of(u64::from(every.get()))
            }
            _ => false,
        };
        let peer = Arc::new(Peer {
            id: self.last_id.fetch_add(1, Ordering::Relaxed) + 1,
            address,
            accepted_ns: monotonic_ns(),
            refused,
            faults,
            phase: AtomicU8::new(Phase::Accepted as u8),
            shared: self.clone(),
        });
        lock(&self.peers).insert(peer.id, peer.clone());
        self.metrics.open(1);
        peer.log(EventKind::Accepted);
        peer
    }

    /// Lets a connection go.
    pub fn leave(&self, peer: &Peer, reset: bool) {
        lock(&self.peers).remove(&peer.id);
        self.metrics.open(-1);
        if peer.phase() == Phase::Open {
            self.metrics.sessions(-1);
        }
        peer.log(EventKind::TcpClosed { reset });
    }

    /// The connections that are open now, the oldest first.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.peers).values().cloned().collect()
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> usize {
        lock(&self.peers).len()
    }

    fn lacks(&self, kind: FaultKind) -> Option<&'static str> {
        use FaultKind as K;
        let settings = &self.settings;
        let own_authority = self.identity.as_ref().is_some_and(Identity::is_self_made);
        match kind {
            K::TlsSilent | K::TlsGarbage | K::TlsClose if self.identity.is_none() => {
                Some("does not speak TLS")
            }
            K::TlsExpired | K::TlsNotYetValid | K::TlsWrongName | K::TlsSelfSigned | K::TlsExpiresIn
                if !own_authority =>
            {
                Some("has no certificate of its own making")
            }
            K::HelloDelay | K::NoHello | K::WrongHello if settings.hello.is_none() => {
                Some("has no hello message")
            }
            K::NoAuth if settings.token.is_none() => Some("asks for no token"),
            K::AnyOrigin if settings.origins.is_empty() => Some("accepts any origin anyway"),
            K::NoSubprotocol if settings.subprotocols.is_empty() => Some("knows no subprotocol"),
            _ => None,
        }
    }
}

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
    /// It is the K-th one of the fault `refuse_every`.
    pub refused: bool,
    /// The faults that were on when it was accepted.
    pub faults: Arc<FaultSet>,
    /// The gateway it belongs to.
    pub shared: Arc<Shared>,
    phase: AtomicU8,
}

impl Peer {
    /// Counts and logs what happened on this connection.
    pub fn log(&self, event: EventKind) {
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
        shared.log.push(Some((self.id, self.address)), event);
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
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

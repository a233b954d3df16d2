//! What a dial found out on its way, kept outside the dial, so that one that fails or is cut off by the
//! deadline leaves its timings and facts.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::certificate::TlsFacts;
use super::response::Response;
use crate::model::{Evidence, Phase};

/// How long each phase of a dial took. Each phase begins at the instant at which the one before it ended,
/// so they add up exactly to the total. With redirects each is the sum over the hops.
///
/// A phase that did not take place is absent: `dns` for an address in the URL or a pinned one, `tls` for ws.
/// Behind a proxy, `proxy` covers everything up to the open tunnel, and `dns` and `tcp` are absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Resolving the name.
    pub dns: Option<Duration>,
    /// Connecting.
    pub tcp: Option<Duration>,
    /// From the first step towards the proxy to its 2xx.
    pub proxy: Option<Duration>,
    /// The TLS handshake with the gateway.
    pub tls: Option<Duration>,
    /// From the dialect's request before the upgrade to the end of its answer; `dns`, `tcp` and `tls` then count
    /// both connections.
    pub before: Option<Duration>,
    /// From the upgrade request to the end of the response's header.
    pub upgrade: Option<Duration>,
    /// From the beginning of the first phase to the end of the last, on its own clock.
    pub elapsed: Duration,
}

impl Timings {
    /// The phases that took place, in their order.
    pub fn phases(&self) -> impl Iterator<Item = (Phase, Duration)> {
        [
            (Phase::Dns, self.dns),
            (Phase::Tcp, self.tcp),
            (Phase::Proxy, self.proxy),
            (Phase::Tls, self.tls),
            (Phase::Before, self.before),
            (Phase::Upgrade, self.upgrade),
        ]
        .into_iter()
        .filter_map(|(phase, time)| Some((phase, time?)))
    }

    /// The whole dial; the sum of the phases.
    pub fn total(&self) -> Duration {
        self.elapsed
    }

    fn add(&mut self, phase: Phase, time: Duration) {
        let slot = match phase {
            Phase::Dns => &mut self.dns,
            Phase::Tcp => &mut self.tcp,
            Phase::Proxy => &mut self.proxy,
            Phase::Tls => &mut self.tls,
            Phase::Before => &mut self.before,
            Phase::Upgrade => &mut self.upgrade,
            _ => return,
        };
        *slot = Some(slot.unwrap_or_default() + time);
    }
}

/// What is known about a dial, whether it succeeded, failed or is still going on.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The phases; the running one up to now.
    pub timings: Timings,
    /// What the name resolved to (of the last hop), in the order of trying.
    pub addresses: Vec<IpAddr>,
    /// The gateway's, or the proxy's, address that was reached.
    pub peer: Option<SocketAddr>,
    /// Our own address towards it.
    pub local: Option<SocketAddr>,
    /// TLS and the certificate, also where its verification failed.
    pub tls: Option<TlsFacts>,
    /// The response to the upgrade request, whatever its status.
    pub response: Option<Response>,
    /// How many redirects were followed.
    pub redirects: u8,
}

/// A shared handle on the facts of one dial. Make one, hand it to [`Dialer::dial_into`], and it outlives the
/// dial's future.
///
/// [`Dialer::dial_into`]: super::Dialer::dial_into
#[derive(Debug, Clone, Default)]
pub struct Record(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    facts: Facts,
    running: Option<(Phase, Instant)>,
    /// When the first of the phases began that have followed each other without a break.
    began: Option<Instant>,
}

impl Record {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// The facts as they stand; the running phase is counted up to now.
    pub fn facts(&self) -> Facts {
        let now = Instant::now();
        let inner = self.lock();
        let mut facts = inner.facts.clone();
        if let Some((phase, began)) = inner.running {
            facts.timings.add(phase, now.saturating_duration_since(began));
        }
        if let Some(began) = inner.began {
            facts.timings.elapsed += now.saturating_duration_since(began);
        }
        facts
    }

    /// The phase that goes on, or was cut off; none before the first and after the last.
    pub fn phase(&self) -> Option<Phase> {
        self.lock().running.map(|(phase, _)| phase)
    }

    /// Ends the running phase and begins the next one at the same instant.
    pub(super) fn enter(&self, phase: Phase, evidence: &Evidence) {
        let now = Instant::now();
        self.lock().turn(Some(phase), now);
        evidence.enter(phase);
    }

    /// Ends the running phase.
    pub(super) fn finish(&self) {
        self.lock().turn(None, Instant::now());
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.lock().facts);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the data whole: each change is a few stores.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn turn(&mut self, next: Option<Phase>, now: Instant) {
        if let Some((phase, began)) = self.running.take() {
            self.facts.timings.add(phase, now.saturating_duration_since(began));
        }
        self.running = next.map(|phase| (phase, now));
        match (self.began, next) {
            (None, Some(_)) => self.began = Some(now),
            (Some(began), None) => {
                self.facts.timings.elapsed += now.saturating_duration_since(began);
                self.began = None;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_touch_each_other() {
        let began = Instant::now();
        let mut inner = Inner::default();
        let at = |ms| began + Duration::from_millis(ms);
        inner.turn(Some(Phase::Dns), at(0));
        inner.turn(Some(Phase::Tcp), at(3));
        inner.turn(Some(Phase::Upgrade), at(10));
        inner.turn(Some(Phase::Tcp), at(15));
        inner.turn(Some(Phase::Upgrade), at(17));
        inner.turn(None, at(20));
        let timings = inner.facts.timings;
        assert_eq!(timings.total(), Duration::from_millis(20));
        assert_eq!(timings.tcp, Some(Duration::from_millis(9)));
        assert_eq!(timings.tls, None);
    }
}

//! What one client's offence does to the others: a crash of the whole gateway, and slow pongs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// So long a gateway that crashed resets whoever comes.
const DOWN: Duration = Duration::from_secs(2);
/// So much later the pongs of the others come.
const SLOWED_BY: Duration = Duration::from_secs(1);
/// And for so long.
const SLOWED_FOR: Duration = Duration::from_secs(10);

/// The damage that is done at a moment.
#[derive(Debug, Default)]
pub struct Damage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    crash: CancellationToken,
    down_until: Option<Instant>,
    hurt: Option<Hurt>,
}

#[derive(Debug)]
struct Hurt {
    by: u64,
    until: Instant,
}

impl Damage {
    /// For a new connection: what is cancelled when the gateway crashes; `None` while it is down.
    pub fn join(&self, now: Instant) -> Option<CancellationToken> {
        let state = self.lock();
        state.down_until.is_none_or(|until| now >= until).then(|| state.crash.clone())
    }

    /// Resets all connections, and new ones for a while.
    pub fn crash(&self, now: Instant) {
        let mut state = self.lock();
        state.down_until = Some(now + DOWN);
        std::mem::take(&mut state.crash).cancel();
    }

    /// Ends the time in which new connections are reset.
    pub fn restart(&self) {
        self.lock().down_until = None;
    }

    /// Slows the pongs of all connections but this one.
    pub fn hurt(&self, by: u64, now: Instant) {
        self.lock().hurt = Some(Hurt { by, until: now + SLOWED_FOR });
    }

    /// How much later the pongs of a connection come.
    pub fn delay(&self, connection: u64, now: Instant) -> Duration {
        match &self.lock().hurt {
            Some(hurt) if hurt.by != connection && now < hurt.until => SLOWED_BY,
            _ => Duration::ZERO,
        }
    }

    /// Forgets who was hurt.
    pub fn heal(&self) {
        self.lock().hurt = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_concerns_who_is_there_and_who_comes_soon() {
        let (now, damage) = (Instant::now(), Damage::default());
        let early = damage.join(now).unwrap();
        damage.crash(now);
        assert!(early.is_cancelled());
        assert!(damage.join(now + DOWN - Duration::from_millis(1)).is_none());
        assert!(!damage.join(now + DOWN).unwrap().is_cancelled());
        damage.restart();
        assert!(damage.join(now).is_some());
    }

    #[test]
    fn the_others_are_slow_for_a_while() {
        let (now, damage) = (Instant::now(), Damage::default());
        assert_eq!(damage.delay(2, now), Duration::ZERO);
        damage.hurt(1, now);
        assert_eq!([1, 2].map(|id| damage.delay(id, now)), [Duration::ZERO, SLOWED_BY]);
        assert_eq!(damage.delay(2, now + SLOWED_FOR), Duration::ZERO);
        damage.heal();
        assert_eq!(damage.delay(2, now), Duration::ZERO);
    }
}

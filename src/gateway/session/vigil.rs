//! Who counts as gone: both heartbeats and the idle timeout of one session. No I/O, no clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::event::{EventKind, Level};
use crate::gateway::fault::{FaultKind, FaultSet};
use crate::gateway::heartbeat::{Disorder, Heartbeat, later};
use crate::gateway::settings::Settings;

/// What a client is closed with that left a ping unanswered.
const MISSED: u16 = 1011;
/// What a client is closed with that left an application ping unanswered.
const APPLICATION_MISSED: u16 = 4000;
/// What a client is closed with that sent no data for too long.
const IDLE: u16 = 4001;

/// Watches over one client.
#[derive(Debug)]
pub struct Vigil {
    protocol: Option<Heartbeat>,
    application: Option<Heartbeat>,
    idle_timeout: Option<Duration>,
    last_data: Instant,
    idle_told: bool,
}

impl Vigil {
    /// A vigil over a session that begins at `now`.
    pub fn new(settings: &Settings, now: Instant) -> Self {
        let protocol = settings.heartbeat_interval;
        Self {
            protocol: protocol.map(|interval| Heartbeat::new(interval, settings.heartbeat_timeout, now)),
            application: settings
                .application_heartbeat
                .map(|beat| Heartbeat::new(beat.interval, beat.timeout, now)),
            idle_timeout: settings.idle_timeout,
            last_data: now,
            idle_told: false,
        }
    }

    /// Takes over the faults that are on now.
    pub fn follow(&mut self, faults: &FaultSet, now: Instant) {
        let grudge = faults.has(FaultKind::RecoveredEvicted);
        if let Some(beat) = &mut self.protocol {
            let missing = faults.has(FaultKind::PingsMissing);
            let drift = faults.duration(FaultKind::PingsDrift);
            let early = faults.duration(FaultKind::PingsEarly);
            beat.follow(Disorder { missing, drift, early, grudge }, now);
        }
        if let Some(beat) = &mut self.application {
            let missing = faults.has(FaultKind::ApplicationPingsMissing);
            let drift = faults.duration(FaultKind::ApplicationPingsDrift);
            beat.follow(Disorder { missing, drift, early: None, grudge }, now);
        }
    }

    /// Notes a data message of the client.
    pub fn data(&mut self, now: Instant) {
        self.last_data = now;
        self.idle_told = false;
    }

    /// Takes the pong to a ping; `false` when that one is not unanswered.
    pub fn pong(&mut self, level: Level, number: u64, now: Instant) -> bool {
        self.beat_mut(level).is_some_and(|beat| beat.pong(number, now))
    }

    /// The newest ping of a level; `None` without such a heartbeat.
    pub fn last(&self, level: Level) -> Option<u64> {
        self.beat(level).map(Heartbeat::last)
    }

    /// The ping that is due at `now`; `stuck` is a client that does not take what it is sent.
    pub fn ping(&mut self, level: Level, now: Instant, stuck: bool) -> Option<u64> {
        self.beat_mut(level)?.ping(now, stuck)
    }

    /// Notes when a ping went out.
    pub fn sent(&mut self, level: Level, number: u64, at: Instant) {
        if let Some(beat) = self.beat_mut(level) {
            beat.sent(number, at);
        }
    }

    /// When the oldest unanswered ping of a level was sent.
    pub fn waiting_since(&self, level: Level) -> Option<Instant> {
        self.beat(level)?.waiting_since()
    }

    /// When data came last, where that counts.
    pub fn quiet_since(&self) -> Option<Instant> {
        self.idle_timeout.map(|_| self.last_data)
    }

    /// Whether the client counts as gone at `now`, or would without the faults that are on.
    pub fn is_overdue(&self, faults: &FaultSet, now: Instant) -> bool {
        let beats = self.protocol.iter().chain(&self.application);
        let misses = beats.filter_map(Heartbeat::next_miss).chain(self.next_idle());
        misses.chain(self.next_end(faults).map(|(at, _)| at)).any(|at| now >= at)
    }

    /// What has been missing for too long, each told once.
    pub fn miss(&mut self, now: Instant) -> Option<EventKind> {
        for level in [Level::Protocol, Level::Application] {
            if let Some(number) = self.beat_mut(level).and_then(|beat| beat.miss(now)) {
                return Some(EventKind::HeartbeatMissed { level, number });
            }
        }
        if self.next_idle().is_none_or(|idle| now < idle) {
            return None;
        }
        self.idle_told = true;
        Some(EventKind::Idle)
    }

    /// When there is something to do: to ping, to tell a miss, or to clean a zombie.
    pub fn due(&self, faults: &FaultSet) -> Option<Instant> {
        let beats = self.protocol.iter().chain(&self.application);
        let beats = beats.flat_map(|beat| [beat.next_ping(), beat.next_miss()]).flatten();
        beats.chain(self.next_idle()).chain(self.next_end(faults).map(|(at, _)| at)).min()
    }

    /// The Close code for a client that counts as gone at `now`, with what `faults` make of it.
    pub fn zombie(&self, faults: &FaultSet, now: Instant) -> Option<u16> {
        self.next_end(faults).filter(|(at, _)| now >= *at).map(|(_, code)| code)
    }

    /// When this client is cleaned if it goes on like that, and by which code.
    fn next_end(&self, faults: &FaultSet) -> Option<(Instant, u16)> {
        if faults.has(FaultKind::ZombiesKept) {
            return None;
        }
        let protocol = self.protocol.as_ref().and_then(Heartbeat::deadline);
        let application = self.application.as_ref().and_then(Heartbeat::deadline);
        let application = application.filter(|_| !faults.has(FaultKind::ApplicationZombiesKept));
        let idle = self.idle_timeout.map(|timeout| later(self.last_data, timeout));
        let ends = [(protocol, MISSED), (application, APPLICATION_MISSED), (idle, IDLE)];
        let ends = ends.into_iter().filter_map(|(at, code)| Some((at?, code)));
        let (at, code) = ends.min_by_key(|(at, _)| *at)?;
        let at = later(at, faults.duration(FaultKind::ZombiesLate).unwrap_or_default());
        let early = faults.duration(FaultKind::ZombiesEarly).unwrap_or_default();
        Some((at.checked_sub(early).unwrap_or(self.last_data), code))
    }

    fn next_idle(&self) -> Option<Instant> {
        let timeout = self.idle_timeout.filter(|_| !self.idle_told)?;
        Some(later(self.last_data, timeout))
    }

    fn beat(&self, level: Level) -> Option<&Heartbeat> {
        match level {
            Level::Protocol => self.protocol.as_ref(),
            Level::Application => self.application.as_ref(),
        }
    }

    fn beat_mut(&mut self, level: Level) -> Option<&mut Heartbeat> {
        match level {
            Level::Protocol => self.protocol.as_mut(),
            Level::Application => self.application.as_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::settings::ApplicationHeartbeat;

    const SECOND: Duration = Duration::from_secs(1);

    fn vigil(start: Instant) -> Vigil {
        let settings = Settings {
            heartbeat_interval: Some(10 * SECOND),
            heartbeat_timeout: 20 * SECOND,
            application_heartbeat: Some(ApplicationHeartbeat { interval: 5 * SECOND, timeout: 10 * SECOND }),
            idle_timeout: Some(60 * SECOND),
            ..Settings::default()
        };
        Vigil::new(&settings, start)
    }

    fn faults(texts: &[&str], now: Instant) -> FaultSet {
        let mut set = FaultSet::default();
        texts.iter().for_each(|text| set.insert(text.parse().unwrap(), now));
        set
    }

    #[test]
    fn whatever_ends_first_decides_and_has_its_own_code() {
        let start = Instant::now();
        let at = |second: u32| start + second * SECOND;
        let none = FaultSet::default();
        let mut vigil = vigil(start);
        assert_eq!(vigil.next_end(&none), Some((at(60), IDLE)));
        assert_eq!(vigil.ping(Level::Protocol, at(10), false), Some(1));
        assert_eq!(vigil.next_end(&none), Some((at(30), MISSED)));
        assert_eq!(vigil.ping(Level::Application, at(12), false), Some(1));
        assert_eq!(vigil.next_end(&none), Some((at(22), APPLICATION_MISSED)));
        assert_eq!((vigil.zombie(&none, at(21)), vigil.zombie(&none, at(22))), (None, Some(4000)));
        assert_eq!(vigil.miss(at(21)), None);
        let missed = EventKind::HeartbeatMissed { level: Level::Application, number: 1 };
        assert_eq!((vigil.miss(at(22)), vigil.miss(at(22))), (Some(missed), None));
        vigil.data(at(25));
        assert!(vigil.pong(Level::Application, 1, at(25)) && vigil.pong(Level::Protocol, 1, at(25)));
        assert_eq!(vigil.next_end(&none), Some((at(85), IDLE)));
        assert_eq!((vigil.miss(at(85)), vigil.miss(at(85))), (Some(EventKind::Idle), None));
    }

    #[test]
    fn faults_move_the_end_or_take_it_away() {
        let start = Instant::now();
        let at = |second: u32| start + second * SECOND;
        let mut vigil = vigil(start);
        vigil.ping(Level::Application, at(5), false).unwrap();
        vigil.ping(Level::Protocol, at(10), false).unwrap();
        let end = |texts: &[&str]| vigil.next_end(&faults(texts, start));
        assert_eq!(end(&["zombies_late=3s"]), Some((at(18), APPLICATION_MISSED)));
        assert_eq!(end(&["zombies_early=3s"]), Some((at(12), APPLICATION_MISSED)));
        assert_eq!(end(&["application_zombies_kept"]), Some((at(30), MISSED)));
        assert_eq!(end(&["zombies_kept"]), None);
        assert!(end(&["zombies_early=99999999d"]).unwrap().0 <= at(5));
        assert!(vigil.due(&faults(&["zombies_early=99999999d"], start)).unwrap() <= at(5));
    }
}

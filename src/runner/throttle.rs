//! CPU throttling of the agent's own container, from cgroup v2's `cpu.stat`.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where a container sees its own cgroup (cgroup v2 with a private namespace).
const CPU_STAT: &str = "/sys/fs/cgroup/cpu.stat";
/// How often the counter is read.
pub const WINDOW: Duration = Duration::from_millis(250);
/// Windows with throttling that are remembered: ten minutes' worth, longer than any run.
const REMEMBERED: usize = 2_400;

/// The windows in which the container was throttled, and for how long in each.
#[derive(Debug, Clone, Default)]
pub struct Throttle(Arc<Mutex<VecDeque<(Instant, Duration)>>>);

impl Throttle {
    /// Reads the counter for ever, if there is one. Without one, nothing was throttled as far as we know.
    pub async fn watch(self) {
        self.watch_file(PathBuf::from(CPU_STAT)).await;
    }

    async fn watch_file(self, path: PathBuf) {
        let Some(mut before) = throttled(&path).await else { return };
        let mut ticks = tokio::time::interval(WINDOW);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(now) = throttled(&path).await else { continue };
            self.add(Instant::now(), now.saturating_sub(before));
            before = now;
        }
    }

    fn add(&self, at: Instant, throttled: Duration) {
        if throttled.is_zero() {
            return;
        }
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() == REMEMBERED {
            windows.pop_front();
        }
        windows.push_back((at, throttled));
    }

    /// The worst window that overlaps the time from `began` to `ended`.
    pub fn worst_between(&self, began: Instant, ended: Instant) -> Duration {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let overlaps = |at: Instant| at >= began && at <= ended + WINDOW;
        windows.iter().filter(|(at, _)| overlaps(*at)).map(|(_, t)| *t).max().unwrap_or_default()
    }
}

async fn throttled(path: &Path) -> Option<Duration> {
    let text = tokio::fs::read_to_string(path).await.ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("throttled_usec "))?;
    line.trim().parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_windows_of_the_run_count() {
        let throttle = Throttle::default();
        let began = Instant::now() + Duration::from_secs(10);
        let ended = began + Duration::from_secs(5);
        throttle.add(began - Duration::from_secs(1), Duration::from_millis(240));
        throttle.add(began + Duration::from_secs(1), Duration::from_millis(30));
        throttle.add(ended + WINDOW / 2, Duration::from_millis(90));
        throttle.add(ended + WINDOW * 2, Duration::from_millis(200));
        assert_eq!(throttle.worst_between(began, ended), Duration::from_millis(90));
    }

    #[tokio::test]
    async fn the_counter_is_found_among_the_others() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("cpu.stat");
        std::fs::write(&path, "usage_usec 5\nnr_throttled 1\nthrottled_usec 2500\n").expect("written");
        assert_eq!(throttled(&path).await, Some(Duration::from_micros(2_500)));
        assert_eq!(throttled(&dir.path().join("none")).await, None);
    }
}

//! Follows the config's files: what changes is put in force by itself.
//!
//! It looks at them once a second, rather than to be told by inotify: a look costs microseconds, finds a swapped link, a
//! replaced folder and a file on a network disk as well, and needs none of the few inotify instances that a node's
//! containers share. What is opened by path each time can't lose its watch.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Agent, lock};
use crate::config::{Glimpse, Sources};

/// The time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Looks may take this share of the time, at most: many files on a slow disk are looked at less often.
const SHARE: u32 = 100;
/// Files that have not changed for so long are whole.
const QUIET: Duration = Duration::from_millis(200);
/// Files that keep changing, or are gone, are waited for no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

impl Agent {
    /// Follows the files that the plan in force was made of, until the agent drains. Must be called within a runtime.
    pub fn watch(self: &Arc<Self>, sources: Sources) {
        tracing::debug!(files = sources.count(), "the config's files are followed");
        *lock(&self.sources) = sources;
        // Not one of the tasks that a drain waits for: a look at a dead disk never ends.
        let following = follow(Arc::clone(self));
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(following));
    }
}

async fn follow(agent: Arc<Agent>) {
    let mut pause = EVERY;
    loop {
        sleep(pause).await;
        if !agent.setup().plan.agent.watch_config {
            continue;
        }
        let sources = lock(&agent.sources).clone();
        let began = Instant::now();
        let look = look(&sources).await;
        pause = EVERY.max(began.elapsed() * SHARE);
        if look.is_some_and(|now| now != sources.then()) && settled(&sources).await {
            let agent = Arc::clone(&agent);
            let _ = tokio::task::spawn_blocking(move || agent.reload_if_changed()).await;
        }
    }
}

/// Waits until the files are whole, as far as can be told; false where they are what they were.
async fn settled(sources: &Sources) -> bool {
    let (began, before) = (Instant::now(), sources.then());
    let mut last = None;
    loop {
        let now = look(sources).await;
        if now.as_ref() == Some(&before) {
            return false;
        }
        let gone = now.as_ref().is_some_and(|now| now.misses_some_of(&before));
        if now == last && !gone || began.elapsed() >= PATIENCE {
            return true;
        }
        last = now;
        sleep(QUIET).await;
    }
}

/// On a thread that may block.
async fn look(sources: &Sources) -> Option<Glimpse> {
    let sources = sources.clone();
    tokio::task::spawn_blocking(move || sources.now()).await.ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config;

    fn sources(file: &PathBuf) -> Sources {
        config::load_with_sources(std::slice::from_ref(file), std::iter::empty()).1
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_still_being_written_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateprobe.yaml");
        std::fs::write(&file, "a").expect("written");
        let before = sources(&file);
        let began = Instant::now();
        let writing = async {
            for part in 1..=6 {
                std::fs::write(&file, "a".repeat(part + 1)).expect("written");
                sleep(QUIET * 3 / 4).await;
            }
            began.elapsed()
        };
        std::fs::write(&file, "").expect("written");
        let (written, settled) = tokio::join!(writing, async { (settled(&before).await, began.elapsed()) });
        assert!(settled.0 && settled.1 >= written, "{settled:?} before {written:?}");
        assert!(settled.1 <= PATIENCE + QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_may_come_back_and_what_never_rests_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateprobe.yaml");
        std::fs::write(&file, "a").expect("written");
        let before = sources(&file);
        std::fs::remove_file(&file).expect("removed");
        let began = Instant::now();
        let back = async {
            sleep(PATIENCE / 2).await;
            std::fs::write(&file, "b").expect("written");
        };
        let ((), settled_at) = tokio::join!(back, async { settled(&before).await.then(|| began.elapsed()) });
        assert!(settled_at.is_some_and(|at| at > PATIENCE / 2 && at < PATIENCE), "{settled_at:?}");

        std::fs::remove_file(&file).expect("removed");
        let began = Instant::now();
        assert!(settled(&before).await);
        assert!((PATIENCE..=PATIENCE + QUIET).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}

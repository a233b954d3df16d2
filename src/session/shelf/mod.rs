//! Connections that outlive a run. Each is held by a task of its own, which answers and pings, comes back after an
//! end, and writes down how it ended; a run reads what was written.

mod backoff;
mod end;
mod keeper;
mod lateness;
mod ledger;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use end::{By, Drains, End, EndClass, Invitation};
pub use ledger::{Glance, Ledger, Standing};

use super::visit::Visit;
use keeper::Keeper;

/// How long connections that are let go may take for their goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// How connections are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How many.
    pub connections: usize,
    /// The time between two pings.
    pub every: Duration,
    /// A ping that is not answered within this time is lost, and its connection given up.
    pub pong_timeout: Duration,
    /// How long a dial, and each step of the opening, may take.
    pub connect_timeout: Duration,
    /// Connections to an address that no run asked for within this time are let go.
    pub forgotten_after: Duration,
}

/// A job's held connections, by the address that they are pinned to. Its clones share them. When the last one is
/// dropped they are let go.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<HashMap<Option<IpAddr>, Row>>>);

/// The connections to one address.
struct Row {
    terms: Terms,
    ledger: Arc<Ledger>,
    asked: Instant,
    tasks: TaskTracker,
    _stop: DropGuard,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("rows", &self.rows().len()).finish()
    }
}

impl Shelf {
    /// What is written down of the run's connections; they are begun to be held where they are not yet, or were on
    /// other terms. Must be called within a runtime.
    pub fn keep(&self, visit: &Visit, terms: Terms) -> Arc<Ledger> {
        let now = Instant::now();
        let peer = visit.endpoint().path.peer;
        let mut rows = self.rows();
        rows.retain(|of, row| *of == peer || now.duration_since(row.asked) < row.terms.forgotten_after);
        if rows.get(&peer).is_some_and(|row| row.terms != terms) {
            rows.remove(&peer);
        }
        let row = rows.entry(peer).or_insert_with(|| Row::begin(visit, terms));
        row.asked = now;
        // A reload may have changed whom to ask, and leave the job as it is.
        row.ledger.ask(visit.control().cloned());
        Arc::clone(&row.ledger)
    }

    /// Lets all connections go: they say goodbye by themselves, and nothing is written down any more.
    pub fn release(&self) {
        self.rows().clear();
    }

    /// The same; waits until all have said goodbye, a second at most.
    pub async fn let_go(&self) {
        let rows = std::mem::take(&mut *self.rows());
        // Dropped, a row stops its tasks.
        let tasks: Vec<TaskTracker> = rows.into_values().map(|row| row.tasks.clone()).collect();
        let ended = futures_util::future::join_all(tasks.iter().map(TaskTracker::wait));
        let _ = timeout(GOODBYE, ended).await;
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Row>> {
        // Whoever panicked held whole rows only.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn begin(visit: &Visit, terms: Terms) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let ledger = Arc::new(Ledger::new(terms.connections));
        for slot in 0..terms.connections {
            let (ledger, stop) = (Arc::clone(&ledger), stop.clone());
            tasks.spawn(Keeper::new(visit, slot, terms, ledger, stop).keep());
        }
        tasks.close();
        Self { terms, ledger, asked: Instant::now(), tasks, _stop: stop.drop_guard() }
    }
}

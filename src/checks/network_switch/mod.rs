//! The `network_switch` check: a client loses its network in the middle of a stream, and comes back by another way.
//! Does its session go on, and is every message accounted for?

mod config;
mod judge;
mod metrics;
mod subscriber;

use std::net::IpAddr;

pub use config::{Leave, Mode, NetworkSwitch, Thresholds, Way, WayFamily};
pub use judge::Assertion;
pub use metrics::METRICS;

use crate::checks::{Capability, capability};
use crate::dialect::{Part, Variables};
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Failure, Verdict};
use crate::session::{Ask, Stream, Talk, Visit};
use crate::wire::{Path, Record};
use subscriber::Subscriber;

/// What it may find, beside what any session may end with.
pub(super) const FAILURES: &[Failure] = &[
    Failure::MessagesLost,
    Failure::MessagesDuplicated,
    Failure::MessagesReordered,
    Failure::FalselyResumed,
    Failure::NotResumed,
    Failure::ReconnectFailed,
    Failure::TooSlow,
];

/// What both connections of a run share.
struct Scene<'a> {
    check: &'a NetworkSwitch,
    visit: &'a Visit,
    /// The address of the run's first connection.
    peer: Option<IpAddr>,
    stream: Stream,
}

impl Scene<'_> {
    async fn publish(&self, mut talk: Talk) -> Result<(), Verdict> {
        self.stream.publish(self.visit, &mut talk).await?;
        talk.leave(self.visit).await;
        Ok(())
    }
}

impl NetworkSwitch {
    /// Publishes on one connection, and listens on another that goes away and comes back.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self.steps(visit).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }

    /// The series that exist at 0 before the first run.
    pub fn series_at_zero(&self) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        metrics::expected()
    }

    async fn steps(&self, visit: &Visit) -> Result<Verdict, Verdict> {
        let given = self.given();
        let publisher = self.connect(visit, None, &given).await?;
        let peer = visit.peer(&publisher.opened);
        let way = self.way(0);
        let own = &visit.target().endpoint.path;
        let mut listener = self.connect(visit, Some(way.path(own, way.peer(peer, &[]))), &given).await?;
        visit.evidence.remark(format!("listens by {way}, from {}", listener.opened.dialed.local));
        let check = self.clone().promised(&visit.target().dialect, listener.variables());
        capability(visit, Capability::Resume, visit.target().dialect.has(Part::Resume));
        capability(visit, Capability::Retention, check.retention.is_some());
        let scene = Scene {
            check: &check,
            visit,
            peer,
            stream: Stream::new(check.every.get(), check.payload as usize, check.settle.get()),
        };
        let subscriber = Subscriber::new(&scene);
        subscriber.subscribe(&mut listener).await?;
        let course = tokio::try_join!(scene.publish(publisher), subscriber.course(listener));
        metrics::messages(&scene);
        let ((), switches) = course?;
        metrics::switches(&scene, &switches);
        Ok(judge::verdict(&scene, &switches))
    }

    /// What the dialect's templates may hold.
    fn given(&self) -> Variables {
        let own = || format!("gateprobe-{:016x}", rand::random::<u64>());
        let mut given = Variables::new().with("channel", self.channel.clone().unwrap_or_else(own));
        if let Some(user) = &self.user {
            given.set("user", user.as_str());
        }
        given
    }

    async fn connect(&self, visit: &Visit, path: Option<Path>, given: &Variables) -> Result<Talk, Verdict> {
        let within = self.connect_timeout.get();
        let ask = Ask { path, within: Some(within), variables: given.clone(), ..Ask::default() };
        let opened = visit.open(&ask, &Record::new()).await.map_err(|refusal| refusal.precondition())?;
        Talk::begin(visit, opened, within).await
    }
}

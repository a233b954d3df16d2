//! What people may do to a job while the agent runs: a run out of turn, a pause.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::jobs::Driven;
use super::{Agent, lock, metrics};
use crate::config;
use crate::http::{ChangeError, Paused, PausedBy, Which};
use crate::metrics::Sample;
use crate::store::News;

impl Agent {
    /// Begins a run out of turn. It is a run as any other: within the target's budget, in the metrics and the history.
    pub(super) fn run_now(&self, which: &Which) -> Result<(), ChangeError> {
        if self.draining() {
            return Err(ChangeError::Draining);
        }
        let jobs = lock(&self.jobs);
        let driven = jobs.chosen(which).into_iter().next().ok_or_else(|| self.unknown(which))?;
        if let Some(paused) = self.paused(driven, self.wall()) {
            return Err(ChangeError::Paused(paused.until));
        }
        if driven.standing.left_out() > 0 {
            return Err(ChangeError::Patience(self.until_next(driven)));
        }
        if driven.standing.turn.is_taken() {
            return Err(ChangeError::InProgress);
        }
        if driven.job.budget.connections_left() == 0 {
            return Err(ChangeError::Budget);
        }
        let interval = driven.job.spec.interval().get();
        driven.standing.ask(interval).map_err(|wait| ChangeError::TooSoon(whole_seconds(wait)))?;
        driven.standing.turn.ask().map_err(|_| ChangeError::InProgress)?;
        tracing::info!(target = %driven.key.target, check = driven.key.check, "a run out of turn was asked for");
        Ok(())
    }

    /// Pauses jobs, at once for connections that they hold; a run in progress goes on to its end.
    pub(super) fn pause(&self, which: &Which, until: Timestamp) -> Result<(), ChangeError> {
        let jobs = lock(&self.jobs);
        let chosen = jobs.chosen(which);
        if chosen.is_empty() {
            return Err(self.unknown(which));
        }
        for driven in &chosen {
            let (target, check) = (&driven.key.target, driven.key.check);
            self.pauses.begin(target, check, until);
            driven.job.shelf.release();
            tracing::info!(%target, check, %until, "paused over the API");
        }
        self.tell_paused(&chosen);
        Ok(())
    }

    /// Ends what was paused over the API.
    pub(super) fn resume(&self, which: &Which) -> Result<(), ChangeError> {
        let jobs = lock(&self.jobs);
        let chosen = jobs.chosen(which);
        if chosen.is_empty() {
            return Err(self.unknown(which));
        }
        for driven in &chosen {
            let (target, check) = (&driven.key.target, driven.key.check);
            self.pauses.end(target, check);
            tracing::info!(%target, check, "resumed over the API");
        }
        self.tell_paused(&chosen);
        let now = self.wall();
        match chosen.iter().find_map(|driven| driven.target.paused_until(now)) {
            Some(until) => Err(ChangeError::PausedByConfig(until)),
            None => Ok(()),
        }
    }

    /// Who keeps a job from running now, and until when.
    pub(super) fn paused(&self, driven: &Driven, now: Timestamp) -> Option<Paused> {
        let by_config = driven.target.paused_until(now).map(|until| Paused { by: PausedBy::Config, until });
        let by_request = self.pauses.until(&driven.key.target, driven.key.check, now);
        let by_request = by_request.map(|until| Paused { by: PausedBy::Request, until });
        [by_config, by_request].into_iter().flatten().max_by_key(|paused| paused.until)
    }

    /// The time of the day by the schedule's clock.
    pub(super) fn wall(&self) -> Timestamp {
        let seconds = i64::try_from(self.clock.now().as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    }

    fn until_next(&self, driven: &Driven) -> u64 {
        let interval = driven.job.spec.interval().get();
        let next = driven.standing.next().and_then(|next| next.elapsed().err()).map(|error| error.duration());
        let ticks = u32::try_from(driven.standing.left_out()).unwrap_or(u32::MAX);
        whole_seconds(next.unwrap_or_default() + interval.saturating_mul(ticks))
    }

    /// Whether all checks of a target are paused.
    pub(super) fn target_paused(&self, target: &config::Target, now: Timestamp) -> bool {
        let setup = self.setup.load();
        let mut jobs = setup.plan.jobs.iter().filter(|job| job.key.target == target.name);
        target.paused_until(now).is_some()
            || jobs.all(|job| self.pauses.until(&target.name, job.key.check, now).is_some())
    }

    fn unknown(&self, which: &Which) -> ChangeError {
        let setup = self.setup.load();
        let jobs = setup.plan.jobs.iter().map(|job| (&*job.key.target, job.key.check));
        ChangeError::Unknown(which.unknown(jobs))
    }

    /// In the metrics at once, not only at the next tick; and to whoever listens.
    fn tell_paused(&self, chosen: &[&Driven]) {
        let now = self.wall();
        for driven in chosen {
            let (target, check) = (&driven.key.target, driven.key.check);
            let paused = f64::from(u8::from(self.target_paused(&driven.target, now)));
            let sample = Sample::new(&metrics::PAUSED, paused);
            self.sinks.while_kept(&driven.key, || self.sinks.recorder.record_target(target, &sample));
            self.sinks.history.feed().tell(News::Job { target: Arc::clone(target), check });
        }
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

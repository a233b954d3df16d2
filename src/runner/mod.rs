//! One run of one check: deadline, cancellation, the weighing of the agent's own condition, report.

pub mod advice;
mod lag;
pub mod metrics;
mod throttle;
mod weigh;
mod witness;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::checks::CheckSpec;
use crate::metrics::Sample;
use crate::model::{Cause, Evidence, Failure, JobKey, Outcome, Phase, RunReport, TraceContext, Verdict};
use crate::session::{Budget, Control, Recall, Shelf, Target, Visit};
use crate::wire::{Dialer, Facts};

use lag::Lag;
pub use throttle::Throttle;
use weigh::{Condition, Egress, weigh};
use witness::Witness;

/// Peers of one name that are probed, at most, where a target resolves `all`.
pub const MAX_PEERS: usize = 16;
/// How long before the deadline the resolver is asked whether it lives, when a run still waits for it.
const RESOLVER_LEAD: Duration = Duration::from_millis(800);
/// How long before the deadline the answers must be there.
const ANSWER_LEAD: Duration = Duration::from_millis(50);

const BYSTANDER_SLOWED: Outcome = Outcome::Inconclusive(Cause::BystanderSlowed);

/// A check of a target.
#[derive(Debug)]
pub struct Job {
    /// Its identity.
    pub key: JobKey,
    /// Whom it visits.
    pub target: Arc<Target>,
    /// What it does.
    pub spec: CheckSpec,
    /// What it may spend, together with the target's other checks.
    pub budget: Arc<Budget>,
    /// The connections that it holds between its runs.
    pub shelf: Shelf,
}

/// Runs jobs.
#[derive(Debug)]
pub struct Runner {
    dialer: Dialer,
    control: Option<Arc<Control>>,
    witness: Arc<Witness>,
    throttle: Throttle,
    lag_bound: Duration,
}

/// What was learnt beside the run itself, in time for its deadline.
#[derive(Debug, Default, Clone, Copy)]
struct Asked {
    control: Option<bool>,
    resolver: Option<bool>,
}

impl Runner {
    /// A runner; `lag_bound` is how late the agent may be in a run whose timing is to be believed.
    pub fn new(dialer: Dialer, control: Option<Control>, throttle: Throttle, lag_bound: Duration) -> Self {
        let control = control.map(Arc::new);
        Self { dialer, control, witness: Arc::default(), throttle, lag_bound }
    }

    /// The same, with what another runner knows of our way out: a reload must not forget that it is broken.
    #[must_use]
    pub fn succeeding(self, before: &Self) -> Self {
        let control = match (self.control, &before.control) {
            (Some(new), Some(known)) if new.is(known) => Some(Arc::clone(known)),
            (new, _) => new,
        };
        Self { witness: Arc::clone(&before.witness), control, ..self }
    }

    /// Runs a job once: one report, or one a peer where the target resolves `all`. Each ends by the check's
    /// time-out, or at once when `cut` is cancelled; a critical finding is looked at a second time.
    pub async fn run(&self, job: &Job, cut: &CancellationToken) -> Vec<RunReport> {
        let deadline = deadline(job);
        let peers = if job.target.resolve_all { self.peers(job, cut).await } else { Vec::new() };
        if peers.is_empty() {
            // Where the name does not resolve, the run itself finds out and says why.
            return vec![self.confirmed(job, None, deadline, cut).await];
        }
        let runs = peers.into_iter().map(|peer| self.confirmed(job, Some(peer), deadline, cut));
        futures_util::future::join_all(runs).await
    }

    /// Runs a job once, towards one address, and tells what its first dial found out as well.
    pub async fn probe(&self, job: &Job, cut: &CancellationToken) -> (RunReport, Facts) {
        self.once(job, None, deadline(job), &Recall::default(), TraceContext::random(), cut).await
    }

    /// The addresses to probe; none where the name does not resolve within half of the job's time.
    async fn peers(&self, job: &Job, cut: &CancellationToken) -> Vec<IpAddr> {
        let evidence = Evidence::new();
        let resolving = self.dialer.resolve(&job.target.endpoint, &evidence);
        let half = Instant::now() + job.spec.timeout().get() / 2;
        let peers = cut.run_until_cancelled(timeout_at(half, resolving)).await;
        let peers = peers.and_then(Result::ok).and_then(Result::ok).unwrap_or_default();
        peers.into_iter().take(MAX_PEERS).collect()
    }

    /// A run whose critical findings were seen twice before they count.
    async fn confirmed(
        &self,
        job: &Job,
        peer: Option<IpAddr>,
        by: Instant,
        cut: &CancellationToken,
    ) -> RunReport {
        // Both runs are one trace: together they are one report.
        let (recall, trace) = (Recall::default(), TraceContext::random());
        let (first, _) = self.once(job, peer, by, &recall, trace, cut).await;
        let critical = match first.outcome {
            Outcome::Fail(failure) => failure.is_critical(),
            Outcome::Inconclusive(cause) => cause == Cause::BystanderSlowed,
            _ => false,
        };
        if !critical {
            self.remember(job, first.outcome);
            return first;
        }
        let (mut second, _) = self.once(job, peer, deadline(job), &recall, trace, cut).await;
        let seen = if second.outcome == first.outcome { "confirmed" } else { "not confirmed" };
        let reason = first.outcome.reason().unwrap_or_default();
        second.detail = format!("{} ({reason} {seen} by a second run)", second.detail);
        second.duration += first.duration;
        second.first = first.duration;
        second.started_at = first.started_at;
        if (first.outcome, second.outcome) == (BYSTANDER_SLOWED, BYSTANDER_SLOWED) {
            conclude(&mut second, Outcome::Fail(Failure::CollateralDamage));
            second.next = advice::on(second.outcome, &second.detail, job);
        }
        self.remember(job, second.outcome);
        second
    }

    async fn once(
        &self,
        job: &Job,
        peer: Option<IpAddr>,
        deadline: Instant,
        recall: &Recall,
        trace: TraceContext,
        cut: &CancellationToken,
    ) -> (RunReport, Facts) {
        let (started_at, began) = (SystemTime::now(), Instant::now());
        let visit = Visit::new(&job.target, &self.dialer, &job.budget, peer, deadline)
            .holding(&job.shelf, self.control.as_ref())
            .recalling(recall)
            .traced(trace)
            .cut_by(cut);
        let (lag, mut asked) = (Lag::default(), Asked::default());
        let verdict = {
            // Boxed, so that a job that waits for its next run does not keep room for the state of one.
            let check = survived(Box::pin(job.spec.run(&visit)));
            let ahead = self.ask_ahead(&visit.evidence, began, deadline);
            tokio::pin!(check, ahead);
            loop {
                tokio::select! {
                    // The deadline comes before the check: one that always finds more to read uses up the
                    // task's share of each turn, and what is asked after it would never get its own.
                    biased;
                    never = lag.watch() => match never {},
                    () = cut.cancelled() => break cut_off(),
                    // Answers that are there already count, however late we wake.
                    answers = &mut ahead, if asked.control.is_none() && asked.resolver.is_none() => asked = answers,
                    () = sleep_until(deadline) => break timed_out(&visit.evidence, job),
                    verdict = &mut check => break verdict,
                }
            }
        };
        let in_phase = visit.evidence.in_phase();
        let condition = self.condition(job, &visit, &verdict, (began, deadline), &lag, asked).await;
        let late = condition.late();
        let tolerated = match verdict.outcome {
            Outcome::Fail(failure) => job.spec.lag_tolerance(failure, in_phase).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let bound = tolerated.max(self.lag_bound);
        let verdict = weigh(verdict, &Condition { bound, ..condition });
        let mut samples = visit.samples();
        if late {
            // What was measured by a late clock is no measurement.
            samples.retain(|sample| sample.metric.unit != crate::metrics::Unit::Seconds);
        }
        let duration = began.elapsed();
        samples.extend(metrics::samples(verdict.outcome, duration, SystemTime::now()));
        let next = advice::on(verdict.outcome, &verdict.detail, job);
        let report = RunReport {
            job: job.key.clone(),
            peer: peer.map(|peer| peer.to_string()),
            started_at,
            duration,
            outcome: verdict.outcome,
            detail: verdict.detail,
            next,
            timeline: visit.evidence.timeline(),
            first: Duration::ZERO,
            trace,
            samples,
        };
        (report, visit.record().facts())
    }

    /// Asks the control endpoint and the resolver ahead of the deadline, so that the verdict is on time.
    async fn ask_ahead(&self, evidence: &Evidence, began: Instant, deadline: Instant) -> Asked {
        let control = async {
            let control = self.control.as_ref()?;
            // A little earlier than its own time-out needs, or its answer and the deadline would race.
            // At most the second half of the run: most runs are over by then, and the control endpoint is
            // no target.
            let patience = control.timeout().min((deadline - began) / 2);
            let at = deadline.checked_sub(patience + ANSWER_LEAD)?;
            sleep_until(at).await;
            control.answers(&self.dialer, at, patience, patience).await
        };
        let resolver = async {
            let lead = RESOLVER_LEAD.min((deadline - began) / 2);
            sleep_until(deadline.checked_sub(lead)?).await;
            match evidence.phase() {
                // Its own tries may take longer than there is time. Silence up to the deadline is an answer too.
                Phase::Dns => {
                    let until = deadline.checked_sub(ANSWER_LEAD)?;
                    Some(timeout_at(until, self.dialer.resolver_answers()).await.unwrap_or(false))
                }
                _ => None,
            }
        };
        let (control, resolver) = tokio::join!(control, resolver);
        if control.is_none() && resolver.is_none() {
            std::future::pending::<()>().await;
        }
        Asked { control, resolver }
    }

    async fn condition(
        &self,
        job: &Job,
        visit: &Visit,
        verdict: &Verdict,
        (began, deadline): (Instant, Instant),
        lag: &Lag,
        asked: Asked,
    ) -> Condition {
        // What the verdict is about may have been before the run, and so may its cause.
        let hindsight = visit.hindsight();
        let since = hindsight.map_or(began, |hindsight| began.min(hindsight.since));
        let egress = match (verdict.outcome, hindsight.and_then(|hindsight| hindsight.control)) {
            (Outcome::Fail(failure), _) if !failure.may_be_network() => Egress::NotAsked,
            (Outcome::Fail(_), Some(true)) => Egress::Works,
            (Outcome::Fail(_), Some(false)) => self.control_fails(false),
            (Outcome::Fail(_), None) => self.egress(job, visit, since, (deadline, asked)).await,
            _ => Egress::NotAsked,
        };
        Condition {
            lag: lag.worst().max(hindsight.map_or(Duration::ZERO, |hindsight| hindsight.late)),
            throttled: self.throttle.worst_between(since.into_std(), Instant::now().into_std()),
            bound: self.lag_bound,
            egress,
            resolver_answers: asked.resolver,
        }
    }

    async fn egress(
        &self,
        job: &Job,
        visit: &Visit,
        since: Instant,
        (deadline, asked): (Instant, Asked),
    ) -> Egress {
        let answers = match (&self.control, asked.control) {
            (None, _) => return self.egress_by_witness(job, since),
            (Some(_), Some(answers)) => Some(answers),
            (Some(control), None) => {
                // Recent enough to speak of the same moment, shared by all jobs that fail in it.
                let moment = Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or_else(Instant::now);
                let left = deadline.saturating_duration_since(Instant::now()).max(ANSWER_LEAD);
                let (patience, enough) = (control.timeout().min(left), control.timeout() / 2);
                control.answers(&self.dialer, moment, patience, enough).await
            }
        };
        match answers {
            Some(true) => Egress::Works,
            Some(false) => self.control_fails(visit.evidence.phase() > Phase::Proxy),
            None => self.egress_by_witness(job, since),
        }
    }

    /// What it means that the control endpoint does not answer: nothing, where the gateway was `reached` in this very run,
    /// and the control endpoint never was.
    fn control_fails(&self, reached: bool) -> Egress {
        match self.control.as_ref().is_some_and(|control| control.has_answered()) {
            true => Egress::ControlFails,
            false if reached => Egress::NotAsked,
            false => Egress::ControlNeverAnswered,
        }
    }

    fn egress_by_witness(&self, job: &Job, since: Instant) -> Egress {
        if self.witness.egress_lost(job.target.endpoint.host(), since) {
            Egress::OthersFail
        } else {
            Egress::NotAsked
        }
    }

    fn remember(&self, job: &Job, outcome: Outcome) {
        if outcome == Outcome::Pass
            && let Some(control) = self.control.clone().filter(|control| control.is_in_doubt())
        {
            let dialer = self.dialer.clone();
            // Beside the run, whose report waits for nothing. It ends by the control's own time-out.
            tokio::spawn(async move { control.cross_examine(&dialer).await });
        }
        if job.spec.looks_back() {
            // What it tells of is over.
            return;
        }
        let host = job.target.endpoint.host();
        match outcome {
            Outcome::Fail(failure) if failure.may_be_network() => self.witness.failed(host),
            Outcome::Inconclusive(Cause::EgressLost | Cause::ResolverUnreachable) => {
                self.witness.failed(host)
            }
            Outcome::Pass | Outcome::Fail(_) | Outcome::Inconclusive(Cause::Throttled) => {
                self.witness.answered(host)
            }
            Outcome::Inconclusive(_) | Outcome::Unsupported(_) => {}
        }
    }
}

/// Gives a report another outcome, and the samples that tell of it.
fn conclude(report: &mut RunReport, outcome: Outcome) {
    let ended = report.started_at + report.duration;
    let of_runner = |sample: &Sample| metrics::METRICS.iter().any(|own| std::ptr::eq(*own, sample.metric));
    report.outcome = outcome;
    report.samples.retain(|sample| !of_runner(sample));
    report.samples.extend(metrics::samples(outcome, report.duration, ended));
}

fn deadline(job: &Job) -> Instant {
    Instant::now() + job.spec.timeout().get()
}

fn timed_out(evidence: &Evidence, job: &Job) -> Verdict {
    let phase = evidence.phase();
    Verdict::new(
        job.spec.timed_out(phase),
        format!("the time-out of {} came in phase {phase}", job.spec.timeout()),
    )
}

/// A panic in a check ends that run, not the job: it is our fault, and says so.
async fn survived(check: impl Future<Output = Verdict>) -> Verdict {
    // What a panic leaves half done is dropped with the future: evidence and samples are written in single steps.
    let verdict = AssertUnwindSafe(check).catch_unwind().await;
    verdict.unwrap_or_else(|_| {
        let detail = "gateprobe panicked; the message is on standard error";
        Verdict::new(Outcome::Inconclusive(Cause::AgentPanic), detail)
    })
}

fn cut_off() -> Verdict {
    Verdict::new(Outcome::Inconclusive(Cause::AgentShutdown), "the run was cut short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_check_is_the_agents_own_fault() {
        let verdict = survived(async { panic!("a bug of the test's own") }).await;
        assert_eq!(verdict.outcome, Outcome::Inconclusive(Cause::AgentPanic));
    }
}

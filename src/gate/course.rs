//! What a verification will do, decided before it begins: which checks, how many runs, what is left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::allotment::{allot, dialling, least_time, planned, top_up, total};
use super::fit::{fitted, typical};
use super::trial::{Trial, abreast};
use super::{Address, Addresses, Profile};
use crate::canary::{self, Policy};
use crate::model::{JobKey, Span};
use crate::runner::Job;
use crate::session::Shelf;

/// A gateway, with what is known of it before it is visited.
#[derive(Debug)]
pub struct Side {
    /// Who it is.
    pub address: Address,
    /// Its checks, ready to run within one budget.
    pub jobs: Vec<Job>,
}

/// What is asked of a verification.
#[derive(Debug)]
pub struct Request {
    /// The gateway that is known to be good enough; without one, absolute thresholds decide.
    pub baseline: Option<Side>,
    /// The gateway in question.
    pub canary: Side,
    /// How much is looked at.
    pub profile: Profile,
    /// How long it may take.
    pub longest: Duration,
    /// Only these checks, by kind; all that the canary has when empty. Each of them must fit in the time.
    pub checks: Vec<String>,
    /// By what it is judged.
    pub policy: Policy,
}

/// Why nothing is begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CourseError {
    /// One gateway is named twice.
    #[error("the canary is the baseline itself, which is always as good; name two gateways")]
    Itself,
    /// The canary has no such check.
    #[error("the canary has no check {asked:?}; its checks are: {known}")]
    UnknownCheck {
        /// What was asked for.
        asked: String,
        /// The canary's checks.
        known: String,
    },
    /// A check that was asked for by name does not fit.
    #[error("{0}")]
    DoesNotFit(String),
    /// Nothing that it could do is left.
    #[error("nothing is left to run: {0}")]
    Nothing(String),
}

/// A verification that can begin.
#[derive(Debug)]
pub struct Course {
    /// Whom it compares.
    pub addresses: Addresses,
    /// How much is looked at.
    pub profile: Profile,
    /// How long it may take.
    pub longest: Duration,
    /// What is left out or looked at less closely, a sentence each.
    pub notes: Vec<String>,
    pub(super) trials: Vec<Trial>,
    pub(super) policy: Policy,
}

impl Course {
    /// Plans a verification.
    ///
    /// # Errors
    /// When nothing is left to run, or not all that was asked for by name.
    pub fn plan(request: Request) -> Result<Self, CourseError> {
        let Request { baseline, canary, profile, longest, checks, policy } = request;
        if baseline.as_ref().is_some_and(|side| side.address.name == canary.address.name) {
            return Err(CourseError::Itself);
        }
        let kinds: Vec<&str> = canary.jobs.iter().map(|job| job.key.check).collect();
        if let Some(asked) = checks.iter().find(|asked| !kinds.contains(&asked.as_str())) {
            return Err(CourseError::UnknownCheck { asked: asked.clone(), known: kinds.join(", ") });
        }
        let addresses = Addresses {
            baseline: baseline.as_ref().map(|side| side.address.clone()),
            canary: canary.address.clone(),
        };
        if baseline.as_ref().is_some_and(|side| side.jobs.is_empty()) {
            return Err(CourseError::Nothing("the baseline has no check".to_owned()));
        }
        let mut chosen = Chosen { profile, longest, asked: &checks, notes: Vec::new(), trials: Vec::new() };
        let of_baseline = baseline.map(|side| side.jobs);
        for job in canary.jobs {
            chosen.add(job, of_baseline.as_deref())?;
        }
        let Chosen { mut trials, mut notes, .. } = chosen;
        if trials.is_empty() {
            return Err(CourseError::Nothing(notes.join("; ")));
        }
        let enough = policy.enough(addresses.baseline.is_some());
        let each = if addresses.baseline.is_some() { " in each arm" } else { "" };
        top_up(&mut trials, enough);
        abreast(&mut trials);
        allot(&mut trials, longest);
        notes.extend(trials.first().and_then(without_tls));
        if total(&trials) < enough {
            // It runs all the same: a finding of the kind of which one is enough would be found.
            notes.push(too_few(&mut trials, enough, each, longest, profile));
        }
        for Trial { check, runs, wanted, .. } in trials.iter().filter(|trial| trial.runs < trial.wanted) {
            notes.push(format!(
                "{check} makes {runs} of {wanted} runs{each}: more do not fit in {} and the budget",
                Span::from(longest)
            ));
        }
        Ok(Self { addresses, profile, longest, notes, trials, policy })
    }

    /// How long it takes with gateways that are well, as a rule.
    pub fn typical(&self) -> Duration {
        let rounds = |trial: &Trial| count(trial.runs.div_ceil(trial.lanes));
        let longest = self.trials.iter().map(|trial| trial.pair() * rounds(trial)).max();
        longest.unwrap_or_default().max(dialling(&self.trials))
    }

    /// Runs in each arm, by check.
    pub fn runs(&self) -> BTreeMap<String, usize> {
        self.trials.iter().map(|trial| (trial.check.to_owned(), trial.runs)).collect()
    }

    /// The checks that make half of the profile's runs at most, in words.
    pub(super) fn reduced(&self) -> Option<String> {
        let few = |trial: &&Trial| 2 * trial.runs <= trial.wanted;
        let told = |trial: &Trial| format!("{} {} of {} runs", trial.check, trial.runs, trial.wanted);
        let reduced: Vec<String> = self.trials.iter().filter(few).map(told).collect();
        (!reduced.is_empty()).then(|| reduced.join(", "))
    }

    /// Runs in all.
    pub fn total(&self) -> usize {
        let arms = if self.compares() { 2 } else { 1 };
        self.trials.iter().map(|trial| trial.runs * arms).sum()
    }

    /// The jobs of the config that it was made of.
    pub fn keys(&self) -> impl Iterator<Item = &JobKey> {
        self.trials.iter().flat_map(Trial::keys)
    }

    pub(super) fn compares(&self) -> bool {
        self.addresses.baseline.is_some()
    }

    pub(super) fn for_judge(&self) -> canary::Plan {
        canary::Plan { compare: self.compares(), checks: self.runs(), policy: self.policy.clone() }
    }
}

struct Chosen<'a> {
    profile: Profile,
    longest: Duration,
    asked: &'a [String],
    notes: Vec<String>,
    trials: Vec<Trial>,
}

impl Chosen<'_> {
    /// Takes a check of the canary, if there is time for it.
    fn add(&mut self, job: Job, baseline: Option<&[Job]>) -> Result<(), CourseError> {
        let check = job.key.check;
        let wanted = self.profile.runs(check);
        let named = self.asked.iter().any(|asked| asked == check);
        if !self.asked.is_empty() && !named {
            return Ok(());
        }
        if wanted == 0 {
            return self.leave_out(named, format!("{check} is left out: it tells of days, not of minutes"));
        }
        if promises_nothing(&job) {
            let text = format!(
                "{check} is left out: nobody promises when a silent connection is let go of; say what the gateway \
                 promises: zombie.window in a config (--zombie-window 20s where URLs are verified), or a dialect that \
                 promises it"
            );
            return self.leave_out(named, text);
        }
        let job = self.fit(job);
        let typical = typical(&job.spec);
        let of_baseline = baseline.map(|jobs| self.beside(&job, jobs));
        let trial =
            Trial { check, baseline: of_baseline, canary: job, wanted, runs: wanted, typical, lanes: 1 };
        if trial.fit(planned(self.longest)) == 0 {
            let (one, all) = (Span::secs(trial.pair().as_secs() + 1), Span::from(self.longest));
            let text = format!("{check} is left out: one run takes about {one}, and there are {all} in all");
            return self.leave_out(named, text);
        }
        self.trials.push(trial);
        Ok(())
    }

    fn leave_out(&mut self, named: bool, text: String) -> Result<(), CourseError> {
        if named {
            return Err(CourseError::DoesNotFit(text));
        }
        self.notes.push(text);
        Ok(())
    }

    /// The check as it is run here, with what is said about it.
    fn fit(&mut self, job: Job) -> Job {
        let fitted = fitted(&job.spec, self.profile);
        if let Some(aside) = fitted.aside {
            self.notes.push(format!("{} leaves aside {aside}", job.key.check));
        }
        Job { spec: fitted.spec, ..job }
    }

    /// The same check of the baseline: as its own config has it, or else as the canary's.
    fn beside(&self, canary: &Job, baseline: &[Job]) -> Job {
        let own = baseline.iter().find(|job| job.key.check == canary.key.check);
        let (whom, spec) = match own {
            Some(own) => (own, fitted(&own.spec, self.profile).spec),
            // It has other checks, or the plan would not hold it.
            None => (baseline.first().unwrap_or(canary), canary.spec.clone()),
        };
        Job {
            key: JobKey { check: canary.key.check, ..whom.key.clone() },
            target: Arc::clone(&whom.target),
            spec,
            budget: Arc::clone(&whom.budget),
            shelf: Shelf::default(),
        }
    }
}

/// Whether it would only find out that there is no promise, after a long time.
fn promises_nothing(job: &Job) -> bool {
    match &job.spec {
        crate::checks::CheckSpec::Zombie(check) => {
            check.window.is_none() && !job.target.dialect.promises_zombie()
        }
        _ => false,
    }
}

/// That one gateway is reached by TLS and the other is not: what no time tells.
fn without_tls(trial: &Trial) -> Option<String> {
    let by_tls = |job: &Job| job.target.endpoint.url.scheme() == "wss";
    let (baseline, canary) = (by_tls(trial.baseline.as_ref()?), by_tls(&trial.canary));
    let told = match (baseline, canary) {
        (true, false) => "the baseline is reached by TLS (wss), and the canary without (ws)",
        (false, true) => "the canary is reached by TLS (wss), and the baseline without (ws)",
        _ => return None,
    };
    Some(told.to_owned())
}

/// That no pass can come of it, and what to do.
fn too_few(trials: &mut [Trial], needed: usize, each: &str, longest: Duration, profile: Profile) -> String {
    let runs = crate::model::count(total(trials), "run");
    let time = least_time(trials, needed).map(|least| {
        let longer = profile != Profile::Full && least <= Profile::Full.longest();
        let longer = if longer { ", or the profile full" } else { "" };
        format!("give it {} (on the command line --max-duration{longer}), or ", Span::from(least))
    });
    format!(
        "a pass needs {needed} runs{each}, and {runs} can be made in {} within the budget: {}give its targets a \
         larger budget",
        Span::from(longest),
        time.unwrap_or_default()
    )
}

fn count(runs: usize) -> u32 {
    u32::try_from(runs).unwrap_or(u32::MAX)
}

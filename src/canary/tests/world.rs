//! Two gateways that don't exist, with noise as of real ones, and the runs of a driver against them.
//!
//! Drift, bursts and failures hit both arms at the same time of the verification; what differs is only the fault that
//! the canary is given.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::{Arm, Plan, Policy, Run, RunOutcome};

/// Runs an arm, in about a minute.
pub const QUICK: &[(&str, usize)] = &[
    ("handshake", 30),
    ("heartbeat", 30),
    ("flapping", 7),
    ("token_refresh", 8),
    ("network_switch", 8),
    ("zombie", 7),
    ("malformed", 3),
];

/// What the default budget leaves of it, where clean-up may take half a minute.
pub const QUICK_BY_DEFAULT: &[(&str, usize)] = &[
    ("handshake", 30),
    ("heartbeat", 30),
    ("flapping", 7),
    ("token_refresh", 8),
    ("network_switch", 8),
    ("zombie", 1),
    ("malformed", 1),
];

/// Runs an arm, in about ten minutes.
pub const FULL: &[(&str, usize)] = &[
    ("handshake", 200),
    ("heartbeat", 100),
    ("flapping", 20),
    ("token_refresh", 40),
    ("network_switch", 40),
    ("zombie", 12),
    ("malformed", 3),
];

/// The share of connects that fail by themselves, in calm times and in a burst.
const FAILING: (f64, f64) = (0.001, 0.05);
/// The share of runs that find nothing out.
const INCONCLUSIVE: f64 = 0.005;
/// Messages of a session whose network is switched once, by the config's defaults as the gate shortens them.
const MESSAGES: i32 = 24;

/// What is wrong with the canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// This share of connects fails.
    Connects(f64),
    /// Round trips take so many times as long.
    RoundTrips(f64),
    /// Clean-up takes so many times as long.
    CleanUp(f64),
    /// A refresh takes so much longer, in seconds.
    Refresh(f64),
    /// A forged token is accepted.
    ForgedToken,
    /// This share of resumes loses messages.
    Resumes(f64),
    /// This share of a session's messages is lost.
    Messages(f64),
}

/// The plan of a profile.
pub fn plan(runs: &[(&str, usize)]) -> Plan {
    let checks = runs.iter().map(|(check, runs)| ((*check).to_owned(), *runs)).collect();
    Plan { compare: true, checks, policy: Policy::default() }
}

/// Two gateways and the network between.
pub struct World {
    random: StdRng,
    fault: Fault,
    /// Where in its slow wave the network's drift begins.
    phase: f64,
    in_burst: bool,
}

impl World {
    /// A world of its own for each seed.
    pub fn new(seed: u64, fault: Fault) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let phase = random.random::<f64>() * TAU;
        Self { random, fault, phase, in_burst: false }
    }

    /// The pairs of runs that a driver makes: all checks side by side, the first arm of a pair taking turns.
    pub fn pairs(&mut self, profile: &[(&'static str, usize)]) -> Vec<[Run; 2]> {
        let mut order: Vec<(f64, &'static str)> = Vec::new();
        for (check, runs) in profile {
            order.extend((0..*runs).map(|at| ((at as f64 + 0.5) / *runs as f64, *check)));
        }
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let pair = |(at, (when, check)): (usize, (f64, &'static str))| {
            // A burst begins in 1 of 100 pairs and lasts for 5.
            self.in_burst = self.random.random_bool(if self.in_burst { 0.8 } else { 0.01 });
            let arms = if at % 2 == 0 { [Arm::Baseline, Arm::Canary] } else { [Arm::Canary, Arm::Baseline] };
            arms.map(|arm| self.run(arm, check, when))
        };
        let mut pairs: Vec<[Run; 2]> = order.into_iter().enumerate().map(pair).collect();
        for (check, runs) in profile {
            self.make_up(&mut pairs, check, *runs);
        }
        pairs
    }

    /// As the driver does: a pair in the place of one that found nothing out, for a quarter of the runs at most.
    fn make_up(&mut self, pairs: &mut Vec<[Run; 2]>, check: &'static str, runs: usize) {
        let told_nothing = |run: &Run| run.check == check && run.outcome == RunOutcome::Inconclusive;
        let missing = pairs.iter().filter(|pair| pair.iter().any(told_nothing)).count();
        let missing = missing.min(runs.div_ceil(4));
        pairs.extend((0..missing).map(|_| Arm::ALL.map(|arm| self.run(arm, check, 1.0))));
    }

    fn run(&mut self, arm: Arm, check: &'static str, when: f64) -> Run {
        let fault = if arm == Arm::Canary { self.fault } else { Fault::None };
        let mut run = Run {
            arm,
            check: check.into(),
            outcome: RunOutcome::Pass,
            reason: None,
            detail: String::new(),
            critical: false,
            seconds_since_start: when,
            measures: BTreeMap::new(),
        };
        if self.random.random_bool(INCONCLUSIVE) {
            run.outcome = RunOutcome::Inconclusive;
            run.reason = Some("agent_late".into());
            return run;
        }
        if self.fails(check, fault) {
            run.outcome = RunOutcome::Fail;
            run.reason = Some("connect_refused".into());
            return run;
        }
        run.measures = self.measures(check, fault, when);
        let lost = match fault {
            Fault::Resumes(share) => share,
            Fault::Messages(share) => 1.0 - (1.0 - share).powi(MESSAGES),
            _ => 0.0,
        };
        match fault {
            Fault::ForgedToken if check == "token_refresh" => {
                run.outcome = RunOutcome::Fail;
                run.reason = Some("bad_token_accepted".into());
                run.critical = true;
            }
            _ if check == "network_switch" && self.random.random_bool(lost) => {
                run.outcome = RunOutcome::Fail;
                run.reason = Some("messages_lost".into());
            }
            _ => {}
        }
        run
    }

    fn fails(&mut self, check: &str, fault: Fault) -> bool {
        let connects = match check {
            "flapping" => 10,
            "zombie" => 4,
            "network_switch" => 2,
            _ => 1,
        };
        let mut each = if self.in_burst { FAILING.1 } else { FAILING.0 };
        if let Fault::Connects(share) = fault {
            each += share;
        }
        self.random.random_bool(1.0 - (1.0 - each).powi(connects))
    }

    fn measures(&mut self, check: &str, fault: Fault, when: f64) -> BTreeMap<String, f64> {
        let mut slow = 1.0 + 0.2 * (TAU * when + self.phase).sin();
        if self.in_burst {
            slow *= 2.0;
        }
        let mut measures = BTreeMap::new();
        let mut put = |name: &str, value: f64| {
            measures.insert(name.to_owned(), value);
        };
        match check {
            "handshake" => {
                for (phase, median) in [("tcp", 0.02), ("tls", 0.03), ("upgrade", 0.025)] {
                    let value = slow * self.lognormal(median, 0.35);
                    put(&format!("gateprobe_connect_phase_duration_seconds{{phase=\"{phase}\"}}"), value);
                }
            }
            "heartbeat" => {
                let times = if let Fault::RoundTrips(times) = fault { times } else { 1.0 };
                for (level, median) in [("protocol", 0.02), ("application", 0.022)] {
                    let value = slow * times * self.lognormal(median, 0.15);
                    put(&format!("gateprobe_heartbeat_rtt_seconds{{level=\"{level}\"}}"), value);
                }
            }
            "flapping" => put("gateprobe_flap_connect_seconds", slow * self.lognormal(0.08, 0.15)),
            "token_refresh" => {
                let more = if let Fault::Refresh(more) = fault { more } else { 0.0 };
                put("gateprobe_token_refresh_duration_seconds", slow * self.lognormal(0.1, 0.25) + more);
            }
            "network_switch" => put("gateprobe_network_switch_seconds", slow * self.lognormal(0.4, 0.3)),
            "zombie" => {
                let times = if let Fault::CleanUp(times) = fault { times } else { 1.0 };
                // A window of 20 s, and a sweep each 10 s; the median of a few connections.
                for mode in ["half_open", "mute"] {
                    let median = f64::midpoint(self.random.random(), self.random.random());
                    let value = times * (20.0 + 10.0 * median);
                    put(&format!("gateprobe_zombie_cleanup_seconds{{mode=\"{mode}\"}}"), value);
                }
            }
            _ => {}
        }
        measures
    }

    /// Of the given median; the second is the standard deviation of its logarithm (Box and Muller).
    fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        let (a, b): (f64, f64) = (1.0 - self.random.random::<f64>(), self.random.random());
        median * (sigma * (-2.0 * a.ln()).sqrt() * (TAU * b).cos()).exp()
    }
}

//! What Prometheus would scrape from agents whose runs end as a test wants it: second by second, without any agent.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Well.
    Pass,
    /// Badly, for this reason.
    Fail(&'static str),
    /// Nothing was found out.
    Inconclusive,
}

type Ends = Box<dyn Fn(u64) -> End>;

/// A check of a target.
pub struct Job {
    pub target: &'static str,
    pub check: &'static str,
    /// Seconds.
    pub interval: u64,
    /// The objective, and its period in days.
    pub slo: Option<(f64, u64)>,
    /// From then on nothing drives it any more.
    pub stuck_from: Option<u64>,
    /// How the run at a second ends.
    pub ends: Ends,
}

/// A further series of an agent: its name with labels, and its value by the second and the second of the agent's
/// start; none while it is absent.
pub type Further = (String, Box<dyn Fn(u64, u64) -> Option<f64>>);

/// An agent that is scraped.
pub struct Agent {
    pub instance: &'static str,
    pub location: Option<&'static str>,
    /// Its runs start so many seconds later than those of others.
    pub phase: u64,
    pub jobs: Vec<Job>,
    pub further: Vec<Further>,
    /// Targets that its config pauses, and when.
    pub pauses: Vec<(&'static str, Range<u64>)>,
    /// When its process is not there; it starts anew after each.
    pub down: Vec<Range<u64>>,
    /// When it answers, but its series are gone: what a reload that takes a target away and brings it back does.
    pub emptied: Vec<Range<u64>>,
}

/// All agents, and the Prometheus that scrapes them.
pub struct World {
    /// Seconds between two scrapes.
    pub scrape: u64,
    /// Seconds.
    pub length: u64,
    pub agents: Vec<Agent>,
    /// When nothing is scraped, although all is there.
    pub gaps: Vec<Range<u64>>,
}

/// A series in the notation of promtool.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sample {
    Value(f64),
    Missing,
    Stale,
}

impl Job {
    /// A check of the target `chat` that always passes.
    pub fn well(check: &'static str, interval: u64) -> Self {
        Self { target: "chat", check, interval, slo: None, stuck_from: None, ends: Box::new(|_| End::Pass) }
    }

    /// The same of another target.
    pub fn of(self, target: &'static str) -> Self {
        Self { target, ..self }
    }

    pub fn slo(self, objective: f64, days: u64) -> Self {
        Self { slo: Some((objective, days)), ..self }
    }

    pub fn ends(self, ends: impl Fn(u64) -> End + 'static) -> Self {
        Self { ends: Box::new(ends), ..self }
    }
}

impl Agent {
    /// An agent with jobs, in no location.
    pub fn with(jobs: Vec<Job>) -> Self {
        Self {
            instance: "a:9464",
            location: None,
            phase: 0,
            jobs,
            further: Vec::new(),
            pauses: Vec::new(),
            down: Vec::new(),
            emptied: Vec::new(),
        }
    }

    pub fn at(self, location: &'static str) -> Self {
        Self { location: Some(location), ..self }
    }

    /// Another replica.
    pub fn named(self, instance: &'static str, phase: u64) -> Self {
        Self { instance, phase, ..self }
    }
}

impl World {
    /// Whether a job has an objective.
    pub fn has_objectives(&self) -> bool {
        self.agents.iter().flat_map(|agent| &agent.jobs).any(|job| job.slo.is_some())
    }

    /// Whether round-trip times are measured.
    pub fn has_pings(&self) -> bool {
        let mut further = self.agents.iter().flat_map(|agent| &agent.further);
        further.any(|(name, _)| name.starts_with("gateprobe_heartbeat_rtt_seconds"))
    }

    /// The series as promtool's `input_series`, indented by six.
    pub fn input_series(&self) -> String {
        let mut text = String::new();
        for agent in &self.agents {
            for (name, samples) in self.series(agent) {
                let _ = writeln!(text, "      - series: '{name}'\n        values: '{}'", notation(&samples));
            }
        }
        text
    }

    fn series(&self, agent: &Agent) -> BTreeMap<String, Vec<Sample>> {
        let mut series: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        let mut states: Vec<State> = agent.jobs.iter().map(|_| State::default()).collect();
        let (mut born, mut last) = (0, 0);
        for (index, now) in (0..=self.length).step_by(self.scrape as usize).enumerate() {
            for away in agent.down.iter().chain(&agent.emptied) {
                if away.end >= last && away.end <= now && away.end > 0 {
                    states.iter_mut().for_each(|state| *state = State::default());
                    born = away.end;
                }
            }
            for (job, state) in agent.jobs.iter().zip(&mut states) {
                state.live(job, agent.phase, born.max(last)..now + 1);
            }
            last = now + 1;
            if within(&self.gaps, now) {
                series.values_mut().for_each(|samples| samples.push(Sample::Missing));
                continue;
            }
            let found = self.scraped(agent, &states, now, born);
            for (name, samples) in &mut series {
                if !found.contains_key(name) {
                    let ended = matches!(samples.last(), Some(Sample::Value(_)));
                    samples.push(if ended { Sample::Stale } else { Sample::Missing });
                }
            }
            for (name, value) in found {
                let samples = series.entry(name).or_insert_with(|| vec![Sample::Missing; index]);
                samples.push(Sample::Value(value));
            }
        }
        series
    }

    fn scraped(&self, agent: &Agent, states: &[State], now: u64, born: u64) -> BTreeMap<String, f64> {
        let mut found = BTreeMap::new();
        let place = agent.location.map(|at| format!(",location=\"{at}\"")).unwrap_or_default();
        let scraped_as = format!("job=\"gateprobe\",instance=\"{}\"", agent.instance);
        let up = !within(&agent.down, now);
        found.insert(format!("up{{{scraped_as}}}"), f64::from(u8::from(up)));
        if !up {
            return found;
        }
        let mut add = |name: &str, labels: &str, value: f64| {
            let labels = if labels.is_empty() { String::new() } else { format!("{labels},") };
            found.insert(format!("{name}{{{labels}{scraped_as}{place}}}"), value);
        };
        add("gateprobe_build_info", "version=\"1\"", 1.0);
        add("gateprobe_agent_config_last_reload_success", "", 1.0);
        for (name, value) in &agent.further {
            let (name, labels) =
                name.split_once('{').map_or((&**name, ""), |(n, l)| (n, l.trim_end_matches('}')));
            if let Some(value) = value(now, born) {
                add(name, labels, value);
            }
        }
        if within(&agent.emptied, now) {
            return found;
        }
        for (job, state) in agent.jobs.iter().zip(states) {
            let paused = agent.pauses.iter().any(|(of, when)| *of == job.target && when.contains(&now));
            let flag = f64::from(u8::from(paused));
            add("gateprobe_target_paused", &format!("target=\"{}\"", job.target), flag);
            state.show(job, agent.phase, now, &mut add);
        }
        found
    }
}

/// What an agent knows of a job.
#[derive(Default)]
struct State {
    outcomes: BTreeMap<&'static str, u64>,
    failures: BTreeMap<&'static str, u64>,
    in_a_row: u64,
    acute: u64,
    acute_in_a_row: u64,
    inconclusive_in_a_row: u64,
    success: Option<bool>,
    ran: bool,
}

/// Every reason that a rule knows.
const REASONS: [&str; 11] = [
    "tls_expires_soon",
    "unavailable",
    "zombie_leaked",
    "half_closed_leak",
    "false_eviction",
    "recovered_evicted",
    "evicted_early",
    "collateral_damage",
    "bad_token_accepted",
    "token_not_required",
    "expired_session_survives",
];

impl State {
    fn live(&mut self, job: &Job, phase: u64, seconds: Range<u64>) {
        let phase = phase % job.interval;
        for second in seconds.filter(|second| second % job.interval == phase) {
            if job.stuck_from.is_some_and(|from| second >= from) {
                continue;
            }
            let end = (job.ends)(second);
            self.ran = true;
            let outcome = match end {
                End::Pass => "pass",
                End::Fail(_) => "fail",
                End::Inconclusive => "inconclusive",
            };
            *self.outcomes.entry(outcome).or_default() += 1;
            match end {
                End::Pass => {
                    (self.in_a_row, self.acute_in_a_row, self.success) = (0, 0, Some(true));
                }
                End::Fail(reason) => {
                    *self.failures.entry(reason).or_default() += 1;
                    (self.in_a_row, self.success) = (self.in_a_row + 1, Some(false));
                    let soon = reason == "tls_expires_soon";
                    self.acute += u64::from(!soon);
                    self.acute_in_a_row = if soon { 0 } else { self.acute_in_a_row + 1 };
                }
                End::Inconclusive => {}
            }
            let inconclusive = end == End::Inconclusive;
            self.inconclusive_in_a_row = if inconclusive { self.inconclusive_in_a_row + 1 } else { 0 };
        }
    }

    fn show(&self, job: &Job, phase: u64, now: u64, add: &mut impl FnMut(&str, &str, f64)) {
        let of = format!("target=\"{}\",check=\"{}\"", job.target, job.check);
        for outcome in ["pass", "fail", "inconclusive", "unsupported"] {
            let count = self.outcomes.get(outcome).copied().unwrap_or_default();
            add("gateprobe_check_runs_total", &format!("{of},outcome=\"{outcome}\""), count as f64);
        }
        for reason in REASONS {
            let count = self.failures.get(reason).copied().unwrap_or_default();
            add("gateprobe_check_failures_total", &format!("{of},reason=\"{reason}\""), count as f64);
        }
        add("gateprobe_check_acute_failures_total", &of, self.acute as f64);
        let inconclusive = self.outcomes.get("inconclusive").copied().unwrap_or_default();
        add(
            "gateprobe_check_inconclusive_total",
            &format!("{of},cause=\"egress_lost\""),
            inconclusive as f64,
        );
        add("gateprobe_check_interval_seconds", &of, job.interval as f64);
        let due = job.stuck_from.map_or(now, |from| from.min(now));
        let next = (due.saturating_sub(phase % job.interval) / job.interval + 1) * job.interval
            + phase % job.interval;
        add("gateprobe_check_next_run_timestamp_seconds", &of, next as f64);
        if let Some((objective, days)) = job.slo {
            add("gateprobe_slo_objective_ratio", &of, objective);
            add("gateprobe_slo_period_seconds", &of, (days * 86_400) as f64);
        }
        if self.ran {
            add("gateprobe_check_consecutive_failures", &of, self.in_a_row as f64);
            add("gateprobe_check_consecutive_acute_failures", &of, self.acute_in_a_row as f64);
            add("gateprobe_check_consecutive_inconclusive", &of, self.inconclusive_in_a_row as f64);
        }
        if let Some(success) = self.success {
            add("gateprobe_last_check_success", &of, f64::from(u8::from(success)));
            let acute = f64::from(u8::from(self.acute_in_a_row > 0));
            add("gateprobe_last_check_acute_failure", &of, acute);
        }
    }
}

fn within(ranges: &[Range<u64>], second: u64) -> bool {
    ranges.iter().any(|range| range.contains(&second))
}

/// Equal samples are written once, with a count.
fn notation(samples: &[Sample]) -> String {
    let mut text = String::new();
    let mut rest = samples;
    while let Some(first) = rest.first() {
        let equal = rest.iter().take_while(|sample| *sample == first).count();
        rest = &rest[equal..];
        let separator = if text.is_empty() { "" } else { " " };
        let _ = match first {
            Sample::Value(value) if equal == 1 => write!(text, "{separator}{value}"),
            Sample::Value(value) => write!(text, "{separator}{value}x{}", equal - 1),
            Sample::Missing => write!(text, "{separator}_x{equal}"),
            Sample::Stale => write!(text, "{separator}stale"),
        };
    }
    text
}

//! Rows of what was measured: one a metric with its labels.

use super::data::{CheckData, Data};
use super::decision::{Row, RowVerdict};
use super::judge::Candidate;
use super::outcomes::{left_out, needed};
use super::plan::{Arm, Direction, MetricPolicy, Plan, Policy};
use super::statistics::effect::cliffs_delta;
use super::statistics::hodges_lehmann::{median, shift};
use super::statistics::mann_whitney::mann_whitney;
use super::statistics::multiple::Tested;

/// Phases that a way has or has not, by its URL and its proxy: an address needs no name to be resolved, `ws://` no TLS.
const OF_THE_WAY: [&str; 4] = [
    "gateprobe_connect_phase_duration_seconds{phase=\"dns\"}",
    "gateprobe_connect_phase_duration_seconds{phase=\"tcp\"}",
    "gateprobe_connect_phase_duration_seconds{phase=\"proxy\"}",
    "gateprobe_connect_phase_duration_seconds{phase=\"tls\"}",
];

/// By how many times the least shift that matters all runs must differ to be suspect, however few.
const SUSPECT: f64 = 2.0;

/// The rows of metrics that the policy names. Where they are to be `brief`, no shift is worked out that could not count.
pub(super) fn rows(plan: &Plan, data: &Data, brief: bool) -> Vec<Candidate> {
    let mut rows = Vec::new();
    for (name, check) in data.checks().filter(|(_, check)| !left_out(plan, check)) {
        let planned = plan.checks.get(name).copied().unwrap_or(0);
        for metric in check.metrics() {
            let base = metric.split('{').next().unwrap_or(metric);
            let Some(policy) = plan.policy.metrics.get(base) else { continue };
            let needed = needed(&plan.policy, planned);
            rows.push(if plan.compare {
                compared(&plan.policy, policy, Compared { name, metric, check, needed, brief })
            } else {
                alone(policy, name, metric, check, needed)
            });
        }
    }
    rows
}

/// What is compared.
struct Compared<'a> {
    name: &'a str,
    metric: &'a str,
    check: &'a CheckData,
    needed: usize,
    brief: bool,
}

fn compared(
    all: &Policy,
    policy: &MetricPolicy,
    Compared { name, metric, check, needed, brief }: Compared<'_>,
) -> Candidate {
    let (canary, baseline) = (check.canary.values(metric), check.baseline.values(metric));
    let mut row = empty(name, metric, policy);
    (row.n_canary, row.n_baseline) = (canary.len(), baseline.len());
    row.canary = median(&mut canary.to_vec());
    row.baseline = median(&mut baseline.to_vec());
    let (few, many) = (canary.len().min(baseline.len()), canary.len().max(baseline.len()));
    let mut candidate = Candidate { row, tested: None, matters: false, suspect: false };
    let row = &mut candidate.row;
    let arm = if canary.len() < baseline.len() { Arm::Canary } else { Arm::Baseline };
    if few == 0
        && many > 0
        && OF_THE_WAY.contains(&metric)
        && check.canary.pass > 0
        && check.baseline.pass > 0
    {
        row.verdict = RowVerdict::NotJudged;
        row.note = Some(format!("the way to the {} has no such phase", arm.label()));
        return candidate;
    }
    // A run that failed may have measured nothing: that is what the row of failures is for.
    let meant = many.min(check.arm(arm).pass).max(usize::from(few == 0));
    if few * 2 < meant && many >= needed {
        let arm = arm.label();
        row.verdict = RowVerdict::NotEnough;
        row.note = Some(format!("the {arm} has {few} runs that measured it, the other {many}"));
        return candidate;
    }
    let Some(test) = mann_whitney(canary, baseline) else { return not_judged(candidate) };
    let (sign, worse, better) = match policy.direction {
        Direction::HigherIsWorse => (1.0, test.greater(), test.less()),
        Direction::LowerIsWorse => (-1.0, test.less(), test.greater()),
    };
    let judged = policy.weight > 0.0 && few >= needed;
    candidate.tested = judged.then(|| Tested { p: worse, least: test.least() });
    if brief && (!judged || worse > all.alpha) {
        return candidate;
    }
    let Some(shift) = shift(canary, baseline, all.confidence) else { return not_judged(candidate) };
    let tolerance = policy.tolerance.unwrap_or(all.tolerance);
    let margin = policy.absolute.max(tolerance * row.baseline.unwrap_or(0.0).abs());
    let by = sign * shift.estimate;
    row.shift = Some(shift.estimate);
    row.interval = shift.interval;
    row.effect = Some(cliffs_delta(&test));
    row.p = Some(worse);
    if few < needed {
        return not_judged(candidate);
    }
    let matters = by > 0.0 && by >= margin;
    if -by >= margin && better <= all.alpha {
        row.verdict = RowVerdict::Better;
    }
    let apart = sign * cliffs_delta(&test) >= 1.0 && by >= SUSPECT * margin;
    let suspect = matters && (worse <= all.alpha || apart);
    if !judged {
        row.verdict = RowVerdict::NotJudged;
    }
    (candidate.matters, candidate.suspect) = (matters, suspect);
    candidate
}

fn not_judged(mut candidate: Candidate) -> Candidate {
    candidate.row.verdict = RowVerdict::NotJudged;
    candidate.row.note = Some("so few runs can't show a difference".to_owned());
    candidate
}

/// Without a baseline: the median against a threshold, where there is one.
fn alone(policy: &MetricPolicy, name: &str, metric: &str, check: &CheckData, needed: usize) -> Candidate {
    let values = check.canary.values(metric);
    let mut row = empty(name, metric, policy);
    row.n_canary = values.len();
    row.canary = median(&mut values.to_vec());
    row.threshold = policy.threshold;
    let over = row.canary.zip(policy.threshold).map(|(median, threshold)| match policy.direction {
        Direction::HigherIsWorse => median > threshold,
        Direction::LowerIsWorse => median < threshold,
    });
    row.verdict = match over {
        Some(_) if policy.weight > 0.0 && values.len() < needed => RowVerdict::NotEnough,
        Some(true) if policy.weight > 0.0 => RowVerdict::OverThreshold,
        Some(false) if policy.weight > 0.0 => RowVerdict::Same,
        _ => RowVerdict::NotJudged,
    };
    Candidate { row, tested: None, matters: false, suspect: false }
}

fn empty(check: &str, metric: &str, policy: &MetricPolicy) -> Row {
    let base = metric.split('{').next().unwrap_or(metric);
    let unit = ["seconds", "bytes", "ratio"].into_iter().find(|unit| base.ends_with(unit));
    Row {
        check: check.to_owned(),
        metric: metric.to_owned(),
        unit: unit.unwrap_or("count").into(),
        baseline: None,
        canary: None,
        n_baseline: 0,
        n_canary: 0,
        shift: None,
        interval: None,
        p: None,
        effect: None,
        threshold: None,
        verdict: RowVerdict::Same,
        note: None,
        weight: policy.weight,
    }
}

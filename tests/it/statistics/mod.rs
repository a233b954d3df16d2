//! The canary judge's statistics against SciPy's, to nine digits.

use gateprobe::canary::statistics::fisher::{Table, greater, least_greater};
use gateprobe::canary::statistics::hodges_lehmann::shift;
use gateprobe::canary::statistics::mann_whitney::mann_whitney;
use gateprobe::canary::statistics::{effect, multiple, normal, proportion, spending};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::support::program::answers;

/// Inputs of each kind.
const INPUTS: usize = 1_000;
const CONFIDENCE: f64 = 0.95;
/// SciPy is slow to give an interval of a share: it is asked for one table in so many.
const SHARES: usize = 10;

/// SciPy's answers, from one process for all questions.
fn scipy(questions: &[Value]) -> Vec<Value> {
    answers("tests/it/statistics/scipy_says.py", questions)
}

/// Nine digits, down to what 64 bits hold beside 1.
fn same(ours: f64, theirs: &Value, what: &str, question: &Value) {
    let theirs = theirs.as_f64().unwrap_or_else(|| panic!("{what}: {theirs} of {question}"));
    let close = (ours - theirs).abs() <= 1e-9 * theirs.abs() + 1e-15;
    assert!(close, "{what}: {ours} here, {theirs} by SciPy, of {question}");
}

fn same_interval(ours: Option<(f64, f64)>, theirs: &Value, question: &Value) {
    match ours {
        Some((low, high)) => {
            same(low, &theirs[0], "low", question);
            same(high, &theirs[1], "high", question);
        }
        None => assert!(theirs.is_null(), "no interval here, {theirs} by SciPy, of {question}"),
    }
}

/// Tiny and larger samples; continuous, with ties, constant, far apart.
fn sample(random: &mut StdRng, kind: usize) -> Vec<f64> {
    let n = if random.random_bool(0.5) { random.random_range(1..=9) } else { random.random_range(1..=60) };
    let far = if random.random_bool(0.2) { random.random_range(0.0..2.0) } else { 0.0 };
    let value = |random: &mut StdRng| match kind {
        0 => random.random::<f64>() + far,
        1 => (random.random::<f64>() * 5.0).round(),
        2 => 0.25,
        _ => (random.random::<f64>() * 3.0).exp() + far,
    };
    (0..n).map(|_| value(random)).collect()
}

#[test]
fn samples_are_compared_as_scipy_does() {
    let mut random = StdRng::seed_from_u64(1);
    let questions: Vec<Value> = (0..INPUTS)
        .map(|at| {
            let (x, y) = (sample(&mut random, at % 4), sample(&mut random, at % 4));
            json!({ "x": x, "y": y, "confidence": CONFIDENCE })
        })
        .collect();
    let numbers = |list: &Value| -> Vec<f64> {
        list.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
    };
    for (question, said) in questions.iter().zip(scipy(&questions)) {
        let (x, y) = (numbers(&question["x"]), numbers(&question["y"]));
        let test = mann_whitney(&x, &y).expect("data");
        same(test.u, &said["u"], "U", question);
        same(test.greater(), &said["greater"], "greater", question);
        same(test.less(), &said["less"], "less", question);
        same(test.two_sided(), &said["two-sided"], "two-sided", question);
        same(effect::cliffs_delta(&test), &said["delta"], "delta", question);
        let shift = shift(&x, &y, CONFIDENCE).expect("data");
        same(shift.estimate, &said["shift"], "shift", question);
        same_interval(shift.interval, &said["interval"], question);
    }
}

#[test]
fn tables_are_tested_as_scipy_does() {
    let mut random = StdRng::seed_from_u64(2);
    let mut drawn = Vec::new();
    for _ in 0..INPUTS {
        let largest = if random.random_bool(0.5) { 8 } else { 300 };
        let mut table = || {
            let (runs, other_runs) = (random.random_range(1..=largest), random.random_range(1..=largest));
            let most: f64 = if random.random_bool(0.3) { 0.0 } else { random.random() };
            let mut failed = |runs: usize| (random.random::<f64>() * most * (runs + 1) as f64) as usize;
            let (failed, other_failed) = (failed(runs), failed(other_runs));
            Table { failed, runs, other_failed, other_runs }
        };
        drawn.push([table(), table(), table()]);
    }
    let questions: Vec<Value> = drawn
        .iter()
        .map(|tables| tables.map(|t| [t.failed, t.runs, t.other_failed, t.other_runs]))
        .enumerate()
        .map(|(at, tables)| match at % SHARES {
            0 => json!({ "tables": tables, "confidence": CONFIDENCE }),
            _ => json!({ "tables": tables }),
        })
        .collect();
    for ((tables, question), said) in drawn.iter().zip(&questions).zip(scipy(&questions)) {
        let one = tables[0];
        same(one.greater(), &said["greater"], "greater", question);
        same(one.turned().greater(), &said["less"], "less", question);
        same(one.two_sided(), &said["two-sided"], "two-sided", question);
        same(greater(tables), &said["together"], "together", question);
        same(least_greater(tables), &said["least"], "least", question);
        if question.get("confidence").is_none() {
            continue;
        }
        let (share, other) = ((one.failed, one.runs), (one.other_failed, one.other_runs));
        same_interval(proportion::wilson(share.0, share.1, CONFIDENCE), &said["wilson"], question);
        same_interval(proportion::difference(share, other, CONFIDENCE), &said["difference"], question);
    }
}

#[test]
fn corrections_and_quantiles_are_scipys() {
    let mut random = StdRng::seed_from_u64(3);
    let questions: Vec<Value> = (0..INPUTS)
        .map(|_| {
            let n = random.random_range(0..=20);
            let ps: Vec<f64> = (0..n).map(|_| random.random::<f64>().powi(4)).collect();
            let (z, t) = (random.random_range(-8.0..30.0), random.random_range(0.05..1.0));
            json!({ "ps": ps, "z": z, "t": t, "alpha": random.random_range(1e-5..0.4) })
        })
        .collect();
    for (question, said) in questions.iter().zip(scipy(&questions)) {
        let number = |name: &str| question[name].as_f64().expect("a number");
        let ps: Vec<f64> = question["ps"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|p| p.as_f64().expect("a number"))
            .collect();
        for (at, p) in multiple::holm(&ps).into_iter().enumerate() {
            same(p, &said["holm"][at], "Holm", question);
        }
        same(normal::survival(number("z")), &said["survival"], "survival", question);
        same(normal::inverse_survival(number("alpha")), &said["quantile"], "quantile", question);
        same(spending::spent(number("alpha"), number("t")), &said["spent"], "spent", question);
    }
}

//! Every check against a healthy gateway over a way with light delays, again and again: no false alarm, and what may
//! be disturbed on a busy machine says so. `make soak` runs it long.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use gateprobe::auth::Algorithm;
use gateprobe::checks::CheckSpec;
use gateprobe::gateway::{self, JwtRules, Settings};
use gateprobe::model::{Outcome, RunReport};

use crate::support::relay::Relay;
use crate::support::session::AMPLE;
use crate::support::{Bench, folder, words, write};

/// Each way, in milliseconds.
const DELAY: std::ops::RangeInclusive<u64> = 1..=10;
/// Runs at a time, where nothing else is said.
const AT_ONCE: usize = 60;
/// Runs of each target between two lines of progress, and of a new relay and new targets: what grows in a test's
/// relay is its own.
const ROUND: usize = 17;
/// Of a thousand runs, those that may be disturbed by the machine.
const DISTURBED: usize = 50;

/// Settings of each check that make a run last a second or two. A check that is missing here fails the test.
const SETTINGS: &[(&str, &str)] = &[
    ("handshake", "timeout: 5s"),
    ("heartbeat", "pings: 4, every: 200ms, pong_timeout: 2s, server: { pings: 600ms, tolerance: 400ms }"),
    (
        "zombie",
        "beat_within: 600ms, pong_timeout: 2s, tolerance: 400ms, window: { earliest: 2400ms, latest: 2400ms }",
    ),
    ("flapping", "cycles: 8, hold: 20ms, gap: 30ms"),
    ("malformed", "every: 50ms, groups: [framing, encoding, application]"),
    ("network_switch", "messages: 10, every: 20ms, away: 100ms, settle: 1s, retention: 20s"),
    (
        "token_refresh",
        "profile: suite, messages: 6, every: 50ms, lifetime: 3s, leeway: 0s, tolerance: 1s, settle: 1s, \
         expiry_enforced: true",
    ),
    ("hold", "watch: 1s, every: 200ms, pong_timeout: 2s, back_within: 5s"),
];

fn healthy(key: &Path) -> Settings {
    Settings {
        jwt: Some(JwtRules::read(Algorithm::HS256.into(), key).expect("a key")),
        heartbeat_interval: Some(Duration::from_millis(600)),
        // A machine that stands still for a second is not the gateway's fault, nor the agent's.
        heartbeat_timeout: Duration::from_millis(2_400),
        json: true,
        ..Settings::default()
    }
}

/// As many targets as runs at a time, a check each, so that held connections are held over many runs.
fn config(url: &str, key: &Path, at_once: usize) -> String {
    let mint = format!("{{ algorithm: HS256, key_file: {key:?}, subject: soak, lifetime: 1d }}");
    let only = std::env::var("CHECK").unwrap_or_default();
    let wanted = |check: &str| only.is_empty() || only == check;
    let settings: Vec<_> = SETTINGS.iter().filter(|(check, _)| wanted(check)).collect();
    let target = |index: usize| {
        let (check, settings) = settings[index % settings.len()];
        let handshake = if *check == "handshake" { "" } else { "handshake: { enabled: false }, " };
        let checks = format!("checks: {{ {handshake}{check}: {{ {settings} }} }}");
        format!(
            "  soak-{index}: {{ url: '{url}', dialect: json, auth: {{ token: {{ mint: {mint} }} }}, {AMPLE}, {checks} }}\n"
        )
    };
    format!("lag_bound: 100ms\ntargets:\n{}", (0..at_once).map(target).collect::<String>())
}

type Told = BTreeMap<(&'static str, String), (usize, String)>;

/// So many runs; what was said, how often, and the last detail.
async fn round(bench: &Bench, runs: usize, at_once: usize, told: &mut Told) {
    // One run of a target at a time, as the schedule has it.
    let each = runs.div_ceil(at_once);
    let runs = (0..at_once).map(async |index| {
        let mut reports: Vec<RunReport> = Vec::new();
        for _ in 0..each {
            reports.extend(bench.run(&format!("soak-{index}")).await);
        }
        reports
    });
    let mut rounds = futures_util::stream::iter(runs).buffer_unordered(at_once);
    while let Some(reports) = rounds.next().await {
        for report in reports {
            let entry = told.entry((report.job.check, words(&report))).or_default();
            entry.0 += 1;
            entry.1 = report.detail.clone();
            let accused = matches!(report.outcome, Outcome::Fail(_));
            assert!(
                !accused,
                "a false alarm of {}: {} ({})\n{:#?}",
                report.job.check,
                words(&report),
                report.detail,
                report.timeline
            );
        }
    }
}

/// Soaks until so many runs are done, or the time is up; gives how many were.
async fn soak(runs: usize, at_once: usize, time: Duration) -> usize {
    let folder = folder();
    let key = write(folder.path(), "key", "a secret of the soak's own, long enough for HS256");
    let gateway = gateway::start(healthy(&key)).await.expect("a gateway");
    let (began, mut told, mut done) = (Instant::now(), Told::new(), 0);
    while done < runs && began.elapsed() < time {
        let relay = Relay::start(gateway.address(), DELAY).await;
        let bench = Bench::new(&config(&format!("ws://{}/", relay.address), &key, at_once));
        round(&bench, (ROUND * at_once).min(runs - done), at_once, &mut told).await;
        done = told.values().map(|(count, _)| count).sum();
        let summary = told.iter().map(|((check, said), (count, _))| format!("{check} {said}: {count}"));
        let summary: Vec<String> = summary.collect();
        println!("{done} runs in {:.0?}: {}", began.elapsed(), summary.join(", "));
    }
    let disturbed = told.iter().filter(|((_, said), _)| said != "pass");
    let disturbed: usize = disturbed.map(|(_, (count, _))| count).sum();
    assert!(disturbed <= (done * DISTURBED).div_ceil(1_000), "this machine is late all the time: {told:#?}");
    done
}

#[test]
fn every_check_is_soaked() {
    let soaked: Vec<&str> = SETTINGS.iter().map(|(check, _)| *check).collect();
    for kind in CheckSpec::KINDS {
        assert!(soaked.contains(kind), "{kind} has no settings in the soak");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_runs_raise_no_false_alarm() {
    assert!(soak(480, AT_ONCE, Duration::from_secs(120)).await > 0);
}

/// `make soak`: RUNS and MINUTES bound it, AT_ONCE says how many runs there are at a time, CHECK takes one check only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes an hour or more: make soak"]
async fn a_hundred_thousand_runs_raise_no_false_alarm() {
    let number = |name: &str, usual: u64| {
        let given = std::env::var(name).ok().filter(|text| !text.is_empty());
        given.map_or(usual, |text| text.parse().expect("a number"))
    };
    let runs = usize::try_from(number("RUNS", 100_000)).expect("fits");
    let at_once = usize::try_from(number("AT_ONCE", AT_ONCE as u64)).expect("fits").max(SETTINGS.len());
    let done = soak(runs, at_once, Duration::from_secs(60 * number("MINUTES", 240))).await;
    println!("{done} of {runs} runs, no false alarm");
}

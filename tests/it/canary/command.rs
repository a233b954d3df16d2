//! `gateprobe canary`: what it finds, and how it ends.

use std::io::{BufRead, BufReader};

use gateprobe::gateway::{EventKind, Settings, TlsSettings};
use serde_json::Value;

use super::{SECRET, Verified, canary, config, pair, with_clean_up, with_tokens};
use crate::support::binary::{eventually, finish};
use crate::support::neighbour::{Closed, Gateway};
use crate::support::{folder, write};

/// Only a difference that no noise of a busy machine makes.
const PATIENT: &[&str] = &["--alpha", "0.001", "--tolerance", "1"];

fn verify(baseline: &Gateway, canary_url: &str, arguments: &[&str]) -> Verified {
    let urls = ["--baseline", &baseline.url(), "--canary", canary_url];
    Verified::of(canary(&[&urls, arguments, PATIENT].concat()))
}

#[test]
fn a_gateway_that_is_as_good_passes() {
    let (old, new) = pair(&[], Settings::default);
    let told = verify(&old, &new.url(), &["--check", "handshake", "--check", "heartbeat"]);
    told.expect(0, "pass", &["as good as the baseline", "60 runs of 2 checks"]);
    let runs = told.report["runs"].as_array().expect("a list");
    assert!(runs.iter().all(|arm| arm["pass"] == arm["planned"]), "{runs:#?}");
    assert_eq!(runs.len(), 4);
    // Each arm is visited as often as the other.
    let dials = |gateway: &Gateway| gateway.times(|kind| *kind == EventKind::Upgraded).len();
    assert_eq!((dials(&old), dials(&new)), (60, 60));
    assert!(told.stderr.contains("handshake 30, heartbeat 30"), "{}", told.stderr);
}

#[test]
fn arms_take_turns_so_that_drift_hits_both() {
    let (old, new) = pair(&[], Settings::default);
    verify(&old, &new.url(), &["--check", "handshake"]).expect(0, "pass", &[]);
    let times = |gateway: &Gateway| gateway.times(|kind| *kind == EventKind::Upgraded);
    let (old, new) = (times(&old), times(&new));
    let mut all: Vec<(f64, char)> =
        old.iter().map(|at| (*at, 'a')).chain(new.iter().map(|at| (*at, 'b'))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let order: String = all.iter().map(|(_, arm)| arm).collect();
    assert_eq!(order, "abba".repeat(15));
}

#[test]
fn a_slow_canary_fails_by_what_is_slow() {
    let (old, new) = pair(&["upgrade_delay=150ms"], Settings::default);
    let told = verify(&old, &new.url(), &["--check", "handshake"]);
    told.expect(1, "fail", &["handshake", "gateprobe_connect_phase_duration_seconds{phase=\"upgrade\"}"]);
}

#[test]
fn a_canary_that_refuses_fails_and_the_baseline_does_not() {
    let (old, new) = pair(&["refuse_every=2"], Settings::default);
    let told = verify(&old, &new.url(), &["--check", "handshake"]);
    told.expect(1, "fail", &["handshake failed in", "(baseline: 0 of"]);
    let evidence = told.report["evidence"].as_array().expect("a list");
    assert!(evidence.iter().all(|found| found["arm"] == "canary") && !evidence.is_empty(), "{evidence:#?}");
    // The other way round, with a baseline that is good enough to compare with: what is better is no failure.
    new.clear_all();
    new.set_fault("refuse_every=4".parse().expect("a fault")).expect("a fault that shows");
    let told = Verified::of(canary(
        &[&["--baseline", &new.url(), "--canary", &old.url(), "--check", "handshake"], PATIENT].concat(),
    ));
    told.expect(0, "pass", &[]);
}

#[test]
fn a_canary_that_is_not_there_fails() {
    let old = Gateway::with(&[]);
    let closed = Closed::on("127.0.0.1");
    let told = verify(&old, &closed.url(), &["--check", "handshake"]);
    told.expect(1, "fail", &["handshake failed in", "by connect_refused"]);
    assert_eq!(told.report["evidence"][0]["reason"], "connect_refused");
    // The time to a refusal is no time of a connect.
    let rows = told.report["rows"].as_array().expect("a list");
    let tcp = rows.iter().find(|row| row["metric"].as_str().is_some_and(|metric| metric.contains("tcp")));
    let tcp = tcp.expect("the baseline's");
    assert_eq!((&tcp["n_canary"], &tcp["verdict"]), (&0.into(), &"not_enough".into()), "{tcp:#}");
}

#[test]
fn a_forged_token_that_is_accepted_fails_at_once() {
    let folder = folder();
    let key = write(folder.path(), "key", SECRET);
    let (old, new) = pair(&["refresh_takes=forged"], || with_tokens(&key));
    let settings = format!(
        "    dialect: json\n    auth: {{ token: {{ mint: {{ algorithm: HS256, key_file: {key:?}, subject: gateprobe, \
         audience: chat }} }} }}\n    checks: {{ handshake: , token_refresh: {{ leeway: 0s, every: 20ms }} }}\n"
    );
    let config = config(folder.path(), &old.url(), &settings);
    let config = config.to_str().expect("UTF-8");
    // The URL takes the target's credential, dialect and checks.
    let told = Verified::of(canary(&["--config", config, "--baseline", "chat", "--canary", &new.url()]));
    told.expect(1, "fail", &["token_refresh found bad_token_accepted, which is critical"]);
    assert_eq!(told.report["stopped_early"], "critical");
    // Both show it: it is told, and not held against the canary.
    let told = Verified::of(canary(&[
        "--config",
        config,
        "--baseline",
        &new.url(),
        "--canary",
        "chat",
        "--check",
        "handshake",
    ]));
    told.expect(0, "pass", &[]);
}

#[test]
fn leaked_zombies_fail_at_once() {
    let folder = folder();
    let (old, new) = pair(&["zombies_kept"], with_clean_up);
    let settings = "    checks: { zombie: { window: { earliest: 1200ms, latest: 1200ms }, beat_within: 600ms, \
                    tolerance: 400ms, close_timeout: 700ms, recovery: false } }\n";
    let config = config(folder.path(), &old.url(), settings);
    let config = config.to_str().expect("UTF-8");
    let told = Verified::of(canary(&["--config", config, "--baseline", "chat", "--canary", &new.url()]));
    told.expect(1, "fail", &["zombie found zombie_leaked, which is critical"]);
    let critical: Vec<&Value> = told.report["evidence"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|found| found["critical"] == true)
        .collect();
    assert_eq!(critical.len(), 1, "{critical:#?}");
}

#[test]
fn runs_that_mostly_wait_go_on_at_once_where_the_budget_has_room() {
    let folder = folder();
    let (old, new) = pair(&[], with_clean_up);
    let settings = "    checks: { zombie: { window: { earliest: 1200ms, latest: 3s }, beat_within: 600ms, \
                    tolerance: 1s, close_timeout: 700ms } }\n";
    let config = config(folder.path(), &old.url(), settings);
    let config = config.to_str().expect("UTF-8");
    let mut command = canary(&["--config", config, "--baseline", "chat", "--canary", &new.url()]);
    command.env("GATEPROBE__DEFAULTS__BUDGET__CONNECTIONS", "40");
    let told = Verified::of(command);
    told.expect(0, "pass", &["as good as the baseline", "7 runs of 1 check"]);
    for gateway in [&old, &new] {
        let closed = gateway.times(|kind| matches!(kind, EventKind::HeartbeatMissed { .. }));
        let first = closed.into_iter().reduce(f64::min).expect("the first that was let go of");
        let before = gateway.times(|kind| *kind == EventKind::Upgraded).into_iter().filter(|at| *at < first);
        let before: Vec<f64> = before.collect();
        // A run has five connections: three zombies, a healthy one, and one at its end.
        assert!(before.len() > 3 * 4, "one run after the other");
        // Each begins at a moment of chance within more than a second.
        let at_first = before.iter().filter(|at| **at < before[0] + 0.1).count();
        assert!(at_first < 7, "all runs began at once: {before:?}");
    }
}

#[test]
fn a_run_that_found_nothing_out_is_made_up_for() {
    let (old, new) = pair(&["upgrade_status=429"], Settings::default);
    let urls = ["--baseline", &old.url(), "--canary", &new.url(), "--check", "handshake"];
    let child = canary(&urls).spawn().expect("runs");
    eventually("a run that was asked for patience", || (new.accepted() > 0).then_some(()));
    new.clear_all();
    let (exit, stdout, stderr) = finish(child.wait_with_output().expect("ends"));
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    let told = Verified { exit, report, stderr };
    told.expect(0, "pass", &["30 runs of 1 check"]);
    let of_canary =
        told.report["runs"].as_array().expect("a list").iter().find(|runs| runs["arm"] == "canary");
    let counts = of_canary.expect("its runs");
    assert_eq!((&counts["pass"], &counts["inconclusive"]), (&30.into(), &1.into()), "{counts:#}");
}

#[test]
fn a_baseline_that_goes_away_leaves_no_verdict() {
    let (old, new) = pair(&[], Settings::default);
    let url = old.url();
    let urls = ["--baseline", &url, "--canary", &new.url(), "--check", "heartbeat"];
    let child = canary(&urls).spawn().expect("runs");
    eventually("runs in both arms", || {
        let runs = |gateway: &Gateway| gateway.times(|kind| *kind == EventKind::Upgraded).len();
        (runs(&old) > 3 && runs(&new) > 3).then_some(())
    });
    drop(old);
    let (exit, stdout, stderr) = finish(child.wait_with_output().expect("ends"));
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    let told = Verified { exit, report, stderr };
    told.expect(3, "inconclusive", &["the baseline was lost"]);
}

#[test]
fn an_interrupted_verification_is_inconclusive() {
    let (old, new) = pair(&[], Settings::default);
    for signal in ["INT", "TERM"] {
        let urls = ["--baseline", &old.url(), "--canary", &new.url(), "--check", "heartbeat"];
        // Whoever lets a doubt pass has not asked to let an interruption pass.
        let urls = [&urls[..], &["--inconclusive-exit-code", "0"]].concat();
        let mut child = canary(&urls).spawn().expect("runs");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("the plan");
        assert!(line.starts_with("Runs in each arm: heartbeat 30."), "{line}");
        let process = child.id().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &process]).status();
        assert!(sent.expect("kill runs").success());
        let (exit, stdout, _) = finish(child.wait_with_output().expect("ends"));
        let report: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!((exit, report["verdict"].as_str()), (3, Some("inconclusive")), "{report:#}");
        let sentence = report["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains("gateprobe was stopped"), "{sentence}");
    }
}

#[test]
fn without_runs_there_is_no_pass() {
    let closed = [Closed::on("127.0.0.1"), Closed::on("127.0.0.1")];
    let urls = closed.each_ref().map(Closed::url);
    let arguments = ["--baseline", &urls[0], "--canary", &urls[1], "--check", "handshake"];
    let told = Verified::of(canary(&arguments));
    told.expect(3, "inconclusive", &["the baseline was never reached: connect_refused (nothing listens"]);
    let runs = told.report["runs"].as_array().expect("a list");
    assert!(runs.iter().all(|arm| arm["fail"] == 5), "as soon as that is sure: {runs:#?}");
    // As the pipeline wants it.
    let told = Verified::of(canary(&[&arguments[..], &["--inconclusive-exit-code", "0"]].concat()));
    assert_eq!((told.exit, told.verdict()), (0, "inconclusive"));
    // A gateway is as good as itself.
    let itself = Verified::of(canary(&["--baseline", &urls[0], "--canary", &urls[0]]));
    assert!(itself.exit == 2 && itself.stderr.contains("the baseline itself"), "{itself:?}");
    // Whoever says what is promised wants to know whether it is kept.
    let told = Verified::of(canary(&[&arguments[..], &["--zombie-window", "5s"]].concat()));
    assert!(told.exit == 2 && told.stderr.contains("add --check zombie"), "{told:?}");
    // Nothing fits in the time.
    let told = Verified::of(canary(&[&arguments[..], &["--max-duration", "1ms"]].concat()));
    assert_eq!((told.exit, told.verdict()), (2, "none"), "{}", told.stderr);
    assert!(told.stderr.contains("handshake is left out: one run takes about 1s"), "{}", told.stderr);
}

#[test]
fn a_canary_at_an_address_needs_no_name_to_be_resolved() {
    let (old, new) = pair(&[], Settings::default);
    let named = old.url().replace("127.0.0.1", "localhost");
    let urls = ["--baseline", &named, "--canary", &new.url(), "--check", "handshake"];
    let told = Verified::of(canary(&[&urls[..], PATIENT].concat()));
    told.expect(0, "pass", &["as good as the baseline"]);
    let rows = told.report["rows"].as_array().expect("rows");
    let dns = rows.iter().find(|row| row["metric"].as_str().is_some_and(|name| name.contains("dns")));
    assert_eq!(dns.expect("a row")["note"], "the way to the canary has no such phase", "{rows:#?}");
}

#[test]
fn a_plan_of_too_few_runs_never_passes() {
    // By two runs in each arm, four of ten refusals would pass unseen more often than not.
    let (old, new) = pair(&["refuse_every=2"], Settings::default);
    let urls = ["--baseline", &old.url(), "--canary", &new.url(), "--check", "handshake"];
    let told = Verified::of(canary(&[&urls[..], &["--max-duration", "1s"]].concat()));
    assert_eq!((told.exit, told.verdict()), (3, "inconclusive"), "{told:?}");
    let why =
        "a pass needs 5 runs in each arm, and 2 runs can be made in 1s within the budget: give it 2s (on the";
    assert!(told.stderr.contains(why), "{}", told.stderr);
    // Nor where all is well: two runs show nothing. No more are made than were told.
    let (old, new) = pair(&[], Settings::default);
    let folder = folder();
    let target = |gateway: &Gateway| {
        format!("{{ url: '{}', budget: {{ connections_per_second: 0.3 }} }}", gateway.url())
    };
    let text = format!("targets:\n  old: {}\n  new: {}\n", target(&old), target(&new));
    let config = write(folder.path(), "gateprobe.yaml", text).display().to_string();
    let named = ["--config", &config, "--baseline", "old", "--canary", "new", "--max-duration", "10s"];
    let told = Verified::of(canary(&named));
    told.expect(3, "inconclusive", &["only 2 conclusive runs"]);
    assert_eq!(told.report["runs"][0]["planned"], 2, "{:#}", told.report);
    // Of more runs it is a pass, which says that they were fewer than meant.
    let urls = ["--baseline", &old.url(), "--canary", &new.url(), "--check", "handshake"];
    let told = Verified::of(canary(&[&urls[..], &["--max-duration", "4s"]].concat()));
    told.expect(0, "pass", &["looked less closely than `quick` is meant to: handshake"]);
}

#[test]
fn gateways_that_let_nobody_in_were_never_reached_and_it_is_told_what_to_do() {
    let secured = || Settings { tls: Some(TlsSettings::loopback()), ..Settings::default() };
    let (old, new) = (Gateway::start(secured()), Gateway::start(secured()));
    let urls = [old.url(), new.url()].map(|url| url.replacen("ws://", "wss://", 1));
    let file = folder();
    let text = file.path().join("canary.txt");
    let report = format!("text={}", text.display());
    let told = Verified::of(canary(&["--baseline", &urls[0], "--canary", &urls[1], "--report", &report]));
    told.expect(
        3,
        "inconclusive",
        &["the baseline was never reached: tls_untrusted (the gateway's certificate"],
    );
    let rows = told.report["rows"].as_array().expect("a list");
    let phases: Vec<&Value> =
        rows.iter().filter(|row| row["metric"].as_str().is_some_and(|m| m.contains("\"tls\""))).collect();
    assert!(phases.is_empty(), "nobody has finished a handshake: {phases:#?}");
    let text = std::fs::read_to_string(&text).expect("written");
    assert!(
        text.contains("\n    next: if the authority is your own, name its certificate: --ca-file"),
        "{text}"
    );
    // Of checks that are about something else, what they heard.
    let told = Verified::of(canary(&["--baseline", &urls[0], "--canary", &urls[1], "--check", "heartbeat"]));
    told.expect(3, "inconclusive", &["the baseline was never reached: could not connect (tls_untrusted)"]);
}

#[test]
fn a_canary_without_the_baselines_tls_is_told() {
    let old = Gateway::start(Settings { tls: Some(TlsSettings::loopback()), ..Settings::default() });
    let (new, folder) = (Gateway::start(Settings::default()), folder());
    let ca = write(folder.path(), "ca.pem", old.ca_pem().expect("TLS")).display().to_string();
    let urls = ["--baseline", &old.url(), "--canary", &new.url(), "--ca-file", &ca, "--check", "handshake"];
    let told = Verified::of(canary(&[&urls[..], PATIENT].concat()));
    let notes = told.report["notes"].to_string();
    assert!(notes.contains("the baseline is reached by TLS (wss), and the canary without (ws)"), "{told:?}");
}

#[test]
fn urls_may_promise_a_window_for_zombies() {
    let (old, new) = pair(&["zombies_kept"], with_clean_up);
    let urls = ["--baseline", &old.url(), "--canary", &new.url()];
    let mut command = canary(&[&urls[..], &["--check", "zombie", "--zombie-window", "3s"]].concat());
    command.env("GATEPROBE__DEFAULTS__BUDGET__CONNECTIONS", "40");
    let told = Verified::of(command);
    told.expect(1, "fail", &["zombie found zombie_leaked, which is critical"]);
}

#[test]
fn warnings_are_of_those_that_take_part() {
    let folder = folder();
    let gateways = pair(&[], Settings::default);
    // This machine as well, but nothing that looks like it: a token to 127.0.0.1 goes over no network.
    let elsewhere = |gateway: &Gateway| gateway.url().replace("127.0.0.1", "0.0.0.0");
    let (old, new) = (elsewhere(&gateways.0), elsewhere(&gateways.1));
    let token = write(folder.path(), "token", "of-the-test");
    let auth = format!("auth: {{ token: {{ file: {token:?} }} }}");
    let settings = format!("    {auth}\n  other: {{ url: 'ws://192.0.2.1/', {auth} }}\n");
    let config = config(folder.path(), &old, &settings);
    let config = config.to_str().expect("UTF-8");
    let told = Verified::of(canary(&[
        "--config",
        config,
        "--baseline",
        "chat",
        "--canary",
        &new,
        "--check",
        "handshake",
    ]));
    told.expect(0, "pass", &[]);
    assert!(told.stderr.contains("targets.chat.auth: the token goes over"), "{}", told.stderr);
    assert!(!told.stderr.contains("other"), "{}", told.stderr);
    let urls = ["--baseline", &old, "--canary", &new, "--check", "handshake"];
    let told = Verified::of(canary(&[&urls[..], &["--token-file", token.to_str().expect("UTF-8")]].concat()));
    let warnings: Vec<&str> = told.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("command line: --token-file: the token goes over"), "{warnings:#?}");
}

#[test]
fn without_a_baseline_the_thresholds_decide() {
    let folder = folder();
    let gateway = Gateway::with(&["upgrade_delay=100ms"]);
    let verify = |threshold: &str| {
        let settings = format!("    checks: {{ handshake: {{ thresholds: {{ upgrade: {threshold} }} }} }}\n");
        let config = config(folder.path(), &gateway.url(), &settings);
        Verified::of(canary(&["--config", config.to_str().expect("UTF-8"), "--canary", "chat"]))
    };
    verify("5s").expect(0, "pass", &["all thresholds are met"]);
    // Whose report is lost in the end has not passed.
    let config = config(folder.path(), &gateway.url(), "    checks: { handshake: }\n");
    let config = config.to_str().expect("UTF-8");
    let lost = Verified::of(canary(&["--config", config, "--canary", "chat", "--report", "junit=/dev/full"]));
    assert!(lost.exit == 4 && lost.stderr.contains("--report /dev/full: "), "{}", lost.stderr);
    let told = verify("50ms");
    told.expect(1, "fail", &["handshake failed in"]);
    assert_eq!(told.report["gateways"]["baseline"], Value::Null);
}

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    let folder = folder();
    let gateway = Gateway::with(&[]);
    let config = config(folder.path(), &gateway.url(), "    checks: { handshake: }\n");
    let config = config.to_str().expect("UTF-8");
    let url = gateway.url();
    let nowhere = folder.path().join("no/such/folder");
    let junit = format!("junit={}", nowhere.display());
    for (arguments, told) in [
        (vec!["--config", config, "--canary", "chad"], "the config has no target \"chad\"; it has: chat"),
        (vec!["--config", config, "--canary", "chat", "--check", "zombie"], "no check \"zombie\""),
        (vec!["--config", config, "--canary", url.as_str()], "URLs are verified without a config"),
        (
            vec!["--config", config, "--baseline", "chat", "--canary", "https://x/"],
            "command line: --canary: ",
        ),
        (vec!["--baseline", "http://127.0.0.1:1/", "--canary", url.as_str()], "command line: --baseline: "),
        (
            vec!["--canary", url.as_str(), "--check", "zombie"],
            "(--zombie-window 20s where URLs are verified)",
        ),
        (vec!["--config", config, "--canary", "chat", "--zombie-window", "20s"], "in a config, write them"),
        (vec!["--canary", url.as_str(), "--check", "nothing"], "there is no check \"nothing\""),
        (vec!["--canary", url.as_str(), "--report", junit.as_str()], "--report"),
        (vec!["--canary", url.as_str(), "--report", "csv=x"], "FORMAT=FILE"),
        (vec!["--canary", url.as_str(), "--alpha", "1"], "below 0.5"),
    ] {
        let verified = Verified::of(canary(&arguments));
        assert_eq!((verified.exit, verified.verdict()), (2, "none"), "{arguments:?}");
        assert!(verified.stderr.contains(told), "{arguments:?}: {}", verified.stderr);
    }
    assert_eq!(gateway.accepted(), 0);
}

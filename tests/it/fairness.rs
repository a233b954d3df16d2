//! What is our own doing, or our own limit, is never held against a gateway; and nothing passes that was not looked at.

use std::sync::Arc;
use std::time::Duration;

use gateprobe::agent::Setup;
use gateprobe::gateway::{self, Handle, Settings};
use gateprobe::model::{Cause, Failure, Outcome, RunReport};
use gateprobe::runner::Throttle;
use gateprobe::session::{Ask, Budget, Limits, Visit};
use gateprobe::wire::{Dialer, Record};

use crate::support::program::Program;
use crate::support::session::{AMPLE, count, run};
use crate::support::{self, Bench, folder, words, write};

async fn healthy(interval: Duration) -> Handle {
    let settings = Settings { heartbeat_interval: Some(interval), ..Settings::default() };
    gateway::start(settings).await.expect("a gateway")
}

async fn one(yaml: &str) -> RunReport {
    Bench::new(yaml).run("chat").await.remove(0)
}

#[tokio::test]
async fn a_wait_for_our_own_budget_is_no_slowness_of_the_gateway() {
    let gateway = healthy(Duration::from_secs(10)).await;
    // One message a tenth of a second for five connections that each want one.
    let yaml = format!(
        "lag_bound: 10s\ntargets: {{ chat: {{ url: '{}', \
         budget: {{ connections_per_second: 100, messages_per_second: 10 }}, \
         checks: {{ heartbeat: {{ connections: 5, pings: 5, every: 100ms, pong_timeout: 250ms, timeout: 15s }} }} }} }}",
        gateway.url()
    );
    let report = one(&yaml).await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert_eq!(count(&report, "gateprobe_heartbeat_pings_total", &["protocol", "answered"]), 25.0);
}

#[tokio::test]
async fn a_run_that_its_budget_cuts_short_is_no_pass() {
    let gateway = healthy(Duration::from_secs(10)).await;
    let chat = |connections| {
        format!(
            "url: '{}', budget: {{ connections_per_second: 100, messages_per_second: 10 }}, \
             checks: {{ heartbeat: {{ connections: {connections}, pings: 5, every: 100ms, pong_timeout: 250ms, \
             connect_timeout: 1s, timeout: 10s }} }}",
            gateway.url()
        )
    };
    let bench = Bench::new(&format!("lag_bound: 10s\ntargets: {{ chat: {{ {} }} }}", chat(4)));
    // The other checks of the target have booked what there is for the time of this run.
    bench.spend("chat", 200);
    let report = bench.run("chat").await.remove(0);
    assert_eq!(words(&report), "inconclusive budget", "{}", report.detail);
}

#[tokio::test]
async fn an_open_step_has_one_deadline_whatever_else_comes() {
    let gateway = healthy(Duration::from_millis(100)).await;
    let folder = folder();
    let dialect =
        "dialect: 1\nname: greets\nopen:\n  - await: { json: { type: hello } }\n    within: 500ms\n";
    let dialect = write(folder.path(), "greets.yaml", dialect);
    let yaml = format!(
        "targets: {{ chat: {{ url: '{}', dialect: {dialect:?}, {AMPLE}, \
         checks: {{ handshake: {{ interval: 60s, timeout: 20s }}, heartbeat: {{ server: {{ pings: 100ms, \
         tolerance: 50ms }} }} }} }} }}",
        gateway.url()
    );
    let reports = Bench::new(&yaml).run("chat").await;
    let said: Vec<String> = reports.iter().map(words).collect();
    assert_eq!(said, ["fail first_message_timeout", "inconclusive precondition"], "{reports:#?}");
    // By the deadline of the step, not by that of the run: half a second, not twenty.
    assert!(reports[0].duration < Duration::from_secs(10), "{:?}", reports[0].duration);
}

#[tokio::test]
async fn a_gateway_without_time_for_its_promise_does_not_pass() {
    let gateway = healthy(Duration::from_secs(10)).await;
    // Nobody writes such a time-out: the config refuses it. A probe whose scrape leaves no more time has one.
    let yaml = format!(
        "targets: {{ chat: {{ url: '{}', {AMPLE}, checks: {{ zombie: {{ window: {{ latest: 10s }}, \
         beat_within: 10s }} }} }} }}",
        gateway.url()
    );
    let mut bench = Bench::new(&yaml);
    bench.edit(|_, spec| *spec = spec.clone().with_timeout(gateprobe::model::Span::secs(7)));
    let report = bench.run("chat").await.remove(0);
    assert_eq!(words(&report), "inconclusive budget", "{}", report.detail);
}

#[test]
fn further_connections_go_through_the_proxy_by_name() {
    let gateway = Program::gateway("python_websockets.py", &[]);
    let proxy = Program::python("connect_proxy.py", &[]);
    let yaml = format!(
        "targets: {{ chat: {{ url: 'ws://localhost:{}/', {AMPLE}, proxy: {{ url: 'http://127.0.0.1:{}' }}, \
         checks: {{ heartbeat: {{ connections: 3, pings: 2, every: 50ms }} }} }} }}",
        gateway.port, proxy.port
    );
    let report = run(&yaml);
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert_eq!(proxy.end(), format!("CONNECT localhost:{}\n", gateway.port).repeat(3));
}

/// Who was given less time than the check grants is not accused of having been late.
#[tokio::test]
async fn a_dial_that_the_end_of_the_run_cuts_short_says_nothing_of_the_gateway() {
    // It takes the connection, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", silent.local_addr().expect("an address"));
    let plan = support::plan(&format!("targets: {{ a: {{ url: '{url}' }} }}"));
    let dialer = Dialer::new(&plan.resolver()).expect("a dialer");
    let setup = Setup::new(plan, Throttle::default()).expect("a setup");
    let target = setup.target("a").expect("a target");
    let budget = Arc::new(Budget::new(Limits::default()));
    for (run, within, outcome) in [
        (Duration::from_millis(80), Duration::from_secs(9), Outcome::Inconclusive(Cause::Budget)),
        (Duration::from_secs(9), Duration::from_millis(80), Outcome::Fail(Failure::UpgradeTimeout)),
    ] {
        let deadline = tokio::time::Instant::now() + run;
        let visit = Visit::new(target, &dialer, &budget, None, deadline);
        let ask = Ask { within: Some(within), ..Ask::default() };
        let refusal = visit.open(&ask, &Record::new()).await.expect_err("nobody answers");
        assert_eq!(refusal.verdict().outcome, outcome, "{refusal:?}");
    }
}

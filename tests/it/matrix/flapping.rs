//! Faults of gateways whose clients come and go.

use std::sync::LazyLock;

use futures_util::StreamExt;
use gateprobe::checks::CheckSpec;
use gateprobe::checks::flapping::Assertion;
use gateprobe::gateway::{self, EventKind, Fault, Handle, Settings};
use gateprobe::metrics::Sample;
use gateprobe::model::{Cause, Failure, Outcome, RunReport};

use crate::support::reference::Reference;
use crate::support::{Bench, words};

/// One fault, and what `flapping` must say of it. `handshake` runs once before it, and passes.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The fault as `gateprobe gateway --fault` takes it.
    pub fault: &'static str,
    /// Settings beside the table's own.
    settings: &'static str,
    /// The outcome and its reason.
    pub expected: &'static str,
    /// The assertion that finds it.
    assertion: Option<Assertion>,
    /// Whether others use the gateway too.
    shared: bool,
}

const fn row(
    fault: &'static str,
    settings: &'static str,
    expected: &'static str,
    assertion: Option<Assertion>,
) -> Row {
    Row { fault, settings, expected, assertion, shared: false }
}

impl Row {
    /// For docs/detection.md.
    pub fn with(&self) -> [&'static str; 2] {
        [if self.shared { "others use the gateway too" } else { "" }, self.settings]
    }

    const fn shared(self) -> Self {
        Self { shared: true, ..self }
    }
}

const TWENTY: &str = "cycles: 20, connected: 0.8";
const RISE: &str = "drift: { ratio: 1.5, least: 110ms }";

/// Each assertion has a row that it alone turns red; 20 % beyond a threshold is red, 20 % inside is green. The
/// connections since the switch: 1 is the handshake's, 2 the bystander, then the cycles, then the one that is stable.
pub const ROWS: &[Row] = &[
    row("refuse_every=5", "", "fail reconnect_failed", Some(Assertion::Reconnects)),
    // 5 of 20 cycles, and 3.
    row("refuse_every=4", TWENTY, "fail reconnect_failed", None),
    row("refuse_every=6", TWENTY, "pass", None),
    row("rate_limit=6", "", "inconclusive throttled", None),
    row("rate_limit=6", "gap: 300ms", "pass", None),
    // 132 ms and 88 ms over 12 cycles.
    row("connect_slower=12ms", RISE, "fail reconnect_slowed", Some(Assertion::NoDrift)),
    row("connect_slower=8ms", RISE, "pass", None),
    // The first quarter takes 24 to 48 ms, the last one 132 to 156 ms: 4 times as long, and with what any connect takes
    // a little less.
    row("connect_slower=12ms", "drift: { ratio: 3.2, least: 20ms }", "fail reconnect_slowed", None),
    row("connect_slower=12ms", "drift: { ratio: 4.9, least: 20ms }", "pass", None),
    row("connect_slower=12ms", "cycles: 4, clients: 3, client_cycles: 5", "fail reconnect_slowed", None),
    row("unstable_after=15", "", "fail unstable_after_flapping", Some(Assertion::StableAfterwards)),
    row("application_pong_delay=480ms", "", "fail unstable_after_flapping", None),
    row("application_pong_delay=320ms", "", "pass", None),
    row("session_closed_after=1300ms", "gap: 60ms", "fail session_closed", Some(Assertion::BystanderStays)),
    // Twelve, and one more.
    row("sessions_leaked", "", "fail sessions_leaked", Some(Assertion::SessionsEnd)),
    row("sessions_leaked", "cycles: 11, sessions_left: 10", "fail sessions_leaked", None),
    row("sessions_leaked", "cycles: 11, sessions_left: 15", "pass", None),
    row("sessions_leaked", "", "pass", None).shared(),
];

/// Without any fault, all ways to set the check are green.
const HEALTHY: &str = "profile: suite, cycles: 20, gap: 10ms, hold: 10ms";

fn target(name: &str, url: &str, settings: &str, observe: &str) -> String {
    let own = |field: &str, default: &str| match settings.contains(field) {
        true => String::new(),
        false => format!(", {field} {default}"),
    };
    let (cycles, gap, hold) = (own("cycles:", "12"), own("gap:", "10ms"), own("hold:", "20ms"));
    let stable = own("stable_within:", "400ms");
    let settings = if settings.is_empty() { String::new() } else { format!(", {settings}") };
    let drift = own_drift(&settings);
    format!(
        "  {name}:
    url: {url}
    dialect: json
    budget: {{ connections_per_second: 200, messages_per_second: 1000 }}
    observe: {{ {observe} }}
    checks:
      handshake: {{ interval: 60s, timeout: 5s }}
      flapping: {{ bystander_every: 100ms, pong_timeout: 2s, connect_timeout: 3s, \
         settle: 700ms{stable}{drift}{cycles}{gap}{hold}{settings} }}
"
    )
}

fn own_drift(settings: &str) -> &'static str {
    if settings.contains("drift:") { "" } else { ", drift: { least: 90ms }" }
}

fn observe(control: &str, exclusive: bool) -> String {
    format!(
        "url: '{control}metrics', sessions: gateprobe_gateway_sessions_open, \
         memory: gateprobe_gateway_resident_memory_bytes, exclusive: {exclusive}"
    )
}

/// The rows' gateways are all in this process, whose memory says nothing of any one of them.
fn observe_sessions(gateway: &Handle, exclusive: bool) -> String {
    let control = gateway.control_address().expect("a control API");
    format!(
        "url: 'http://{control}/metrics', sessions: gateprobe_gateway_sessions_open, exclusive: {exclusive}"
    )
}

static LOOPBACK: LazyLock<Settings> = LazyLock::new(|| Settings {
    control: Some("127.0.0.1:0".parse().expect("an address")),
    ..Settings::default()
});

pub struct Table {
    rows: Vec<Row>,
    gateways: Vec<Handle>,
    bench: Bench,
}

impl Table {
    pub async fn set(rows: Vec<Row>) -> Self {
        let mut yaml = "lag_bound: 150ms\ntargets:\n".to_owned();
        let mut gateways = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let gateway = gateway::start(LOOPBACK.clone()).await.expect("a gateway");
            let observe = observe_sessions(&gateway, !row.shared);
            yaml.push_str(&target(&format!("row-{index}"), &gateway.url(), row.settings, &observe));
            gateways.push(gateway);
        }
        Self { rows, gateways, bench: Bench::new(&yaml) }
    }

    /// Runs every row, some at a time, with its fault or without; tells what was not as expected.
    async fn differing(&self, with_fault: bool) -> Vec<String> {
        let runs = self.rows.iter().enumerate().map(async |(index, row)| {
            let expected = if with_fault { row.expected } else { "pass" };
            let report = self.settled(index, expected, with_fault).await;
            assert_ne!(report.outcome.reason(), Some(Failure::Unclassified.reason()), "{}", row.fault);
            let (said, detail) = (words(&report), report.detail);
            (said != expected).then(|| {
                format!(
                    "{} [{}] on: {with_fault}: {said} ({detail}), not {expected}",
                    row.fault, row.settings
                )
            })
        });
        let wrong: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(6).collect().await;
        wrong.into_iter().flatten().collect()
    }

    /// How long each row's run takes with its fault.
    pub async fn times(&self) -> Vec<std::time::Duration> {
        let runs = self
            .rows
            .iter()
            .enumerate()
            .map(async |(index, row)| (index, self.settled(index, row.expected, true).await.duration));
        let mut times: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(4).collect().await;
        times.sort_unstable();
        times.into_iter().map(|(_, time)| time).collect()
    }

    /// A busy machine is slow without being late; what is truly wrong is so three times. Faults count from their
    /// switch, so each try has its own.
    async fn settled(&self, index: usize, expected: &str, with_fault: bool) -> RunReport {
        let (target, gateway) = (format!("row-{index}"), &self.gateways[index]);
        let mut tries = 0;
        loop {
            gateway.clear_all();
            if with_fault {
                let fault: Fault = self.rows[index].fault.parse().expect("a fault");
                gateway.set_fault(fault).expect("a fault that shows");
            }
            let handshake = self.bench.run_check(&target, "handshake").await.remove(0);
            let report = self.bench.run_check(&target, "flapping").await.remove(0);
            let late = report.outcome == Outcome::Inconclusive(Cause::AgentLag);
            tries += 1;
            if tries == 5 || words(&report) == expected || tries >= 3 && !late {
                assert_eq!(words(&handshake), "pass", "{}: {}", self.rows[index].fault, handshake.detail);
                return report;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_reconnects_turns_flapping_red() {
    let table = Table::set(ROWS.to_vec()).await;
    let mut wrong = table.differing(false).await;
    wrong.extend(table.differing(true).await);
    wrong.extend(table.differing(false).await);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// With one assertion left out, the row that is meant for it does not find its fault any more. Two of them have tests
/// of their own: `BystanderServed` and `MemoryReturns`.
#[tokio::test(flavor = "multi_thread")]
async fn each_assertion_of_flapping_is_needed() {
    let apart = [Assertion::BystanderServed, Assertion::MemoryReturns];
    let assertions = Assertion::ALL.iter().filter(|assertion| !apart.contains(assertion));
    let row_of = |assertion: &Assertion| {
        let row = ROWS.iter().find(|row| row.assertion == Some(*assertion));
        *row.unwrap_or_else(|| panic!("no row for {assertion:?}"))
    };
    let mut table = Table::set(assertions.map(row_of).collect()).await;
    let rows = table.rows.clone();
    table.bench.edit(|target, spec| {
        let index: usize = target.trim_start_matches("row-").parse().expect("a row");
        let CheckSpec::Flapping(check) = spec else { return };
        check.without = rows[index].assertion;
    });
    let blind = table.differing(true).await;
    let found = rows.iter().filter(|row| !blind.iter().any(|wrong| wrong.starts_with(row.fault)));
    let found: Vec<&Row> = found.collect();
    assert!(found.is_empty(), "found without their assertion: {found:#?}");
}

/// Runs the check once; switches these faults on as soon as so many clients were let in.
async fn with_faults_after(clients: usize, faults: &[&str], without: Option<Assertion>) -> RunReport {
    let gateway = gateway::start(LOOPBACK.clone()).await.expect("a gateway");
    let observe = observe_sessions(&gateway, true);
    let settings = "cycles: 30, gap: 40ms, stable_within: 2s";
    let mut bench = Bench::new(&format!(
        "lag_bound: 1s\ntargets:\n{}",
        target("chat", &gateway.url(), settings, &observe)
    ));
    bench.edit(|_, spec| {
        if let CheckSpec::Flapping(check) = spec {
            check.without = without;
        }
    });
    let switching = async {
        let (mut since, mut upgraded) = (0, 0);
        while upgraded < clients {
            let event = gateway.wait_event(since, |event| matches!(event, EventKind::Upgraded)).await;
            (since, upgraded) = (event.seq + 1, upgraded + 1);
        }
        for fault in faults {
            gateway.set_fault(fault.parse().expect("a fault")).expect("a fault that shows");
        }
    };
    let (mut reports, ()) = tokio::join!(bench.run_check("chat", "flapping"), switching);
    reports.remove(0)
}

/// Who asks for patience is told from who has no capacity, in the middle of a run too; either ends the run at once.
#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_told_from_unavailability() {
    let cases: [(&[&str], &str); 6] = [
        (&["retry_after=30", "upgrade_status=503"], "inconclusive throttled"),
        (&["upgrade_status=429"], "inconclusive throttled"),
        (&["close_after_upgrade=4429"], "inconclusive throttled"),
        (&["upgrade_status=503"], "fail unavailable"),
        (&["upgrade_status=502"], "fail unavailable"),
        (&["close_after_upgrade=1013"], "fail unavailable"),
    ];
    for (faults, expected) in cases {
        let report = with_faults_after(5, faults, None).await;
        assert_eq!(words(&report), expected, "{faults:?}: {}", report.detail);
        let result = if expected.starts_with("fail") { "unavailable" } else { "throttled" };
        assert_eq!(cycles(&report, result), 1.0, "{faults:?}");
        assert!((1.0..29.0).contains(&cycles(&report, "connected")), "{faults:?}: the run was ended");
    }
}

/// How many cycles came to this.
fn cycles(report: &RunReport, result: &str) -> f64 {
    let named = |sample: &&Sample| sample.metric.name == "gateprobe_flap_cycles_total";
    let samples = report.samples.iter().filter(named).filter(|sample| sample.labels[0] == result);
    samples.map(|sample| sample.value).sum()
}

/// The connection beside the cycles grows slow: the run is ended, and made again. Only then it counts; here the fault
/// stays, so that the second run has it from the beginning, and finds nothing unusual.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bystander_ends_the_run() {
    let slow = ["pong_delay=390ms", "application_pong_delay=390ms"];
    let report = with_faults_after(3, &slow, None).await;
    assert!(report.detail.contains("bystander_slowed not confirmed"), "{}", report.detail);
    let blind = with_faults_after(3, &slow, Some(Assertion::BystanderServed)).await;
    assert_eq!(words(&blind), "pass", "{}", blind.detail);
    assert!(!blind.detail.contains("bystander"), "{}", blind.detail);
}

/// A gateway in a process of its own, whose memory nothing else touches.
fn memory(kib: &str, settings: &str, exclusive: bool, without: Option<Assertion>) -> RunReport {
    let gateway = Reference::start(&["--fault", &format!("memory_leaked={kib}")]);
    let observe = observe(&gateway.control, exclusive);
    let yaml = format!("lag_bound: 1s\ntargets:\n{}", target("chat", &gateway.url, settings, &observe));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut bench = Bench::new(&yaml);
        bench.edit(|_, spec| {
            if let CheckSpec::Flapping(check) = spec {
                check.without = without;
            }
        });
        bench.run_check("chat", "flapping").await.remove(0)
    })
}

#[test]
fn memory_that_grows_is_held_against_a_gateway_that_nobody_else_uses() {
    // 13 MiB in 13 sessions, beside what a young process takes for itself.
    let red = memory("1024", "memory_growth: 11000000", true, None);
    assert_eq!(words(&red), "fail memory_grew", "{}", red.detail);
    assert!(red.detail.contains("memory_grew confirmed"), "{}", red.detail);
    let green = memory("512", "memory_growth: 17000000", true, None);
    assert_eq!(words(&green), "pass", "{}", green.detail);
    for (exclusive, without) in [(false, None), (true, Some(Assertion::MemoryReturns))] {
        let green = memory("1024", "memory_growth: 11000000", exclusive, without);
        assert_eq!(words(&green), "pass", "{}", green.detail);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_profiles_are_green_on_a_healthy_gateway() {
    let gateway = gateway::start(LOOPBACK.clone()).await.expect("a gateway");
    let observe = observe_sessions(&gateway, true);
    let bench = Bench::new(&format!(
        "lag_bound: 1s\ntargets:\n{}",
        target("chat", &gateway.url(), HEALTHY, &observe)
    ));
    let report = bench.run_check("chat", "flapping").await.remove(0);
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert_eq!(cycles(&report, "connected"), 65.0, "20, and 3 x 15");
    // The one of the run's connections that was told goodbye last may still be on its way out.
    while gateway.open_connections() > 0 {
        tokio::task::yield_now().await;
    }
}

/// What can't be looked at is not held against a gateway; it only keeps a run from passing that was to look.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_tells_nothing_is_told() {
    let gateway = gateway::start(LOOPBACK.clone()).await.expect("a gateway");
    let control = gateway.control_address().expect("a control API");
    let cases = [
        (format!("url: 'http://{control}/nowhere', sessions: a"), "it answered 404"),
        (format!("url: 'http://{control}/metrics', sessions: nothing_of_the_kind"), "no series fits"),
        (format!("url: '{}', sessions: a", gateway.url().replace("ws:", "http:")), "it answered"),
    ];
    let mut yaml = "lag_bound: 1s\ntargets:\n".to_owned();
    for (index, (observe, _)) in cases.iter().enumerate() {
        for exclusive in [true, false] {
            let name = format!("t-{index}-{exclusive}");
            let observe = format!("{observe}, exclusive: {exclusive}");
            yaml.push_str(&target(&name, &gateway.url(), "", &observe));
        }
    }
    let bench = Bench::new(&yaml);
    for (index, (_, why)) in cases.iter().enumerate() {
        let demanded = bench.run_check(&format!("t-{index}-true"), "flapping").await.remove(0);
        assert_eq!(words(&demanded), "inconclusive observe", "{}", demanded.detail);
        assert!(demanded.detail.contains(why), "{}", demanded.detail);
        let reported = bench.run_check(&format!("t-{index}-false"), "flapping").await.remove(0);
        assert_eq!(words(&reported), "pass", "{}", reported.detail);
        let capability = |sample: &&Sample| sample.labels.iter().any(|label| label == "observed_sessions");
        assert_eq!(reported.samples.iter().find(capability).map(|sample| sample.value), Some(0.0));
    }
}

/// A series that never shows our own session would show no leak either.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_does_not_hold_our_session_is_no_pass() {
    let gateway = gateway::start(LOOPBACK.clone()).await.expect("a gateway");
    gateway.set_fault("sessions_leaked".parse().expect("a fault")).expect("a fault that shows");
    let control = gateway.control_address().expect("a control API");
    // One that stays at 0, and one that stays above what we hold.
    for fault in ["no_auth", "sessions_leaked"] {
        let series = format!("gateprobe_gateway_fault_active{{fault=\"{fault}\"}}");
        let observe = format!("url: 'http://{control}/metrics', sessions: '{series}', exclusive: true");
        let yaml = format!("lag_bound: 1s\ntargets:\n{}", target("chat", &gateway.url(), "", &observe));
        let report = Bench::new(&yaml).run_check("chat", "flapping").await.remove(0);
        assert_eq!(words(&report), "inconclusive observe", "{series}: {}", report.detail);
        assert!(report.detail.contains("did not show"), "{series}: {}", report.detail);
    }
}

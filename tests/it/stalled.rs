//! A client that stops reading, with its receive window shut: a reset is seen at once, a FIN only by reading on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateprobe::model::{End, EventKind, RunReport, Side};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::certificate::Certificate;
use crate::support::raw_server::{RawServer, Treated, Treatment};
use crate::support::session::{AMPLE, count, run_once, samples, undisturbed};
use crate::support::{folder, words};

/// When the server acts; longer than it takes to find out that nobody asks any more.
const AFTER: Duration = Duration::from_secs(2);
/// Its heartbeat can't be seen: the promise counts from the last frame, and has the time of a heartbeat more.
const FROM_A_BEAT: &str = "tolerance: 500ms, beat_within: 500ms, window: { latest: 3s }";
/// It can be seen, and has to fit.
const FROM_OUR_DATA: &str =
    "tolerance: 400ms, window: { origin: last_client_data, earliest: 1900ms, latest: 2500ms }";
/// A busy machine may spoil a run, but hardly so many in a row.
const ATTEMPTS: usize = 5;

/// A run against a server, and what became of the stalled client there.
struct Stall {
    report: RunReport,
    treated: Treated,
    began: Instant,
}

fn stall(treatment: Treatment, secured: bool, promise: &str) -> Stall {
    let folder = folder();
    let certificate = secured.then(|| Certificate::new(folder.path(), &["127.0.0.1"]));
    let trust = certificate.as_ref().map(|files| format!("tls: {{ ca_file: {:?} }}, ", files.ca));
    let (report, (treated, began)) = undisturbed(|| {
        let server = RawServer::start(treatment, AFTER, certificate.as_ref().map(server_config));
        let report = run_once(&format!(
            "targets: {{ chat: {{ url: '{}', {}{AMPLE}, checks: {{ zombie: {{ modes: [stalled], \
             recovery: false, close_timeout: 2s, {promise} }} }} }} }}",
            server.url(),
            trust.as_deref().unwrap_or_default()
        ));
        let began = Instant::now() - report.duration;
        let treated = server.treated().unwrap_or_else(|| panic!("nobody stalled: {}", report.detail));
        (report, (treated, began))
    });
    Stall { report, treated, began }
}

fn server_config(certificate: &Certificate) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&certificate.cert).expect("a file");
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("protocol versions").with_no_client_auth();
    Arc::new(builder.with_single_cert(chain, key).expect("a pair"))
}

/// The one way in which the stalled client was let go of, and the time that was measured.
fn seen(report: &RunReport) -> (Vec<&'static str>, Vec<f64>) {
    let evicted = |by: &&str| count(report, "gateprobe_zombie_evictions_total", &["stalled", by]) == 1.0;
    let by = ["close", "fin", "rst"].into_iter().filter(evicted).collect();
    (by, samples(report, "gateprobe_zombie_cleanup_seconds", &["stalled"]))
}

#[test]
fn a_reset_is_seen_at_once_although_the_window_is_shut() {
    at_once(false);
}

#[test]
fn a_reset_is_seen_at_once_below_tls() {
    at_once(true);
}

fn at_once(secured: bool) {
    let mut told = Vec::new();
    for _ in 0..ATTEMPTS {
        let Stall { report, treated, began } = stall(Treatment::Reset, secured, FROM_A_BEAT);
        assert_eq!(words(&report), "pass", "{}", report.detail);
        // From which heartbeat it counts can't be known.
        assert_eq!(seen(&report), (vec!["rst"], Vec::new()), "{}", report.detail);
        let silent = "after it began to be silent (RST without a Close";
        assert!(report.detail.contains(silent), "{}", report.detail);
        let reset = EventKind::Ended { by: Side::Gateway, how: End::Rst };
        let reset = report.timeline.events.iter().find(|event| event.kind == reset).expect("on the timeline");
        let late = (began + reset.at()).saturating_duration_since(treated.at);
        told.push(late);
        // Nothing else happens before the window is over, seconds later.
        if late < Duration::from_millis(50) {
            println!("seen {told:?} after the reset");
            return;
        }
    }
    panic!("seen {told:?} after the reset");
}

#[test]
fn a_reset_has_its_time_where_the_promise_counts_from_our_last_data() {
    let mut errors = Vec::new();
    for _ in 0..ATTEMPTS {
        let Stall { report, treated, .. } = stall(Treatment::Reset, false, FROM_OUR_DATA);
        assert_eq!(words(&report), "pass", "{}", report.detail);
        let (by, times) = seen(&report);
        assert_eq!(by, ["rst"]);
        let told = if times.is_empty() { "nobody knows when" } else { "after its last data (RST" };
        assert!(report.detail.contains(told), "{}", report.detail);
        // None where the machine was late, or had not found the window shut before the reset.
        errors.extend(times.iter().map(|time| (time - treated.silent_for.as_secs_f64()).abs()));
        if errors.iter().any(|error| *error < 0.02) {
            println!("off by {errors:?} s");
            return;
        }
    }
    panic!("off by {errors:?} s");
}

#[test]
fn a_close_behind_the_shut_window_is_found_by_reading_on() {
    found_later(Treatment::CloseAndFin, false, ("close", "Close 1011"));
}

#[test]
fn a_close_behind_the_shut_window_is_found_by_reading_on_below_tls() {
    found_later(Treatment::CloseAndFin, true, ("close", "Close 1011"));
}

#[test]
fn a_fin_behind_the_shut_window_is_found_by_reading_on() {
    found_later(Treatment::Fin, false, ("fin", "FIN without a Close, by the gateway or a hop before it"));
}

/// It came in time, nobody knows when: it is no measurement.
fn found_later(treatment: Treatment, secured: bool, (by, told): (&'static str, &str)) {
    for promise in [FROM_A_BEAT, FROM_OUR_DATA] {
        let Stall { report, .. } = stall(treatment, secured, promise);
        assert_eq!(words(&report), "pass", "{}", report.detail);
        assert_eq!(seen(&report), (vec![by], Vec::new()), "{}", report.detail);
        let told = format!("1 of 1 stalled: let go of ({told}), nobody knows when");
        assert!(report.detail.contains(&told), "{}", report.detail);
        assert!(!report.detail.contains("second run"), "{}", report.detail);
    }
}

#[test]
fn who_is_served_as_before_is_leaked() {
    leaks(Treatment::Keep);
}

#[test]
fn who_is_ignored_for_ever_is_leaked() {
    leaks(Treatment::Ignore);
}

fn leaks(treatment: Treatment) {
    let Stall { report, .. } = stall(treatment, false, FROM_A_BEAT);
    assert_eq!(words(&report), "fail zombie_leaked", "{}", report.detail);
    assert!(report.detail.contains("a stalled connection was still there"), "{}", report.detail);
    assert!(report.detail.contains("(zombie_leaked confirmed by a second run)"), "{}", report.detail);
    assert_eq!(seen(&report), (Vec::new(), Vec::new()));
}

//! Tokens that are renewed on the open connection, from each source that there is.

use std::path::Path;
use std::time::{Duration, SystemTime};

use gateprobe::auth::{Algorithm, Mint, Source};
use gateprobe::gateway::{self, EventKind, Handle, JwtRules, Settings};
use gateprobe::model::{RunReport, Span};

use super::keys::Keys;
use super::{AUDIENCE, ISSUER, SUBJECT, mint};
use crate::support::session::{AMPLE, count, disturbed, samples};
use crate::support::{Bench, folder, words, write};

/// Times that make a run short.
const SHORT: &str =
    "leeway: 0s, tolerance: 1s, messages: 10, every: 30ms, connect_timeout: 2s, refresh_timeout: 1s";

async fn gateway(algorithm: Algorithm, keys: &Keys) -> Handle {
    let rules = JwtRules::read(algorithm.into(), &keys.public).expect("a key");
    let rules = rules.with_issuer(Some(ISSUER.into())).with_audience(Some(AUDIENCE.into()));
    let settings = Settings { jwt: Some(rules), json: true, ..Settings::default() };
    gateway::start(settings).await.expect("a gateway")
}

fn bench(url: &str, token: &str, settings: &str) -> Bench {
    let check = format!("handshake: {{ enabled: false }}, token_refresh: {{ {SHORT}, {settings} }}");
    let target = format!("url: '{url}', dialect: json, {AMPLE}, auth: {{ token: {token} }}");
    Bench::new(&format!("lag_bound: 500ms\ntargets: {{ chat: {{ {target}, checks: {{ {check} }} }} }}"))
}

fn minted(algorithm: Algorithm, keys: &Keys) -> String {
    format!(
        "{{ mint: {{ algorithm: {algorithm}, key_file: {:?}, issuer: '{ISSUER}', audience: {AUDIENCE}, \
         subject: {SUBJECT} }} }}",
        keys.private
    )
}

/// Puts a token of that lifetime where the agent reads it, in one step.
async fn rotate(file: &Path, algorithm: Algorithm, keys: &Keys, lifetime: Span) {
    let mint = Mint { lifetime, ..mint(algorithm, keys) };
    let token = Source::Mint(mint.into()).fetch(SystemTime::now()).await.expect("a token");
    let beside = file.with_extension("new");
    std::fs::write(&beside, token.expose()).expect("written");
    std::fs::rename(&beside, file).expect("renamed");
}

fn capability(report: &RunReport, name: &str) -> Option<f64> {
    samples(report, "gateprobe_check_capability", &[name]).last().copied()
}

#[tokio::test(flavor = "multi_thread")]
async fn minted_tokens_of_each_kind_are_renewed_and_proven() {
    let folder = folder();
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let keys = Keys::new(folder.path(), algorithm);
        let gateway = gateway(algorithm, &keys).await;
        let bench = bench(&gateway.url(), &minted(algorithm, &keys), "lifetime: 4s, profile: suite");
        let mut report = bench.run("chat").await.remove(0);
        for _ in 0..4 {
            if !disturbed(&report) {
                break;
            }
            report = bench.run("chat").await.remove(0);
        }
        assert_eq!(words(&report), "pass", "{algorithm}: {}", report.detail);
        assert_eq!(capability(&report, "refresh_proof"), Some(1.0), "{algorithm}: {}", report.detail);
        // In the middle, three in a row, at least one of two at once, at the last moment, after a refusal.
        let accepted = count(&report, "gateprobe_token_refreshes_total", &["accepted"]);
        assert!((7.0..=8.0).contains(&accepted), "{algorithm}: {accepted}");
        for bad in [
            "expired",
            "not_yet_valid",
            "garbled",
            "alg_none",
            "wrong_key",
            "other_subject",
            "other_audience",
            "replayed",
        ] {
            assert_eq!(count(&report, "gateprobe_bad_tokens_total", &[bad, "refused"]), 1.0, "{bad}");
            assert_eq!(count(&report, "gateprobe_bad_tokens_total", &[bad, "accepted"]), 0.0, "{bad}");
        }
        assert_eq!(count(&report, "gateprobe_expired_sessions_total", &["closed"]), 1.0);
        let close = samples(&report, "gateprobe_last_expired_session_close_seconds", &[]);
        assert!(close.len() == 1 && close[0].abs() < 1.5, "{close:?}");
        gateway.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_rotated_in_the_middle_of_a_run_is_renewed_by() {
    let folder = folder();
    let algorithm = Algorithm::ES256;
    let keys = Keys::new(folder.path(), algorithm);
    let gateway = gateway(algorithm, &keys).await;
    let file = folder.path().join("token");
    rotate(&file, algorithm, &keys, Span::secs(8)).await;
    let bench = bench(&gateway.url(), &format!("{{ file: {file:?} }}"), "timeout: 60s");
    let rotating = async {
        // Both sessions have been let in by the old one.
        let is_upgrade = |kind: &EventKind| matches!(kind, EventKind::Upgraded);
        while gateway.events(0).iter().filter(|event| is_upgrade(&event.kind)).count() < 2 {
            tokio::task::yield_now().await;
        }
        rotate(&file, algorithm, &keys, Span::secs(300)).await;
    };
    let (reports, ()) = tokio::join!(bench.run("chat"), rotating);
    let report = &reports[0];
    assert_eq!(words(report), "pass", "{}", report.detail);
    assert!(report.detail.starts_with("1 refreshes accepted"), "{}", report.detail);
    assert!(report.detail.contains("served after the old token's expiry"), "{}", report.detail);
    assert_eq!(
        (capability(report, "refresh_proof"), capability(report, "new_tokens")),
        (Some(1.0), Some(0.0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_outlives_the_run_leaves_the_proof_missing_and_says_so() {
    let folder = folder();
    let algorithm = Algorithm::HS256;
    let keys = Keys::new(folder.path(), algorithm);
    let gateway = gateway(algorithm, &keys).await;
    let file = folder.path().join("token");
    rotate(&file, algorithm, &keys, Span::secs(3_600)).await;
    let bench = bench(&gateway.url(), &format!("{{ file: {file:?} }}"), "timeout: 60s");
    let rotating = async {
        while gateway.events(0).iter().filter(|event| matches!(event.kind, EventKind::Upgraded)).count() < 2 {
            tokio::task::yield_now().await;
        }
        rotate(&file, algorithm, &keys, Span::secs(3_600)).await;
    };
    let (reports, ()) = tokio::join!(bench.run("chat"), rotating);
    let report = &reports[0];
    assert_eq!(words(report), "pass", "{}", report.detail);
    assert!(report.detail.contains("not proven by life after the old token's expiry"), "{}", report.detail);
    assert_eq!(capability(report, "refresh_proof"), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nobody_rotates_is_unsupported_and_bad_ones_are_tried_all_the_same() {
    let folder = folder();
    let algorithm = Algorithm::HS256;
    let keys = Keys::new(folder.path(), algorithm);
    let gateway = gateway(algorithm, &keys).await;
    let file = folder.path().join("token");
    rotate(&file, algorithm, &keys, Span::secs(3_600)).await;
    let settings = "cases: [renew, rapid, recovery, bad_tokens], settle: 500ms, timeout: 30s, interval: 60s";
    let bench = bench(&gateway.url(), &format!("{{ file: {file:?} }}"), settings);
    let began = gateway.events(0).len();
    let report = bench.run("chat").await.remove(0);
    assert_eq!(words(&report), "unsupported same_token", "{}", report.detail);
    for bad in ["garbled", "alg_none", "wrong_key"] {
        assert_eq!(count(&report, "gateprobe_bad_tokens_total", &[bad, "refused"]), 1.0, "{bad}");
    }
    for bad in ["expired", "not_yet_valid", "other_subject", "other_audience", "replayed"] {
        assert_eq!(capability(&report, &format!("refresh_{bad}")), Some(0.0), "{bad}");
    }
    let renewed = |kind: &EventKind| matches!(kind, EventKind::TokenRefreshed);
    assert!(!gateway.events(0)[began..].iter().any(|event| renewed(&event.kind)), "with nothing new");
    gateway.set_fault("refresh_takes=unsigned".parse().expect("a fault")).expect("a fault that shows");
    let bench = self::bench(&gateway.url(), &format!("{{ file: {file:?} }}"), "cases: [bad_tokens]");
    let report = bench.run("chat").await.remove(0);
    assert_eq!(words(&report), "fail bad_token_accepted", "{}", report.detail);
    assert!(report.detail.contains("a token of `alg: none`"), "{}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_trouble_with_tokens_accuses_nobody() {
    let folder = folder();
    let algorithm = Algorithm::HS256;
    let keys = Keys::new(folder.path(), algorithm);
    let gateway = gateway(algorithm, &keys).await;
    // Nobody rotates it before it ends.
    let file = folder.path().join("token");
    rotate(&file, algorithm, &keys, Span::secs(3)).await;
    let report =
        bench(&gateway.url(), &format!("{{ file: {file:?} }}"), "timeout: 30s").run("chat").await.remove(0);
    assert_eq!(words(&report), "inconclusive credential", "{}", report.detail);
    // The key goes away.
    let bench = bench(&gateway.url(), &minted(algorithm, &keys), "lifetime: 60s");
    assert_eq!(words(&bench.run("chat").await[0]), "pass");
    std::fs::remove_file(&keys.private).expect("removed");
    let report = bench.run("chat").await.remove(0);
    assert_eq!(words(&report), "inconclusive credential", "{}", report.detail);
    // No request can be forged of what is not there.
    let path = write(folder.path(), "empty", "");
    let report =
        self::bench(&gateway.url(), &format!("{{ file: {path:?} }}"), "").run("chat").await.remove(0);
    assert_eq!(words(&report), "inconclusive credential", "{}", report.detail);
}

/// A gateway whose clock is an hour ahead still sees tokens that live as long as they should.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_clock_is_ahead_is_not_accused() {
    let folder = folder();
    let algorithm = Algorithm::HS256;
    let keys = Keys::new(folder.path(), algorithm);
    let gateway = gateway(algorithm, &keys).await;
    gateway.set_fault("clock_skew=2m".parse().expect("a fault")).expect("a fault that shows");
    let bench = bench(
        &gateway.url(),
        &minted(algorithm, &keys),
        "lifetime: 4s, profile: suite, expiry_enforced: true",
    );
    let mut report = bench.run("chat").await.remove(0);
    for _ in 0..4 {
        if !disturbed(&report) {
            break;
        }
        report = bench.run("chat").await.remove(0);
    }
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert_eq!(capability(&report, "gateway_clock"), Some(1.0));
    let close = samples(&report, "gateprobe_last_expired_session_close_seconds", &[]);
    assert!(close.len() == 1 && close[0].abs() < Duration::from_secs(2).as_secs_f64(), "{close:?}");
}

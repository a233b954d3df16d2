//! Faults of pongs and of the gateway's own heartbeat.

use gateprobe::checks::heartbeat::Assertion;

use super::session::{Row, heartbeat};

const JITTER: &str = "every: 300ms, thresholds: { jitter: 45ms }";

/// Each assertion has a row that it alone turns red; 20 % beyond a threshold is red, 20 % inside is green.
pub const ROWS: &[Row] = &[
    heartbeat("pong_dropped=1", "", "fail pong_lost", Some(Assertion::PongComes))
        .also("inconclusive precondition"),
    heartbeat("pong_delay=600ms", "", "fail pong_lost", Some(Assertion::PongComes)),
    heartbeat("pong_delay=400ms", "", "pass", None),
    heartbeat("pong_duplicated", "", "fail pong_duplicated", Some(Assertion::PongOnce)),
    heartbeat("pong_wrong_payload", "", "fail pong_mismatch", Some(Assertion::PongMatches))
        .also("inconclusive precondition"),
    heartbeat("pong_delay=240ms", "thresholds: { mean: 200ms }", "fail too_slow", Some(Assertion::Mean)),
    heartbeat("pong_delay=160ms", "thresholds: { mean: 200ms }", "pass", None),
    heartbeat("pong_delay=240ms", "thresholds: { p50: 200ms }", "fail too_slow", Some(Assertion::P50)),
    heartbeat("pong_delay=160ms", "thresholds: { p50: 200ms }", "pass", None),
    heartbeat("pong_delay=240ms", "thresholds: { p95: 200ms }", "fail too_slow", Some(Assertion::P95)),
    heartbeat("pong_delay=160ms", "thresholds: { p95: 200ms }", "pass", None),
    heartbeat("pong_delay=240ms", "thresholds: { p99: 200ms }", "fail too_slow", Some(Assertion::P99)),
    heartbeat("pong_delay=160ms", "thresholds: { p99: 200ms }", "pass", None),
    heartbeat("pong_delay=240ms", "thresholds: { max: 200ms }", "fail too_slow", Some(Assertion::Max)),
    heartbeat("pong_delay=160ms", "thresholds: { max: 200ms }", "pass", None),
    // Nobody who is never asked can fail to answer.
    heartbeat("pings_missing", "", "fail beat_missing", Some(Assertion::BeatComes))
        .also("fail zombie_leaked"),
    // Each interval is longer than the last one: the first that is seen has grown twice.
    heartbeat("pings_drift=180ms", "", "fail beat_off", Some(Assertion::BeatOnTime)),
    heartbeat("pings_drift=120ms", "", "pass", None),
    heartbeat("pings_early=360ms", "", "fail beat_off", Some(Assertion::BeatOnTime)),
    heartbeat("pings_early=240ms", "", "pass", None),
    // Five pings, each 240 ms from its neighbours: 240 * (1 - (15/16)^4) is a jitter of 54.6 ms (RFC 3550).
    heartbeat("pong_jitter=240ms", JITTER, "fail too_jittery", Some(Assertion::Jitter)),
    heartbeat("pong_jitter=160ms", JITTER, "pass", None),
    // The dialect's own heartbeat, either way.
    heartbeat("application_pong_dropped=1", "", "fail pong_lost", None)
        .gateway("application")
        .also("inconclusive precondition"),
    heartbeat("application_pong_delay=600ms", "", "fail pong_lost", None).gateway("application"),
    heartbeat("application_pong_delay=240ms", "thresholds: { mean: 200ms }", "fail too_slow", None)
        .gateway("application"),
    heartbeat("application_pong_delay=160ms", "thresholds: { mean: 200ms }", "pass", None)
        .gateway("application"),
    heartbeat("application_pong_duplicated", "", "fail pong_duplicated", None).gateway("application"),
    heartbeat("application_pong_wrong_id", "", "fail pong_mismatch", None)
        .gateway("application")
        .also("inconclusive precondition"),
    heartbeat("application_pings_missing", "", "fail beat_missing", None)
        .gateway("application")
        .also("fail zombie_leaked"),
    heartbeat("application_pings_drift=180ms", "", "fail beat_off", None).gateway("application"),
    heartbeat("application_pings_drift=120ms", "", "pass", None).gateway("application"),
    heartbeat("session_closed_after=300ms", "", "fail session_closed", Some(Assertion::SessionStays))
        .also("fail session_closed|fail false_eviction|fail evicted_early"),
];

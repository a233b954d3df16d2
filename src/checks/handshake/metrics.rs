//! What `handshake` measures.

use url::Host;

use crate::metrics::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
use crate::model::Phase;
use crate::session::{Target, Visit};
use crate::wire::Facts;

/// Each phase of the dial.
pub static PHASE_DURATION: Descriptor = Descriptor {
    name: "gateprobe_connect_phase_duration_seconds",
    help: "How long each phase of getting in took; the phases of a run add up to its total.",
    scope: Scope::Job,
    kind: Kind::Histogram {
        buckets: &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
    },
    unit: Unit::Seconds,
    labels: &["phase"],
};

/// Each phase of the last dial.
pub static LAST_PHASE_DURATION: Descriptor = Descriptor {
    name: "gateprobe_last_connect_phase_duration_seconds",
    help: "How long each phase of getting in took in the last run.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["phase"],
};

/// The certificate's end.
pub static CERTIFICATE_NOT_AFTER: Descriptor = Descriptor {
    name: "gateprobe_tls_certificate_not_after_timestamp_seconds",
    help: "When the first certificate of the gateway's chain expires.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::TimestampSeconds,
    labels: &[],
};

/// The last status.
pub static LAST_STATUS: Descriptor = Descriptor {
    name: "gateprobe_last_http_status_code",
    help: "The HTTP status by which the gateway last answered an upgrade request.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// Every metric of the check.
pub static METRICS: &[&Descriptor] =
    &[&PHASE_DURATION, &LAST_PHASE_DURATION, &CERTIFICATE_NOT_AFTER, &LAST_STATUS];

/// The histograms that runs of the target will fill, so that they can exist at 0 from the start.
pub(super) fn expected(target: &Target, greets: bool) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
    let url = &target.endpoint.url;
    let port = url.port_or_known_default().unwrap_or_default();
    let proxy = target.endpoint.proxy.as_ref();
    let proxied = proxy.is_some_and(|proxy| !proxy.exceptions.covers(target.endpoint.host(), port));
    // The proxy resolves the name, and connects.
    let named = !proxied && matches!(url.host(), Some(Host::Domain(_)));
    let phases = [
        (Phase::Dns, named),
        (Phase::Tcp, !proxied),
        (Phase::Proxy, proxied),
        (Phase::Tls, url.scheme() == "wss"),
        (Phase::Before, target.dialect.before().is_some()),
        (Phase::Upgrade, true),
        (Phase::FirstMessage, greets),
    ];
    let phases = phases.into_iter().filter(|(_, expected)| *expected);
    phases.map(|(phase, _)| (&PHASE_DURATION, vec![phase.label().into()])).collect()
}

/// Keeps one phase.
pub(super) fn phase(visit: &Visit, phase: &'static str, seconds: f64) {
    visit.measure(Sample::labelled(&PHASE_DURATION, [phase], seconds));
    visit.measure(Sample::labelled(&LAST_PHASE_DURATION, [phase], seconds));
}

/// Keeps what is known of a dial that ended, well or not.
pub(super) fn dial(visit: &Visit, facts: &Facts) {
    for (name, time) in facts.timings.phases() {
        phase(visit, name.label(), time.as_secs_f64());
    }
    if let Some(not_after) = facts.tls.as_ref().and_then(|tls| tls.earliest_not_after) {
        visit.measure(Sample::new(&CERTIFICATE_NOT_AFTER, not_after as f64));
    }
    if let Some(response) = &facts.response {
        visit.measure(Sample::new(&LAST_STATUS, f64::from(response.status)));
    }
}

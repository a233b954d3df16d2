//! What a check may find without failing.

use crate::metrics::{Descriptor, Kind, Sample, Scope, Unit};
use crate::session::Visit;

/// Findings that do not fail a run.
pub static FINDING: Descriptor = Descriptor {
    name: "gateprobe_last_finding",
    help: "1 if the last run found this, 0 if it looked and did not; a finding alone fails no run.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["finding"],
};

/// What a run may find without failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// A foreign Origin was let in.
    ForeignOriginAccepted,
    /// The gateway answered our Close, but left it to us to end the TCP connection (RFC 6455, section 7.1.1).
    TcpLeftOpen,
    /// A session whose token had expired went on, and nobody promises that it does not.
    ExpiredSessionSurvives,
}

impl Finding {
    fn label(self) -> &'static str {
        match self {
            Self::ForeignOriginAccepted => "foreign_origin_accepted",
            Self::TcpLeftOpen => "tcp_left_open",
            Self::ExpiredSessionSurvives => "expired_session_survives",
        }
    }
}

/// Keeps whether a finding was made.
pub fn finding(visit: &Visit, finding: Finding, found: bool) {
    visit.measure(Sample::labelled(&FINDING, [finding.label()], f64::from(u8::from(found))));
}

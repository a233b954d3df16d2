//! A probe's result under the names that blackbox_exporter gave it.

use std::time::Duration;

use prometheus::{Gauge, GaugeVec, Opts, Registry, TextEncoder};

use crate::model::Outcome;

/// What a probe found out. What was not found out is `None`, and no series.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeFacts {
    /// The outcome; only a pass is `probe_success 1`.
    pub outcome: Outcome,
    /// How long the run took.
    pub duration: Duration,
    /// The deadline that it had.
    pub timeout: Duration,
    /// 4 or 6: the family of the address that it connected to.
    pub ip_protocol: Option<u8>,
    /// How long the name took to resolve.
    pub dns_lookup: Option<Duration>,
    /// When the first certificate of the chain expires, in seconds since 1970.
    pub earliest_cert_expiry: Option<f64>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub tls_version: Option<String>,
    /// The status of the response to the upgrade request.
    pub status_code: Option<u16>,
    /// Whether the connection became a WebSocket.
    pub upgraded: bool,
    /// How long each part took.
    pub phases: ProbePhases,
}

/// The parts of a run, by blackbox_exporter's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProbePhases {
    /// Resolving the name.
    pub resolve: Option<Duration>,
    /// TCP, the proxy and TLS.
    pub connect: Option<Duration>,
    /// From the upgrade request to its response.
    pub processing: Option<Duration>,
    /// From the response to the end of the session.
    pub transfer: Option<Duration>,
}

impl ProbeFacts {
    /// The text format 0.0.4, from a registry of its own.
    pub fn encode_text(&self) -> String {
        let mut text = String::new();
        // Fails only if two of the constant names below were the same, which the tests would tell.
        let written = self
            .registry()
            .and_then(|registry| TextEncoder::new().encode_utf8(&registry.gather(), &mut text));
        if let Err(error) = written {
            tracing::error!(%error, "a probe's metrics could not be encoded");
        }
        text
    }

    fn registry(&self) -> prometheus::Result<Registry> {
        let registry = Registry::new();
        let set = |name: &str, help: &str, value: Option<f64>| -> prometheus::Result<()> {
            let Some(value) = value else { return Ok(()) };
            let gauge = Gauge::new(name, help)?;
            gauge.set(value);
            registry.register(Box::new(gauge))
        };
        let seconds = |duration: Duration| Some(duration.as_secs_f64());
        let success = self.outcome == Outcome::Pass;
        set("probe_success", "Whether the probe was a success", Some(f64::from(u8::from(success))))?;
        set("probe_duration_seconds", "How long the probe took in seconds", seconds(self.duration))?;
        set("probe_timeout_seconds", "The deadline that the probe had in seconds", seconds(self.timeout))?;
        set(
            "probe_dns_lookup_time_seconds",
            "How long the name took to resolve in seconds",
            self.dns_lookup.and_then(seconds),
        )?;
        let family = f64::from(self.ip_protocol.unwrap_or(0));
        set(
            "probe_ip_protocol",
            "Whether the probe used IPv4 or IPv6, 0 if it had no address",
            Some(family),
        )?;
        set(
            "probe_ssl_earliest_cert_expiry",
            "When the first certificate expires, as a Unix time",
            self.earliest_cert_expiry,
        )?;
        let status = f64::from(self.status_code.unwrap_or(0));
        set(
            "probe_websocket_status_code",
            "HTTP status of the upgrade, 0 if there was no response",
            Some(status),
        )?;
        let upgraded = f64::from(u8::from(self.upgraded));
        set(
            "probe_websocket_connection_upgraded",
            "Whether the connection became a WebSocket",
            Some(upgraded),
        )?;
        self.labelled(&registry)?;
        Ok(registry)
    }

    fn labelled(&self, registry: &Registry) -> prometheus::Result<()> {
        let vec = |name: &str, help: &str, labels: &[&str]| {
            let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            prometheus::Result::Ok(gauges)
        };
        if let Some(version) = &self.tls_version {
            let gauges = vec("probe_tls_version_info", "The TLS version that was used", &["version"])?;
            gauges.with_label_values(&[version.replace("TLSv", "TLS ")]).set(1.0);
        }
        let ProbePhases { resolve, connect, processing, transfer } = self.phases;
        let gauges =
            vec("probe_websocket_duration_seconds", "How long each phase took in seconds", &["phase"])?;
        let phases =
            [("resolve", resolve), ("connect", connect), ("processing", processing), ("transfer", transfer)];
        for (phase, duration) in phases {
            if let Some(duration) = duration {
                gauges.with_label_values(&[phase]).set(duration.as_secs_f64());
            }
        }
        let (help, labels) = ("Always 1; carries the outcome and its reason", ["outcome", "reason"]);
        let gauges = vec("gateprobe_probe_outcome", help, &labels)?;
        let reason = self.outcome.reason().unwrap_or_default();
        gauges.with_label_values(&[self.outcome.label(), reason]).set(1.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text_format::parse;
    use crate::model::{Cause, Failure};

    fn pass() -> ProbeFacts {
        ProbeFacts {
            outcome: Outcome::Pass,
            duration: Duration::from_millis(120),
            timeout: Duration::from_millis(9500),
            ip_protocol: Some(6),
            dns_lookup: Some(Duration::from_millis(3)),
            earliest_cert_expiry: Some(1.9e9),
            tls_version: Some("TLSv1.3".to_owned()),
            status_code: Some(101),
            upgraded: true,
            phases: ProbePhases {
                resolve: Some(Duration::from_millis(3)),
                connect: Some(Duration::from_millis(40)),
                processing: Some(Duration::from_millis(50)),
                transfer: Some(Duration::from_millis(27)),
            },
        }
    }

    #[test]
    fn a_pass_has_every_name_of_the_contract() {
        let series: Vec<(String, f64)> = parse(&pass().encode_text()).into_iter().collect();
        let expected = [
            ("gateprobe_probe_outcome{outcome=\"pass\",reason=\"\"}", 1.0),
            ("probe_dns_lookup_time_seconds", 0.003),
            ("probe_duration_seconds", 0.12),
            ("probe_ip_protocol", 6.0),
            ("probe_ssl_earliest_cert_expiry", 1.9e9),
            ("probe_success", 1.0),
            ("probe_timeout_seconds", 9.5),
            ("probe_tls_version_info{version=\"TLS 1.3\"}", 1.0),
            ("probe_websocket_connection_upgraded", 1.0),
            ("probe_websocket_duration_seconds{phase=\"connect\"}", 0.04),
            ("probe_websocket_duration_seconds{phase=\"processing\"}", 0.05),
            ("probe_websocket_duration_seconds{phase=\"resolve\"}", 0.003),
            ("probe_websocket_duration_seconds{phase=\"transfer\"}", 0.027),
            ("probe_websocket_status_code", 101.0),
        ];
        assert_eq!(series, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn what_was_not_found_out_is_absent_and_only_a_pass_is_a_success() {
        let outcomes = [
            (Outcome::Fail(Failure::ConnectRefused), "fail", "connect_refused"),
            (Outcome::Inconclusive(Cause::EgressLost), "inconclusive", "egress_lost"),
        ];
        for (outcome, label, reason) in outcomes {
            let facts = ProbeFacts {
                outcome,
                ip_protocol: None,
                dns_lookup: None,
                earliest_cert_expiry: None,
                tls_version: None,
                status_code: None,
                upgraded: false,
                phases: ProbePhases::default(),
                ..pass()
            };
            let series = parse(&facts.encode_text());
            assert_eq!(series["probe_success"], 0.0);
            assert_eq!((series["probe_ip_protocol"], series["probe_websocket_status_code"]), (0.0, 0.0));
            assert_eq!(series["probe_websocket_connection_upgraded"], 0.0);
            assert_eq!(
                series[&format!("gateprobe_probe_outcome{{outcome=\"{label}\",reason=\"{reason}\"}}")],
                1.0
            );
            assert_eq!(series.len(), 7, "{series:?}");
        }
    }
}

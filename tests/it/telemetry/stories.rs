//! The table: a fault, the alerts that it must cause, and the panels that must tell of it.

use super::panels::Shows;
use super::scene::{PATIENCE, Scene, has};
use crate::support::alertmanager::Notice;
use crate::support::binary::within;

/// A fault that comes and goes at a target.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// The target.
    pub target: &'static str,
    /// What goes wrong at its gateway.
    pub fault: &'static str,
    /// The alerts that must fire, once each, by name and severity.
    pub alerts: &'static [(&'static str, &'static str)],
    /// The panels that must tell of it.
    pub panels: &'static [Shows],
}

const fn shows(board: &'static str, title: &'static str, by: f64) -> Shows {
    Shows { board, title, series: &[], by }
}

const fn series(
    board: &'static str,
    title: &'static str,
    series: &'static [(&'static str, &'static str)],
    by: f64,
) -> Shows {
    Shows { board, title, series, by }
}

/// What an outage does to a check that matters.
pub const FAILING: (&str, &str) = ("GateprobeCheckFailing", "critical");
/// What it does to one of those that look for misbehaviour.
const MISBEHAVING: (&str, &str) = ("GateprobeCheckFailing", "warning");

/// Each alone at a target of the agent in `lab`.
pub const STORIES: &[Story] = &[
    Story {
        target: "down",
        fault: "upgrade_status=503",
        alerts: &[FAILING],
        panels: &[
            shows("overview.json", "Failing now", 1.0),
            shows("overview.json", "Runs that passed", -0.05),
            series("overview.json", "What gateways did wrong", &[("reason", "unavailable")], 1.0),
            shows("overview.json", "State of every check", 2.0),
            shows("check.json", "Failures in a row", 2.0),
            series("check.json", "What the gateway did wrong", &[("reason", "unavailable")], 1.0),
            shows("check.json", "Last HTTP status", 400.0),
        ],
    },
    Story {
        target: "ending",
        fault: "tls_expires_in=3d",
        alerts: &[("GateprobeCertificateExpires", "critical")],
        panels: &[
            shows("check.json", "Certificate ends in", -86_400.0),
            shows("overview.json", "Next certificate ends", -86_400.0),
        ],
    },
    Story {
        target: "open",
        fault: "no_auth",
        alerts: &[FAILING, ("GateprobeBadTokenAccepted", "critical")],
        panels: &[series(
            "check.json",
            "What the gateway did wrong",
            &[("reason", "token_not_required")],
            1.0,
        )],
    },
    Story {
        target: "slow",
        fault: "pong_delay=400ms",
        // Slow is not wrong, where the config sets no threshold.
        alerts: &[],
        panels: &[
            series("check.json", "Round trips of the last run", &[("stat", "p95")], 0.3),
            shows("overview.json", "Round trip of pings, p95", 0.3),
        ],
    },
    Story {
        target: "zombies",
        fault: "zombies_kept",
        alerts: &[MISBEHAVING, ("GateprobeZombiesLeaked", "warning")],
        panels: &[series("check.json", "What became of silent connections", &[("result", "leaked")], 1.0)],
    },
    Story {
        target: "evicted",
        fault: "healthy_evicted",
        alerts: &[MISBEHAVING, ("GateprobeFalseEvictions", "warning")],
        panels: &[shows("check.json", "Healthy ones closed", 1.0)],
    },
    Story {
        target: "refused",
        fault: "refresh_refused",
        alerts: &[FAILING],
        panels: &[series("check.json", "Token refreshes", &[("result", "refused")], 1.0)],
    },
    Story {
        target: "outlived",
        fault: "expired_sessions_live",
        // With the second run; the gateway heals before a third one.
        alerts: &[("GateprobeExpiredSessionServed", "critical")],
        panels: &[series("check.json", "Sessions whose token ran out", &[("result", "survived")], 1.0)],
    },
    Story {
        target: "harmed",
        fault: "slow_beside_zombies=800ms",
        // With the second run, which backs off after the first; the gateway heals before a third one.
        alerts: &[("GateprobeBystanderHarmed", "critical")],
        panels: &[series(
            "check.json",
            "What the gateway did wrong",
            &[("reason", "collateral_damage")],
            1.0,
        )],
    },
];

impl Story {
    /// Plays it: the fault comes, alerts reach the pager, panels change, the fault goes, the alerts end.
    pub fn play(&self, scene: &Scene) {
        let before: Vec<f64> = self.panels.iter().map(|panel| panel.before(scene, self.target)).collect();
        scene.gateway(self.target).switch_on(self.fault);
        for (alert, severity) in self.alerts {
            let notice = scene.notified("firing", &self.labels(alert, severity));
            complete(&notice);
        }
        for (panel, before) in self.panels.iter().zip(before) {
            panel.changes(scene, self.target, before);
        }
        scene.gateway(self.target).heal();
        for (alert, severity) in self.alerts {
            scene.notified("resolved", &self.labels(alert, severity));
        }
        within(PATIENCE, &format!("{} is green", self.target), || {
            let query = format!("min(gateprobe_last_check_success{{target={:?}}})", self.target);
            scene.prometheus.query(&query).iter().find(|(_, value)| *value == 1.0).map(|_| ())
        });
    }

    fn labels<'a>(&self, alert: &'a str, severity: &'a str) -> [(&'a str, &'a str); 3]
    where
        'static: 'a,
    {
        [("alertname", alert), ("severity", severity), ("target", self.target)]
    }
}

/// An outage pages within three runs and two minutes: with the third run, or the one that fits into two seconds, which
/// is what two minutes are here.
pub fn pages_in_time(notices: &[Notice]) {
    let labels = [("alertname", FAILING.0), ("target", "down")];
    let notice = notices.iter().find(|notice| has(notice, &labels)).expect("a page");
    let said = &notice.annotations["description"];
    assert!(["The last 3 ", "The last 4 "].iter().any(|start| said.starts_with(start)), "{said}");
}

/// Whoever is woken has to find all that there is to read.
pub fn complete(notice: &Notice) {
    for name in ["summary", "description", "runbook_url", "dashboard_url"] {
        let text = notice.annotations.get(name).map(String::as_str).unwrap_or_default();
        assert!(!text.is_empty() && !text.contains("<no value>"), "{name} of {:?}: {text:?}", notice.labels);
    }
}

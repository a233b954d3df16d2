//! What the other targets say about our way out, when no control endpoint is configured.
//!
//! One gateway that fails says nothing about us. Several unrelated ones that fail at the same moment, while
//! none at all answers, do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// "The same moment": runs of different targets are spread over their interval, so it can't be shorter
/// than a usual one.
const MOMENT: Duration = Duration::from_secs(30);
/// Unrelated sites that must have failed, beside the one in question.
const OTHERS: usize = 2;

#[derive(Debug, Clone, Copy, Default)]
struct Site {
    failed: Option<Instant>,
    answered: Option<Instant>,
}

/// Sites remembered, at most: those of `/probe` are named by strangers.
const MAX_SITES: usize = 4_096;

/// When each site last answered and last failed.
#[derive(Debug, Default)]
pub struct Witness(Mutex<HashMap<String, Site>>);

impl Witness {
    /// The host said something, if only no.
    pub fn answered(&self, host: &str) {
        self.with(host, |site| site.answered = Some(Instant::now()));
    }

    /// The host could not be reached.
    pub fn failed(&self, host: &str) {
        self.with(host, |site| site.failed = Some(Instant::now()));
    }

    /// True when enough sites unrelated to `host` failed within the last moment, and none answered in it.
    pub fn egress_lost(&self, host: &str) -> bool {
        let own = site_of(host);
        let sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() <= MOMENT);
        let others: Vec<&Site> = sites.iter().filter(|(name, _)| **name != own).map(|(_, s)| s).collect();
        let failed = others.iter().filter(|site| recent(site.failed)).count();
        failed >= OTHERS && !others.iter().any(|site| recent(site.answered))
    }

    fn with(&self, host: &str, change: impl FnOnce(&mut Site)) {
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sites.len() >= MAX_SITES {
            // What is older than a moment says nothing any more.
            let recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() <= MOMENT);
            sites.retain(|_, site| recent(site.failed) || recent(site.answered));
        }
        if sites.len() >= MAX_SITES {
            return;
        }
        change(sites.entry(site_of(host)).or_default());
    }
}

/// What hosts of one owner share: the last two labels of a name, or the network of an address. Coarse on
/// purpose: hosts that are wrongly thought related only make us accuse the gateway, as we would without a
/// witness.
fn site_of(host: &str) -> String {
    let host = host.trim_matches(|c| c == '[' || c == ']');
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => format!("{:?}", &ip.octets()[..3]),
        Ok(IpAddr::V6(ip)) => format!("{:?}", &ip.segments()[..3]),
        Err(_) => {
            let labels: Vec<&str> = host.trim_end_matches('.').rsplit('.').take(2).collect();
            labels.join(".").to_ascii_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_owner_failing_everywhere_is_not_our_egress() {
        let witness = Witness::default();
        for host in ["a.example.com", "b.example.com", "c.example.com"] {
            witness.failed(host);
        }
        assert!(!witness.egress_lost("a.example.com"));
    }

    #[tokio::test(start_paused = true)]
    async fn unrelated_hosts_failing_together_are() {
        let witness = Witness::default();
        witness.failed("ws.example.org");
        assert!(!witness.egress_lost("gw.example.com"), "one other host proves nothing");
        witness.failed("192.0.2.7");
        assert!(witness.egress_lost("gw.example.com"));
        tokio::time::advance(MOMENT + Duration::from_secs(1)).await;
        assert!(!witness.egress_lost("gw.example.com"), "that was another moment");
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_from_anywhere_acquits_our_egress() {
        let witness = Witness::default();
        witness.failed("ws.example.org");
        witness.failed("192.0.2.7");
        witness.answered("edge.example.net");
        assert!(!witness.egress_lost("gw.example.com"));
    }
}

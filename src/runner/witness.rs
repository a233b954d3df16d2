//! What the other targets say about our way out, when no control endpoint is configured.
//!
//! One gateway that fails says nothing about us. Several unrelated ones that fail at the same moment, while
//! none at all answers, do.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// "The same moment": runs of different targets are spread over their interval, so it can't be shorter
/// than a usual one.
const MOMENT: Duration = Duration::from_secs(30);
/// Unrelated sites that must have failed, beside the one in question.
const OTHERS: usize = 2;

/// Sites remembered, at most.
const MAX_SITES: usize = 4_096;
/// Losses of our way out that are remembered after their end, at most.
const MAX_LOSSES: usize = 16;

#[derive(Debug, Clone, Copy, Default)]
struct Site {
    /// Whether it has ever answered: what never did says nothing by failing.
    known: bool,
    /// Since when it fails; none while it answers.
    failing: Option<Instant>,
}

#[derive(Debug, Default)]
struct Sites {
    by_name: HashMap<String, Site>,
    /// Since when several fail that began to fail in one moment, and none has answered.
    lost: Option<Instant>,
    /// When it was so before, from when to when.
    losses: VecDeque<(Instant, Instant)>,
}

/// Which sites answer, and since when the others fail.
#[derive(Debug, Default)]
pub struct Witness(Mutex<Sites>);

impl Witness {
    /// The host said something, if only no.
    pub fn answered(&self, host: &str) {
        let mut sites = self.lock();
        if let Some(began) = sites.lost.take() {
            sites.losses.truncate(MAX_LOSSES - 1);
            sites.losses.push_front((began, Instant::now()));
        }
        if let Some(site) = sites.site(host) {
            *site = Site { known: true, failing: None };
        }
    }

    /// The host could not be reached.
    pub fn failed(&self, host: &str) {
        let mut sites = self.lock();
        if let Some(site) = sites.site(host) {
            site.failing.get_or_insert_with(Instant::now);
        }
    }

    /// True when enough sites unrelated to `host`, that had answered before, began to fail within one moment,
    /// and none has answered since; or when that was so at any time since `since`.
    pub fn egress_lost(&self, host: &str, since: Instant) -> bool {
        let own = site_of(host);
        let mut sites = self.lock();
        let others = sites.by_name.iter().filter(|(name, site)| **name != own && site.known);
        let began: Vec<Option<Instant>> = others.map(|(_, site)| site.failing).collect();
        let together: Vec<Instant> =
            began.iter().flatten().copied().filter(|began| began.elapsed() <= MOMENT).collect();
        if together.len() >= OTHERS && began.iter().all(Option::is_some) {
            sites.lost = sites.lost.or(together.into_iter().min());
        }
        sites.lost.is_some() || sites.losses.iter().any(|(_, ended)| *ended > since)
    }

    fn lock(&self) -> MutexGuard<'_, Sites> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sites {
    fn site(&mut self, host: &str) -> Option<&mut Site> {
        let name = site_of(host);
        let full = self.by_name.len() >= MAX_SITES && !self.by_name.contains_key(&name);
        (!full).then(|| self.by_name.entry(name).or_default())
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

    fn with_all_answering(hosts: &[&str]) -> Witness {
        let witness = Witness::default();
        hosts.iter().for_each(|host| witness.answered(host));
        witness
    }

    impl Witness {
        fn lost_now(&self, host: &str) -> bool {
            self.egress_lost(host, Instant::now())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_lost_for_a_while_is_remembered_for_who_looks_back() {
        let witness = with_all_answering(&["gw.example.com", "ws.example.org", "192.0.2.7"]);
        let before = Instant::now();
        witness.failed("ws.example.org");
        witness.failed("192.0.2.7");
        assert!(witness.lost_now("gw.example.com"));
        tokio::time::advance(MOMENT).await;
        witness.answered("192.0.2.7");
        tokio::time::advance(MOMENT).await;
        assert!(!witness.lost_now("gw.example.com"));
        assert!(witness.egress_lost("gw.example.com", before));
    }

    #[tokio::test(start_paused = true)]
    async fn one_owner_failing_everywhere_is_not_our_egress() {
        let hosts = ["a.example.com", "b.example.com", "c.example.com"];
        let witness = with_all_answering(&hosts);
        hosts.iter().for_each(|host| witness.failed(host));
        assert!(!witness.lost_now("a.example.com"));
    }

    #[tokio::test(start_paused = true)]
    async fn unrelated_hosts_that_begin_to_fail_together_are_until_one_answers() {
        let witness = with_all_answering(&["gw.example.com", "ws.example.org", "192.0.2.7"]);
        witness.failed("ws.example.org");
        assert!(!witness.lost_now("gw.example.com"), "one other host proves nothing");
        witness.failed("192.0.2.7");
        assert!(witness.lost_now("gw.example.com"));
        tokio::time::advance(MOMENT * 10).await;
        assert!(witness.lost_now("gw.example.com"), "it lasts");
        witness.answered("192.0.2.7");
        assert!(!witness.lost_now("gw.example.com"), "until somebody answers");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_been_dead_for_long_or_for_ever_excuses_nobody() {
        let witness = with_all_answering(&["gw.example.com", "old.example.org", "192.0.2.7"]);
        witness.failed("never.example.net");
        witness.failed("old.example.org");
        tokio::time::advance(MOMENT * 2).await;
        witness.failed("192.0.2.7");
        assert!(!witness.lost_now("gw.example.com"));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_still_answers_acquits_our_egress() {
        let witness = with_all_answering(&["ws.example.org", "192.0.2.7", "edge.example.net"]);
        witness.failed("ws.example.org");
        witness.failed("192.0.2.7");
        assert!(!witness.lost_now("gw.example.com"));
    }
}

//! The `handshake` check: can a client get in, how long does each step take, and does the gateway keep to
//! RFC 6455 and to what the target promises.

mod config;
mod expect;
mod farewell;
mod greeting;
mod metrics;

use std::time::{Duration, SystemTime};

pub use config::{Expect, Expectation, FirstMessage, Handshake, MessageKind, Thresholds};
pub use metrics::METRICS;

use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Failure, Outcome, Phase, Span, Verdict, Why};
use crate::session::{Ask, Opened, Talk, Target, Visit};
use crate::wire::{Facts, Timings};

/// A step's findings: nothing wrong, or the verdict that ends the run.
type Step = Result<(), Verdict>;

impl Handshake {
    /// Dials, waits for the first message where one is promised, closes politely, then tries the doors that
    /// should be locked.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self.steps(visit).await {
            Ok(detail) => Verdict::new(Outcome::Pass, detail),
            Err(verdict) => verdict,
        }
    }

    /// The series of [`METRICS`] that exist at 0 before the first run.
    pub fn series_at_zero(&self, target: &Target) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        metrics::expected(target, self.first_message.is_some() || target.dialect.opens())
    }

    async fn steps(&self, visit: &Visit) -> Result<String, Verdict> {
        if self.require_subprotocol && visit.endpoint().subprotocols.is_empty() {
            let detail = "the target offers no `subprotocols`, so that none can be selected";
            return Err(Verdict::new(Outcome::Unsupported(Why::Promise), detail));
        }
        let ask = Ask { require_subprotocol: self.require_subprotocol, ..Ask::default() };
        let opened = visit.open(&ask, visit.record()).await;
        let facts = visit.record().facts();
        metrics::dial(visit, &facts);
        let opened = opened.map_err(|refusal| refusal.verdict())?;
        let (opened, greeted) = self.greet(visit, opened).await?;
        let odd = farewell::part(visit, opened, self.close_timeout.get()).await?;
        self.thresholds(&facts.timings, greeted)?;
        self.expectations(visit).await?;
        // What is wrong today comes first: nobody is woken for a certificate that is good for another while.
        self.certificate(&facts)?;
        Ok([vec![describe(&facts.timings)], odd].concat().join(", "))
    }

    /// The token by first message, then what the gateway says first: the dialect's own opening, or the message
    /// that the config promises.
    async fn greet(&self, visit: &Visit, mut opened: Opened) -> Result<(Opened, Option<Duration>), Verdict> {
        let upgraded_at = opened.upgraded_at;
        if visit.target().dialect.opens() {
            let mut talk = Talk::new(visit, opened);
            talk.open(visit, None).await?;
            let took = upgraded_at.elapsed();
            metrics::phase(visit, Phase::FirstMessage.label(), took.as_secs_f64());
            return Ok((talk.opened, Some(took)));
        }
        opened.authenticate(visit.target()).await?;
        let greeted = match &self.first_message {
            Some(first) => Some(greeting::first_message(visit, &mut opened, first).await?),
            None => None,
        };
        Ok((opened, greeted))
    }

    fn certificate(&self, facts: &Facts) -> Step {
        let not_after = facts.tls.as_ref().and_then(|tls| tls.earliest_not_after);
        let (Some(wanted), Some(not_after)) = (self.certificate_min_validity, not_after) else {
            return Ok(());
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = not_after as f64 - now.as_secs_f64();
        if left >= wanted.as_secs_f64() {
            return Ok(());
        }
        let left = Span::secs(left.max(0.0) as u64);
        let detail = format!("the certificate is valid for {left}, at least {wanted} are wanted");
        Err(Verdict::new(Outcome::Fail(Failure::TlsExpiresSoon), detail))
    }

    fn thresholds(&self, timings: &Timings, greeted: Option<Duration>) -> Step {
        let bounds = &self.thresholds;
        let measured = [
            ("dns", timings.dns, bounds.dns),
            ("tcp", timings.tcp, bounds.tcp),
            ("tls", timings.tls, bounds.tls),
            ("upgrade", timings.upgrade, bounds.upgrade),
            ("first_message", greeted, bounds.first_message),
            ("total", Some(timings.total() + greeted.unwrap_or_default()), bounds.total),
        ];
        let slow: Vec<String> = measured
            .into_iter()
            .filter_map(|(phase, took, bound)| {
                let (took, bound) = (took?, bound?);
                (took > bound.get()).then(|| format!("{phase} took {} (threshold {bound})", told(took)))
            })
            .collect();
        if slow.is_empty() {
            Ok(())
        } else {
            Err(Verdict::new(Outcome::Fail(Failure::TooSlow), slow.join(", ")))
        }
    }
}

fn describe(timings: &Timings) -> String {
    let phases: Vec<String> =
        timings.phases().map(|(phase, took)| format!("{phase} {}", told(took))).collect();
    format!("in after {} ({})", told(timings.total()), phases.join(", "))
}

fn told(duration: Duration) -> String {
    Span::from(duration).told()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(total: u64) -> Handshake {
        let total = Some(Span::millis(total));
        Handshake { thresholds: Thresholds { total, ..Thresholds::default() }, ..Handshake::default() }
    }

    #[test]
    fn twenty_percent_beyond_a_threshold_is_red_and_twenty_inside_is_green() {
        let timings = Timings {
            tcp: Some(Duration::from_millis(40)),
            upgrade: Some(Duration::from_millis(60)),
            elapsed: Duration::from_millis(100),
            ..Timings::default()
        };
        assert_eq!(check(120).thresholds(&timings, None), Ok(()));
        let slow = check(80).thresholds(&timings, None).expect_err("slow");
        assert_eq!(slow.outcome, Outcome::Fail(Failure::TooSlow));
        assert_eq!(slow.detail, "total took 100ms (threshold 80ms)");
    }

    #[test]
    fn each_phase_has_a_threshold_of_its_own() {
        let bound = Some(Span::millis(10));
        let thresholds = Thresholds {
            dns: bound,
            tcp: bound,
            tls: bound,
            upgrade: bound,
            first_message: bound,
            total: None,
        };
        let check = Handshake { thresholds, ..Handshake::default() };
        let over = Some(Duration::from_millis(12));
        let timings = Timings { dns: over, tcp: over, tls: over, upgrade: over, ..Timings::default() };
        let slow = check.thresholds(&timings, over).expect_err("slow");
        for phase in ["dns", "tcp", "tls", "upgrade", "first_message"] {
            assert!(slow.detail.contains(&format!("{phase} took 12ms")), "{}", slow.detail);
        }
        let within = Timings { dns: Some(Duration::from_millis(8)), ..Timings::default() };
        assert_eq!(check.thresholds(&within, None), Ok(()));
    }
}

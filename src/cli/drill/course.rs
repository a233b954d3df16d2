//! The course of a drill: from the fault to the pager, and back.

use std::time::Duration;

use tokio::time::Instant;

use super::Subject;
use super::agent::Agent;
use super::alertmanager::Alertmanager;
use super::gateway::{Gateway, GatewayError};
use super::look::{Look, until};
use super::place::RequestError;
use super::prometheus::Prometheus;
use super::report::{Missing, Report, Step};
use super::webhook::Webhook;
use crate::gateway::Fault;

/// All that takes part in a drill.
pub struct Course {
    pub gateway: Gateway,
    pub agent: Agent,
    pub prometheus: Option<Prometheus>,
    pub alertmanager: Option<Alertmanager>,
    pub webhook: Option<Webhook>,
    pub subject: Subject,
    pub fault: Fault,
    /// How long each step may take.
    pub within: Duration,
    pub report: Report,
    /// Whether the alert is pending before it fires.
    pub waits: bool,
}

/// Why a drill can't begin.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// The gateway is of no use for it.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Somebody who takes part can't be asked, or is somebody else.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// No rule makes that alert.
    #[error(
        "Prometheus has no rule for the alert {0}: load what `gateprobe rules` prints, or name an alert of yours by --alert"
    )]
    NoRule(String),
}

/// Looks until the step is seen, and puts it down.
macro_rules! see {
    ($report:expr, $within:expr, $step:expr, $look:expr) => {{
        let told = until($within, |instead| $report.waiting($step, instead), async || $look).await;
        $report.step($step, told)
    }};
}

impl Course {
    /// Makes sure that everybody is there and is who they should be.
    ///
    /// # Errors
    /// When somebody is not.
    pub async fn prepare(&mut self) -> Result<(), Unready> {
        self.gateway.is_ready_for(&self.fault).await?;
        self.agent.answers().await?;
        if let Some(prometheus) = &self.prometheus {
            let rule = prometheus.rule(&self.subject.alert).await?;
            self.waits = rule.ok_or_else(|| Unready::NoRule(self.subject.alert.clone()))?.waits;
        }
        if let Some(alertmanager) = &mut self.alertmanager {
            alertmanager.begin().await?;
        }
        Ok(())
    }

    /// Waits until all is green and there is no alert, or nothing that is seen later would say anything.
    ///
    /// # Errors
    /// When it does not become so.
    pub async fn settle(&mut self) -> Result<(), Missing> {
        let Self { agent, prometheus, alertmanager, subject, report, within, .. } = self;
        let look = async || -> Result<Look, RequestError> {
            if let Some(prometheus) = &*prometheus {
                let looks = [prometheus.failures(subject, false).await?, prometheus.quiet(subject).await?];
                if let Some(not_yet) = looks.into_iter().find(|look| matches!(look, Look::NotYet(_))) {
                    return Ok(not_yet);
                }
            }
            if let Some(alertmanager) = &*alertmanager
                && let not_yet @ Look::NotYet(_) = alertmanager.quiet(subject).await?
            {
                return Ok(not_yet);
            }
            // Last: what has failed before this look is no news later.
            agent.green(subject).await
        };
        let mut look = look;
        see!(report, *within, Step::Ready, look().await)?;
        if let Some(alertmanager) = alertmanager {
            // Counted anew: what came before is not the drill's.
            if let Err(error) = alertmanager.begin().await {
                return report.step(Step::Ready, Err(error.to_string()));
            }
        }
        Ok(())
    }

    /// Switches the fault on, and follows it as far as there is somebody to ask. Whatever comes of it, the fault may be
    /// on from then.
    ///
    /// # Errors
    /// With the step that did not come.
    pub async fn up(&mut self) -> Result<(), Missing> {
        let connections = self.gateway.connections().await;
        self.report.switch(Instant::now());
        let on = self.gateway.switch_on(&self.fault).await;
        let on = on.map(|()| self.fault.to_string()).map_err(|error| error.to_string());
        self.report.step(Step::FaultOn, on)?;
        let Self { agent, prometheus, alertmanager, webhook, subject, report, within, .. } = self;
        let within = *within;
        let red = see!(report, within, Step::Red, agent.red(subject).await);
        if red.is_err() && connections.is_some() && self.gateway.connections().await == connections {
            report
                .hint("nobody has connected to that gateway meanwhile: is it the one that the target names?");
        }
        red?;
        if let Some(prometheus) = prometheus {
            see!(report, within, Step::Metric, prometheus.failures(subject, true).await)?;
            if self.waits {
                see!(report, within, Step::Pending, prometheus.pending(subject).await)?;
            }
            see!(report, within, Step::Firing, prometheus.firing(subject).await)?;
        }
        if let Some(alertmanager) = alertmanager {
            see!(report, within, Step::Alertmanager, alertmanager.active(subject).await)?;
        }
        match (webhook, alertmanager) {
            (Some(webhook), _) => see!(report, within, Step::Notified, Ok(webhook.notified()))?,
            (None, Some(alertmanager)) => {
                see!(report, within, Step::Notified, alertmanager.notified().await)?;
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Switches the fault off, which nothing may keep from happening.
    ///
    /// # Errors
    /// When it can't be said that it is off.
    pub async fn switch_off(&mut self) -> Result<(), Missing> {
        let switched = Instant::now();
        let off = self.gateway.switch_off(&self.fault).await;
        let off = off.map(|()| "the gateway has no fault any more".to_owned());
        let off = off.map_err(|error| {
            format!("{error}; the fault may still be on: {}", self.gateway.how_to_switch_off(&self.fault))
        });
        self.report.switch(switched);
        self.report.step(Step::FaultOff, off)
    }

    /// Follows the way back.
    ///
    /// # Errors
    /// With the step that did not come.
    pub async fn down(&mut self) -> Result<(), Missing> {
        let Self { agent, prometheus, alertmanager, webhook, subject, report, within, .. } = self;
        let within = *within;
        see!(report, within, Step::Green, agent.green(subject).await)?;
        if let Some(prometheus) = prometheus {
            see!(report, within, Step::MetricBack, prometheus.failures(subject, false).await)?;
            see!(report, within, Step::Resolved, prometheus.quiet(subject).await)?;
        }
        if let Some(alertmanager) = alertmanager {
            see!(report, within, Step::AlertmanagerClear, alertmanager.quiet(subject).await)?;
        }
        if let Some(webhook) = webhook {
            see!(report, within, Step::NotifiedOfEnd, Ok(webhook.resolved()))?;
        }
        Ok(())
    }
}

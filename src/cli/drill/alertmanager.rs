//! The Alertmanager that Prometheus tells of its alerts.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::Subject;
use super::look::Look;
use super::place::{Place, RequestError};

/// An Alertmanager, by its API and its metrics.
pub struct Alertmanager {
    place: Place,
    /// Notifications that had got through before the fault came.
    before: f64,
    /// Who is to be notified of the alert.
    receivers: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Alert {
    status: Status,
    receivers: Vec<Receiver>,
}

#[derive(Deserialize)]
struct Status {
    state: String,
    #[serde(rename = "silencedBy")]
    silenced_by: Vec<String>,
    #[serde(rename = "inhibitedBy")]
    inhibited_by: Vec<String>,
}

#[derive(Deserialize)]
struct Receiver {
    name: String,
}

impl Alertmanager {
    /// The Alertmanager that serves there.
    pub fn new(place: Place) -> Self {
        Self { place, before: 0.0, receivers: BTreeSet::new() }
    }

    /// Counts what it has sent so far.
    ///
    /// # Errors
    /// When it can't be asked, or when that is no Alertmanager.
    pub async fn begin(&mut self) -> Result<(), RequestError> {
        let status: Value = self.place.json("api/v2/status", &[]).await?;
        if status.get("versionInfo").is_none() {
            return Err(self.place.unexpected("its status names no version"));
        }
        self.before = self.sent().await?;
        Ok(())
    }

    /// Whether the alert is there and active.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn active(&mut self, subject: &Subject) -> Result<Look, RequestError> {
        let alerts = self.alerts(subject).await?;
        let Some(alert) = alerts.iter().find(|alert| alert.status.state == "active").or(alerts.first())
        else {
            return Ok(Look::NotYet(format!("it has no {}", subject.alert)));
        };
        let status = &alert.status;
        if status.state == "active" {
            self.receivers = alert.receivers.iter().map(|receiver| receiver.name.clone()).collect();
            let names: Vec<&str> = self.receivers.iter().map(String::as_str).collect();
            return Ok(Look::Seen(format!("active, for {}", names.join(", "))));
        }
        Ok(Look::NotYet(match (status.silenced_by.first(), status.inhibited_by.first()) {
            (Some(silence), _) => format!("{}: silenced by {silence}", status.state),
            (None, Some(_)) => format!("{}: inhibited by another alert", status.state),
            (None, None) => status.state.clone(),
        }))
    }

    /// Whether the alert is gone.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn quiet(&self, subject: &Subject) -> Result<Look, RequestError> {
        let alerts = self.alerts(subject).await?;
        Ok(match alerts.first() {
            Some(alert) => Look::NotYet(format!("it still has {}, {}", subject.alert, alert.status.state)),
            None => Look::Seen(format!("no {}", subject.alert)),
        })
    }

    /// Whether more notifications have got through than before the fault. It counts those of all alerts together.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn notified(&self) -> Result<Look, RequestError> {
        let more = self.sent().await? - self.before;
        Ok(match more > 0.0 {
            true => Look::Seen(format!("{more} notifications got through, by its own count of all alerts")),
            false => Look::NotYet("no notification got through, by its own count".to_owned()),
        })
    }

    async fn alerts(&self, subject: &Subject) -> Result<Vec<Alert>, RequestError> {
        let filters: Vec<String> =
            subject.labels().map(|(name, value)| format!("{name}={value:?}")).collect();
        let query: Vec<(&str, &str)> = filters.iter().map(|filter| ("filter", filter.as_str())).collect();
        self.place.json("api/v2/alerts", &query).await
    }

    /// Requests to receivers that were answered well. `alertmanager_notifications_total` counts each at its beginning.
    async fn sent(&self) -> Result<f64, RequestError> {
        let text = self.place.text("metrics").await?;
        let sum = |name: &str| sum(&text, name, &self.receivers);
        let all = sum("alertmanager_notification_requests_total")
            .ok_or_else(|| self.place.unexpected("its metrics count no notification requests"))?;
        Ok(all - sum("alertmanager_notification_requests_failed_total").unwrap_or_default())
    }
}

/// The sum of a metric's series; where they name receivers, of these only.
fn sum(text: &str, name: &str, receivers: &BTreeSet<String>) -> Option<f64> {
    let series = text.lines().filter_map(|line| {
        let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} ")?;
        let named = labels.split_once("receiver_name=\"").and_then(|(_, rest)| rest.split('"').next());
        let counts = receivers.is_empty() || named.is_none_or(|name| receivers.contains(name));
        counts.then(|| value.parse::<f64>().ok())?
    });
    let values: Vec<f64> = series.collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_got_through_to_the_receivers_of_the_alert() {
        let text = "# TYPE sent_total counter\n\
            sent_total{integration=\"email\"} 2\n\
            sent_total{integration=\"webhook\",receiver_name=\"night\"} 3\n\
            sent_total{integration=\"webhook\",receiver_name=\"day\"} 4\n\
            sent_total_other{integration=\"webhook\"} 100\n";
        assert_eq!(sum(text, "sent_total", &BTreeSet::new()), Some(9.0));
        assert_eq!(sum(text, "sent_total", &["night".to_owned()].into()), Some(5.0));
        assert_eq!(sum(text, "received_total", &BTreeSet::new()), None);
    }
}

//! The Prometheus that scrapes the agent.

use serde::Deserialize;

use super::Subject;
use super::look::Look;
use super::place::{Place, RequestError};

/// A Prometheus, by its HTTP API.
pub struct Prometheus(Place);

/// What is known of an alert's rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Whether each of them waits before it fires (`for`), so that it is pending first.
    pub waits: bool,
}

/// Its answers: always under `data`.
#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<AnyRule>,
}

#[derive(Deserialize)]
struct AnyRule {
    name: String,
    /// Absent at a recording rule.
    #[serde(default)]
    duration: f64,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Alerts {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    labels: super::Labels,
    state: String,
}

#[derive(Deserialize)]
struct Vector {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: super::Labels,
    value: (f64, String),
}

impl Prometheus {
    /// The Prometheus that serves there.
    pub fn new(place: Place) -> Self {
        Self(place)
    }

    /// The rules of an alert; none where it has no such alert.
    ///
    /// # Errors
    /// When it can't be asked, or when that is no Prometheus.
    pub async fn rule(&self, alert: &str) -> Result<Option<Rule>, RequestError> {
        let answer: Answer<Rules> = self.0.json("api/v1/rules", &[("type", "alert")]).await?;
        let rules = answer.data.groups.into_iter().flat_map(|group| group.rules);
        let waits: Vec<bool> = rules
            .filter(|rule| rule.kind == "alerting" && rule.name == alert)
            .map(|rule| rule.duration > 0.0)
            .collect();
        Ok((!waits.is_empty()).then(|| Rule { waits: waits.iter().all(|waits| *waits) }))
    }

    /// Whether the failures of the agent's checks have arrived, or their end has.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn failures(&self, subject: &Subject, wanted: bool) -> Result<Look, RequestError> {
        let mut labels = format!("target={:?}", subject.target);
        if let Some(check) = &subject.check {
            labels.push_str(&format!(",check={check:?}"));
        }
        let query = format!("max by (check) (gateprobe_check_consecutive_acute_failures{{{labels}}})");
        let answer: Answer<Vector> = self.0.json("api/v1/query", &[("query", &query)]).await?;
        let all = answer.data.result;
        if all.is_empty() {
            return Ok(Look::NotYet(format!(
                "{} knows no gateprobe_check_consecutive_acute_failures{{{labels}}}",
                self.0.what()
            )));
        }
        let failing: Vec<String> = all
            .iter()
            .filter(|series| series.value.1 != "0")
            .map(|series| {
                format!("{}: {} in a row", series.metric.get("check").map_or("", |c| c), series.value.1)
            })
            .collect();
        Ok(match (failing.is_empty(), wanted) {
            (true, true) => Look::NotYet("no failure has arrived".to_owned()),
            (true, false) => Look::Seen("no failures any more".to_owned()),
            (false, true) => Look::Seen(failing.join(", ")),
            (false, false) => Look::NotYet(failing.join(", ")),
        })
    }

    /// Whether the alert is pending, or has gone on to fire already.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn pending(&self, subject: &Subject) -> Result<Look, RequestError> {
        let states = self.states(subject).await?;
        Ok(match states.first() {
            Some(state) => Look::Seen(format!("{} is {state}", subject.alert)),
            None => Look::NotYet(format!("{} is not even pending", subject.alert)),
        })
    }

    /// Whether the alert fires.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn firing(&self, subject: &Subject) -> Result<Look, RequestError> {
        let states = self.states(subject).await?;
        let firing = states.iter().any(|state| state == "firing");
        Ok(match (firing, states.is_empty()) {
            (true, _) => Look::Seen(format!("{} fires", subject.alert)),
            (false, false) => Look::NotYet(format!("{} is pending", subject.alert)),
            (false, true) => Look::NotYet(format!("{} is not even pending", subject.alert)),
        })
    }

    /// Whether the alert is neither pending nor firing.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn quiet(&self, subject: &Subject) -> Result<Look, RequestError> {
        let states = self.states(subject).await?;
        Ok(match states.first() {
            Some(state) => Look::NotYet(format!("{} is {state}", subject.alert)),
            None => Look::Seen(format!("no {}", subject.alert)),
        })
    }

    async fn states(&self, subject: &Subject) -> Result<Vec<String>, RequestError> {
        let answer: Answer<Alerts> = self.0.json("api/v1/alerts", &[]).await?;
        let ours = answer.data.alerts.into_iter().filter(|alert| subject.is_named_by(&alert.labels));
        Ok(ours.map(|alert| alert.state).collect())
    }
}

//! The JSON API: how each job stands, its last runs, and what may be changed; in OpenAPI, too.

#[cfg(test)]
#[path = "tests.rs"]
mod api_tests;
pub(super) mod change;
pub(super) mod events;
pub(super) mod openapi;
pub(super) mod targets;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::pages::large;
use super::routes::App;
use crate::model::Outcome;
use crate::store::{JobView, Query, RunView};

const JSON: &str = "application/json";

/// Runs in an answer, unless asked for another number, and at most.
const RUNS: usize = 20;
const MOST_RUNS: usize = 100;

/// The agent, and each job by its last runs.
#[derive(Serialize, JsonSchema)]
struct Status {
    /// The agent's version.
    version: &'static str,
    /// When its server began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started_at: Timestamp,
    /// Whether the agent does its work.
    ready: bool,
    /// Why (not), a line each.
    reasons: Vec<String>,
    /// Those that have run.
    jobs: Vec<JobView>,
}

/// Some runs.
#[derive(Serialize, JsonSchema)]
struct Runs<'a> {
    /// The newest first.
    runs: Vec<&'a RunView>,
}

/// GET `/api/v1/status`.
pub(super) async fn status(State(app): State<Arc<App>>) -> Response {
    let readiness = app.parts.agent.readiness();
    let (history, began) = (Arc::clone(&app.parts.history), app.began);
    large(&app, JSON, move || {
        json(&Status {
            version: env!("CARGO_PKG_VERSION"),
            started_at: began,
            ready: readiness.ready,
            reasons: readiness.reasons,
            jobs: history.jobs(),
        })
    })
    .await
}

/// GET `/api/v1/runs?target=&check=&outcome=&limit=`: the newest first.
pub(super) async fn runs(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let wanted = match Wanted::parse(&query.unwrap_or_default()) {
        Ok(wanted) => wanted,
        Err(problem) => return (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    };
    let history = Arc::clone(&app.parts.history);
    large(&app, JSON, move || {
        let runs = history.runs(wanted.query());
        json(&Runs { runs: runs.iter().map(AsRef::as_ref).collect() })
    })
    .await
}

#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    target: Option<String>,
    check: Option<String>,
    outcome: Option<&'static str>,
    limit: usize,
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, &'static str> {
        let mut wanted = Self { target: None, check: None, outcome: None, limit: RUNS };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "target" => wanted.target = Some(value.into_owned()),
                "check" => wanted.check = Some(value.into_owned()),
                "outcome" => wanted.outcome = Some(outcome(&value)?),
                "limit" => wanted.limit = limit(&value)?,
                _ => return Err("the parameters are `target`, `check`, `outcome` and `limit`"),
            }
        }
        Ok(wanted)
    }

    fn query(&self) -> Query<'_> {
        let (target, check) = (self.target.as_deref(), self.check.as_deref());
        Query { target, check, outcome: self.outcome, limit: self.limit }
    }
}

fn outcome(value: &str) -> Result<&'static str, &'static str> {
    let known = Outcome::LABELS.into_iter().find(|label| *label == value);
    known.ok_or("`outcome` is one of `pass`, `fail`, `inconclusive` and `unsupported`")
}

fn limit(value: &str) -> Result<usize, &'static str> {
    let limit = value.parse().ok().filter(|limit| (1..=MOST_RUNS).contains(limit));
    limit.ok_or("`limit` is a number from 1 to 100")
}

fn json(value: &impl Serialize) -> String {
    // Fails only for maps with other keys than strings, of which there are none.
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_checked() {
        let wanted = Wanted::parse("target=a%20b&check=handshake&outcome=fail&limit=7").unwrap();
        assert_eq!((wanted.target.as_deref(), wanted.check.as_deref()), (Some("a b"), Some("handshake")));
        assert_eq!((wanted.outcome, wanted.limit), (Some("fail"), 7));
        assert_eq!(Wanted::parse("").unwrap().limit, RUNS);
        for bad in ["limit=0", "limit=101", "limit=x", "limit=-1", "outcome=red", "tarhet=a"] {
            Wanted::parse(bad).unwrap_err();
        }
        assert!(limit("101").unwrap_err().contains(&MOST_RUNS.to_string()));
    }
}

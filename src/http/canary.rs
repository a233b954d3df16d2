//! Verifications of canaries: start, look, cancel. Gateways are named as the config names them; a URL in a request
//! would let its sender choose whom the agent dials.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::routes::App;
use crate::canary::Verdict;
use crate::gate::{Addresses, Profile, Report};

/// The longest key, and the longest name.
const MAX_TEXT: usize = 512;
/// Most checks that a request may name.
const MAX_CHECKS: usize = 32;

/// A verification that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryRequest {
    /// The target that is known to be good enough; without one, the config's thresholds decide.
    #[serde(default)]
    pub baseline: Option<String>,
    /// The target in question.
    pub canary: String,
    /// How much is looked at.
    #[serde(default)]
    pub profile: Profile,
    /// Only these checks; all that the canary has when empty.
    #[serde(default)]
    pub checks: Vec<String>,
    /// Names the request: the same key gives the same verification.
    #[serde(default)]
    pub key: Option<String>,
}

/// A verification that was asked for and is there.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryStarted {
    /// How it stands.
    pub report: Report,
    /// Whether it begins by this request, and was not there before.
    pub new: bool,
}

/// Why no verification was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanaryRefusal {
    /// What is asked for can't be done.
    #[error("{0}")]
    Impossible(String),
    /// The key belongs to another request.
    #[error("the key belongs to a verification of something else")]
    KeyTaken,
    /// As many run as may.
    #[error("{0} verifications are running, which is the most that `canary.max_running` allows")]
    Busy(usize),
    /// The agent is ending.
    #[error("the agent is ending")]
    Ending,
}

impl CanaryRequest {
    /// Whether it is of a bearable size.
    pub(super) fn is_bounded(&self) -> bool {
        let texts = [self.baseline.as_deref(), Some(&self.canary), self.key.as_deref()];
        let checks = self.checks.iter().map(String::as_str);
        self.checks.len() <= MAX_CHECKS
            && texts.into_iter().flatten().chain(checks).all(|text| text.len() <= MAX_TEXT)
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Data<T> {
    data: T,
}

/// A verification in a list: what was decided in full is told only of one at a time.
#[derive(Serialize, JsonSchema)]
pub(super) struct Brief<'a> {
    id: &'a str,
    gateways: &'a Addresses,
    profile: Profile,
    #[schemars(with = "String")]
    started_at: Timestamp,
    #[schemars(with = "Option<String>")]
    ended_at: Option<Timestamp>,
    done: bool,
    progress: f64,
    verdict: &'static str,
    sentence: &'a str,
}

impl<'a> Brief<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            id: &report.id,
            gateways: &report.gateways,
            profile: report.profile,
            started_at: report.started_at,
            ended_at: report.ended_at,
            done: report.done,
            progress: report.progress,
            verdict: report.verdict().map_or("pending", Verdict::label),
            sentence: report.sentence(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Error<'a> {
    error: &'a str,
}

/// POST `/api/v1/canary`: 202 and where to look, 200 where the key is known, 400, 409, 422 or 429.
pub(super) async fn start(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let request: CanaryRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return failed(StatusCode::BAD_REQUEST, &format!("the body does not fit: {error}")),
    };
    if !request.is_bounded() {
        return failed(StatusCode::BAD_REQUEST, "the names are too long, or too many");
    }
    match app.parts.agent.start_canary(request) {
        Ok(CanaryStarted { report, new }) => {
            let status = if new { StatusCode::ACCEPTED } else { StatusCode::OK };
            let location = HeaderValue::try_from(format!("/api/v1/canary/{}", report.id));
            let mut response = answer(status, &Data { data: report });
            // The id is made of digits.
            response.headers_mut().extend(location.ok().map(|location| (LOCATION, location)));
            response
        }
        Err(refusal) => {
            let mut response = failed(status(&refusal), &refusal.to_string());
            if let CanaryRefusal::Busy(_) = refusal {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
            }
            response
        }
    }
}

/// GET `/api/v1/canary`: all there are, the newest first.
pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    let reports = app.parts.agent.canaries();
    answer(StatusCode::OK, &Data { data: reports.iter().map(Brief::of).collect::<Vec<_>>() })
}

/// GET `/api/v1/canary/{id}`: 200 at once, however it stands.
pub(super) async fn look(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    found(app.parts.agent.canary(&id))
}

/// DELETE `/api/v1/canary/{id}`: ends it, inconclusive; what is over stays as it is.
pub(super) async fn cancel(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    found(app.parts.agent.cancel_canary(&id))
}

fn found(report: Option<Report>) -> Response {
    match report {
        Some(report) => answer(StatusCode::OK, &Data { data: report }),
        None => failed(StatusCode::NOT_FOUND, "there is no such verification"),
    }
}

fn status(refusal: &CanaryRefusal) -> StatusCode {
    match refusal {
        CanaryRefusal::Impossible(_) => StatusCode::UNPROCESSABLE_ENTITY,
        CanaryRefusal::KeyTaken => StatusCode::CONFLICT,
        CanaryRefusal::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
        CanaryRefusal::Ending => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn failed(status: StatusCode, error: &str) -> Response {
    answer(status, &Error { error })
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    // Fails only for maps with other keys than strings, of which there are none.
    let text = serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned());
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}

//! What changes something about a job: a run out of turn, a pause. Guarded; answers are JSON, good or bad.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{JSON, json};
use crate::http::routes::App;
use crate::http::{ChangeError, Which};
use crate::model::Span;

/// A pause is for an occasion: whoever wants more writes it into the config, where others see it.
const LONGEST_PAUSE: Duration = Duration::from_secs(7 * 86_400);
/// Where nobody says how long.
const PAUSE: Duration = Duration::from_secs(3_600);

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Done {
    /// In a sentence.
    done: String,
    /// When a pause ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    until: Option<Timestamp>,
}

/// Why nothing was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Refused {
    /// In a sentence.
    pub(super) error: String,
}

/// POST `/api/v1/targets/{target}/checks/{check}/run`.
pub(in crate::http) async fn run(
    State(app): State<Arc<App>>,
    Path((target, check)): Path<(String, String)>,
    _body: Bytes,
) -> Response {
    let which = Which { target, check: Some(check) };
    answer(app.parts.agent.run_now(&which).map(|()| Done { done: "a run begins".to_owned(), until: None }))
}

/// POST `/api/v1/targets/{target}/checks/{check}/pause?for=|until=`.
pub(in crate::http) async fn pause(
    State(app): State<Arc<App>>,
    Path((target, check)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    _body: Bytes,
) -> Response {
    pause_which(&app, &Which { target, check: Some(check) }, &query.unwrap_or_default())
}

/// POST `/api/v1/targets/{target}/pause?for=|until=`: all its checks.
pub(in crate::http) async fn pause_target(
    State(app): State<Arc<App>>,
    Path(target): Path<String>,
    RawQuery(query): RawQuery,
    _body: Bytes,
) -> Response {
    pause_which(&app, &Which { target, check: None }, &query.unwrap_or_default())
}

/// POST `/api/v1/targets/{target}/checks/{check}/resume`.
pub(in crate::http) async fn resume(
    State(app): State<Arc<App>>,
    Path((target, check)): Path<(String, String)>,
    _body: Bytes,
) -> Response {
    resume_which(&app, &Which { target, check: Some(check) })
}

/// POST `/api/v1/targets/{target}/resume`: all its checks.
pub(in crate::http) async fn resume_target(
    State(app): State<Arc<App>>,
    Path(target): Path<String>,
    _body: Bytes,
) -> Response {
    resume_which(&app, &Which { target, check: None })
}

fn pause_which(app: &App, which: &Which, query: &str) -> Response {
    let until = match until(query, Timestamp::now()) {
        Ok(until) => until,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error.to_owned()),
    };
    let done = || Done {
        done: format!("paused until {until}; a restart of the agent ends it, too"),
        until: Some(until),
    };
    answer(app.parts.agent.pause(which, until).map(|()| done()))
}

fn resume_which(app: &App, which: &Which) -> Response {
    answer(app.parts.agent.resume(which).map(|()| Done { done: "resumed".to_owned(), until: None }))
}

/// When a pause ends, by `for=` or `until=`.
fn until(query: &str, now: Timestamp) -> Result<Timestamp, &'static str> {
    const FOR: &str = "`for` is a length of time of at most 7d, such as 30m";
    const UNTIL: &str = "`until` is a moment within the next 7 days, such as 2026-11-22T04:00:00Z";
    let mut asked = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let moment = match &*name {
            "for" => {
                let length = value.parse::<Span>().map_err(|_| FOR)?.get();
                let length = (!length.is_zero() && length <= LONGEST_PAUSE).then_some(length).ok_or(FOR)?;
                now.checked_add(length).map_err(|_| FOR)?
            }
            "until" => {
                let moment: Timestamp = value.parse().map_err(|_| UNTIL)?;
                let latest = now.checked_add(LONGEST_PAUSE).map_err(|_| UNTIL)?;
                (now < moment && moment <= latest).then_some(moment).ok_or(UNTIL)?
            }
            _ => return Err("the parameters are `for` and `until`"),
        };
        if asked.replace(moment).is_some() {
            return Err("`for` or `until`, once");
        }
    }
    let until = asked.or_else(|| now.checked_add(PAUSE).ok()).ok_or(UNTIL)?;
    // Nobody needs the fractions of a second.
    Ok(Timestamp::from_second(until.as_second() + i64::from(until.subsec_nanosecond() > 0)).unwrap_or(until))
}

fn answer(result: Result<Done, ChangeError>) -> Response {
    let error = match result {
        Ok(done) => return ([(CONTENT_TYPE, JSON)], json(&done)).into_response(),
        Err(error) => error,
    };
    let (status, wait) = match error {
        ChangeError::Unknown(_) => (StatusCode::NOT_FOUND, None),
        ChangeError::InProgress | ChangeError::Paused(_) | ChangeError::PausedByConfig(_) => {
            (StatusCode::CONFLICT, None)
        }
        ChangeError::Draining => (StatusCode::SERVICE_UNAVAILABLE, None),
        ChangeError::TooSoon(seconds) | ChangeError::Patience(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, Some(seconds))
        }
        ChangeError::Budget => (StatusCode::TOO_MANY_REQUESTS, None),
    };
    let mut response = refuse(status, error.to_string());
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An answer that says why not.
pub(super) fn refuse(status: StatusCode, error: String) -> Response {
    (status, [(CONTENT_TYPE, JSON)], json(&Refused { error })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_within_a_week() {
        let now: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let ends = |query| until(query, now).map(|until| until.to_string());
        assert_eq!(ends("").as_deref(), Ok("2026-11-22T04:00:00Z"));
        assert_eq!(ends("for=30m").as_deref(), Ok("2026-11-22T03:30:00Z"));
        assert_eq!(ends("for=500ms").as_deref(), Ok("2026-11-22T03:00:01Z"));
        assert_eq!(ends("until=2026-11-23T00:00:00%2B01:00").as_deref(), Ok("2026-11-22T23:00:00Z"));
        for bad in [
            "for=8d",
            "for=0s",
            "for=30",
            "until=2026-11-22T03:00:00Z",
            "until=2027-01-01T00:00:00Z",
            "until=now",
            "For=1h",
            "for=1h&for=2h",
        ] {
            until(bad, now).unwrap_err();
        }
    }
}

//! `/livez`, `/readyz`, `/healthz`: they speak of the agent, never of its targets.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::routes::App;

/// GET `/livez` and `/healthz`: whoever can answer lives.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// GET `/readyz`; with `?verbose`, a line for each reason comes first.
pub(super) async fn ready(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let readiness = app.parts.agent.readiness();
    let (status, word) = match readiness.ready {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let query = query.unwrap_or_default();
    let verbose = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "verbose");
    let mut text = String::new();
    for reason in readiness.reasons.iter().filter(|_| verbose) {
        // Writing to a string never fails.
        let _ = writeln!(text, "{reason}");
    }
    text.push_str(word);
    text.push('\n');
    (status, text)
}

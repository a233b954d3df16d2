//! POST `/-/reload`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::handle::ReloadError;
use super::routes::App;

/// POST `/-/reload`: 200 with a summary, 400 with the configuration's mistakes, 500 with the agent's own.
pub(super) async fn reload(State(app): State<Arc<App>>, _body: Bytes) -> Response {
    let agent = Arc::clone(&app.parts.agent);
    // In a task of its own: a client that goes away must not leave a reload half done.
    let (status, text) = match tokio::spawn(async move { agent.reload().await }).await {
        Ok(Ok(summary)) => (StatusCode::OK, summary.to_string()),
        Ok(Err(ReloadError::Config(reasons))) => (StatusCode::BAD_REQUEST, lines(&reasons)),
        Ok(Err(ReloadError::Agent(reasons))) => (StatusCode::INTERNAL_SERVER_ERROR, lines(&reasons)),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the reload failed\n".to_owned()),
    };
    (status, text).into_response()
}

fn lines(reasons: &[String]) -> String {
    reasons.iter().map(|reason| format!("{reason}\n")).collect()
}

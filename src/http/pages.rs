//! `/metrics`, and how pages that may be large are written.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::routes::App;

/// The content type of the Prometheus text format.
pub(super) const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// GET `/metrics`.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let metrics = Arc::clone(&app.parts.metrics);
    large(&app, TEXT_FORMAT, move || metrics.encode_text()).await
}

/// A page that may be megabytes: written apart from the threads that probe, and only so many of them at
/// once until their clients have read them.
pub(super) async fn large<T: Into<Written>>(
    app: &App,
    content_type: &'static str,
    write: impl FnOnce() -> T + Send + 'static,
) -> Response {
    let failed = || (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written\n").into_response();
    let Ok(permit) = Arc::clone(&app.large).acquire_owned().await else { return failed() };
    match tokio::task::spawn_blocking(|| write().into()).await {
        Ok(Written { status, text }) => {
            let page = Bytes::from_owner(Page { text, _permit: permit });
            (status, [(CONTENT_TYPE, content_type)], page).into_response()
        }
        Err(_) => failed(),
    }
}

/// A page, and with what status.
pub(super) struct Written {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl From<String> for Written {
    fn from(text: String) -> Self {
        Self { status: StatusCode::OK, text }
    }
}

/// Holds its permit for as long as the text is in memory.
struct Page {
    text: String,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

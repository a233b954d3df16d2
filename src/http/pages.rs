//! `/metrics`, and the index that says where everything is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::routes::App;

/// The content type of the Prometheus text format.
pub(super) const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>gateprobe</title>\n",
    "<h1>gateprobe ",
    env!("CARGO_PKG_VERSION"),
    "</h1>\n<ul>\n",
    "<li><a href=\"/metrics\">/metrics</a>: for Prometheus\n",
    "<li><a href=\"/api/v1/status\">/api/v1/status</a>: how each check of each target stands\n",
    "<li><a href=\"/api/v1/runs\">/api/v1/runs</a>: the last runs, with what happened on the wire; ",
    "takes <code>target</code>, <code>check</code>, <code>outcome</code>, <code>limit</code>\n",
    "<li>/probe?target=&amp;module=: one run now, in the manner of blackbox_exporter; ",
    "<code>debug=true</code> explains it\n",
    "<li><a href=\"/livez\">/livez</a>, <a href=\"/readyz?verbose\">/readyz</a>: the agent's own health\n",
    "<li>POST /-/reload: reads the configuration again\n",
    "</ul>\n</html>\n",
);

/// GET `/`.
pub(super) async fn index() -> Html<&'static str> {
    Html(INDEX)
}

/// GET `/metrics`.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let metrics = Arc::clone(&app.parts.metrics);
    large(&app, TEXT_FORMAT, move || metrics.encode_text()).await
}

/// A page that may be megabytes: written apart from the threads that probe, and only so many of them at
/// once until their clients have read them.
pub(super) async fn large(
    app: &App,
    content_type: &'static str,
    write: impl FnOnce() -> String + Send + 'static,
) -> Response {
    let failed = || (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written\n").into_response();
    let Ok(permit) = Arc::clone(&app.large).acquire_owned().await else { return failed() };
    match tokio::task::spawn_blocking(write).await {
        Ok(text) => {
            let page = Bytes::from_owner(Page { text, _permit: permit });
            ([(CONTENT_TYPE, content_type)], page).into_response()
        }
        Err(_) => failed(),
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

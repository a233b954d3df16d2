//! The table of routes, and what holds for all of them: headers, time-outs, sizes, counting.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::api::{change, events, openapi, targets};
use super::server::Limits;
use super::{Parts, REQUESTS, api, canary, flagger, guard, health, page, pages, probe, reload};
use crate::metrics::{Recorder, Sample};

/// How many large responses may be in memory at once; the next one waits for its turn.
const LARGE_RESPONSES: usize = 16;

/// Of the connections, those who listen to news may take one in so many: scrapes and probes must get through.
const LISTENERS_SHARE: usize = 4;

/// What the handlers share.
pub(super) struct App {
    pub(super) parts: Parts,
    pub(super) began: Timestamp,
    pub(super) large: Arc<Semaphore>,
    pub(super) probe_timeout: Duration,
    /// Room for those who listen to news.
    pub(super) listeners: Arc<Semaphore>,
    /// The server is ending.
    pub(super) closing: CancellationToken,
}

/// All routes, ready to serve.
pub(super) fn router(parts: Parts, limits: &Limits, closing: CancellationToken) -> Router {
    let metrics = Arc::clone(&parts.metrics);
    let app = Arc::new(App {
        parts,
        began: Timestamp::now(),
        large: Arc::new(Semaphore::new(LARGE_RESPONSES)),
        probe_timeout: limits.probe_timeout,
        listeners: Arc::new(Semaphore::new((limits.connections / LISTENERS_SHARE).max(1))),
        closing,
    });
    // What changes something.
    let guarded = Router::new()
        .route("/-/reload", post(reload::reload))
        .route("/api/v1/canary", post(canary::start))
        .route("/api/v1/canary/{id}", delete(canary::cancel))
        .route("/api/v1/canary/flagger/{hook}", post(flagger::hook))
        .route("/api/v1/targets/{target}/checks/{check}/run", post(change::run))
        .route("/api/v1/targets/{target}/checks/{check}/pause", post(change::pause))
        .route("/api/v1/targets/{target}/checks/{check}/resume", post(change::resume))
        .route("/api/v1/targets/{target}/pause", post(change::pause_target))
        .route("/api/v1/targets/{target}/resume", post(change::resume_target))
        .route_layer(from_fn_with_state(Arc::clone(&app), guard::guarded));
    Router::new()
        .merge(page::routes())
        .route("/metrics", get(pages::metrics))
        .route("/livez", get(health::live))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/runs", get(api::runs))
        .route("/api/v1/canary", get(canary::list))
        .route("/api/v1/canary/{id}", get(canary::look))
        .route("/api/v1/runs/{id}", get(targets::one_run))
        .route("/api/v1/targets", get(targets::targets))
        .route("/api/v1/targets/{target}/checks/{check}", get(targets::job))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .merge(guarded)
        .layer(from_fn_with_state(limits.request_timeout, in_time))
        // A probe has a deadline of its own.
        .route("/probe", get(probe::probe))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found\n") })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n") })
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(from_fn_with_state(limits.body_bytes, small_enough))
        .layer(map_response(with_headers))
        .layer(from_fn_with_state(metrics, counted))
        .with_state(app)
}

async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not answered in time\n").into_response(),
    }
}

/// Refuses by the announced length; [`DefaultBodyLimit`] counts what comes without one.
async fn small_enough(State(limit): State<usize>, request: Request, next: Next) -> Response {
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > limit) {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the request's body is too large\n").into_response();
    }
    next.run(request).await
}

async fn with_headers(mut response: Response) -> Response {
    let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for (name, value) in
        [(X_CONTENT_TYPE_OPTIONS, "nosniff"), (REFERRER_POLICY, "no-referrer"), (CACHE_CONTROL, "no-store")]
    {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // The page for people has one of its own.
    let policy = HeaderValue::from_static(policy);
    response.headers_mut().entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    response
}

async fn counted(State(metrics): State<Arc<Recorder>>, request: Request, next: Next) -> Response {
    // The pattern of the route, never the path: label values are ours.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.map_or(Cow::Borrowed("other"), Cow::Owned);
    let (method, began) = (request.method().clone(), Instant::now());
    let response = next.run(request).await;
    let code = response.status();
    tracing::debug!(%method, %route, code = code.as_u16(), elapsed = ?began.elapsed(), "HTTP request");
    let labels = vec![route, Cow::Owned(code.as_str().to_owned())];
    metrics.record_agent(&Sample { metric: &REQUESTS, labels, value: 1.0 });
    response
}

#[cfg(test)]
mod tests;

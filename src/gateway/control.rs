//! The control API: faults, log, connections and metrics over HTTP, on a listener of its own.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::answer::bearer;
use super::fault::{Fault, FaultError, FaultKind};
use super::shared::Shared;
use super::traffic::Quantity;

/// No fault has a value of this size.
const BODY_LIMIT: usize = 4 * 1024;

/// Serves the control API until `stop`.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let server = axum::serve(listener, router(shared));
    // An open keep-alive connection must not hold up the end: it is dropped with the server.
    tokio::select! {
        result = server => if let Err(error) = result {
            tracing::error!(%error, "the control API of the reference gateway ended");
        },
        () = stop.cancelled() => {}
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/faults", get(list_faults).delete(clear_faults))
        .route("/faults/{name}", put(set_fault).delete(clear_fault))
        .route("/connections", get(connections))
        .route("/log", get(log))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(shared.clone(), authorize))
        // A liveness probe has no token, and learns nothing here.
        .route("/healthz", get(async || "ok\n"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(shared)
}

async fn authorize(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION);
    let presented = header.and_then(|value| bearer(value.to_str().ok()?));
    match &shared.settings.control_token {
        Some(token) if !presented.is_some_and(|text| token.matches(text)) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, challenge, "a valid token is needed\n").into_response()
        }
        _ => next.run(request).await,
    }
}

/// A refusal with a line that says why.
struct Refusal(StatusCode, String);

impl From<FaultError> for Refusal {
    fn from(error: FaultError) -> Self {
        let status = match error {
            FaultError::Unknown { .. } => StatusCode::NOT_FOUND,
            FaultError::BadValue { .. } | FaultError::UnwantedValue { .. } => StatusCode::BAD_REQUEST,
            FaultError::NoEffect { .. } => StatusCode::CONFLICT,
            FaultError::Certificate { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1 + "\n").into_response()
    }
}

async fn list_faults(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let active = |fault: &Fault| json!({"name": fault.kind().name(), "value": fault.value()});
    let known = |kind: &FaultKind| json!({"name": kind.name(), "value": kind.hint(), "help": kind.help()});
    Json(json!({
        "active": shared.faults().iter().map(active).collect::<Vec<_>>(),
        "known": FaultKind::ALL.iter().map(known).collect::<Vec<_>>(),
    }))
}

async fn set_fault(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    body: String,
) -> Result<StatusCode, Refusal> {
    let value = Some(body.trim()).filter(|text| !text.is_empty());
    let fault = name.parse::<FaultKind>()?.with_value(value)?;
    shared.set_fault(fault)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_fault(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    shared.clear_fault(name.parse()?);
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.clear_all();
    StatusCode::NO_CONTENT
}

async fn connections(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let peers = shared.peers();
    let describe = peers.iter().map(|peer| {
        json!({
            "connection": peer.id,
            "peer": peer.address,
            "accepted_monotonic_ns": peer.accepted_ns,
            "phase": peer.phase().name(),
            "bytes_received": peer.traffic.get(Quantity::BytesReceived),
            "bytes_sent": peer.traffic.get(Quantity::BytesSent),
            "frames_received": peer.traffic.get(Quantity::FramesReceived),
            "messages_received": peer.traffic.get(Quantity::MessagesReceived),
        })
    });
    Json(json!({"open": peers.len(), "connections": describe.collect::<Vec<_>>()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    #[serde(default)]
    since: u64,
}

/// The log as JSON lines; the headers say where to go on and how much was dropped so far.
async fn log(State(shared): State<Arc<Shared>>, Query(query): Query<LogQuery>) -> Result<Response, Refusal> {
    let events = shared.log.since(query.since);
    let next = events.last().map_or(query.since, |event| event.seq + 1);
    let mut lines = Vec::new();
    for event in &events {
        serde_json::to_writer(&mut lines, event).map_err(internal)?;
        lines.push(b'\n');
    }
    let headers = [
        ("content-type", "application/x-ndjson".to_owned()),
        ("x-log-next", next.to_string()),
        ("x-log-dropped", shared.log.dropped().to_string()),
    ];
    Ok((headers, lines).into_response())
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let text = shared.metrics.text().map_err(internal)?;
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    Ok((kind, text).into_response())
}

fn internal(error: impl ToString) -> Refusal {
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

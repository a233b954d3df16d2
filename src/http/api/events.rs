//! GET `/api/v1/events`: news as server-sent events, to so many listeners at most.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio_util::sync::CancellationToken;

use super::change::refuse;
use super::json;
use crate::http::connection::{STREAM_BEAT, Streaming};
use crate::http::routes::App;
use crate::store::News;

/// When a browser tries again after the stream has ended.
const RETRY: Duration = Duration::from_secs(2);

/// GET `/api/v1/events`.
pub(in crate::http) async fn events(State(app): State<Arc<App>>) -> Response {
    let Ok(permit) = Arc::clone(&app.listeners).try_acquire_owned() else {
        let error = "too many listen already; ask again from time to time".to_owned();
        let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, error);
        response.headers_mut().insert("retry-after", HeaderValue::from_static("10"));
        return response;
    };
    let listener = Listener {
        news: app.parts.history.feed().listen(),
        closing: app.closing.clone(),
        greeted: false,
        _permit: permit,
    };
    let beat = KeepAlive::new().interval(STREAM_BEAT);
    let mut response = Sse::new(stream(listener)).keep_alive(beat).into_response();
    response.extensions_mut().insert(Streaming);
    response
}

struct Listener {
    news: broadcast::Receiver<News>,
    closing: CancellationToken,
    greeted: bool,
    _permit: OwnedSemaphorePermit,
}

fn stream(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(listener, |mut listener| async move {
        if !std::mem::replace(&mut listener.greeted, true) {
            return Some((Ok(Event::default().retry(RETRY).comment("listening")), listener));
        }
        let news = tokio::select! {
            biased;
            () = listener.closing.cancelled() => return None,
            news = listener.news.recv() => news,
        };
        let event = match news {
            Ok(news) => Event::default().event(kind(&news)).data(json(&news)),
            // Whoever is behind looks at everything again.
            Err(RecvError::Lagged(missed)) => Event::default().event("lagged").data(missed.to_string()),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), listener))
    })
}

fn kind(news: &News) -> &'static str {
    match news {
        News::Run { .. } => "run",
        News::Job { .. } => "job",
        News::Canary { .. } => "canary",
        News::Agent => "agent",
    }
}

//! The page for people: HTML made on the server, whose essentials need no script. A small script keeps it live.

mod assets;
mod canaries;
mod chart;
mod docs;
mod job;
mod layout;
mod overview;
mod row;
#[cfg(test)]
mod tests;
mod text;
mod timeline;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use maud::Markup;

use self::job::{RUNS, View};
use self::layout::Frame;
use self::overview::Filter;
use self::row::{Row, SPARK};
use super::pages::{Written, large};
use super::routes::App;

/// Scripts, styles, pictures and connections of the agent's own only, nothing inline; forms only search.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";

/// The page's routes.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(show_overview))
        .route("/targets/{target}/{check}", get(show_job))
        .route("/canaries", get(show_canaries))
        .route("/canaries/{id}", get(show_canary))
        .route("/runbooks/{name}", get(show_runbook))
        .route("/docs/{name}", get(show_doc))
        .route("/assets/{name}", get(assets::asset))
}

async fn show_overview(Shared(app): Shared<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let filter = Filter::parse(&query.unwrap_or_default());
    page(&app, "Checks", move |_, rows, now| Some(overview::overview(rows, &filter, now))).await
}

async fn show_job(
    Shared(app): Shared<Arc<App>>,
    Path((target, check)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let view = View::parse(&query.unwrap_or_default());
    let title = format!("{} {}", text::plain(&target, 64), text::plain(&check, 64));
    page(&app, &title, move |app, rows, now| {
        let row = rows.iter().find(|row| *row.standing.target == *target && row.standing.check == check)?;
        let (history, standing) = (&app.parts.history, row.standing.clone());
        let known = history.recent_of(&target, &check, RUNS);
        let row = Row::new(standing, known, history, now);
        let promises = app.parts.agent.promises(&target, &check);
        Some(job::job(&row, &view, &promises, now))
    })
    .await
}

async fn show_canaries(Shared(app): Shared<Arc<App>>) -> Response {
    page(&app, "Canaries", |app, _, now| Some(canaries::canaries(&app.parts.agent.canaries(), now))).await
}

async fn show_canary(Shared(app): Shared<Arc<App>>, Path(id): Path<String>) -> Response {
    let report = app.parts.agent.canary(&id);
    page(&app, "Canary", move |_, _, now| report.map(|report| canaries::canary(&report, now))).await
}

async fn show_runbook(Shared(app): Shared<Arc<App>>, Path(name): Path<String>) -> Response {
    let text = docs::of_alert(&name);
    page(&app, "Runbook", move |_, _, _| text.map(docs::page)).await
}

async fn show_doc(Shared(app): Shared<Arc<App>>, Path(name): Path<String>) -> Response {
    let text = docs::of_page(&name);
    page(&app, "Documentation", move |_, _, _| text.map(docs::page)).await
}

/// Makes a page; 404 where there is no content.
async fn page(
    app: &Arc<App>,
    title: &str,
    content: impl FnOnce(&App, &[Row], Timestamp) -> Option<Markup> + Send + 'static,
) -> Response {
    let (shared, title) = (Arc::clone(app), title.to_owned());
    let made = large(app, HTML, move || {
        let now = Timestamp::now();
        let rows = rows(&shared, now);
        let content = content(&shared, &rows, now);
        let found = content.is_some();
        let content = content.unwrap_or_else(not_found);
        let agent = &shared.parts.agent;
        let frame = Frame {
            title: &title,
            summary: overview::summary(&rows),
            now,
            began: shared.began,
            location: shared.parts.metrics.location(),
            notices: &agent.notices(),
            changes: agent.token().is_some(),
        };
        let status = if found { StatusCode::OK } else { StatusCode::NOT_FOUND };
        Written { status, text: frame.page(&content) }
    });
    with_policy(made.await)
}

fn with_policy(response: Response) -> Response {
    ([(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))], response).into_response()
}

/// Every job of the config in force, the worst first.
fn rows(app: &App, now: Timestamp) -> Vec<Row> {
    let history = &app.parts.history;
    let known = history.recent(SPARK).into_iter();
    let mut known: HashMap<_, _> = known.map(|of| ((Arc::clone(&of.target), of.check), of)).collect();
    let mut rows: Vec<Row> = app
        .parts
        .agent
        .jobs()
        .into_iter()
        .map(|standing| {
            let known = known.remove(&(Arc::clone(&standing.target), standing.check));
            Row::new(standing, known, history, now)
        })
        .collect();
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    rows
}

fn not_found() -> Markup {
    maud::html! {
        div class="head" { h1 { "Not found" } }
        p class="empty" { "The config in force has no such target or check, or there is no such page. " a href="/" { "All checks" } }
    }
}

//! What the page shows, for programs: `/api/v1/targets/...` and single runs.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::change::refuse;
use super::{JSON, json};
use crate::http::pages::large;
use crate::http::routes::App;
use crate::http::{JobStanding, Notice, Promise, Which};
use crate::store::{JobView, Query, RunView};

/// How all jobs stand with the schedule.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Targets {
    /// What is wrong with the agent itself; nothing when empty.
    notices: Vec<Notice>,
    /// Each check of each target.
    jobs: Vec<JobStanding>,
}

/// One check of one target.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct JobDetail {
    /// With the schedule.
    standing: JobStanding,
    /// The settings in force.
    promises: Vec<Promise>,
    /// By its runs; absent before the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<JobView>,
}

/// GET `/api/v1/targets`.
pub(in crate::http) async fn targets(State(app): State<Arc<App>>) -> Response {
    let agent = Arc::clone(&app.parts.agent);
    large(&app, JSON, move || json(&Targets { notices: agent.notices(), jobs: agent.jobs() })).await
}

/// GET `/api/v1/targets/{target}/checks/{check}`.
pub(in crate::http) async fn job(
    State(app): State<Arc<App>>,
    Path((target, check)): Path<(String, String)>,
) -> Response {
    let (agent, history) = (&app.parts.agent, &app.parts.history);
    let jobs = agent.jobs();
    let Some(standing) = jobs.iter().find(|job| *job.target == *target && job.check == check).cloned() else {
        let which = Which { target, check: Some(check) };
        let jobs = jobs.iter().map(|job| (&*job.target, job.check));
        return refuse(StatusCode::NOT_FOUND, which.unknown(jobs));
    };
    let promises = agent.promises(&target, &check);
    let detail = JobDetail { standing, promises, history: history.job(&target, &check) };
    large(&app, JSON, move || json(&detail)).await
}

/// GET `/api/v1/runs/{id}`.
pub(in crate::http) async fn one_run(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let history = &app.parts.history;
    let all = Query { limit: usize::MAX, ..Query::default() };
    let failures = Query { outcome: Some("fail"), ..all };
    let find = |query| history.runs(query).into_iter().find(|run: &Arc<RunView>| run.id == id);
    match find(all).or_else(|| find(failures)) {
        Some(run) => large(&app, JSON, move || json(&*run)).await,
        None => refuse(StatusCode::NOT_FOUND, "the run is not kept any more".to_owned()),
    }
}

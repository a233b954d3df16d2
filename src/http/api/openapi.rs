//! GET `/api/v1/openapi.json`: the API in OpenAPI 3.1, its schemas made of the types that are answered.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::change::{Done, Refused};
use super::targets::{JobDetail, Targets};
use super::{Runs, Status};
use crate::gate::Report;
use crate::http::CanaryRequest;
use crate::http::canary::{Brief, Data, Error};
use crate::model::Outcome;
use crate::store::{News, RunView};

/// GET `/api/v1/openapi.json`.
pub(in crate::http) async fn openapi() -> Response {
    ([(CONTENT_TYPE, super::JSON)], super::json(&document())).into_response()
}

/// The whole document.
pub(super) fn document() -> Value {
    let mut schemas = Schemas(
        SchemaSettings::draft2020_12()
            .with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
            .for_serialize()
            .into_generator(),
    );
    let paths = paths(&mut schemas);
    let components = schemas.0.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "gateprobe",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What an agent knows of the gateways that it watches",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "The content of `http.token_file`. Where the agent has none, only programs on its machine may change something, without any.",
            } },
        },
    })
}

struct Schemas(SchemaGenerator);

impl Schemas {
    /// A reference to a type's schema.
    fn of<T: JsonSchema>(&mut self) -> Value {
        self.0.subschema_for::<T>().into()
    }

    /// 200 with such a body.
    fn good<T: JsonSchema>(&mut self, description: &str) -> Value {
        content(description, "application/json", self.of::<T>())
    }

    /// An answer that says why not.
    fn bad(&mut self, description: &str) -> Value {
        content(description, "application/json", self.of::<Refused>())
    }
}

fn content(description: &str, kind: &str, schema: Value) -> Value {
    json!({ "description": description, "content": { kind: { "schema": schema } } })
}

fn text(description: &str) -> Value {
    content(description, "text/plain", json!({ "type": "string" }))
}

fn paths(schemas: &mut Schemas) -> Value {
    let target = parameter("path", "target", "The target’s name in the config", json!({ "type": "string" }));
    let check = parameter("path", "check", "The check’s kind", json!({ "type": "string" }));
    let both = json!([target, check]);
    let mut paths = reads(schemas, &both);
    let changes = [
        ("/api/v1/targets/{target}/checks/{check}/run", run(schemas), &both),
        ("/api/v1/targets/{target}/checks/{check}/pause", pause(schemas, "pauseCheck", "a check"), &both),
        ("/api/v1/targets/{target}/checks/{check}/resume", resume(schemas, "resumeCheck", "a check"), &both),
        (
            "/api/v1/targets/{target}/pause",
            pause(schemas, "pauseTarget", "all checks of a target"),
            &json!([target]),
        ),
        (
            "/api/v1/targets/{target}/resume",
            resume(schemas, "resumeTarget", "all checks of a target"),
            &json!([target]),
        ),
    ];
    for (path, operation, parameters) in changes {
        paths.insert(path.to_owned(), json!({ "parameters": parameters, "post": operation }));
    }
    canaries(schemas, &mut paths);
    paths.insert("/probe".to_owned(), json!({ "get": probe() }));
    paths.into()
}

/// One run now, as blackbox_exporter would.
fn probe() -> Value {
    let name = json!({ "type": "string" });
    let mut parameters = [
        parameter(
            "query",
            "target",
            "A target’s name in the config, or a URL or host that the module allows",
            name.clone(),
        ),
        parameter("query", "module", "A module’s name in the config", name),
        parameter(
            "query",
            "debug",
            "Tell what happened, line by line",
            json!({ "type": "string", "enum": ["true", "false"] }),
        ),
        parameter(
            "header",
            "X-Prometheus-Scrape-Timeout-Seconds",
            "How long the client waits; 0.5 s of it are for the way back",
            json!({ "type": "number", "exclusiveMinimum": 0.5 }),
        ),
    ];
    parameters[..2].iter_mut().for_each(|parameter| parameter["required"] = json!(true));
    json!({
        "operationId": "probe",
        "summary": "Runs a module’s check once, now",
        "parameters": parameters,
        "responses": {
            "200": text("what was found, in Prometheus’ text format; a run that failed has `probe_success 0`"),
            "400": text("a parameter is wrong, the module does not allow the target, or the time is too short"),
            "500": text("the agent’s own fault"),
            "503": text("too many probes at once"),
            "504": text("the probe did not end by its deadline"),
        },
    })
}

/// The verifications of canaries.
fn canaries(schemas: &mut Schemas, paths: &mut Map<String, Value>) {
    let path = |name: &str, description: &str| {
        json!([parameter("path", name, description, json!({ "type": "string" }))])
    };
    let all = schemas.good::<Data<Vec<Brief<'static>>>>("all that are kept, the newest first");
    let one = schemas.good::<Data<Report>>("the verification, however it stands");
    let bad = schemas.of::<Error<'static>>();
    let bad = |description: &str| content(description, "application/json", bad.clone());
    let guarded = |operation: Value, extra: Value| {
        let mut operation = operation;
        operation["security"] = json!([{ "token": [] }, {}]);
        operation["responses"] = extra;
        operation["responses"]["401"] = text("the token is missing or wrong");
        operation["responses"]["403"] =
            text("the agent has no token, and the client is no program on its machine");
        operation
    };
    let body = schemas.of::<CanaryRequest>();
    let start = guarded(
        json!({ "operationId": "startCanary", "summary": "Verifies a canary; the same key gives the same verification",
            "requestBody": { "required": true, "content": { "application/json": { "schema": body } } } }),
        json!({ "200": one, "202": one, "400": bad("the body does not fit"), "409": bad("the key belongs to something else"),
            "422": bad("that can't be verified"), "429": bad("as many run as may"), "503": bad("the agent is ending") }),
    );
    let list = json!({ "operationId": "canaries", "summary": "The verifications of canaries", "responses": { "200": all } });
    paths.insert("/api/v1/canary".to_owned(), json!({ "get": list, "post": start }));
    let gone = bad("it is not kept any more");
    let look = json!({ "operationId": "canary", "summary": "One verification", "responses": { "200": one, "404": gone } });
    let cancel = guarded(
        json!({ "operationId": "cancelCanary", "summary": "Ends a verification, which becomes inconclusive" }),
        json!({ "200": one, "404": gone }),
    );
    let id = path("id", "The verification’s identity");
    paths
        .insert("/api/v1/canary/{id}".to_owned(), json!({ "parameters": id, "get": look, "delete": cancel }));
    let hook = guarded(
        json!({ "operationId": "flaggerHook", "summary": "A webhook of Flagger’s",
            "requestBody": { "required": true, "content": { "application/json": { "schema": { "type": "object" } } } } }),
        json!({ "200": text("Flagger may go on"), "404": text("there is no such hook"), "412": text("it may not"),
            "422": text("the hook is set up wrongly") }),
    );
    let hooks = path("hook", "The hook’s type, such as `confirm-promotion`");
    paths.insert("/api/v1/canary/flagger/{hook}".to_owned(), json!({ "parameters": hooks, "post": hook }));
}

fn reads(schemas: &mut Schemas, both: &Value) -> Map<String, Value> {
    let mut paths = Map::new();
    let mut get = |path: &str, id: &str, summary: &str, parameters: Value, responses: Value| {
        let operation = json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses });
        paths.insert(path.to_owned(), json!({ "get": operation }));
    };
    let busy = text("the agent did not answer in time");
    let good = schemas.good::<Status>("how each job stands by its last runs");
    get(
        "/api/v1/status",
        "status",
        "The agent and each job by its last runs",
        json!([]),
        json!({ "200": good, "503": busy }),
    );
    let good = schemas.good::<Runs>("the newest first");
    let parameters = json!([
        parameter("query", "target", "Of this target only", json!({ "type": "string" })),
        parameter("query", "check", "Of this check only", json!({ "type": "string" })),
        parameter(
            "query",
            "outcome",
            "Of this outcome only",
            json!({ "type": "string", "enum": Outcome::LABELS })
        ),
        parameter(
            "query",
            "limit",
            "At most so many",
            json!({ "type": "integer", "minimum": 1, "maximum": super::MOST_RUNS, "default": super::RUNS })
        ),
    ]);
    get(
        "/api/v1/runs",
        "runs",
        "The last runs, with what happened on the wire",
        parameters,
        json!({ "200": good, "400": text("a parameter is wrong"), "503": busy }),
    );
    let (good, bad) = (schemas.good::<RunView>("the run"), schemas.bad("the run is not kept any more"));
    let id = json!([parameter("path", "id", "The run’s identity", json!({ "type": "string" }))]);
    get("/api/v1/runs/{id}", "run", "One run", id, json!({ "200": good, "404": bad }));
    let good = schemas.good::<Targets>("each job");
    get(
        "/api/v1/targets",
        "targets",
        "How each job stands with the schedule, and the agent itself",
        json!([]),
        json!({ "200": good, "503": busy }),
    );
    let (good, bad) =
        (schemas.good::<JobDetail>("the job"), schemas.bad("the config in force has no such job"));
    get(
        "/api/v1/targets/{target}/checks/{check}",
        "job",
        "One check of one target",
        both.clone(),
        json!({ "200": good, "404": bad }),
    );
    let (news, bad) = (schemas.of::<News>(), schemas.bad("too many listen already"));
    let stream = json!({
        "description": "Server-sent events `run`, `job`, `canary` and `agent`, whose data is as below; `lagged` where some were missed, whose data is how many.",
        "content": { "text/event-stream": { "schema": { "type": "string" }, "x-data": news } },
    });
    get(
        "/api/v1/events",
        "events",
        "News, as long as one listens",
        json!([]),
        json!({ "200": stream, "503": bad }),
    );
    let good = content("this", "application/json", json!({ "type": "object" }));
    get("/api/v1/openapi.json", "openapi", "This document", json!([]), json!({ "200": good }));
    paths
}

fn run(schemas: &mut Schemas) -> Value {
    let extra = [
        ("409", schemas.bad("a run is in progress, or the job is paused")),
        (
            "429",
            schemas.bad("too soon after another one, or the budget or the gateway does not allow it now"),
        ),
    ];
    change(
        schemas,
        "runNow",
        "Begins a run out of turn, within the target’s budget; never two at once",
        json!([]),
        &extra,
    )
}

fn pause(schemas: &mut Schemas, id: &str, what: &str) -> Value {
    let parameters = json!([
        parameter(
            "query",
            "for",
            "How long, such as 30m; at most 7d. 1h where neither is given",
            json!({ "type": "string" })
        ),
        parameter("query", "until", "Until when", json!({ "type": "string", "format": "date-time" })),
    ]);
    let summary = format!("Pauses {what}, for as long as the agent runs");
    let extra = [("400", schemas.bad("a parameter is wrong"))];
    change(schemas, id, &summary, parameters, &extra)
}

fn resume(schemas: &mut Schemas, id: &str, what: &str) -> Value {
    let extra = [("409", schemas.bad("the config pauses it, too"))];
    change(schemas, id, &format!("Ends a pause of {what} that was asked for over the API"), json!([]), &extra)
}

fn change(
    schemas: &mut Schemas,
    id: &str,
    summary: &str,
    parameters: Value,
    extra: &[(&str, Value)],
) -> Value {
    let mut responses = json!({
        "200": schemas.good::<Done>("done"),
        "401": text("the token is missing or wrong"),
        "403": text("the agent has no token, and the client is no program on its machine"),
        "404": schemas.bad("the config in force has no such target or check"),
        "503": schemas.bad("the agent is ending"),
    });
    for (status, response) in extra {
        responses[*status] = response.clone();
    }
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses, "security": [{ "token": [] }, {}] })
}

fn parameter(place: &str, name: &str, description: &str, schema: Value) -> Value {
    json!({ "in": place, "name": name, "description": description, "required": place == "path", "schema": schema })
}

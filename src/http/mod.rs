//! The agent's HTTP server: `/metrics`, `/probe`, health, reload, a JSON API and a page for people. It is handed what it
//! shows and an [`AgentHandle`] for what it may ask for; how jobs run it does not know.
//!
//! Errors, logs and metrics never carry a query string, a header's value or a body: they may hold secrets.

mod api;
mod canary;
mod connection;
mod flagger;
mod guard;
mod handle;
mod health;
mod page;
mod pages;
mod probe;
mod reload;
mod routes;
mod server;
mod standing;
#[cfg(test)]
mod testing;

pub use canary::{CanaryRefusal, CanaryRequest, CanaryStarted};
pub use handle::{AgentHandle, Answer, Parts, Readiness, ReloadError, ReloadSummary};
pub use probe::{ProbeAnswer, ProbeError, ProbeFacts, ProbePhases, ProbeRequest};
pub use server::{Limits, serve};
pub use standing::{About, ChangeError, JobStanding, Notice, Objective, Paused, PausedBy, Promise, Which};

use crate::metrics::{Descriptor, Kind, Scope, Unit};

/// What the server counts about itself.
pub static METRICS: &[&Descriptor] = &[&REQUESTS, &REFUSED];

static REQUESTS: Descriptor = Descriptor {
    name: "gateprobe_http_requests_total",
    help: "Requests that the agent's HTTP server answered, by route and status code",
    scope: Scope::Agent,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["route", "code"],
};

static REFUSED: Descriptor = Descriptor {
    name: "gateprobe_http_connections_refused_total",
    help: "Connections that the agent's HTTP server refused or closed, because it had too many",
    scope: Scope::Agent,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["result"],
};

/// Serialises what is behind an `Arc`, which serde does only with a feature that warns of copies.
fn shared<T, S>(value: &std::sync::Arc<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: serde::Serialize + ?Sized,
    S: serde::Serializer,
{
    T::serialize(value, serializer)
}

//! `/probe`: one run now, in the manner of blackbox_exporter, so that Prometheus' relabelling and the
//! operator's `Probe` work unchanged.

mod facts;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

pub use facts::{ProbeFacts, ProbePhases};

use super::pages::TEXT_FORMAT;
use super::routes::App;

/// What Prometheus tells of its own patience, and what of it is left for the way back.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";
const WAY_BACK: Duration = Duration::from_millis(500);

/// A run that somebody asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct ProbeRequest {
    /// A configured target's name, or a URL or host as the module allows. May hold secrets: never to be
    /// logged.
    pub target: String,
    /// The name of a module of the config; empty where none was named.
    pub module: String,
    /// How long the client waits; the module's own time-out may be shorter.
    pub time: Option<Duration>,
}

impl fmt::Debug for ProbeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target: _, module, time } = self;
        f.debug_struct("ProbeRequest").field("module", module).field("time", time).finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeAnswer {
    /// The result.
    pub facts: ProbeFacts,
    /// What happened, a line each; for `debug=true`. No secrets.
    pub log: Vec<String>,
    /// The module's configuration, secrets masked; for `debug=true`.
    pub module: String,
}

/// Why there was no run. The texts go to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No such module in the config; the text says which there are. See [`ProbeError::no_module`].
    #[error("{0}")]
    UnknownModule(String),
    /// The target is none that this module may probe; the text says what is allowed.
    #[error("{0}")]
    Refused(String),
    /// The client's patience is shorter than the module's shortest run; the text says what is needed.
    #[error("{0}")]
    TooLittleTime(String),
    /// The target's budget, or the agent, is exhausted.
    #[error("{0}")]
    Busy(String),
    /// The agent's own fault.
    #[error("{0}")]
    Agent(String),
}

impl ProbeError {
    /// The config has no such module, but these.
    pub fn no_module<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let problem = if asked.is_empty() { "the parameter `module` is missing" } else { "unknown module" };
        let known: Vec<&str> = known.collect();
        Self::UnknownModule(match known.as_slice() {
            [] => format!("{problem}; the config has none: write one below `modules`"),
            known => format!("{problem}; the config has {}", known.join(", ")),
        })
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownModule(_) | Self::Refused(_) | Self::TooLittleTime(_) => StatusCode::BAD_REQUEST,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Agent(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// GET `/probe?target=&module=&debug=true`. A run that failed is 200 with `probe_success 0`.
pub(super) async fn probe(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = match parse(&query.unwrap_or_default(), &headers) {
        Ok(asked) => asked,
        Err(problem) => return text(StatusCode::BAD_REQUEST, problem),
    };
    let answer = app.parts.agent.probe(asked.request);
    match tokio::time::timeout(app.probe_timeout, answer).await {
        Ok(Ok(answer)) if asked.debug => explain(&answer).into_response(),
        Ok(Ok(answer)) => ([(CONTENT_TYPE, TEXT_FORMAT)], answer.facts.encode_text()).into_response(),
        Ok(Err(error)) => text(error.status(), &error.to_string()),
        Err(_) => text(StatusCode::GATEWAY_TIMEOUT, "the probe did not end by its deadline"),
    }
}

struct Asked {
    request: ProbeRequest,
    debug: bool,
}

/// Other parameters are ignored, as relabelling may leave some behind.
fn parse(query: &str, headers: &HeaderMap) -> Result<Asked, &'static str> {
    let one = |name: &str| {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let mut values = pairs.filter(|(key, _)| key == name).map(|(_, value)| value);
        let first: Option<Cow<'_, str>> = values.next();
        (first, values.next().is_some())
    };
    let (target, module, debug) = (one("target"), one("module"), one("debug"));
    if target.1 || module.1 {
        return Err("`target` and `module` can be given once only");
    }
    let given = |value: Option<Cow<'_, str>>| value.map(Cow::into_owned).filter(|value| !value.is_empty());
    let request = ProbeRequest {
        target: given(target.0).ok_or("the parameter `target` is missing")?,
        module: given(module.0).unwrap_or_default(),
        time: time(headers)?,
    };
    Ok(Asked { request, debug: debug.0.is_some_and(|value| value == "true") })
}

fn time(headers: &HeaderMap) -> Result<Option<Duration>, &'static str> {
    let Some(value) = headers.get(SCRAPE_TIMEOUT) else { return Ok(None) };
    let seconds = value.to_str().ok().and_then(|value| value.trim().parse().ok());
    let patience = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let patience = patience.ok_or("X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds")?;
    match patience.checked_sub(WAY_BACK) {
        Some(time) if !time.is_zero() => Ok(Some(time)),
        _ => Err("the scrape time-out leaves no time for a probe: 0.5 s of it are for the way back"),
    }
}

fn explain(answer: &ProbeAnswer) -> String {
    let mut log = answer.log.join("\n");
    if log.is_empty() {
        log.push_str("nothing was logged");
    }
    let (metrics, module) = (answer.facts.encode_text(), answer.module.trim_end());
    format!("Log of the probe:\n{log}\n\nMetrics of the probe:\n{metrics}\nModule:\n{module}\n")
}

fn text(status: StatusCode, line: &str) -> Response {
    (status, format!("{line}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(query: &str, timeout: Option<&'static str>) -> Result<Asked, &'static str> {
        let value = timeout.map(axum::http::HeaderValue::from_static);
        let headers = value.map(|value| (SCRAPE_TIMEOUT.parse().unwrap(), value));
        parse(query, &headers.into_iter().collect())
    }

    #[test]
    fn parameters_and_the_deadline() {
        let asked =
            ask("target=wss%3A%2F%2Fa.example%2Fws&module=handshake&debug=true&x=1", Some("10")).unwrap();
        assert_eq!((asked.request.target.as_str(), asked.debug), ("wss://a.example/ws", true));
        assert_eq!(
            (asked.request.module.as_str(), asked.request.time),
            ("handshake", Some(Duration::from_millis(9500)))
        );
        assert_eq!(ask("target=a&module=b", None).unwrap().request.time, None);
        assert!(!ask("target=a&module=b&debug=1", None).unwrap().debug);
        assert_eq!(ask("target=a", None).unwrap().request.module, "");
        for bad in ["", "module=b", "target=&module=b", "target=a&target=c&module=b"] {
            assert!(ask(bad, None).is_err(), "{bad}");
        }
        for bad in ["0.5", "0.2", "0", "-1", "NaN", "inf", "1e400", "ten", ""] {
            assert!(ask("target=a&module=b", Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_names_no_module_is_told_which_there_are() {
        for (asked, known, told) in [
            ("", &["a", "b"][..], "the parameter `module` is missing; the config has a, b"),
            ("x", &["a"], "unknown module; the config has a"),
            ("x", &[], "unknown module; the config has none: write one below `modules`"),
        ] {
            assert_eq!(ProbeError::no_module(asked, known.iter().copied()).to_string(), told);
        }
    }

    #[test]
    fn a_request_does_not_show_its_target() {
        let asked = ask("target=wss://user:s3cret@a/?token=s3cret&module=b", None).unwrap();
        assert!(!format!("{:?}", asked.request).contains("s3cret"));
    }
}

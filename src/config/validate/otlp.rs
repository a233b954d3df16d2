//! Rules for where metrics and traces are pushed to.

use std::time::Duration;

use url::Url;

use super::connection;
use super::headers;
use super::text::{is_this_machine, is_token};
use super::{Path, Report};
use crate::config::otlp::endpoint;
use crate::config::settings::{HeaderValue, Otlp, OtlpProtocol, Tls};
use crate::model::Span;

/// Checks the file's settings.
pub fn otlp(report: &mut Report<'_>, settings: &Otlp) {
    let path = Path::of(&["otlp"]);
    if let Some(url) = &settings.endpoint {
        match endpoint(&url.0) {
            Err(complaint) => report.problem(&path.key("endpoint"), complaint),
            Ok(url) => self::url(report, &path, settings, &url),
        }
    }
    headers::headers(report, &path, &settings.headers);
    connection::tls(report, &path.key("tls"), &settings.tls);
    for (field, span, check) in [
        ("interval", settings.interval, interval as fn(Duration) -> Result<(), String>),
        ("timeout", settings.timeout, timeout),
    ] {
        if let Err(complaint) = check(span.get()) {
            report.problem(&path.key(field), complaint);
        }
    }
    if !settings.metrics && !settings.traces {
        report.problem(&path, "exports nothing; write metrics: true or traces: true, or remove it");
    }
}

fn url(report: &mut Report<'_>, path: &Path, settings: &Otlp, url: &Url) {
    let at = path.key("endpoint");
    let other = match (settings.protocol, url.port_or_known_default()) {
        (OtlpProtocol::Grpc, Some(4318)) => Some("http/protobuf"),
        (OtlpProtocol::Http, Some(4317)) => Some("grpc"),
        _ => None,
    };
    if let Some(other) = other {
        report.warning(&at, format!("at this port, collectors by custom speak {other}; see protocol"));
    }
    if settings.protocol == OtlpProtocol::Grpc && !matches!(url.path(), "" | "/") {
        report.problem(&at, "gRPC has no path; write http://HOST:PORT or https://HOST:PORT");
    }
    if url.scheme() == "https" {
        return;
    }
    if settings.tls != Tls::default() {
        report.problem(&path.key("tls"), "has no effect on an http:// URL; write https://, or remove it");
    }
    let has_secret = settings.headers.values().any(|value| matches!(value, HeaderValue::Secret(_)));
    if has_secret && !is_this_machine(url) {
        report.warning(&at, "secret headers go over the network in clear text (http://)");
    }
}

/// Whether metrics can be pushed so often.
///
/// # Errors
/// What to write.
pub fn interval(time: Duration) -> Result<(), String> {
    within(time, Span::millis(100), Span::secs(3_600))
}

/// Whether an export may take so long.
///
/// # Errors
/// What to write.
pub fn timeout(time: Duration) -> Result<(), String> {
    within(time, Span::millis(100), Span::secs(60))
}

/// Whether it can name a header.
pub fn is_header_name(name: &str) -> bool {
    is_token(name)
}

fn within(time: Duration, least: Span, most: Span) -> Result<(), String> {
    if time >= least.get() && time <= most.get() {
        return Ok(());
    }
    Err(format!("{} is out of range; write {least} to {most}", Span::from(time)))
}

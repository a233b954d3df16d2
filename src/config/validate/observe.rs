//! Rules for the gateway's own metrics endpoint.

use url::Url;

use super::auth::{Missing, secret_source};
use super::text::is_this_machine;
use super::{Path, Report};
use crate::config::settings::Observe;
use crate::config::words::quoted;
use crate::model::Span;
use crate::session::Selector;

/// Checks it.
pub fn observe(report: &mut Report<'_>, path: &Path, observe: &Observe) {
    match &observe.url {
        None => report.problem(&path.key("url"), "is missing"),
        Some(url) => self::url(report, &path.key("url"), &url.0, observe.token.is_some()),
    }
    let series = [("sessions", &observe.sessions), ("memory", &observe.memory)];
    for (field, text) in series {
        let Some(text) = text else { continue };
        if let Err(error) = text.parse::<Selector>() {
            let message = format!("{} {error}; write NAME or NAME{{LABEL=\"VALUE\"}}", quoted(text));
            report.problem(&path.key(field), message);
        }
    }
    if series.iter().all(|(_, text)| text.is_none()) {
        report.problem(path, "looks at nothing; write sessions or memory, or remove it");
    }
    if observe.timeout == Span::default() {
        report.problem(&path.key("timeout"), "0s can't be met; write more, or remove the field");
    }
    if let Some(token) = &observe.token {
        secret_source(report, &path.key("token"), token, Missing::Later);
    }
}

fn url(report: &mut Report<'_>, path: &Path, text: &str, has_token: bool) {
    const FORM: &str = "write http://HOST/PATH or https://HOST/PATH";
    let shown = quoted(text);
    let complaint = match Url::parse(text) {
        Err(error) => format!("{shown} is not a URL ({error}); {FORM}"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            format!("{shown} is not the URL of a metrics endpoint; {FORM}")
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "a user or password must not stand in the URL; use token".into()
        }
        Ok(url) if url.port() == Some(0) => format!("{shown} has port 0; write 1 to 65535"),
        Ok(url) if url.fragment().is_some() => format!("{shown} has a fragment, which no request carries"),
        Ok(url) => {
            if has_token && url.scheme() == "http" && !is_this_machine(&url) {
                report.warning(path, "the token goes over the network in clear text (http://)");
            }
            return;
        }
    };
    report.problem(path, complaint);
}

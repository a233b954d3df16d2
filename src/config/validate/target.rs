//! Rules for a target as a whole.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use url::{Host, Url};

use super::text::{is_this_machine, is_token};
use super::{Path, Report, auth, checks, connection, headers, observe, target_labels};
use crate::checks::CheckSpec;
use crate::config::pause::Pause;
use crate::config::settings::{TargetSettings, Tls};
use crate::config::words::{looks_secret, nearest, quoted};
use crate::dialect::Dialect;

/// A target's parts in their parsed form.
pub struct Parsed {
    /// Valid, `ws` or `wss`, with a host, without user and fragment.
    pub url: Option<Url>,
    /// Those that are valid.
    pub pauses: Vec<Pause>,
    /// Those that are on.
    pub checks: Vec<CheckSpec>,
}

/// Checks a target.
pub fn target(
    report: &mut Report<'_>,
    path: &Path,
    settings: &TargetSettings,
    dialect: Option<&Dialect>,
    now: Timestamp,
) -> Parsed {
    let url = settings.url.as_ref().and_then(|text| websocket_url(report, &path.key("url"), &text.0));
    target_labels(report, path, &settings.labels);
    let checks = checks::specs(settings, dialect);
    connection_settings(report, path, settings, dialect, url.as_ref(), &checks);
    if checks.is_empty() {
        report.problem(
            &path.key("checks"),
            "all checks are off, so that nothing is watched; remove the target",
        );
    } else if !checks.iter().any(CheckSpec::counts_who_is_kept_out) && !report.is_typed(path) {
        let message =
            "no check here fails while nobody gets in: each of them is inconclusive then; add handshake";
        report.warning(&path.key("checks"), message);
    }
    Parsed { pauses: pauses(report, path, settings, now), url, checks }
}

/// Checks what a target and a module have in common.
pub fn connection_settings(
    report: &mut Report<'_>,
    path: &Path,
    settings: &TargetSettings,
    dialect: Option<&Dialect>,
    url: Option<&Url>,
    specs: &[CheckSpec],
) {
    auth::auth(report, path, settings, dialect);
    headers::headers(report, path, &settings.headers);
    connection::tls(report, &path.key("tls"), &settings.tls);
    connection::proxy(report, &path.key("proxy"), &settings.proxy);
    connection::redirects(report, &path.key("redirects"), &settings.redirects);
    connection::network(report, &path.key("network"), &settings.network, url.and_then(address));
    subprotocols(report, path, &settings.subprotocols);
    if let Some(settings) = &settings.observe {
        observe::observe(report, &path.key("observe"), settings);
    }
    for spec in specs {
        checks::check(report, path, settings, dialect, spec);
    }
    if let Some(url) = url.filter(|url| url.scheme() == "ws") {
        let tls = path.key("tls");
        // What `defaults` says of TLS is meant for the other targets.
        if settings.tls != Tls::default() && report.is_targets_own(&tls) && !speaks_tls_elsewhere(settings) {
            report.problem(&tls, "has no effect on a ws:// URL; write wss://, or remove it");
        }
        let stays_here = is_this_machine(url) && settings.proxy.url.is_none();
        if settings.auth.is_some() && !stays_here {
            report.warning(&path.key("auth"), "the token goes over the network in clear text (ws://)");
        }
    }
}

/// Whether something other than the gateway is reached by TLS, with the same authorities.
fn speaks_tls_elsewhere(settings: &TargetSettings) -> bool {
    let issuer = settings.auth.as_ref().and_then(|auth| auth.token.oauth2.as_ref());
    let observed = settings.observe.as_ref().and_then(|observe| observe.url.as_ref());
    let urls = issuer.map(|issuer| &issuer.token_url).into_iter().chain(observed);
    urls.into_iter().any(|url| url.0.starts_with("https:"))
}

/// Of a page's URL, or one with a mistyped scheme: the WebSocket's that is most likely meant.
fn meant(url: &Url, text: &str) -> Option<String> {
    let scheme = match url.scheme() {
        "http" => "ws",
        "https" => "wss",
        other => nearest(other, ["wss", "ws"].into_iter())?,
    };
    let rest = text.trim_start().get(url.scheme().len()..)?;
    Some(format!("did you mean {}?", quoted(&format!("{scheme}{rest}"))))
}

fn websocket_url(report: &mut Report<'_>, path: &Path, text: &str) -> Option<Url> {
    const FORM: &str = "write ws://HOST/PATH or wss://HOST/PATH";
    let shown = quoted(text);
    let complaint = match Url::parse(text) {
        Err(error) => format!("{shown} is not a URL ({error}); {FORM}"),
        Ok(url) if !matches!(url.scheme(), "ws" | "wss") => {
            format!(
                "{shown} is not the URL of a WebSocket; {}",
                meant(&url, text).unwrap_or_else(|| FORM.into())
            )
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "a user or password must not stand in the URL; use auth".into()
        }
        Ok(url) if url.fragment().is_some() => {
            "a fragment (#...) has no place in the URL of a WebSocket (RFC 6455, section 3)".into()
        }
        Ok(url) if url.port() == Some(0) => format!("{shown} has port 0; write 1 to 65535"),
        Ok(url) => {
            if url.query_pairs().any(|(name, _)| is_credential(&name)) {
                let message = "the query seems to hold a credential; auth with place {query: {name: NAME}} takes it from elsewhere";
                report.warning(path, message);
            }
            return Some(url);
        }
    };
    report.problem(path, complaint);
    None
}

fn is_credential(parameter: &str) -> bool {
    let name = parameter.to_lowercase();
    ["token", "secret", "passw", "apikey", "api_key", "jwt"].iter().any(|word| name.contains(word))
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

fn subprotocols(report: &mut Report<'_>, path: &Path, subprotocols: &[String]) {
    let mut seen = BTreeSet::new();
    for (index, name) in subprotocols.iter().enumerate() {
        let path = path.key("subprotocols").index(index);
        if looks_secret(name) || name.len() > 64 {
            let message = "looks like a credential; auth with place {subprotocol: {prefix: ...}} takes it from elsewhere";
            report.problem(&path, message);
        } else if !is_token(name) {
            report.problem(
                &path,
                format!("{} can't be a subprotocol; use letters, digits, - . and _", quoted(name)),
            );
        } else if !seen.insert(name) {
            report.problem(&path, format!("{name:?} stands here twice; remove one"));
        }
    }
}

fn pauses(report: &mut Report<'_>, path: &Path, settings: &TargetSettings, now: Timestamp) -> Vec<Pause> {
    let mut parsed = Vec::new();
    for (index, pause) in settings.pause.iter().enumerate() {
        let path = path.key("pause").index(index);
        match Pause::parse(pause) {
            Ok(Pause::Until(end)) if end <= now => {
                report.warning(&path.key("until"), "is over; the pause can be removed");
            }
            Ok(pause) => parsed.push(pause),
            Err(error) if error.field().is_empty() => report.problem(&path, error.to_string()),
            Err(error) => report.problem(&path.key(error.field()), error.to_string()),
        }
    }
    parsed
}

//! What an upgrade request is answered with (RFC 6455 section 4.2), no I/O.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use sha1::{Digest, Sha1};

use super::clock;
use super::deflate;
use super::fault::{Fault, FaultKind, FaultSet};
use super::http::Request;
use super::offence::{Offence, insist};
use super::settings::Settings;

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// An HTTP response head with a small body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status; 101 switches protocols.
    pub status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// A refusal whose body is one line that says why.
    pub fn refusal(status: u16, why: &str) -> Self {
        let headers = match status {
            401 => vec![("WWW-Authenticate", "Bearer".to_owned())],
            405 => vec![("Allow", "GET".to_owned())],
            426 => vec![("Upgrade", "websocket".to_owned()), ("Sec-WebSocket-Version", "13".to_owned())],
            _ => Vec::new(),
        };
        let body = match status {
            204 | 304 => String::new(),
            _ => format!("{why}\n"),
        };
        Self { status, headers, body }
    }

    /// A refusal for who comes too often.
    pub fn throttled() -> Self {
        let mut answer = Self::refusal(429, "too many connections in a second");
        answer.headers.push(("Retry-After", "1".to_owned()));
        answer
    }

    /// Appends the answer as it goes over the wire, with the date by a clock that has these faults.
    pub fn write(&self, output: &mut BytesMut, faults: &FaultSet) {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        if let Some(date) = date(clock::told(faults)) {
            text.push_str(&format!("Date: {date}\r\n"));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 101 {
            let connection = if self.status == 426 { "Upgrade, close" } else { "close" };
            text.push_str(&format!("Connection: {connection}\r\n"));
            if !matches!(self.status, 204 | 304) {
                let length = self.body.len();
                text.push_str(&format!("Content-Type: text/plain\r\nContent-Length: {length}\r\n"));
            }
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        output.extend_from_slice(text.as_bytes());
    }
}

/// Judges a request, with the faults that are on for its connection. What is wrong with it passes if
/// `pardon` says so.
///
/// # Errors
/// What is wrong with the request, and the refusal that it gets.
pub fn answer(
    request: &Request,
    settings: &Settings,
    faults: &FaultSet,
    pardon: &mut dyn FnMut(Offence) -> bool,
) -> Result<Answer, (Offence, Answer)> {
    if let Some(refusal) = faulty_refusal(request, faults) {
        return Ok(refusal);
    }
    let plain = request.all("upgrade").next().is_none();
    if plain && request.method == "GET" && faults.has(FaultKind::UpgradePlainGet) {
        return Ok(accept(request, settings, faults));
    }
    for (offence, status, why) in offences(request, settings, faults) {
        insist(false, offence, pardon).map_err(|offence| (offence, Answer::refusal(status, why)))?;
    }
    Ok(accept(request, settings, faults))
}

fn faulty_refusal(request: &Request, faults: &FaultSet) -> Option<Answer> {
    if let Some(Fault::UpgradeStatus(status)) = faults.get(FaultKind::UpgradeStatus) {
        let mut answer = Answer::refusal(*status, "refused by a fault that is switched on");
        if let Some(Fault::RetryAfter(seconds)) = faults.get(FaultKind::RetryAfter) {
            answer.headers.push(("Retry-After", seconds.to_string()));
        }
        return Some(answer);
    }
    let location = match faults.get(FaultKind::Redirect) {
        Some(Fault::Redirect(location)) => location.clone(),
        _ if faults.has(FaultKind::RedirectLoop) => request.target.clone(),
        _ => return None,
    };
    let mut answer = Answer::refusal(302, "look elsewhere");
    answer.headers.push(("Location", location));
    Some(answer)
}

/// Everything that is wrong with a request, the first thing first: what it is, the status that refuses
/// it, and why.
fn offences(
    request: &Request,
    settings: &Settings,
    faults: &FaultSet,
) -> impl Iterator<Item = (Offence, u16, &'static str)> {
    use Offence as O;
    let plain = request.all("upgrade").next().is_none();
    let other = !plain && !request.lists("upgrade", "websocket");
    let unconnected = !plain && !request.lists("connection", "upgrade");
    let has_body = request.only("content-length").is_some_and(|length| length != "0")
        || request.all("transfer-encoding").next().is_some();
    let old = request.only("sec-websocket-version") != Some("13");
    let key = request.only("sec-websocket-key").and_then(|key| STANDARD.decode(key).ok());
    let foreign = !faults.has(FaultKind::AnyOrigin) && !origin_allowed(request, settings);
    let authorized = match &settings.jwt {
        _ if faults.has(FaultKind::NoAuth) => Some(true),
        Some(rules) => rules.admit(request, faults),
        None => authorized(request, settings),
    };
    let rules = [
        (request.method != "GET", O::BadMethod, 405, "a WebSocket is opened with GET"),
        (request.only("host").is_none(), O::BadHost, 400, "exactly one Host is needed"),
        (has_body, O::RequestBody, 400, "an upgrade request has no body"),
        (plain, O::NoUpgrade, 426, "this is a WebSocket endpoint"),
        (other, O::NoUpgrade, 400, "only an upgrade to websocket is possible"),
        (unconnected, O::NoUpgrade, 400, "Connection does not list Upgrade"),
        (old, O::BadVersion, 426, "only version 13 is spoken"),
        (
            key.is_none_or(|key| key.len() != 16),
            O::BadKey,
            400,
            "Sec-WebSocket-Key is not 16 bytes in base64",
        ),
        (foreign, O::ForeignOrigin, 403, "this origin is not allowed"),
        (authorized.is_none(), O::NoToken, 401, "a token is needed"),
        (authorized == Some(false), O::BadToken, 401, "a valid token is needed"),
    ];
    rules.into_iter().filter_map(|(wrong, offence, status, why)| wrong.then_some((offence, status, why)))
}

fn origin_allowed(request: &Request, settings: &Settings) -> bool {
    let allowed = |origin: &str| settings.origins.iter().any(|known| known == origin);
    settings.origins.is_empty() || request.all("origin").all(allowed)
}

/// Whether the token is right; `None` for a request without one.
fn authorized(request: &Request, settings: &Settings) -> Option<bool> {
    let Some(token) = &settings.token else {
        return Some(true);
    };
    if request.all("authorization").next().is_some() {
        let presented = request.only("authorization").and_then(bearer);
        return Some(presented.is_some_and(|presented| token.matches(presented)));
    }
    request.query("access_token").map(|presented| token.matches(&presented))
}

/// The credentials of an `Authorization: Bearer` header (RFC 6750 section 2.1).
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn accept(request: &Request, settings: &Settings, faults: &FaultSet) -> Answer {
    let mut headers = Vec::new();
    if !faults.has(FaultKind::MissingUpgradeHeader) {
        headers.push(("Upgrade", "websocket".to_owned()));
    }
    if !faults.has(FaultKind::MissingConnectionHeader) {
        headers.push(("Connection", "Upgrade".to_owned()));
    }
    if !faults.has(FaultKind::MissingAccept) {
        let key = match faults.has(FaultKind::BadAccept) {
            true => "the key of somebody else",
            false => request.only("sec-websocket-key").unwrap_or_default(),
        };
        headers.push(("Sec-WebSocket-Accept", accept_for(key)));
    }
    if let Some(name) = subprotocol(request, settings, faults) {
        headers.push(("Sec-WebSocket-Protocol", name));
    }
    if faults.has(FaultKind::UnsolicitedExtension) {
        let offered = request.list("sec-websocket-extensions");
        let deflate_offered = offered.into_iter().any(|name| name.starts_with("permessage-deflate"));
        let name = if deflate_offered { "x-not-offered" } else { "permessage-deflate" };
        headers.push(("Sec-WebSocket-Extensions", name.to_owned()));
    }
    if let Some(agreed) = deflate_agreed(request, settings) {
        headers.push(("Sec-WebSocket-Extensions", agreed));
    }
    Answer { status: 101, headers, body: String::new() }
}

/// The permessage-deflate that is agreed to, as the answer names it.
pub fn deflate_agreed(request: &Request, settings: &Settings) -> Option<String> {
    settings.deflate.then(|| deflate::agree(request.list("sec-websocket-extensions"))).flatten()
}

fn subprotocol(request: &Request, settings: &Settings, faults: &FaultSet) -> Option<String> {
    if faults.has(FaultKind::WrongSubprotocol) {
        return Some("not-offered".to_owned());
    }
    if faults.has(FaultKind::NoSubprotocol) {
        return None;
    }
    let offered = |known: &&String| request.list("sec-websocket-protocol").any(|name| name == *known);
    settings.subprotocols.iter().find(offered).cloned()
}

/// `Sec-WebSocket-Accept` for a key (RFC 6455 section 4.2.2).
fn accept_for(key: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{key}{GUID}")))
}

/// A time since the Unix epoch as an IMF-fixdate (RFC 9110 section 5.6.7); `None` for years that have no such
/// form.
fn date(now: Duration) -> Option<String> {
    let now = Timestamp::from_second(i64::try_from(now.as_secs()).ok()?).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

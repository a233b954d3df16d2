//! What a response to the upgrade request means (RFC 6455, section 4.1).

use super::deflate;
use super::endpoint::{Endpoint, Offer};
use super::error::{DialError, Offence};
use super::request::{Request, accept_for};
use super::response::{Response, ResponseError};

impl From<ResponseError> for DialError {
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::TooLarge => Self::UpgradeHeaderTooLarge,
            ResponseError::Malformed(what) => Self::UpgradeMalformed(what),
            ResponseError::Http2 => Self::Http2Only,
        }
    }
}

/// Accepts a correct 101 and names what is wrong with anything else.
pub(super) fn judge(
    response: &Response,
    request: &Request,
    endpoint: &Endpoint,
    offer: &Offer,
) -> Result<(), DialError> {
    let status = response.status;
    match status {
        101 => {}
        429 => return Err(DialError::Throttled { status }),
        503 if response.has("retry-after") => return Err(DialError::Throttled { status }),
        505 => return Err(DialError::Http2Only),
        426 if response.has_token("upgrade", "h2c") || response.has_token("upgrade", "h2") => {
            return Err(DialError::Http2Only);
        }
        300..=399 => return Err(DialError::Redirected { status, to: None }),
        _ => return Err(DialError::Status { status, credential: request.shows_credential() }),
    }
    if response.minor_version == 0 {
        return Err(DialError::UpgradeMalformed("a 101 in HTTP/1.0"));
    }
    match offence(response, request.key(), endpoint, offer) {
        Some(offence) => Err(DialError::Upgrade(offence)),
        None => Ok(()),
    }
}

/// What browsers and libraries refuse as well. A list of lines is one value to HTTP, but these headers are no lists
/// but `Connection` and `Sec-WebSocket-Extensions`.
fn offence(response: &Response, key: &str, endpoint: &Endpoint, offer: &Offer) -> Option<Offence> {
    match (response.lines("upgrade"), response.header("upgrade")) {
        (2.., _) => return Some(Offence::UpgradeTwice),
        (_, Some(upgrade)) if upgrade.eq_ignore_ascii_case("websocket") => {}
        _ if response.has_token("upgrade", "websocket") => return Some(Offence::UpgradeToMore),
        _ => return Some(Offence::NoUpgrade),
    }
    if !response.has_token("connection", "upgrade") {
        return Some(Offence::NoConnection);
    }
    match (response.lines("sec-websocket-accept"), response.header("sec-websocket-accept")) {
        (0, _) => return Some(Offence::NoAccept),
        (2.., _) => return Some(Offence::AcceptTwice),
        (_, Some(accept)) if accept == accept_for(key) => {}
        _ => return Some(Offence::WrongAccept),
    }
    if response.values("sec-websocket-extensions").any(str::is_empty) {
        return Some(Offence::NoExtension);
    }
    if response.has("sec-websocket-extensions") && !(offer.deflate && deflate::is_agreed(response)) {
        return Some(Offence::Extension);
    }
    match (response.lines("sec-websocket-protocol"), response.header("sec-websocket-protocol")) {
        (0, _) if endpoint.subprotocol_required => Some(Offence::NoSubprotocol),
        (0, _) => None,
        (2.., _) => Some(Offence::SubprotocolTwice),
        (_, Some("")) => Some(Offence::EmptySubprotocol),
        // The server that selects one of ours in another case selects another one (RFC 6455, section 4.1).
        (_, Some(selected)) if is_offered(selected, endpoint, offer) => None,
        _ => Some(Offence::Subprotocol),
    }
}

fn is_offered(selected: &str, endpoint: &Endpoint, offer: &Offer) -> bool {
    let plain = endpoint.subprotocols.iter().chain(&offer.subprotocols).any(|offered| offered == selected);
    plain || (!offer.without_credentials && offer.is_credential(selected))
}

#[cfg(test)]
mod tests {
    use super::super::tls::{TlsClient, TlsSettings};
    use super::*;
    use crate::model::{Cause, Failure, Outcome, Why};

    /// The right value stands for ACCEPT.
    const GOOD: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n";

    fn outcome(start: &str, fields: &str) -> Outcome {
        judged(start, fields).map_or_else(|e| e.outcome(), |()| Outcome::Pass)
    }

    fn judged(start: &str, fields: &str) -> Result<(), DialError> {
        let text = format!("HTTP/1.1 {start}\r\n{fields}\r\n");
        let tls = TlsClient::new(TlsSettings::default()).unwrap();
        let mut endpoint = Endpoint::new("ws://gw.example/".parse().unwrap(), tls.into()).unwrap();
        endpoint.subprotocols = vec!["mqtt".into(), "chat".into()];
        let request = Request::upgrade(&endpoint, &Offer::default()).unwrap();
        let text = text.replace("ACCEPT", &accept_for(request.key()));
        let response = super::super::response::parse(text.as_bytes()).unwrap().unwrap().0;
        judge(&response, &request, &endpoint, &Offer::default())
    }

    #[test]
    fn each_status_has_its_reason() {
        let fails = |start: &str| match outcome(start, "") {
            Outcome::Fail(failure) => failure,
            other => panic!("{start}: {other}"),
        };
        assert_eq!(fails("200 OK"), Failure::NotUpgraded);
        assert_eq!(fails("204 x"), Failure::NotUpgraded);
        assert_eq!(fails("302 x"), Failure::Redirected);
        assert_eq!(fails("400 x"), Failure::Rejected);
        assert_eq!(fails("426 x"), Failure::Rejected);
        assert_eq!(fails("401 x"), Failure::Unauthorized);
        assert_eq!(fails("403 x"), Failure::Unauthorized);
        assert_eq!(fails("404 x"), Failure::NotFound);
        assert_eq!(fails("410 x"), Failure::NotFound);
        assert_eq!(fails("500 x"), Failure::ServerError);
        assert_eq!(fails("501 x"), Failure::ServerError);
        for status in ["502", "503", "504"] {
            assert_eq!(fails(&format!("{status} x")), Failure::Unavailable);
        }
        assert_eq!(outcome("429 x", ""), Outcome::Inconclusive(Cause::Throttled));
        assert_eq!(outcome("503 x", "Retry-After: 3\r\n"), Outcome::Inconclusive(Cause::Throttled));
        assert_eq!(outcome("505 x", ""), Outcome::Unsupported(Why::Http2Only));
        assert_eq!(outcome("426 x", "Upgrade: h2c\r\n"), Outcome::Unsupported(Why::Http2Only));
    }

    #[test]
    fn a_101_must_be_right_in_everything() {
        let with = |extra: &str| outcome("101 x", &format!("{GOOD}{extra}"));
        let without = |name: &str| {
            let fields: Vec<&str> =
                GOOD.split_inclusive('\n').filter(|line| !line.starts_with(name)).collect();
            outcome("101 x", &fields.concat())
        };
        assert_eq!(with(""), Outcome::Pass);
        assert_eq!(with("Sec-WebSocket-Protocol: chat\r\n"), Outcome::Pass);
        assert_eq!(outcome("101 x", &GOOD.replace("\r\n", "\n")), Outcome::Pass, "RFC 9112, section 2.2");
        assert_eq!(without("Upgrade"), Outcome::Fail(Failure::BadUpgradeHeaders));
        assert_eq!(without("Connection"), Outcome::Fail(Failure::BadUpgradeHeaders));
        assert_eq!(without("Sec"), Outcome::Fail(Failure::BadAccept));
        let wrong = GOOD.replace("ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(outcome("101 x", &wrong), Outcome::Fail(Failure::BadAccept));
        for protocol in ["MQTT", "other", "mqtt, chat", "", "mqtt\r\nSec-WebSocket-Protocol: mqtt"] {
            let field = format!("Sec-WebSocket-Protocol: {protocol}\r\n");
            assert_eq!(with(&field), Outcome::Fail(Failure::SubprotocolMismatch), "{protocol}");
        }
        for extension in ["permessage-deflate", ""] {
            let field = format!("Sec-WebSocket-Extensions: {extension}\r\n");
            assert_eq!(with(&field), Outcome::Fail(Failure::UnsolicitedExtension), "{extension}");
        }
    }

    #[test]
    fn what_browsers_refuse_is_named() {
        let told = |fields: &str| judged("101 x", fields).expect_err("an offence").to_string();
        let with = |extra: &str| told(&format!("{GOOD}{extra}\r\n"));
        let accept = GOOD.lines().last().unwrap_or_default();
        let said = [
            (with("UPGRADE: websocket"), "Upgrade stands there more than once"),
            (told(&GOOD.replace(": websocket", ": h2c, websocket")), "Upgrade names more than websocket"),
            (told(&GOOD.replace(": websocket", ": websocket, h2c")), "Upgrade names more than websocket"),
            (told(&GOOD.replace(": websocket", ": h2c")), "Upgrade: websocket is missing"),
            (with(accept), "Sec-WebSocket-Accept stands there more than once"),
            (with("Sec-WebSocket-Accept: \u{e9}"), "Sec-WebSocket-Accept stands there more than once"),
            (with("Sec-WebSocket-Protocol:"), "Sec-WebSocket-Protocol is empty"),
            (with("Sec-WebSocket-Protocol: x"), "a subprotocol that was not offered"),
            (with("Sec-WebSocket-Extensions: "), "Sec-WebSocket-Extensions is empty"),
        ];
        for (told, expected) in said {
            assert_eq!(told, format!("the 101 breaks RFC 6455: {expected}"));
        }
    }
}

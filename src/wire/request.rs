//! The upgrade request (RFC 6455, section 4.1), open to changes for those who want to send a broken one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use url::Url;

use super::deflate;
use super::endpoint::{Endpoint, Header, Offer};
use super::error::DialError;

/// An HTTP/1.1 request. Neither the target, nor any value, nor the body is ever shown.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: SecretString,
    /// The version, as `HTTP/1.1`.
    pub version: String,
    headers: Vec<(String, SecretString)>,
    body: Vec<u8>,
    key: String,
    credential: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The upgrade request for an endpoint.
    ///
    /// # Errors
    /// [`DialError::Credential`] when a header or subprotocol can't be written as one.
    pub fn upgrade(endpoint: &Endpoint, offer: &Offer) -> Result<Self, DialError> {
        Self::upgrade_to(&endpoint.url, endpoint, offer, true)
    }

    /// The same for another URL, to which a redirect led; credentials only where `trusted`.
    pub(super) fn upgrade_to(
        url: &Url,
        endpoint: &Endpoint,
        offer: &Offer,
        trusted: bool,
    ) -> Result<Self, DialError> {
        let credentials = trusted && !offer.without_credentials;
        // Sixteen bytes of a generator that the operating system seeds.
        let key = STANDARD.encode(rand::random::<[u8; 16]>());
        let mut request = Self {
            method: "GET".into(),
            target: target(url, if credentials { &offer.query } else { &[] }).into(),
            version: "HTTP/1.1".into(),
            headers: Vec::with_capacity(16),
            body: Vec::new(),
            key,
            credential: credentials && shows_credential(endpoint, offer),
        };
        request.set("Host", authority(url));
        request.set("User-Agent", endpoint.user_agent.as_str());
        request.set("Upgrade", "websocket");
        request.set("Connection", "Upgrade");
        request.set("Sec-WebSocket-Key", request.key.clone());
        request.set("Sec-WebSocket-Version", "13");
        if let Some(subprotocols) = subprotocols(endpoint, offer, credentials) {
            request.headers.push(("Sec-WebSocket-Protocol".into(), subprotocols));
        }
        if offer.deflate {
            request.set("Sec-WebSocket-Extensions", deflate::OFFER);
        }
        for Header { name, value, credential } in endpoint.headers.iter().chain(&offer.headers) {
            if credentials || !credential {
                request.add(name, clean(value));
            }
        }
        request.come_from(offer);
        request.check()?;
        Ok(request)
    }

    /// A GET of the same URL that asks for no upgrade.
    ///
    /// # Errors
    /// As [`Request::upgrade`].
    pub fn plain_get(endpoint: &Endpoint, offer: &Offer) -> Result<Self, DialError> {
        let mut request = Self::upgrade(endpoint, offer)?;
        request.remove("Upgrade");
        request.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("sec-websocket-"));
        request.set("Connection", "close");
        Ok(request)
    }

    /// A request to the endpoint's host that asks for no upgrade: by any method, with another path and query,
    /// further headers and a body of this media type.
    ///
    /// # Errors
    /// As [`Request::upgrade`]; the path too can be unfit to be written.
    pub fn plain(
        endpoint: &Endpoint,
        offer: &Offer,
        (method, target): (&str, SecretString),
        headers: Vec<(String, SecretString)>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Self, DialError> {
        let mut request = Self::plain_get(endpoint, offer)?;
        if !target.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(DialError::Credential("a value in a path can't be written"));
        }
        (request.method, request.target) = (method.to_owned(), target);
        request.set("Accept", "application/json");
        for (name, value) in headers {
            request.set_secret(&name, clean(&value));
        }
        request.come_from(offer);
        if let Some((kind, content)) = body {
            request.set("Content-Type", kind);
            request.set("Content-Length", content.len().to_string());
            request.body = content;
        } else if method != "GET" {
            request.set("Content-Length", "0");
        }
        request.check()?;
        Ok(request)
    }

    /// Sets a header, in place of one of the same name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.set_secret(name, value.into().into());
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }

    /// The value of `Sec-WebSocket-Key` that was made for this request.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it shows a credential, of whatever kind.
    pub(super) fn shows_credential(&self) -> bool {
        self.credential
    }

    /// The request in bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{} {} {}\r\n", self.method, self.target.expose_secret(), self.version);
        for (name, value) in &self.headers {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value.expose_secret());
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The `Origin` that this dial is about, in place of the one that the target always sends.
    fn come_from(&mut self, offer: &Offer) {
        if let Some(origin) = &offer.origin {
            self.set("Origin", origin.as_str());
        }
    }

    /// As [`Request::set_secret`], but one cookie does not take another's place: they share a header (RFC 6265,
    /// section 5.4).
    fn add(&mut self, name: &str, value: SecretString) {
        let old = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        match old.filter(|_| name.eq_ignore_ascii_case("cookie")) {
            Some((_, old)) => self.set_secret(name, cookies(old.expose_secret(), value.expose_secret())),
            None => self.set_secret(name, value),
        }
    }

    fn set_secret(&mut self, name: &str, value: SecretString) {
        match self.headers.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.headers.push((name.to_owned(), value)),
        }
    }

    fn check(&self) -> Result<(), DialError> {
        for (name, value) in &self.headers {
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(DialError::Credential("a header's name is not a token"));
            }
            if value.expose_secret().bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
                return Err(DialError::Credential("a header's value holds control characters"));
            }
        }
        Ok(())
    }
}

/// The `Sec-WebSocket-Accept` that answers a key (RFC 6455, section 4.2.2).
pub(super) fn accept_for(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// A token that was read from a file often ends in a line break.
fn clean(value: &SecretString) -> SecretString {
    value.expose_secret().trim().to_owned().into()
}

/// The new cookies, behind those of the old ones that have other names.
fn cookies(old: &str, new: &str) -> SecretString {
    let name = |cookie: &str| cookie.split('=').next().unwrap_or_default().trim().to_owned();
    let names: Vec<String> = new.split(';').map(name).collect();
    let kept = old.split(';').filter(|cookie| !names.contains(&name(cookie)));
    kept.chain(new.split(';')).map(str::trim).collect::<Vec<_>>().join("; ").into()
}

fn shows_credential(endpoint: &Endpoint, offer: &Offer) -> bool {
    endpoint.headers.iter().chain(&offer.headers).any(|header| header.credential)
        || !(offer.query.is_empty() && offer.credential_subprotocols.is_empty())
}

fn subprotocols(endpoint: &Endpoint, offer: &Offer, credentials: bool) -> Option<SecretString> {
    let plain = endpoint.subprotocols.iter().chain(&offer.subprotocols).map(String::as_str);
    let secret = offer.credential_subprotocols.iter().map(|secret| secret.expose_secret().trim());
    let all: Vec<&str> = if credentials { plain.chain(secret).collect() } else { plain.collect() };
    (!all.is_empty()).then(|| all.join(", ").into())
}

fn target(url: &Url, query: &[(String, SecretString)]) -> String {
    let mut url = url.clone();
    if !query.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in query {
            pairs.append_pair(name, value.expose_secret().trim());
        }
    }
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::super::tls::{TlsClient, TlsSettings};
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        let tls = TlsClient::new(TlsSettings::default()).unwrap();
        Endpoint::new(url.parse().unwrap(), tls.into()).unwrap()
    }

    fn text(request: &Request) -> String {
        String::from_utf8(request.encode()).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn credentials_are_sent_and_left_out_together() {
        let mut endpoint = endpoint("wss://gw.example:8443/chat?room=1");
        endpoint.subprotocols = vec!["mqtt".into()];
        endpoint.headers =
            vec![Header::plain("X-A", "1"), Header::credential("X-Key", "k3y".to_owned().into())];
        let mut offer = Offer {
            headers: vec![Header::credential("Authorization", "Bearer t0ken\n".to_owned().into())],
            query: vec![("access_token".into(), "q&ry".to_owned().into())],
            credential_subprotocols: vec!["s3cret".to_owned().into()],
            origin: Some("https://a.example".into()),
            ..Offer::default()
        };
        let request = Request::upgrade(&endpoint, &offer).unwrap();
        let full = text(&request);
        assert!(
            full.starts_with("GET /chat?room=1&access_token=q%26ry HTTP/1.1\r\nHost: gw.example:8443\r\n")
        );
        assert!(full.contains("\r\nAuthorization: Bearer t0ken\r\n"));
        assert!(full.contains("\r\nSec-WebSocket-Protocol: mqtt, s3cret\r\n"));
        assert!(full.contains("\r\nOrigin: https://a.example\r\n") && full.ends_with("\r\n\r\n"));
        let shown = format!("{request:?} {endpoint:?} {offer:?}");

        offer.without_credentials = true;
        let bare = text(&Request::upgrade(&endpoint, &offer).unwrap());
        for secret in ["k3y", "t0ken", "s3cret", "q%26ry", "q&ry"] {
            assert!(!shown.contains(secret), "{secret}");
            assert!(!bare.contains(secret), "{secret}");
        }
        assert!(request.shows_credential());
        assert!(!Request::upgrade(&endpoint, &offer).unwrap().shows_credential());
        assert!(bare.contains("X-A: 1") && !shown.contains("room"));
    }

    #[test]
    fn a_header_can_neither_be_smuggled_nor_doubled() {
        let endpoint = endpoint("ws://gw.example/");
        let bad =
            |name: &str, value: &str| Offer { headers: vec![Header::plain(name, value)], ..Offer::default() };
        assert!(Request::upgrade(&endpoint, &bad("X", "a\r\nY: b")).is_err());
        assert!(Request::upgrade(&endpoint, &bad("X: a", "b")).is_err());
        let request = Request::upgrade(&endpoint, &bad("host", "other.example")).unwrap();
        assert_eq!(text(&request).matches("other.example").count(), 1);
        assert!(!text(&request).contains("gw.example"));
        let offer = Offer { subprotocols: vec!["mqtt".into()], deflate: true, ..Offer::default() };
        let get = text(&Request::plain_get(&endpoint, &offer).unwrap());
        assert!(!get.to_lowercase().contains("upgrade") && !get.contains("Sec-WebSocket"));
    }

    #[test]
    fn what_one_dial_asks_for_replaces_what_the_target_always_sends() {
        let mut endpoint = endpoint("ws://gw.example/");
        let own = |name: &str, value: &str| Header::credential(name, value.to_owned().into());
        endpoint.headers = vec![
            Header::plain("ORIGIN", "https://app.example"),
            own("authorization", "Bearer own"),
            own("X-Api-Key", "k3y"),
        ];
        let offer = Offer {
            origin: Some("https://foreign.invalid".into()),
            headers: vec![own("Authorization", "Bearer forged")],
            ..Offer::default()
        };
        let ends = |request: &Request| {
            let lines = text(request);
            let value = |name: &str| {
                let named = lines.lines().filter(|line| line.to_lowercase().starts_with(name));
                named.filter_map(|line| line.rsplit_once([' ', '/'])).map(|(_, end)| end.to_owned()).collect()
            };
            [value("origin:"), value("authorization:")].map(|found: Vec<String>| found.join(" and "))
        };
        let foreign = ["foreign.invalid", "forged"];
        assert_eq!(ends(&Request::upgrade(&endpoint, &offer).unwrap()), foreign);
        assert_eq!(ends(&Request::plain_get(&endpoint, &offer).unwrap()), foreign);
        // The dialect's own request before the upgrade is that of the same page.
        let headers = vec![("origin".to_owned(), "https://other.example".to_owned().into())];
        let before = Request::plain(&endpoint, &offer, ("POST", "/".to_owned().into()), headers, None);
        assert_eq!(ends(&before.unwrap()), foreign);
        assert_eq!(ends(&Request::upgrade(&endpoint, &Offer::default()).unwrap()), ["app.example", "own"]);
        let bare = Offer { without_credentials: true, ..offer };
        let bare = Request::upgrade(&endpoint, &bare).unwrap();
        assert_eq!(ends(&bare), ["foreign.invalid", ""]);
        assert!(!text(&bare).contains("k3y"));
    }

    #[test]
    fn cookies_of_one_dial_join_those_of_the_target() {
        let mut endpoint = endpoint("ws://gw.example/");
        let own = |value: &str| Header::credential("cookie", value.to_owned().into());
        endpoint.headers = vec![own("plan=a; session=old")];
        let headers = vec![Header::credential("Cookie", "session=new; node=7".to_owned().into())];
        let request = Request::upgrade(&endpoint, &Offer { headers, ..Offer::default() }).unwrap();
        assert!(text(&request).contains("\r\ncookie: plan=a; session=new; node=7\r\n"));
        assert_eq!(text(&request).matches("session").count(), 1);
    }

    #[test]
    fn urls_that_are_no_endpoints() {
        let tls = std::sync::Arc::new(TlsClient::new(TlsSettings::default()).unwrap());
        for url in ["http://a/", "ws://u:p@a/", "ws://u@a/", "ws://a/#x", "file:///etc/passwd"] {
            assert!(Endpoint::new(url.parse().unwrap(), tls.clone()).is_err(), "{url}");
        }
    }
}

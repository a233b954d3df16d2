//! Who may ask for what changes something: a reload, a run out of turn, a pause, a canary's verification.

use std::borrow::Cow;
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, FORWARDED, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::routes::App;

/// Lets a request through whose client may change something.
pub(super) async fn guarded(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match may_change(app.parts.agent.token().as_ref(), peer.ip(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    BadToken,
    Remote,
    Browser,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let forbidden = |text: &'static str| (StatusCode::FORBIDDEN, text).into_response();
        match self {
            Self::BadToken => {
                let challenge = [(WWW_AUTHENTICATE, "Bearer")];
                (StatusCode::UNAUTHORIZED, challenge, "the token is missing or wrong\n").into_response()
            }
            Self::Remote => {
                forbidden("without http.token_file, only programs on the agent's machine may do that\n")
            }
            Self::Browser => forbidden("without http.token_file, no web page may do that\n"),
        }
    }
}

/// With a token, whoever shows it. Without one, programs on this machine: a proxy on this machine speaks
/// for others, and a browser for any web page.
fn may_change(token: Option<&SecretString>, peer: IpAddr, headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(token) = token {
        let shown = headers.get(AUTHORIZATION).and_then(|value| shown(value.as_bytes()));
        let right = shown.is_some_and(|shown| same(&shown, token.expose_secret().as_bytes()));
        return if right { Ok(()) } else { Err(Refusal::BadToken) };
    }
    let proxied = headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for");
    if proxied || !peer.to_canonical().is_loopback() {
        return Err(Refusal::Remote);
    }
    if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Err(Refusal::Browser);
    }
    Ok(())
}

/// The token of an `Authorization` header, as a bearer's (RFC 6750, section 2.1), or as the password of anybody (RFC
/// 7617): a client that can send no header, such as Flagger, has it in its URL. The scheme in any case: RFC 9110, 11.1.
fn shown(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, shown) = (&value[..space], value[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Cow::Borrowed(shown));
    }
    let pair = BASE64_STANDARD.decode(shown).ok().filter(|_| scheme.eq_ignore_ascii_case(b"basic"))?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Cow::Owned(pair[colon + 1..].to_vec()))
}

/// Takes the same time wherever the first difference is; only the length shows. Nothing is the same as an
/// empty token.
fn same(shown: &[u8], token: &[u8]) -> bool {
    if shown.len() != token.len() || token.is_empty() {
        return false;
    }
    let difference = shown.iter().zip(token).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn ask(token: Option<&str>, peer: &str, pairs: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        may_change(token.map(SecretString::from).as_ref(), peer.parse().unwrap(), &headers(pairs))
    }

    #[test]
    fn without_a_token_only_programs_on_this_machine_may() {
        for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(ask(None, here, &[]), Ok(()), "{here}");
        }
        for elsewhere in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "0.0.0.0"] {
            assert_eq!(ask(None, elsewhere, &[]), Err(Refusal::Remote), "{elsewhere}");
        }
        for proxy in ["x-forwarded-for", "forwarded"] {
            assert_eq!(ask(None, "127.0.0.1", &[(proxy, "10.0.0.1")]), Err(Refusal::Remote));
        }
        assert_eq!(ask(None, "::1", &[("origin", "https://evil.example")]), Err(Refusal::Browser));
        assert_eq!(ask(None, "::1", &[("sec-fetch-site", "cross-site")]), Err(Refusal::Browser));
        assert_eq!(ask(None, "10.0.0.1", &[("authorization", "Bearer x")]), Err(Refusal::Remote));
    }

    #[test]
    fn with_a_token_whoever_shows_it_may() {
        let with = |value| ask(Some("s3cret"), "10.0.0.1", &[("authorization", value)]);
        // Two passwords: the token, and one with a colon before it.
        let (basic, other) = ("basic Z2F0ZXByb2JlOnMzY3JldA==", "Basic Z2F0ZXByb2JlOjpzM2NyZXQ=");
        assert_eq!(with(other), Err(Refusal::BadToken));
        for right in ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret ", basic] {
            assert_eq!(with(right), Ok(()), "{right}");
        }
        for wrong in
            ["Bearer s3creT", "Bearer s3cre", "Bearer s3cret1", "Bearer ", "Bear", "s3cret", "Basic s3cret"]
        {
            assert_eq!(with(wrong), Err(Refusal::BadToken), "{wrong}");
        }
        assert_eq!(ask(Some("s3cret"), "127.0.0.1", &[]), Err(Refusal::BadToken));
        assert_eq!(ask(Some(""), "127.0.0.1", &[("authorization", "Bearer ")]), Err(Refusal::BadToken));
    }
}

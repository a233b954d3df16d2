//! Rules for tokens that an authorization server issues.

use url::Url;

use super::auth::{Missing, secret_source};
use super::text::is_this_machine;
use super::{Path, Report};
use crate::config::settings::OAuth2;
use crate::config::words::looks_secret;

/// Checks that a token can be asked for.
pub fn oauth2(report: &mut Report<'_>, path: &Path, oauth2: &OAuth2) {
    if let Some(complaint) = complaint_about_url(&oauth2.token_url.0) {
        report.problem(&path.key("token_url"), complaint);
    }
    secret_source(report, &path.key("client_secret"), &oauth2.client_secret, Missing::Later);
    if oauth2.client_id.is_empty() || !oauth2.client_id.chars().all(is_visible) {
        report.problem(&path.key("client_id"), "can't be a client's name; write printable ASCII");
    }
    if let Some(scope) = &oauth2.scope
        && !is_scope(scope)
    {
        let message = "can't be a scope (RFC 6749, section 3.3); write words with one blank between each two";
        report.problem(&path.key("scope"), message);
    }
    if oauth2.audience.as_ref().is_some_and(String::is_empty) {
        report.problem(&path.key("audience"), "is empty; write a value, or remove it");
    }
    for (name, value) in [("client_id", Some(&oauth2.client_id)), ("scope", oauth2.scope.as_ref())] {
        if value.is_some_and(|value| looks_secret(value)) {
            report.problem(&path.key(name), "looks like a credential, which must not stand in the config");
        }
    }
    if oauth2.timeout.get().is_zero() {
        report.problem(&path.key("timeout"), "0s can't be met; write more, or remove the field");
    }
}

/// RFC 6749, section 3.2: TLS is a must, but to this machine, and no fragment.
fn complaint_about_url(text: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(text) else { return Some("is not a URL; write https://HOST/PATH") };
    Some(match url.scheme() {
        "http" if !is_this_machine(&url) => {
            "would send the client's secret in clear text; write https://HOST/PATH"
        }
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            "a user or password must not stand in the URL; use client_id and client_secret"
        }
        "http" | "https" if url.fragment().is_some() => "has a fragment, which no request carries",
        "http" | "https" if url.port() == Some(0) => "has port 0; write 1 to 65535",
        "http" | "https" => return None,
        _ => "is not the URL of a token endpoint; write https://HOST/PATH",
    })
}

/// VSCHAR (RFC 6749, appendix A).
fn is_visible(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic()
}

/// RFC 6749, section 3.3.
fn is_scope(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'))
    };
    text.split(' ').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_by_tls_or_stays_on_this_machine() {
        for good in [
            "https://id.example.com/t?tenant=a",
            "http://127.0.0.1:9/t",
            "http://[::1]/",
            "http://localhost:8/",
        ] {
            assert_eq!(complaint_about_url(good), None, "{good}");
        }
        for bad in [
            "http://id.example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "wss://a/",
            "a",
            "https://u@a/",
        ] {
            assert!(complaint_about_url(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_words() {
        for (text, good) in
            [("a", true), ("a:b https://c/d", true), ("", false), ("a  b", false), ("\"a\"", false)]
        {
            assert_eq!(is_scope(text), good, "{text}");
        }
    }
}

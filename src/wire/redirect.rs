//! Which redirects are followed: never down to an unencrypted scheme, never to a host that nobody named,
//! never to an internal address that the target itself does not have.

use std::net::IpAddr;

use url::Url;

use super::endpoint::port;
use super::error::DialError;
use super::guard::{AddressGuard, AddressKind};
use super::response::Response;

/// Which redirects are followed. The default follows none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redirects {
    /// How many in a row; 0 refuses the first.
    pub max: u8,
    /// Hosts besides the target's own; one that begins with a dot allows its subdomains.
    pub hosts: Vec<String>,
}

/// Follows one chain of redirects.
pub(super) struct Trail<'a> {
    rules: &'a Redirects,
    origin: &'a Url,
    visited: Vec<Url>,
}

impl<'a> Trail<'a> {
    pub(super) fn new(rules: &'a Redirects, origin: &'a Url) -> Self {
        Self { rules, origin, visited: vec![origin.clone()] }
    }

    /// How many redirects were followed.
    pub(super) fn followed(&self) -> u8 {
        u8::try_from(self.visited.len() - 1).unwrap_or(u8::MAX)
    }

    /// Where a response leads to; `None` when it is no redirect.
    pub(super) fn next(&mut self, response: &Response) -> Result<Option<Url>, DialError> {
        let status = response.status;
        if !(300..400).contains(&status) {
            return Ok(None);
        }
        let from = self.visited.last().unwrap_or(self.origin);
        let next = response.header("location").and_then(|location| from.join(location).ok());
        let refused = DialError::Redirected { status, to: next.as_ref().map(told) };
        if self.rules.max == 0 || !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Err(refused);
        }
        let mut next = next.ok_or(refused)?;
        let scheme = match next.scheme() {
            "https" | "wss" => "wss",
            "http" | "ws" if from.scheme() == "ws" => "ws",
            _ => return Err(DialError::RedirectScheme),
        };
        // These four schemes are of one kind to the URL standard, so none of this can fail.
        let _ = next.set_scheme(scheme);
        let _ = next.set_username("");
        let _ = next.set_password(None);
        next.set_fragment(None);
        if !self.host_allowed(&next) {
            return Err(DialError::RedirectAddress);
        }
        if self.visited.contains(&next) || self.followed() >= self.rules.max {
            return Err(DialError::RedirectLoop);
        }
        self.visited.push(next.clone());
        Ok(Some(next))
    }

    fn host_allowed(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        same_host(url, self.origin) || self.rules.hosts.iter().any(|rule| host_matches(host, rule))
    }
}

/// A URL that a gateway sent, as it can be shown: what is left of it is ASCII without blanks (URL standard).
fn told(url: &Url) -> String {
    const MOST: usize = 200;
    let mut shown = url.clone();
    // What has no host has neither of them.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.as_str().chars().take(MOST).collect()
}

/// Whether two URLs name the same host.
pub(super) fn same_host(a: &Url, b: &Url) -> bool {
    a.host_str().is_some() && a.host_str() == b.host_str()
}

/// Whether credentials for one URL may be sent to another: the same host by the same port, or from one scheme's
/// own port to the other's.
pub(super) fn same_party(a: &Url, b: &Url) -> bool {
    same_host(a, b) && (port(a) == port(b) || (a.port().is_none() && b.port().is_none()))
}

/// Whether a host is the rule's, or below it where the rule begins with a dot.
fn host_matches(host: &str, rule: &str) -> bool {
    if rule.starts_with('.') {
        host.len() > rule.len() && host.to_ascii_lowercase().ends_with(&rule.to_ascii_lowercase())
    } else {
        host.eq_ignore_ascii_case(rule)
    }
}

/// The guard for a redirect: public addresses, and the kinds that the target's own address is of. A redirect
/// never gets more than the target itself.
pub(super) fn guard_after(own: AddressGuard, reached: Option<IpAddr>) -> AddressGuard {
    let kind = reached.and_then(AddressKind::of).filter(|kind| *kind != AddressKind::Metadata);
    match (kind, reached) {
        (Some(kind), Some(address)) if own.permits(address) => AddressGuard::public().allowing(kind),
        _ => AddressGuard::public(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, location: &str) -> Response {
        let text = format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\n\r\n");
        super::super::response::parse(text.as_bytes()).unwrap().unwrap().0
    }

    fn next(origin: &str, location: &str) -> Result<Option<Url>, DialError> {
        let rules = Redirects { max: 3, hosts: vec!["other.example".into(), ".trusted.example".into()] };
        Trail::new(&rules, &origin.parse().unwrap()).next(&response(302, location))
    }

    #[test]
    fn a_redirect_goes_where_the_rules_say() {
        let to = |origin, location| next(origin, location).unwrap().unwrap().to_string();
        assert_eq!(to("ws://gw.example/a", "/b"), "ws://gw.example/b");
        assert_eq!(to("ws://gw.example/a", "https://gw.example/b"), "wss://gw.example/b");
        assert_eq!(to("wss://gw.example/a", "https://u:p@other.example/b#c"), "wss://other.example/b");
        assert_eq!(to("wss://gw.example/a", "wss://a.trusted.example/"), "wss://a.trusted.example/");
        let refused = |origin, location| next(origin, location).unwrap_err();
        assert_eq!(refused("wss://gw.example/", "ws://gw.example/"), DialError::RedirectScheme);
        assert_eq!(refused("ws://gw.example/", "ftp://gw.example/"), DialError::RedirectScheme);
        assert_eq!(refused("ws://gw.example/", "//evil.example/"), DialError::RedirectAddress);
        assert_eq!(refused("ws://gw.example/", "ws://eviltrusted.example/"), DialError::RedirectAddress);
        assert_eq!(refused("ws://gw.example/a", "/a"), DialError::RedirectLoop);
        assert_eq!(next("ws://gw.example/", "/").unwrap_err(), DialError::RedirectLoop);
    }

    #[test]
    fn a_trail_ends_after_its_maximum_and_without_permission_at_once() {
        let rules = Redirects { max: 2, hosts: Vec::new() };
        let origin = "ws://gw.example/0".parse().unwrap();
        let mut trail = Trail::new(&rules, &origin);
        assert!(trail.next(&response(200, "/")).unwrap().is_none());
        assert!(trail.next(&response(307, "/1")).unwrap().is_some());
        assert!(trail.next(&response(308, "/2")).unwrap().is_some());
        assert_eq!(trail.next(&response(302, "/3")), Err(DialError::RedirectLoop));
        assert_eq!(trail.followed(), 2);
        let none = Redirects::default();
        let refused = |location| Trail::new(&none, &origin).next(&response(302, location)).unwrap_err();
        let to = "https://other.example/%3Cb%3E";
        assert_eq!(
            refused("/1"),
            DialError::Redirected { status: 302, to: Some("ws://gw.example/1".into()) }
        );
        assert_eq!(
            refused("https://u:p@other.example/<b>?token=secret#c").to_string(),
            format!("redirected (status 302) to {to}")
        );
        assert_eq!(refused("http://[").to_string(), "redirected (status 302)");
    }

    #[test]
    fn credentials_stay_with_their_party() {
        let same = |a: &str, b: &str| same_party(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("ws://gw.example/", "wss://gw.example/x"));
        assert!(same("wss://gw.example/", "wss://gw.example:443/x"));
        assert!(!same("wss://gw.example/", "wss://gw.example:8443/"));
        assert!(!same("wss://gw.example/", "wss://other.example/"));
    }

    #[test]
    fn an_internal_address_is_for_internal_targets() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let private: IpAddr = "10.0.0.1".parse().unwrap();
        let public: IpAddr = "1.1.1.1".parse().unwrap();
        let any = AddressGuard::any();
        assert!(!guard_after(any, Some(public)).permits(private));
        assert!(guard_after(any, Some(private)).permits(private));
        assert!(!guard_after(any, Some(private)).permits(loopback));
        assert!(guard_after(any, Some(loopback)).permits(public));
        let metadata: IpAddr = "169.254.169.254".parse().unwrap();
        assert!(!guard_after(any, Some(metadata)).permits(metadata));
    }
}

//! What texts must look like that go into requests.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

/// A token of RFC 9110, section 5.6.2: a header's name, a subprotocol, a cookie's name.
pub fn is_token(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

/// What may stand in a header's value: printable ASCII, no blank at either end.
pub fn is_header_text(text: &str) -> bool {
    text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) && text.trim_matches(' ') == text
}

/// A host: a name or an address.
pub fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_name(text)
}

/// A DNS name (underscores, as in Docker and SRV names, are fine).
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(inner) && !label.starts_with('-')
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// Whether what is sent there stays on this machine, and nobody reads it on the way.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A pattern for hosts: a host, `*.` and a name, or `*`.
pub fn is_host_pattern(text: &str) -> bool {
    text == "*" || is_host(text) || text.strip_prefix("*.").is_some_and(is_name)
}

/// Host and port, the port not 0. IPv6 addresses stand in brackets.
pub fn is_host_port(text: &str) -> bool {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return address.port() != 0;
    }
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    is_name(host) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for good in ["a:1", "a.example.net:443", "10.0.0.1:53", "[::1]:53", "my_svc:80"] {
            assert!(is_host_port(good), "{good}");
        }
        for bad in ["a", "a:0", "a:70000", ":80", "::1:80", "a b:1", "http://a:1", "a:"] {
            assert!(!is_host_port(bad), "{bad}");
        }
        for good in ["*", "*.example.com", "example.com", "::1", "10.0.0.1", "a."] {
            assert!(is_host_pattern(good), "{good}");
        }
        for bad in ["", "*.", "*x", "a.*", "*.*.a", "a/b", "-a", "a..b", "[::1]"] {
            assert!(!is_host_pattern(bad), "{bad}");
        }
    }
}

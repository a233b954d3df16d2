//! Cookies that a gateway, or the balancer in front of it, sets.

use std::sync::{Arc, Mutex, PoisonError};

use cookie_store::CookieStore;
use url::Url;

/// Cookies kept, at most: a gateway must not fill the agent's memory.
const MAX_COOKIES: usize = 50;

/// What happens to cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cookies {
    /// They are ignored.
    #[default]
    Off,
    /// They live as long as a run.
    Run,
    /// They live as long as the job.
    Session,
}

/// A jar that its clones share.
#[derive(Clone, Default)]
pub struct Jar(Arc<Mutex<CookieStore>>);

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Cookies are credentials.
        f.write_str("Jar")
    }
}

impl Jar {
    /// Keeps what a response to `url` set (RFC 6265, section 5.3).
    pub fn keep<'a>(&self, url: &Url, set_cookies: impl IntoIterator<Item = &'a str>) {
        let url = http(url);
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for cookie in set_cookies {
            if store.iter_any().count() < MAX_COOKIES {
                // A cookie that is malformed, expired or for another host is not ours to keep.
                let _ = store.parse(cookie, &url);
            }
        }
    }

    /// The `Cookie` header's value for a request to `url` (RFC 6265, section 5.4).
    pub fn header(&self, url: &Url) -> Option<String> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<String> =
            store.get_request_values(&http(url)).map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// Cookies know http and https only: ws is the one, wss the other.
fn http(url: &Url) -> Url {
    let mut text = url.to_string();
    text.replace_range(..2, "http");
    // "ws" became "http" and "wss" became "https": a valid URL as before.
    text.parse().unwrap_or_else(|_| url.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_back_to_their_host_only() {
        let jar = Jar::default();
        let url: Url = "wss://gw.example.com/chat".parse().expect("a URL");
        jar.keep(&url, ["route=a7; Path=/; Secure; HttpOnly", "other=1; Domain=evil.example", "nonsense"]);
        assert_eq!(jar.header(&url).as_deref(), Some("route=a7"));
        assert_eq!(jar.header(&"ws://gw.example.com/chat".parse().expect("a URL")), None, "Secure");
        assert_eq!(jar.header(&"wss://example.org/".parse().expect("a URL")), None);
    }

    #[test]
    fn a_jar_does_not_grow_without_bound() {
        let jar = Jar::default();
        let url: Url = "ws://gw.example.com/".parse().expect("a URL");
        for i in 0..1_000 {
            jar.keep(&url, [format!("c{i}=1").as_str()]);
        }
        assert_eq!(jar.header(&url).expect("some").split("; ").count(), MAX_COOKIES);
    }
}

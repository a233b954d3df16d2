//! The HTTP request before the upgrade: what is asked, and what the answer tells. Sends nothing itself.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use super::capture::Capture;
use super::names::{Meant, Scope};
use super::parts::Sending;
use super::spec::Method;
use super::text::Text;
use super::{Message, Variables};

/// The largest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 64 * 1024;

/// The HTTP request before the upgrade.
#[derive(Debug, Clone)]
pub struct Before {
    pub(super) method: Method,
    pub(super) path: Text,
    pub(super) headers: Vec<(String, Text)>,
    pub(super) body: Option<Sending>,
    pub(super) status: u16,
    pub(super) capture: Capture,
    pub(super) query: Vec<(String, Text)>,
}

/// A request that is ready to be sent. May hold secrets, which never show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct BeforeRequest {
    /// GET or POST.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The media type and the content.
    pub body: Option<(&'static str, Vec<u8>)>,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BeforeError {
    /// Another status than the dialect's.
    #[error("it answered {status}, not {wanted}")]
    Refused {
        /// The answer's status.
        status: u16,
        /// The dialect's.
        wanted: u16,
    },
    /// The status is right, but the content is not JSON.
    #[error("its answer is not JSON")]
    NotJson,
    /// A value that the dialect wants is not there.
    #[error("its answer lacks what `{0}` is captured from")]
    Lacks(String),
}

impl Before {
    /// The request with its values.
    pub fn request(&self, variables: &Variables) -> BeforeRequest {
        let scope = Scope::of(variables);
        BeforeRequest {
            method: match self.method {
                Method::Get => "GET",
                Method::Post => "POST",
            },
            target: self.path.fill_with(scope, percent_encoded),
            headers: filled(&self.headers, scope),
            body: self.body.as_ref().map(|body| {
                let kind =
                    if matches!(body, Sending::Json { .. }) { "application/json" } else { "text/plain" };
                match body.fill(scope) {
                    Message::Text(text) => (kind, text.into_bytes()),
                    Message::Binary(bytes) => (kind, bytes.to_vec()),
                }
            }),
        }
    }

    /// Whether an answer with this status has content that tells anything.
    pub fn wants_content(&self, status: u16) -> bool {
        status == self.status && !self.capture.is_empty()
    }

    /// Reads an answer: the variables that it tells.
    ///
    /// # Errors
    /// When it is not the answer that the dialect promises.
    pub fn read(&self, status: u16, content: &[u8]) -> Result<Variables, BeforeError> {
        if status != self.status {
            return Err(BeforeError::Refused { status, wanted: self.status });
        }
        if self.capture.is_empty() {
            return Ok(Variables::new());
        }
        let json = serde_json::from_slice(content).map_err(|_| BeforeError::NotJson)?;
        self.capture.all(&json).map_err(|name| BeforeError::Lacks(name.to_owned()))
    }

    /// What is added to the query of the upgrade's URL: names and values, not yet encoded.
    pub fn query(&self, variables: &Variables) -> Vec<(String, String)> {
        filled(&self.query, Scope::of(variables))
    }
}

/// Those whose variables all have values: half a credential is none.
fn filled(named: &[(String, Text)], scope: Scope<'_>) -> Vec<(String, String)> {
    let is_set = |text: &Text| text.names().all(|name| matches!(scope.get(name), Meant::Value(_)));
    let set = named.iter().filter(|(_, text)| is_set(text));
    set.map(|(name, text)| (name.clone(), text.fill(scope))).collect()
}

impl fmt::Debug for BeforeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let body = self.body.as_ref().map(|(_, content)| content.len());
        f.debug_struct("BeforeRequest")
            .field("method", &self.method)
            .field("headers", &names)
            .field("body", &body)
            .finish_non_exhaustive()
    }
}

/// All but the unreserved characters of RFC 3986, section 2.3, as `%XX`.
fn percent_encoded(text: Cow<'_, str>) -> Cow<'_, str> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.bytes().all(unreserved) {
        return text;
    }
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match unreserved(byte) {
            true => encoded.push(byte as char),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded.into()
}

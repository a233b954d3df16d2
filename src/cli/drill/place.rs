//! One of the servers that a drill talks to, over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use url::Url;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes: a Prometheus may have many alerts.
const LARGEST: usize = 16 << 20;
/// How much of a refusal is shown, in characters.
const SHOWN: usize = 200;

/// One of the servers that a drill talks to.
pub struct Place {
    /// Its part in the drill.
    what: &'static str,
    base: Url,
    credential: Option<HeaderValue>,
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What arguments make no place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Not `http://` or `https://`.
    #[error("{what}: write a URL that begins with http:// or https://")]
    Scheme {
        /// Its part in the drill.
        what: &'static str,
    },
    /// What stands in an argument is seen by everybody on the machine.
    #[error("{what}: the URL holds a user, a query or a fragment; put a token, or user:password, in a file")]
    Secret {
        /// Its part in the drill.
        what: &'static str,
    },
    /// Unreadable, empty, or no text that can stand in a header.
    #[error("{what}: {} holds no token that can be read", path.display())]
    Token {
        /// Its part in the drill.
        what: &'static str,
        /// The file.
        path: Box<Path>,
    },
}

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No connection, or none that held.
    #[error("{what} can't be reached: {why}")]
    Unreachable {
        /// Whom.
        what: &'static str,
        /// What went wrong.
        why: String,
    },
    /// No answer in time.
    #[error("{what} did not answer within {} s", PATIENCE.as_secs())]
    Slow {
        /// Whom.
        what: &'static str,
    },
    /// Another status than one of success.
    #[error("{what} answered {status}: {text}")]
    Status {
        /// Who.
        what: &'static str,
        /// The status.
        status: StatusCode,
        /// The beginning of what it said.
        text: String,
    },
    /// The answer is not what such a server says.
    #[error("{what} does not answer as expected: {why}")]
    Unexpected {
        /// Who.
        what: &'static str,
        /// What is missing.
        why: String,
    },
}

impl Place {
    /// A server at a URL, with a bearer token or `user:password` from a file.
    ///
    /// # Errors
    /// When the URL or the file can't be used.
    pub fn new(
        what: &'static str,
        url: &Url,
        token: Option<&Path>,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, PlaceError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(PlaceError::Scheme { what });
        }
        let plain = url.username().is_empty() && url.password().is_none();
        if !plain || url.query().is_some() || url.fragment().is_some() {
            return Err(PlaceError::Secret { what });
        }
        let mut base = url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", url.path()));
        }
        let credential = match token {
            Some(path) => Some(
                credential(path)
                    .ok_or_else(|| PlaceError::Token { what, path: path.to_path_buf().into() })?,
            ),
            None => None,
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config((**tls).clone()).https_or_http();
        // A connection for each request: one that was kept may have ended meanwhile.
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector.enable_http1().build());
        Ok(Self { what, base, credential, client })
    }

    /// Its part in the drill.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The URL of a path below it, to be shown.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// GET of JSON.
    ///
    /// # Errors
    /// When there is no answer, another status than one of success, or something else than such JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, RequestError> {
        let body = self.send(Method::GET, path, query, "").await?;
        serde_json::from_slice(&body).map_err(|error| self.unexpected(error.to_string()))
    }

    /// GET of a text.
    ///
    /// # Errors
    /// When there is no answer, another status than one of success, or no UTF-8.
    pub async fn text(&self, path: &str) -> Result<String, RequestError> {
        let body = self.send(Method::GET, path, &[], "").await?;
        String::from_utf8(body.into()).map_err(|_| self.unexpected("its answer is no text".to_owned()))
    }

    /// A request that changes something.
    ///
    /// # Errors
    /// When there is no answer, or another status than one of success.
    pub async fn change(&self, method: Method, path: &str, body: &str) -> Result<(), RequestError> {
        self.send(method, path, &[], body).await.map(|_| ())
    }

    /// The error of an answer that is not what such a server says.
    pub fn unexpected(&self, why: impl Into<String>) -> RequestError {
        RequestError::Unexpected { what: self.what, why: why.into() }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: &str,
    ) -> Result<Bytes, RequestError> {
        let what = self.what;
        let unreachable = |error: &(dyn std::error::Error + 'static)| RequestError::Unreachable {
            what,
            why: with_causes(error),
        };
        let mut url = self.base.join(path).map_err(|error| unreachable(&error))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = Request::builder().method(method).uri(url.as_str());
        if let Some(credential) = &self.credential {
            request = request.header(AUTHORIZATION, credential);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .map_err(|error| unreachable(&error))?;
        let exchange = async {
            let (head, body) =
                self.client.request(request).await.map_err(|error| unreachable(&error))?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(|error| unreachable(&*error))?;
            Ok((head.status, body.to_bytes()))
        };
        let (status, body) = timeout(PATIENCE, exchange).await.map_err(|_| RequestError::Slow { what })??;
        if status.is_success() {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body).trim().chars().take(SHOWN).collect();
        Err(RequestError::Status { what, status, text })
    }
}

/// The value of `Authorization`: a token, or a user and a password with a colon between them, which no token has.
fn credential(path: &Path) -> Option<HeaderValue> {
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let value = match text.contains(':') {
        true => format!("Basic {}", STANDARD.encode(text)),
        false => format!("Bearer {text}"),
    };
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{TlsClient, TlsSettings};

    fn place(url: &str, token: Option<&Path>) -> Result<Place, PlaceError> {
        let tls = TlsClient::new(TlsSettings::default()).unwrap().client_config();
        Place::new("the agent", &url.parse().unwrap(), token, &tls)
    }

    #[tokio::test]
    async fn paths_are_below_the_url() {
        let place = place("https://example.com/prometheus", None).unwrap();
        assert_eq!(place.url("api/v1/query"), "https://example.com/prometheus/api/v1/query");
    }

    #[test]
    fn what_may_be_secret_is_refused_and_not_repeated() {
        for url in [
            "http://user:s3cr3t@example.com/",
            "http://example.com/?token=s3cr3t",
            "http://example.com/#s3cr3t",
        ] {
            let error = place(url, None).err().unwrap().to_string();
            assert!(error.contains("in a file") && !error.contains("s3cr3t"), "{error}");
        }
        assert!(matches!(place("ftp://example.com/", None), Err(PlaceError::Scheme { .. })));
    }

    #[test]
    fn a_file_holds_a_token_or_a_user_with_a_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, wanted) in
            [("t0k3n\n", Some("Bearer t0k3n")), ("a:b", Some("Basic YTpi")), (" \n", None), ("a\nb", None)]
        {
            std::fs::write(&file, text).unwrap();
            let value = credential(&file);
            assert_eq!(value.as_ref().and_then(|value| value.to_str().ok()), wanted);
            assert!(value.is_none_or(|value| value.is_sensitive()));
        }
        assert!(credential(Path::new("/nonexistent")).is_none());
    }
}

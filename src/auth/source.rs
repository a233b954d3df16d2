//! Where tokens come from.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;

/// The largest token that any header takes.
const MAX_TOKEN: u64 = 16 * 1024;

/// Where a token comes from; read anew for each run, since something else may rotate it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The content of a file, without white space around it.
    File(PathBuf),
    /// An environment variable of the agent.
    Env(String),
}

/// A token that was good when it was fetched. Its text never shows in `Debug`.
#[derive(Debug, Clone)]
pub struct Token {
    text: SecretString,
    expires_at: Option<SystemTime>,
}

/// Why there is no usable token: never the gateway's fault.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The file can't be read.
    #[error("the token file {path} can't be read: {kind}")]
    Unreadable {
        /// The configured path.
        path: String,
        /// The operating system's error, by kind.
        kind: std::io::ErrorKind,
    },
    /// No file can be opened at all: `EMFILE` or `ENFILE`. Nothing is known of the token.
    #[error("no file descriptor is left to read the token file {path}")]
    NoDescriptors {
        /// The configured path.
        path: String,
    },
    /// The file or variable holds nothing.
    #[error("the token in {from} is empty")]
    Empty {
        /// File or variable.
        from: String,
    },
    /// The variable is not set.
    #[error("the environment variable {name} is not set")]
    Unset {
        /// The variable.
        name: String,
    },
    /// The text could not stand in a request.
    #[error("the token in {from} is longer than 16 KiB or has a character that no request can carry")]
    Unusable {
        /// File or variable.
        from: String,
    },
    /// The token's own `exp` claim has passed.
    #[error("the token in {from} expired {ago} s ago")]
    Expired {
        /// File or variable.
        from: String,
        /// Whole seconds since its `exp`.
        ago: u64,
    },
}

impl Source {
    /// Fetches the token.
    ///
    /// # Errors
    /// When it is missing, unreadable, unusable, or a JWT whose `exp` (RFC 7519, section 4.1.4) has passed at `now`.
    pub async fn fetch(&self, now: SystemTime) -> Result<Token, AuthError> {
        let (from, raw) = match self {
            Self::File(path) => (path.display().to_string(), read(path).await?),
            Self::Env(name) => {
                let unset = || AuthError::Unset { name: name.clone() };
                (name.clone(), std::env::var(name).map_err(|_| unset())?)
            }
        };
        let text = raw.trim();
        if text.is_empty() {
            return Err(AuthError::Empty { from });
        }
        if text.len() as u64 > MAX_TOKEN || !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(AuthError::Unusable { from });
        }
        let expires_at = jwt_expiry(text);
        if let Some(Ok(ago)) = expires_at.map(|at| now.duration_since(at)) {
            return Err(AuthError::Expired { from, ago: ago.as_secs() });
        }
        Ok(Token { text: SecretString::from(text), expires_at })
    }
}

impl Token {
    /// The text itself. Only for the bytes that go to the gateway.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// When it expires by its own word; unknown for tokens that are not JWTs.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

async fn read(path: &PathBuf) -> Result<String, AuthError> {
    let unreadable = |error: std::io::Error| {
        let path = path.display().to_string();
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => AuthError::NoDescriptors { path },
            _ => AuthError::Unreadable { path, kind: error.kind() },
        }
    };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut text = String::new();
    // One byte more than allowed, so that too long a token is seen to be so.
    file.take(MAX_TOKEN + 64).read_to_string(&mut text).await.map_err(unreadable)?;
    Ok(text)
}

/// The `exp` of a JWT, read without trusting it: it only tells that our own token is stale.
fn jwt_expiry(token: &str) -> Option<SystemTime> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: f64,
    }
    let token = token.rsplit(' ').next()?;
    let claims: Claims = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(claims.exp).ok()?)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    async fn fetch(content: &str, now: u64) -> Result<Token, AuthError> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("token");
        std::fs::write(&path, content).expect("written");
        Source::File(path).fetch(at(now)).await
    }

    #[tokio::test]
    async fn a_token_is_read_without_white_space_and_never_shown() {
        let token = fetch("  s3cr3t-token\n", 0).await.expect("good");
        assert_eq!(token.expose(), "s3cr3t-token");
        assert_eq!(token.expires_at(), None);
        assert!(!format!("{token:?}").contains("s3cr3t"));
    }

    #[tokio::test]
    async fn an_expired_jwt_is_our_own_fault() {
        let text = jwt(r#"{"sub":"probe","exp":1000}"#);
        assert_eq!(fetch(&text, 999).await.expect("still good").expires_at(), Some(at(1000)));
        let error = fetch(&text, 1060).await.expect_err("expired");
        assert!(matches!(error, AuthError::Expired { ago: 60, .. }), "{error}");
    }

    #[tokio::test]
    async fn missing_empty_and_unusable_tokens_say_which() {
        let missing = Source::File("/nonexistent/token".into()).fetch(at(0)).await.expect_err("missing");
        assert!(matches!(missing, AuthError::Unreadable { kind: std::io::ErrorKind::NotFound, .. }));
        assert!(matches!(fetch(" \n", 0).await, Err(AuthError::Empty { .. })));
        assert!(matches!(fetch("a\nb", 0).await, Err(AuthError::Unusable { .. })));
        assert!(matches!(fetch(&"x".repeat(17_000), 0).await, Err(AuthError::Unusable { .. })));
        let unset = Source::Env("GATEPROBE_NO_SUCH_VARIABLE".into()).fetch(at(0)).await;
        assert!(matches!(unset, Err(AuthError::Unset { .. })));
    }
}

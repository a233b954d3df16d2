//! Where tokens come from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::io::AsyncReadExt;
use tokio::task::spawn_blocking;

use super::token::MAX_TOKEN;
use super::{AuthError, Forgery, Mint, Token};
use crate::model::Span;

/// Where a token comes from; read or made anew for each connection, since something else may rotate it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The content of a file, without white space around it.
    File(PathBuf),
    /// An environment variable of the agent.
    Env(String),
    /// Signed here.
    Mint(Arc<Mint>),
}

impl Source {
    /// Fetches the token, or makes it.
    ///
    /// # Errors
    /// When it is missing, unreadable, unusable, or a JWT whose `exp` (RFC 7519, section 4.1.4) has passed at `now`;
    /// when the key to sign it with is missing or wrong.
    pub async fn fetch(&self, now: SystemTime) -> Result<Token, AuthError> {
        let (from, raw) = match self {
            Self::File(path) => (path.display().to_string(), read(path).await?),
            Self::Env(name) => {
                let unset = || AuthError::Unset { name: name.clone() };
                (name.clone(), std::env::var(name).map_err(|_| unset())?)
            }
            Self::Mint(mint) => {
                let mint = Arc::clone(mint);
                return aside(move || mint.mint(now)).await;
            }
        };
        let text = raw.trim();
        if text.is_empty() {
            return Err(AuthError::Empty { from });
        }
        if text.len() > MAX_TOKEN || !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(AuthError::Unusable { from });
        }
        let token = Token::new(text);
        if let Some(Ok(ago)) = token.expires_at().map(|at| now.duration_since(at)) {
            return Err(AuthError::Expired { from, ago: ago.as_secs() });
        }
        Ok(token)
    }

    /// The same, but one that differs from all before, as far as that is in our hands: what a file or variable holds
    /// is still what it holds.
    ///
    /// # Errors
    /// As [`Source::fetch`].
    pub async fn fetch_new(&self, now: SystemTime) -> Result<Token, AuthError> {
        self.fetch(now).await
    }

    /// Whether each token that is asked for can be a new one.
    pub fn makes_new(&self) -> bool {
        !matches!(self, Self::File(_) | Self::Env(_))
    }

    /// A source of such tokens that live for so long; none where that is not in our hands.
    pub fn lasting(&self, lifetime: Span) -> Option<Self> {
        match self {
            Self::Mint(mint) => Some(Self::Mint(Arc::new(Mint { lifetime, ..Mint::clone(mint) }))),
            _ => None,
        }
    }

    /// How long its tokens live, where that is in our hands.
    pub fn lifetime(&self) -> Option<Span> {
        match self {
            Self::Mint(mint) => Some(mint.lifetime),
            _ => None,
        }
    }

    /// Whose tokens they are, where we say so.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Mint(mint) => mint.subject.as_deref(),
            _ => None,
        }
    }

    /// Makes a token that a gateway must refuse. `None` where none can be made: those that need the key come only
    /// from a [`Mint`], and most others only from a JWT.
    ///
    /// # Errors
    /// As [`Source::fetch`]: a forgery is made of a token that is good but for what is forged. One that has expired
    /// anyway would be refused for that, and would prove nothing.
    pub async fn forge(&self, forgery: Forgery, now: SystemTime) -> Result<Option<Token>, AuthError> {
        if let Self::Mint(mint) = self {
            let mint = Arc::clone(mint);
            return aside(move || mint.forge(forgery, now)).await;
        }
        if forgery.needs_key() {
            return Ok(None);
        }
        let genuine = self.fetch(now).await?;
        aside(move || Ok(forgery.of(genuine.expose()).map(|text| Token::new(&text)))).await
    }
}

/// Where signing, making keys and reading files hold up nobody's timers.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
) -> Result<T, AuthError> {
    spawn_blocking(work).await.unwrap_or(Err(AuthError::Interrupted))
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
    // More than allowed, so that too long a token is seen to be so.
    file.take(MAX_TOKEN as u64 + 64).read_to_string(&mut text).await.map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn jwt(claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(claims))
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

    #[tokio::test]
    async fn what_is_forged_depends_on_what_the_token_is() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("token");
        let source = Source::File(path.clone());
        for (content, possible) in [
            (jwt(r#"{"exp":1000}"#), vec![Forgery::Garbled, Forgery::AlgNone, Forgery::WrongKey]),
            ("an-opaque-one".to_owned(), vec![Forgery::Garbled]),
        ] {
            std::fs::write(&path, &content).expect("written");
            for forgery in Forgery::ALL {
                let forged = source.forge(forgery, at(0)).await.expect("readable");
                assert_eq!(forged.is_some(), possible.contains(&forgery), "{forgery:?} of {content}");
                assert!(forged.is_none_or(|forged| forged.expose() != content));
            }
        }
        std::fs::write(&path, jwt(r#"{"exp":1000}"#)).expect("written");
        let stale = source.forge(Forgery::AlgNone, at(1001)).await;
        assert!(matches!(stale, Err(AuthError::Expired { .. })), "it would be refused anyway");
    }
}

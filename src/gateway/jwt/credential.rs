//! The token that a session belongs to, and what it says.

use std::time::Duration;

use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

use crate::gateway::settings::Token;

/// A token, and what it says. `Debug` does not show the token.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The token itself.
    pub token: Token,
    /// `sub`.
    pub subject: Option<String>,
    /// `exp`, since the Unix epoch.
    pub expires: Duration,
    /// What it can be told by when it comes again.
    pub id: TokenId,
}

/// Tells tokens apart: a digest of the `jti`; of a token without one, of its whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; 20]);

impl Credential {
    /// What a token says that has these claims; `None` without an `exp` or a token.
    pub fn new(token: &str, claims: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let id = text("jti").map_or_else(|| Sha1::digest(token), |jti| Sha1::digest(format!("jti {jti}")));
        Some(Self {
            token: Token::new(token)?,
            subject: text("sub").map(str::to_owned),
            expires: numeric_date(claims.get("exp")?)?,
            id: TokenId(id.into()),
        })
    }
}

/// A time since the Unix epoch, with a fraction or without (RFC 7519 section 2).
pub fn numeric_date(value: &Value) -> Option<Duration> {
    let whole = value.as_u64().map(Duration::from_secs);
    whole.or_else(|| Duration::try_from_secs_f64(value.as_f64()?).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn credential(token: &str, claims: Value) -> Option<Credential> {
        Credential::new(token, claims.as_object().unwrap())
    }

    #[test]
    fn a_token_is_told_by_its_jti_and_without_one_by_its_text() {
        let id = |token: &str, claims| credential(token, claims).unwrap().id;
        assert_eq!(id("a", json!({ "exp": 1, "jti": "x" })), id("b", json!({ "exp": 2, "jti": "x" })));
        assert_ne!(id("a", json!({ "exp": 1, "jti": "x" })), id("a", json!({ "exp": 1, "jti": "y" })));
        assert_eq!(id("a", json!({ "exp": 1 })), id("a", json!({ "exp": 1, "jti": 5 })));
        assert_ne!(id("a", json!({ "exp": 1 })), id("b", json!({ "exp": 1 })));
    }

    #[test]
    fn an_exp_is_a_number_and_the_token_is_not_shown() {
        for (exp, expected) in [
            (json!(5), Some(Duration::from_secs(5))),
            (json!(5.5), Some(Duration::from_millis(5500))),
            (json!(u64::MAX), Some(Duration::from_secs(u64::MAX))),
            (json!(1e300), None),
            (json!(-1), None),
            (json!("5"), None),
            (json!(null), None),
        ] {
            assert_eq!(credential("t0ken", json!({ "exp": exp })).map(|c| c.expires), expected, "{exp}");
        }
        let shown = format!("{:?}", credential("t0ken", json!({ "exp": 5, "sub": "me" })));
        assert!(shown.contains("me") && !shown.contains("t0ken"), "{shown}");
    }
}

//! JSON Web Tokens taken apart and put together wrongly (RFC 7515, section 7.1), no I/O.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Map, Value};

use super::Algorithm;

/// A signed JWT, not verified.
pub(super) struct Jwt<'a> {
    /// What stands before it, such as `Bearer `.
    lead: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Jwt<'a> {
    /// The JWT that is the last word of a text; `None` for any other token, for one without a signature too.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (lead, token) = text.split_at(text.rfind(' ').map_or(0, |at| at + 1));
        let mut parts = token.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || signature.is_empty() {
            return None;
        }
        let jwt = Self { lead, header, payload, signature };
        object(payload)?;
        let algorithm = object(header)?;
        let signed = algorithm.get("alg")?.as_str().is_some_and(|alg| !alg.eq_ignore_ascii_case("none"));
        signed.then_some(jwt)
    }

    /// What it says that it is signed by; `None` where we can't sign so.
    pub fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::named(object(self.header)?.get("alg")?.as_str()?)
    }

    /// A claim changed, and the signature kept. The claim is `exp`, by a second, so that whoever lets it in lets
    /// in nobody else; without one, `jti`.
    pub fn garbled(&self) -> Option<String> {
        let mut claims = object(self.payload)?;
        match claims.get("exp").and_then(Value::as_i64) {
            Some(exp) => claims.insert("exp".into(), exp.wrapping_add(1).into()),
            None => claims.insert("jti".into(), Value::Null),
        };
        rename(&mut claims);
        Some(format!("{}{}.{}.{}", self.lead, self.header, encoded(&claims), self.signature))
    }

    /// The algorithm `none` and an empty signature (RFC 7519, section 6.1).
    pub fn unsigned(&self) -> Option<String> {
        let mut header = object(self.header)?;
        header.insert("alg".into(), "none".into());
        Some(format!("{}{}.{}.", self.lead, encoded(&header), self.renamed()?))
    }

    /// The claims with another `jti`, where there is one: what is forged is not to be refused for having been used.
    fn renamed(&self) -> Option<String> {
        let mut claims = object(self.payload)?;
        Some(if rename(&mut claims) { encoded(&claims) } else { self.payload.to_owned() })
    }

    /// The same header and claims, signed with another key. `None` when the key does not sign by the algorithm.
    pub fn signed_with(&self, key: &EncodingKey, algorithm: Algorithm) -> Option<String> {
        let message = format!("{}.{}", self.header, self.renamed()?);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm.into()).ok()?;
        Some(format!("{}{message}.{signature}", self.lead))
    }
}

/// One character changed in a token of which nothing is known. `None` for one without letters and digits.
pub(super) fn garbled(text: &str) -> Option<String> {
    let start = text.rfind(' ').map_or(0, |at| at + 1);
    let places: Vec<usize> =
        (start..text.len()).filter(|at| text.as_bytes()[*at].is_ascii_alphanumeric()).collect();
    // In the middle: the last characters of Base64 may hold bits that nobody reads.
    let at = *places.get(places.len() / 2)?;
    let changed = match text.as_bytes()[at] {
        b'9' => '0',
        b'z' => 'a',
        b'Z' => 'A',
        other => char::from(other + 1),
    };
    Some(format!("{}{changed}{}", &text[..at], &text[at + 1..]))
}

/// Gives the token another `jti` (RFC 7519, section 4.1.7), where it has one; tells whether it has.
fn rename(claims: &mut Map<String, Value>) -> bool {
    let id = claims.get_mut("jti").map(|id| *id = format!("{:032x}", rand::random::<u128>()).into());
    id.is_some()
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn encoded(object: &Map<String, Value>) -> String {
    // A map of JSON values can't fail to be written.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(object).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2lnbmF0dXJl", part(header), part(claims))
    }

    fn parts(token: &str) -> (Map<String, Value>, Map<String, Value>, &str) {
        let mut parts = token.rsplit(' ').next().unwrap().split('.');
        let mut next = || parts.next().unwrap();
        (object(next()).unwrap(), object(next()).unwrap(), next())
    }

    #[test]
    fn only_signed_jwts_are_taken_apart() {
        let header = json!({"alg": "ES512", "kid": "k"});
        let good = token(&header, &json!({"sub": "probe"}));
        assert_eq!(Jwt::parse(&good).unwrap().algorithm(), None);
        for bad in [
            "",
            "opaque",
            "a.b.c",
            "..",
            &good[..good.len() - 12],
            &format!("{good}.x"),
            &token(&json!({"alg": "nOnE"}), &json!({})),
            &token(&json!({"alg": 1}), &json!({})),
            &token(&json!({}), &json!({})),
            &token(&header, &json!([])),
        ] {
            assert!(Jwt::parse(bad).is_none(), "{bad}");
        }
    }

    /// A gateway that takes each token once must refuse it for what is forged all the same.
    #[test]
    fn what_is_forged_was_never_used_before() {
        let good = token(&json!({"alg": "HS256"}), &json!({"sub": "probe", "jti": "once", "exp": 1000}));
        let jwt = Jwt::parse(&good).unwrap();
        let key = EncodingKey::from_secret(b"a key of the test's own");
        let forged = [jwt.garbled(), jwt.unsigned(), jwt.signed_with(&key, Algorithm::HS256)];
        for forged in forged.map(Option::unwrap) {
            let (_, claims, _) = parts(&forged);
            assert_eq!((&claims["sub"], claims.len()), (&json!("probe"), 3));
            assert_ne!(claims["jti"], "once");
        }
    }

    #[test]
    fn each_change_is_the_only_one() {
        let header = json!({"kid": "k", "alg": "HS256", "typ": "JWT"});
        let claims = json!({"sub": "probe", "exp": 1000, "tenant": {"id": 7}});
        let text = format!("Bearer {}", token(&header, &claims));
        let jwt = Jwt::parse(&text).unwrap();

        let garbled = jwt.garbled().unwrap();
        let (same, changed, signature) = parts(&garbled);
        assert!(garbled.starts_with("Bearer "));
        assert_eq!((Value::from(same), signature), (header.clone(), "c2lnbmF0dXJl"));
        assert_eq!(Value::from(changed), json!({"sub": "probe", "exp": 1001, "tenant": {"id": 7}}));

        let unsigned = jwt.unsigned().unwrap();
        let (header_of_none, same, signature) = parts(&unsigned);
        assert_eq!(Value::from(header_of_none), json!({"kid": "k", "alg": "none", "typ": "JWT"}));
        assert_eq!((Value::from(same), signature), (claims, ""));

        let key = EncodingKey::from_secret(b"of somebody else");
        let signed = jwt.signed_with(&key, Algorithm::HS256).unwrap();
        let (kept, _) = text.rsplit_once('.').unwrap();
        assert!(signed.starts_with(kept) && signed != text);
        assert!(jwt.signed_with(&key, Algorithm::ES256).is_none());
    }

    /// RFC 7515, appendix A.1.
    #[test]
    fn the_example_of_the_rfc_is_signed_as_there() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(key).unwrap());
        let header = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
        let claims =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let text = format!("{header}.{claims}.{}", "A".repeat(43));
        let jwt = Jwt::parse(&text).unwrap();
        assert_eq!(jwt.algorithm(), Some(Algorithm::HS256));
        assert_eq!(
            jwt.signed_with(&key, Algorithm::HS256).unwrap(),
            format!("{header}.{claims}.{signature}")
        );
    }

    #[test]
    fn an_opaque_token_differs_in_one_character() {
        for (text, changed) in
            [("Bearer abc", "Bearer acc"), ("9", "0"), ("z-Z", "z-A"), ("a.b.c.d.e", "a.b.d.d.e")]
        {
            assert_eq!(garbled(text).as_deref(), Some(changed));
        }
        assert_eq!(garbled("--"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_told_apart_and_garbled_to_another(text in "[ -~]{0,80}") {
            if let Some(jwt) = Jwt::parse(&text) {
                prop_assert_ne!(jwt.garbled(), Some(text.clone()));
            }
            if let Some(changed) = garbled(&text) {
                prop_assert_eq!(changed.len(), text.len());
                prop_assert_eq!(changed.bytes().zip(text.bytes()).filter(|(a, b)| a != b).count(), 1);
            }
        }

        #[test]
        fn what_is_kept_is_kept(name in "[a-z]{1,8}", value in any::<i64>(), exp in proptest::option::of(any::<i64>())) {
            let mut claims = json!({ "c": value });
            if let Some(exp) = exp { claims["exp"] = exp.into(); }
            let header = json!({ "alg": "RS256", "kid": name });
            let text = token(&header, &claims);
            let jwt = Jwt::parse(&text).unwrap();
            let unsigned = jwt.unsigned().unwrap();
            prop_assert!(Jwt::parse(&unsigned).is_none());
            prop_assert_eq!(Value::from(parts(&unsigned).1), claims.clone());
            let garbled = jwt.garbled().unwrap();
            let (same, changed, signature) = parts(&garbled);
            prop_assert_eq!((Value::from(same), signature), (header, "c2lnbmF0dXJl"));
            prop_assert_ne!(Value::from(changed), claims);
        }
    }
}

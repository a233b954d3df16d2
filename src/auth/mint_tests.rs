use std::collections::BTreeMap;

use jsonwebtoken::{DecodingKey, Validation, decode};
use serde_json::json;

use super::*;
use crate::auth::Source;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// Well before the year 2100, when this test shall be somebody else's.
const NOW: u64 = 4_000_000_000;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn mint(folder: &tempfile::TempDir) -> Mint {
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, format!("{SECRET}\n")).unwrap();
    let text = json!({
        "algorithm": "HS256", "key_file": key_file, "key_id": "k1", "issuer": "https://probe.example",
        "audience": "chat", "subject": "gateprobe", "claims": {"tenant": "synthetic"}, "lifetime": "1500ms",
    });
    serde_json::from_value(text).unwrap()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// What the token says, if the secret signed it.
fn read(token: &Token) -> Option<BTreeMap<String, Value>> {
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let read = decode(token.expose(), &DecodingKey::from_secret(SECRET.as_bytes()), &validation).ok()?;
    Some(read.claims)
}

#[test]
fn a_minted_token_has_all_its_claims_and_another_id_each_time() {
    let folder = folder();
    let mint = mint(&folder);
    let token = mint.mint(now()).unwrap();
    let mut claims = read(&token).unwrap();
    let jti = claims.remove("jti").unwrap();
    let expected = json!({
        "aud": "chat", "exp": NOW + 2, "gateprobe": true, "iat": NOW, "iss": "https://probe.example",
        "nbf": NOW, "sub": "gateprobe", "tenant": "synthetic",
    });
    assert_eq!(json!(claims), expected);
    assert_eq!(jti.as_str().unwrap().len(), 32);
    assert_ne!(read(&mint.mint(now()).unwrap()).unwrap()["jti"], jti);
    let header = jsonwebtoken::decode_header(token.expose()).unwrap();
    assert_eq!((header.kid.as_deref(), header.typ.as_deref()), (Some("k1"), Some("JWT")));
    assert_eq!(token.expires_at(), Some(now() + Duration::from_secs(2)));
    let without = Mint { not_before: false, ..mint };
    assert!(!read(&without.mint(now()).unwrap()).unwrap().contains_key("nbf"));
}

#[test]
fn each_forgery_is_wrong_in_one_thing() {
    let folder = folder();
    let mint = mint(&folder);
    let good = read(&mint.mint(now()).unwrap()).unwrap();
    let forged = |forgery| mint.forge(forgery, now()).unwrap().unwrap();
    let changed = |forgery| {
        let claims = read(&forged(forgery)).expect("signed with the right key");
        let differs = |name: &&String| *name != "jti" && claims[*name] != good[*name];
        good.keys().filter(differs).cloned().collect::<Vec<_>>()
    };
    assert_eq!(changed(Forgery::Expired), ["exp", "iat", "nbf"]);
    assert_eq!(changed(Forgery::NotYetValid), ["exp", "nbf"]);
    assert_eq!(changed(Forgery::OtherSubject), ["sub"]);
    assert_eq!(changed(Forgery::OtherAudience), ["aud"]);
    let expired = read(&forged(Forgery::Expired)).unwrap();
    assert!(expired["exp"].as_u64().unwrap() <= NOW - 3_600);
    assert_eq!(read(&forged(Forgery::NotYetValid)).unwrap()["nbf"], NOW + 3_600);
    for forgery in [Forgery::Garbled, Forgery::AlgNone, Forgery::WrongKey] {
        assert_eq!(read(&forged(forgery)), None, "{forgery:?}");
    }
    let nobody = Mint { subject: None, audience: None, ..mint };
    for forgery in [Forgery::OtherSubject, Forgery::OtherAudience] {
        assert!(nobody.forge(forgery, now()).unwrap().is_none());
    }
}

#[test]
fn the_key_is_read_anew() {
    let folder = folder();
    let mint = mint(&folder);
    assert!(read(&mint.mint(now()).unwrap()).is_some());
    std::fs::write(&mint.key_file, SECRET.replace('0', "9")).unwrap();
    assert!(read(&mint.mint(now()).unwrap()).is_none());
    std::fs::write(&mint.key_file, "").unwrap();
    let error = mint.mint(now()).unwrap_err().to_string();
    assert_eq!(error, format!("the key file {} is empty", mint.key_file.display()));
}

#[test]
fn what_can_not_be_signed_says_why() {
    let folder = folder();
    let good = mint(&folder);
    let far = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert!(matches!(good.mint(far), Err(AuthError::Clock)));
    assert!(matches!(good.forge(Forgery::Expired, SystemTime::UNIX_EPOCH), Err(AuthError::Clock)));
    let long = Claims([("c".to_owned(), "x".repeat(16_384).into())].into_iter().collect());
    assert!(matches!(Mint { claims: long, ..good.clone() }.mint(now()), Err(AuthError::TooLong)));
    let missing = Mint { key_file: folder.path().join("none"), ..good.clone() };
    assert!(missing.mint(now()).unwrap_err().to_string().contains("entity not found"));
    let no_file = Mint { key_file: folder.path().to_owned(), ..good.clone() };
    assert!(no_file.mint(now()).unwrap_err().to_string().ends_with("is not a plain file"));
    for name in ["iat", "nbf", "exp", "jti", "gateprobe", "iss", "aud", "sub"] {
        let claims = Claims([(name.to_owned(), 1.into())].into_iter().collect());
        let both = Mint { claims, ..good.clone() };
        assert_eq!(both.refused_claims().map(|(name, _)| name).collect::<Vec<_>>(), [name]);
    }
    assert_eq!(good.refused_claims().count(), 0);
}

#[tokio::test]
async fn a_source_mints_and_shows_nothing() {
    let folder = folder();
    let mint = mint(&folder);
    let claims = Claims([("c".to_owned(), "s3cr3t".into())].into_iter().collect());
    let source = Source::Mint(Mint { claims, ..mint }.into());
    let (one, other) = tokio::join!(source.fetch(now()), source.fetch(now()));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.expose(), other.expose());
    let forged = source.forge(Forgery::AlgNone, now()).await.unwrap().unwrap();
    assert!(forged.expose().ends_with('.'));
    let shown = format!("{source:?} {one:?} {forged:?}");
    assert!(!shown.contains("s3cr3t") && !shown.contains("eyJ") && !shown.contains(SECRET), "{shown}");
}

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use super::client::*;
use crate::gateway::{Error, Fault, Handle, JwtRules, Settings};

pub const SECRET: &str = "the secret of the test, and of nobody else";

pub fn rules(algorithm: Algorithm, key: &str) -> Result<JwtRules, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, key).unwrap();
    JwtRules::read(algorithm, &file)
}

async fn asking(rules: JwtRules) -> Handle {
    gateway(Settings { jwt: Some(rules), ..Settings::default() }).await
}

fn good() -> Value {
    let now = get_current_timestamp();
    json!({ "iss": "test", "aud": ["a", "b"], "nbf": now - 5, "exp": now + 60 })
}

/// The good claims with one of them changed.
fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = good();
    claims[name] = value.into();
    claims
}

pub fn signed(claims: &Value, secret: &str) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

pub fn unsigned(claims: &Value) -> String {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", part(json!({ "alg": "none" }).to_string()), part(claims.to_string()))
}

/// The status that an upgrade with this token gets.
async fn status(gateway: &Handle, token: &str) -> u16 {
    let head = connect(gateway).await.upgrade(&format!("Authorization: Bearer {token}\r\n")).await;
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn only_good_tokens_are_let_in() {
    let rules = rules(Algorithm::HS256, &format!("{SECRET}\n")).unwrap();
    let rules = rules.with_issuer(Some("test".into())).with_audience(Some("b".into()));
    assert!(!format!("{rules:?}").contains("secret of the test"));
    let gateway = asking(rules.clone()).await;
    let now = get_current_timestamp();
    let token = signed(&good(), SECRET);
    assert_eq!(status(&gateway, &token).await, 101);
    let by_query = request("").replace("GET /x", &format!("GET /x?access_token={token}"));
    let mut client = connect(&gateway).await;
    client.send(by_query.as_bytes()).await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));

    assert!(connect(&gateway).await.upgrade("").await.starts_with("HTTP/1.1 401 "));
    for bad in [
        String::new(),
        "no.jwt.here".to_owned(),
        format!("{token}x"),
        signed(&good(), "another secret"),
        unsigned(&good()),
        signed(&with("exp", now), SECRET),
        signed(&with("exp", Value::Null), SECRET),
        signed(&with("nbf", now + 60), SECRET),
        signed(&with("iss", "somebody"), SECRET),
        signed(&with("aud", "c"), SECRET),
        signed(&with("aud", Value::Null), SECRET),
    ] {
        assert_eq!(status(&gateway, &bad).await, 401, "{bad}");
    }
    let lenient = asking(rules.with_leeway(Duration::from_secs(3_600))).await;
    assert_eq!(status(&lenient, &signed(&with("exp", now - 60), SECRET)).await, 101);
    assert_eq!(status(&lenient, &signed(&with("nbf", now + 60), SECRET)).await, 101);
    assert_eq!(status(&lenient, &signed(&with("exp", now - 7_200), SECRET)).await, 401);
}

#[tokio::test]
async fn each_fault_lets_its_own_kind_in_and_no_other() {
    let rules = rules(Algorithm::HS256, SECRET).unwrap().with_audience(Some("a".into()));
    let gateway = asking(rules).await;
    let past = get_current_timestamp() - 100;
    let bad = [
        ("jwt_expired_accepted", signed(&with("exp", past), SECRET)),
        ("jwt_unsigned_accepted", unsigned(&good())),
        ("jwt_forged_accepted", signed(&good(), "another secret")),
        // Wrong in two things, or in what no fault is for.
        ("", unsigned(&with("exp", past))),
        ("", signed(&with("exp", past), "another secret")),
        ("", signed(&with("aud", "c"), SECRET)),
        ("", "no.jwt.here".to_owned()),
    ];
    for fault in ["jwt_expired_accepted", "jwt_unsigned_accepted", "jwt_forged_accepted"] {
        gateway.set_fault(fault.parse().unwrap()).unwrap();
        assert_eq!(status(&gateway, &signed(&good(), SECRET)).await, 101, "{fault}");
        for (kind, token) in &bad {
            let expected = if *kind == fault { 101 } else { 401 };
            assert_eq!(status(&gateway, token).await, expected, "{fault}: {token}");
        }
        gateway.clear_all();
    }
    gateway.set_fault(Fault::NoAuth).unwrap();
    assert_eq!(status(&gateway, "anything").await, 101);
}

#[tokio::test]
async fn every_algorithm_is_spoken() {
    for (algorithm, kind) in [
        (Algorithm::RS256, &PKCS_RSA_SHA256),
        (Algorithm::ES256, &PKCS_ECDSA_P256_SHA256),
        (Algorithm::ES384, &PKCS_ECDSA_P384_SHA384),
        (Algorithm::EdDSA, &PKCS_ED25519),
    ] {
        let key = KeyPair::generate_for(kind).unwrap();
        let rules = rules(algorithm, &key.public_key_pem()).unwrap().with_audience(Some("a".into()));
        let gateway = asking(rules).await;
        assert_eq!(status(&gateway, &signed(&good(), &key.public_key_pem())).await, 401, "{algorithm:?}");
        let der = key.serialized_der();
        let key = match algorithm {
            // Signing wants PKCS#1, which is what is inside; 26 bytes stand before it.
            Algorithm::RS256 => EncodingKey::from_rsa_der(&der[26..]),
            Algorithm::EdDSA => EncodingKey::from_ed_der(der),
            _ => EncodingKey::from_ec_der(der),
        };
        let token = encode(&Header::new(algorithm), &good(), &key).unwrap();
        assert_eq!(status(&gateway, &token).await, 101, "{algorithm:?}");
    }
}

#[tokio::test]
async fn what_is_no_key_for_the_algorithm_is_refused() {
    let p256 = KeyPair::generate().unwrap();
    for (algorithm, key) in [
        (Algorithm::HS256, String::new()),
        (Algorithm::ES256, "no key".to_owned()),
        (Algorithm::ES256, p256.serialize_pem()),
        (Algorithm::ES384, p256.public_key_pem()),
        (Algorithm::RS256, p256.public_key_pem()),
        (Algorithm::EdDSA, p256.public_key_pem()),
    ] {
        let error = rules(algorithm, &key).unwrap_err().to_string();
        assert!(error.contains("holds no key for"), "{error}");
    }
    let plain = gateway(Settings::default()).await;
    let error = plain.set_fault("jwt_forged_accepted".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("asks for no JSON Web Token"), "{error}");
}

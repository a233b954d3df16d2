//! Minted and forged tokens, held against the reference gateway and against PyJWT, with which they share no code.

pub mod keys;
mod refresh;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use gateprobe::auth::{Algorithm, Forgery, Mint, Source, Token};
use gateprobe::gateway::{self, JwtRules, Settings};
use serde_json::{Value, json};

use crate::support::program::answers;
use crate::support::{Bench, folder, words, write};
use keys::Keys;

const ISSUER: &str = "https://gateprobe.example.com";
const AUDIENCE: &str = "chat";
const SUBJECT: &str = "gateprobe-user";
/// No test waits that long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn mint(algorithm: Algorithm, keys: &Keys) -> Mint {
    let settings = json!({
        "algorithm": algorithm, "key_file": keys.private, "key_id": "gateprobe-1", "issuer": ISSUER,
        "audience": AUDIENCE, "subject": SUBJECT, "claims": {"tenant": "synthetic"}, "lifetime": "5m",
    });
    serde_json::from_value(settings).expect("settings")
}

fn settings(algorithm: Algorithm, keys: &Keys) -> Settings {
    let rules = JwtRules::read(algorithm.into(), &keys.public).expect("a key");
    let rules = rules.with_issuer(Some(ISSUER.into())).with_audience(Some(AUDIENCE.into()));
    Settings { jwt: Some(rules), ..Settings::default() }
}

/// The status that an upgrade with this token gets.
fn status(gateway: &gateway::Handle, token: &Token) -> u16 {
    let mut stream = TcpStream::connect_timeout(&gateway.address(), PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let request = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer {}\r\n\r\n",
        token.expose()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut line = [0; 12];
    stream.read_exact(&mut line).expect("an answer");
    String::from_utf8_lossy(&line[9..]).parse().expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_lets_a_minted_token_in_and_no_forged_one() {
    let folder = folder();
    for algorithm in Algorithm::ALL {
        let keys = Keys::new(folder.path(), algorithm);
        let gateway = gateway::start(settings(algorithm, &keys)).await.expect("a gateway");
        let source = Source::Mint(mint(algorithm, &keys).into());
        let good = source.fetch(SystemTime::now()).await.expect("a token");
        assert_eq!(status(&gateway, &good), 101, "{algorithm}");
        for forgery in Forgery::ALL {
            let forged = source.forge(forgery, SystemTime::now()).await.expect("a key").expect("a forgery");
            // Nobody's session is open yet, whose subject another one could be.
            let expected = if forgery == Forgery::OtherSubject { 101 } else { 401 };
            assert_eq!(status(&gateway, &forged), expected, "{algorithm}, {forgery:?}");
        }
        // A token that something else minted.
        let file = Source::File(write(folder.path(), "token", good.expose()));
        for forgery in [Forgery::Garbled, Forgery::AlgNone, Forgery::WrongKey] {
            let forged = file.forge(forgery, SystemTime::now()).await.expect("a token").expect("a forgery");
            assert_eq!(status(&gateway, &forged), 401, "{algorithm}, {forgery:?} of a file's");
        }
        gateway.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_the_gateway_takes_the_forgery_that_it_is_for() {
    let folder = folder();
    let keys = Keys::new(folder.path(), Algorithm::ES256);
    let gateway = gateway::start(settings(Algorithm::ES256, &keys)).await.expect("a gateway");
    let source = Source::Mint(mint(Algorithm::ES256, &keys).into());
    for (fault, taken) in [
        ("jwt_expired_accepted", vec![Forgery::Expired]),
        ("jwt_unsigned_accepted", vec![Forgery::AlgNone]),
        ("jwt_forged_accepted", vec![Forgery::Garbled, Forgery::WrongKey]),
    ] {
        gateway.set_fault(fault.parse().expect("a fault")).expect("a fault that shows");
        for forgery in Forgery::ALL.into_iter().filter(|forgery| *forgery != Forgery::OtherSubject) {
            let forged = source.forge(forgery, SystemTime::now()).await.expect("a key").expect("a forgery");
            let expected = if taken.contains(&forgery) { 101 } else { 401 };
            assert_eq!(status(&gateway, &forged), expected, "{fault}, {forgery:?}");
        }
        gateway.clear_all();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_mint_their_tokens_and_a_bad_key_accuses_nobody() {
    let folder = folder();
    let keys = Keys::new(folder.path(), Algorithm::EdDSA);
    let gateway = gateway::start(settings(Algorithm::EdDSA, &keys)).await.expect("a gateway");
    let key = keys.private.display();
    let token = format!(
        "token: {{ mint: {{ algorithm: EdDSA, key_file: {key}, issuer: '{ISSUER}', audience: {AUDIENCE} }} }}"
    );
    let expect = "checks: { handshake: { expect: { no_token_refused: true } } }";
    let url = gateway.url();
    let bench = Bench::new(&format!(
        "lag_bound: 10s\ntargets:\n  header: {{ url: '{url}', auth: {{ {token} }}, {expect} }}\n  \
         query: {{ url: '{url}', auth: {{ {token}, place: {{ query: }} }}, {expect} }}\n"
    ));
    for target in ["header", "query"] {
        let report = &bench.run(target).await[0];
        assert_eq!(words(report), "pass", "{}", report.detail);
    }
    // Read anew each time: what was mounted meanwhile counts.
    for (content, why) in [
        (Some(Keys::new(folder.path(), Algorithm::ES256).public_text), "holds no private key in PEM"),
        (Some(String::new()), "is empty"),
        (None, "can't be read: entity not found"),
    ] {
        match content {
            Some(text) => std::fs::write(&keys.private, text).expect("written"),
            None => std::fs::remove_file(&keys.private).expect("removed"),
        }
        let report = &bench.run("header").await[0];
        assert_eq!(words(report), "inconclusive credential", "{}", report.detail);
        let named = format!("the key file {key} {why}");
        assert!(report.detail.starts_with(&named), "{}, not {named}", report.detail);
    }
    // Another key of the right kind: the gateway refuses what it signs, and that is for people to see.
    let other = Keys::new(folder.path(), Algorithm::EdDSA);
    assert_eq!(other.private, keys.private);
    assert_eq!(words(&bench.run("header").await[0]), "fail unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_something_else_rotates_counts_from_the_next_connection_on() {
    let folder = folder();
    let keys = Keys::new(folder.path(), Algorithm::ES256);
    let gateway = gateway::start(settings(Algorithm::ES256, &keys)).await.expect("a gateway");
    let source = Source::Mint(mint(Algorithm::ES256, &keys).into());
    let token = async |at| source.fetch(at).await.expect("a token").expose().to_owned();
    let first = token(SystemTime::now()).await;
    let file = write(folder.path(), "token", &first);
    let bench = Bench::new(&format!(
        "lag_bound: 10s\ntargets:\n  chat: {{ url: '{}', auth: {{ token: {{ file: {file:?} }} }} }}\n",
        gateway.url()
    ));
    assert_eq!(words(&bench.run("chat").await[0]), "pass");
    // As a sidecar does it: another file in its place.
    let stale = token(SystemTime::now() - Duration::from_secs(600)).await;
    for (content, expected) in [
        (stale.as_str(), "inconclusive credential"),
        (&token(SystemTime::now()).await, "pass"),
        ("not-a-token", "fail unauthorized"),
        (&first, "pass"),
    ] {
        std::fs::rename(write(folder.path(), "new", content), &file).expect("rotated");
        let report = &bench.run("chat").await[0];
        assert_eq!(words(report), expected, "{}", report.detail);
    }
}

/// PyJWT's answers to questions.
fn pyjwt(questions: &[Value]) -> Vec<Value> {
    answers("tests/it/tokens/pyjwt.py", questions)
}

fn question(token: &Token, algorithm: Algorithm, keys: &Keys) -> Value {
    json!({
        "verify": token.expose(), "key": keys.public_text, "algorithm": algorithm,
        "audience": AUDIENCE, "issuer": ISSUER, "subject": SUBJECT,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn pyjwt_takes_what_is_minted_and_names_what_is_forged() {
    let folder = folder();
    let (mut questions, mut expected) = (Vec::new(), Vec::new());
    for algorithm in Algorithm::ALL {
        let keys = Keys::new(folder.path(), algorithm);
        let source = Source::Mint(mint(algorithm, &keys).into());
        let good = source.fetch(SystemTime::now()).await.expect("a token");
        questions.push(question(&good, algorithm, &keys));
        expected.push((format!("{algorithm}, good"), "good"));
        for forgery in Forgery::ALL {
            let forged = source.forge(forgery, SystemTime::now()).await.expect("a key").expect("a forgery");
            questions.push(question(&forged, algorithm, &keys));
            let named = match forgery {
                Forgery::Expired => "ExpiredSignatureError",
                Forgery::NotYetValid => "ImmatureSignatureError",
                Forgery::Garbled | Forgery::WrongKey => "InvalidSignatureError",
                Forgery::AlgNone => "InvalidAlgorithmError",
                Forgery::OtherSubject => "InvalidSubjectError",
                Forgery::OtherAudience => "InvalidAudienceError",
            };
            expected.push((format!("{algorithm}, {forgery:?}"), named));
        }
    }
    for (answer, (what, expected)) in pyjwt(&questions).iter().zip(expected) {
        match answer {
            Value::Object(claims) => {
                assert_eq!(expected, "good", "{what}");
                assert_eq!((&claims["gateprobe"], &claims["tenant"]), (&json!(true), &json!("synthetic")));
                assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|issued| issued + 300));
            }
            name => assert_eq!(name, expected, "{what}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pyjwt_signs_is_forged_so_that_pyjwt_refuses_it() {
    let folder = folder();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let claims =
        json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "exp": now + 600, "n": [1, {"ü": null}] });
    let keys: Vec<(Algorithm, Keys)> =
        Algorithm::ALL.map(|algorithm| (algorithm, Keys::new(folder.path(), algorithm))).into();
    let orders: Vec<Value> = keys
        .iter()
        .map(|(algorithm, keys)| {
            let key = std::fs::read_to_string(&keys.private).expect("a key");
            json!({ "sign": claims, "key": key, "algorithm": algorithm, "headers": {"kid": "k1"} })
        })
        .collect();
    let (mut questions, mut expected) = (Vec::new(), Vec::new());
    for ((algorithm, keys), token) in keys.iter().zip(pyjwt(&orders)) {
        let source = Source::File(write(folder.path(), "token", token.as_str().expect("a token")));
        let good = source.fetch(SystemTime::now()).await.expect("a good token");
        assert_eq!(good.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(now + 600)));
        questions.push(question(&good, *algorithm, keys));
        expected.push(claims.clone());
        for (forgery, named) in [
            (Forgery::Garbled, "InvalidSignatureError"),
            (Forgery::AlgNone, "InvalidAlgorithmError"),
            (Forgery::WrongKey, "InvalidSignatureError"),
        ] {
            let forged = source.forge(forgery, SystemTime::now()).await.expect("a token").expect("a forgery");
            questions.push(question(&forged, *algorithm, keys));
            expected.push(named.into());
        }
    }
    assert_eq!(pyjwt(&questions), expected);
}

use jsonwebtoken::Header;
use proptest::prelude::*;

use super::*;

const TEXT: &[u8] = b"0123456789abcdef0123456789abcdef";

fn raw(content: &[u8]) -> Result<Vec<u8>, KeyFault> {
    parse(content, Algorithm::HS256, KeyEncoding::Raw).map(|key| key.as_bytes().to_owned())
}

fn base64(content: &str) -> Result<Vec<u8>, KeyFault> {
    parse(content.as_bytes(), Algorithm::HS256, KeyEncoding::Base64).map(|key| key.as_bytes().to_owned())
}

fn too_short(algorithm: Algorithm, bits: usize, least: usize) -> Option<KeyFault> {
    Some(KeyFault::TooShort { algorithm, bits, least })
}

#[test]
fn a_secret_is_long_enough_or_refused() {
    for (algorithm, least) in [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)] {
        let with = |length: usize| parse(&vec![b'x'; length], algorithm, KeyEncoding::Raw);
        assert!(with(least).is_ok());
        assert_eq!(with(least - 1).err(), too_short(algorithm, least * 8 - 8, least * 8));
    }
    for empty in [&b""[..], b"\n", b" \t\r\n "] {
        assert_eq!(raw(empty), Err(KeyFault::Empty));
    }
    assert_eq!(raw(&vec![b'x'; 65_537]), Err(KeyFault::TooLarge));
    // 32 characters of Base64 are 24 bytes.
    assert_eq!(base64(&"a".repeat(32)).err(), too_short(Algorithm::HS256, 192, 256));
}

#[test]
fn a_line_break_is_dropped_from_a_text_only() {
    for end in ["", "\n", "\r\n"] {
        assert_eq!(raw(&[TEXT, end.as_bytes()].concat()), Ok(TEXT.to_owned()));
    }
    let binary = [&[0x80; 32][..], b"\n"].concat();
    assert_eq!(raw(&binary), Ok(binary));
}

#[test]
fn base64_is_read_in_each_of_its_forms() {
    let secret = vec![0xfb; 34];
    let standard = base64::engine::general_purpose::STANDARD.encode(&secret);
    let url = standard.replace('+', "-").replace('/', "_");
    let lines = format!(" {}\n{}\n", &standard[..20], &standard[20..]);
    for text in [&standard, &url, &lines, &url.trim_end_matches('=').to_owned()] {
        assert_eq!(base64(text), Ok(secret.clone()), "{text}");
    }
    assert_eq!(base64("no base64!"), Err(KeyFault::NotBase64));
}

/// A private key of each kind, as PEM.
fn keys() -> [(&'static str, String); 4] {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};
    let pem = |algorithm| KeyPair::generate_for(algorithm).unwrap().serialize_pem();
    [
        ("RSA key of 2048 to 8192 bits", pem(&PKCS_RSA_SHA256)),
        ("P-256 key", pem(&PKCS_ECDSA_P256_SHA256)),
        ("P-384 key", pem(&PKCS_ECDSA_P384_SHA384)),
        ("Ed25519 key", pem(&PKCS_ED25519)),
    ]
}

#[test]
fn each_algorithm_takes_its_own_kind_of_key_and_no_other() {
    let keys = keys();
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let mut fitting = 0;
        for (kind, pem) in &keys {
            match parse(pem.as_bytes(), algorithm, KeyEncoding::Raw) {
                Ok(key) => {
                    let signed = jsonwebtoken::encode(&Header::new(algorithm.into()), &(), &key);
                    assert!(signed.is_ok(), "{algorithm}, {kind}");
                    fitting += 1;
                }
                Err(KeyFault::WrongKind { wanted, .. }) => assert_ne!(wanted, *kind),
                Err(fault) => panic!("{algorithm}, {kind}: {fault}"),
            }
        }
        assert_eq!(fitting, 1, "{algorithm}");
    }
    for (_, pem) in &keys {
        let fault = KeyFault::Pem { algorithm: Algorithm::HS256 };
        assert_eq!(raw(pem.as_bytes()), Err(fault));
    }
}

#[test]
fn the_older_forms_of_a_key_are_read_too() {
    for (kind, pem) in &keys()[..3] {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let inside =
            base64::engine::general_purpose::STANDARD.encode(inside_pkcs8(der.secret_der()).unwrap());
        let (label, algorithm) = match *kind {
            "P-256 key" => ("EC", Algorithm::ES256),
            "P-384 key" => ("EC", Algorithm::ES384),
            _ => ("RSA", Algorithm::PS256),
        };
        let older =
            format!("-----BEGIN {label} PRIVATE KEY-----\n{inside}\n-----END {label} PRIVATE KEY-----\n");
        let key = parse(older.as_bytes(), algorithm, KeyEncoding::Raw).unwrap();
        assert!(jsonwebtoken::encode(&Header::new(algorithm.into()), &(), &key).is_ok(), "{kind}");
    }
}

#[test]
fn what_is_no_private_key_says_so() {
    let es256 = |text: &str| parse(text.as_bytes(), Algorithm::ES256, KeyEncoding::Raw).err();
    assert_eq!(es256("a secret"), Some(KeyFault::NotPem));
    let public = rcgen::KeyPair::generate().unwrap().public_key_pem();
    assert_eq!(es256(&public), Some(KeyFault::NotPem));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(es256(encrypted), Some(KeyFault::Encrypted));
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(matches!(es256(broken), Some(KeyFault::WrongKind { wanted: "P-256 key", .. })));
}

#[test]
fn a_stranger_signs_by_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let key = stranger(algorithm).unwrap();
        assert!(jsonwebtoken::encode(&Header::new(algorithm.into()), &(), &key).is_ok(), "{algorithm}");
        if algorithm.key_kind() != KeyKind::Rsa {
            assert_ne!(key.as_bytes(), stranger(algorithm).unwrap().as_bytes(), "{algorithm}");
        }
    }
}

proptest! {
    #[test]
    fn any_content_is_a_key_or_refused(content in prop::collection::vec(any::<u8>(), 0..200)) {
        for algorithm in Algorithm::ALL {
            for encoding in [KeyEncoding::Raw, KeyEncoding::Base64] {
                let _ = parse(&content, algorithm, encoding);
            }
            let pem = [b"-----BEGIN PRIVATE KEY-----\n", &*content, b"\n-----END PRIVATE KEY-----\n"].concat();
            prop_assert!(parse(&pem, algorithm, KeyEncoding::Raw).is_err());
        }
        let _ = inside_pkcs8(&content);
    }
}

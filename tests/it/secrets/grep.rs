//! Finds a secret in a text, in whatever form it might have got there.

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// Asserts that none of the secrets stands in a text; `place` says which text.
pub fn assert_clean(place: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        if let Some(form) = found(text, secret) {
            panic!("{place} tells a secret as {form:?} (of {secret:?}):\n{}", around(text, &form));
        }
    }
}

/// The form in which a secret stands in the text. Secrets are letters and digits, so that percent-encoding
/// leaves them alone, unless it is done to every byte, which the hexadecimal form finds.
pub fn found(text: &str, secret: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let percentless = lower.replace('%', "");
    let hidden = |form: &String| lower.contains(form) || percentless.contains(form);
    let forms = [secret.to_lowercase(), hexadecimal(secret), decimal(secret)];
    forms.into_iter().find(hidden).or_else(|| base64(secret).into_iter().find(|form| text.contains(form)))
}

fn hexadecimal(secret: &str) -> String {
    secret.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// As `Debug` writes bytes.
fn decimal(secret: &str) -> String {
    secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ")
}

/// The parts of a Base64 text that are the secret's alone, wherever in the encoded text it begins.
fn base64(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
        let engine = GeneralPurpose::new(alphabet, GeneralPurposeConfig::new().with_encode_padding(false));
        for before in 0..3 {
            let encoded = engine.encode([&[0; 3][..before], secret.as_bytes()].concat());
            // Six bits a character: those that share a byte with what is before or after are not ours.
            let first = (before * 8).div_ceil(6);
            let last = (before + secret.len()) * 8 / 6;
            forms.push(encoded[first..last].to_owned());
        }
    }
    forms
}

/// The lines in which it stands.
fn around(text: &str, form: &str) -> String {
    let form = form.to_lowercase();
    let lines = text.lines().filter(|line| line.to_lowercase().contains(&form));
    lines.map(|line| line.chars().take(500).collect::<String>() + "\n").take(5).collect()
}

#[test]
fn every_form_is_found() {
    let secret = "Zq7Marker42x";
    for before in ["", "a", "ab", "user:"] {
        let text = format!("{before}{secret}, and more");
        for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
            let engine = GeneralPurpose::new(alphabet, GeneralPurposeConfig::new());
            assert!(found(&engine.encode(&text), secret).is_some(), "{before}");
        }
        assert!(found(&text, secret).is_some());
        assert!(found(&text.to_uppercase(), secret).is_some());
        assert!(found(&format!("{:?}", text.as_bytes()), secret).is_some());
        let percent: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert!(found(&percent, secret).is_some());
    }
    assert_eq!(found("Zq7Marker, 42x", secret), None);
}

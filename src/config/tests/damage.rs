//! Broken and hostile input: no panic, no secret told, each mistake with its line.

use proptest::prelude::*;

use super::{examples, load};
use crate::config::{Place, Problem};

#[test]
fn no_secret_shows_in_what_is_told() {
    let secret = "s3cr3t";
    let target = |rest: &str| format!("targets:\n  a:\n    url: wss://a.example.com/\n    {rest}\n");
    let url = format!("wss://me:{secret}@h.example.com/?q={secret}#{secret}");
    for text in [
        format!("targets: {{a: '{url}'}}"),
        format!("targets: {{a: {{url: '{url}'}}}}"),
        format!("targets: {{'{url}': {{}}}}"),
        format!("contact: '{url}\u{e9}'\nlocation: [x]\nuser_agent: Bearer {secret}\u{e9}"),
        format!(
            "http: {{listen: '{url}'}}\ncontrol: {{address: 'me:{secret}@h:1'}}\nresolver: {{servers: ['{url}']}}"
        ),
        format!("modules: {{m: {{allow: {{hosts: ['{url}']}}, checks: {{handshake: }}}}}}"),
        target(&format!("auth: Bearer {secret}")),
        target(&format!("auth: {{token: {secret}, place: {secret}}}")),
        target(&format!(
            "auth: {{token: {{file: [{secret}], env: {{x: {secret}}}}}, place: {{header: {secret}}}}}"
        )),
        target(&format!("headers: 'Authorization: {secret}'")),
        target(&format!("headers: {{Authorization: {secret}, X-Foo: Bearer {secret}, X-Key: [{secret}]}}")),
        target(&format!(
            "headers: {{X-Foo: \"{secret}\\n\", X-Bar: {{file: {{}}, env: [{secret}], x: {secret}}}}}"
        )),
        target(&format!("proxy: {{url: 'http://me:{secret}@p:1', password: {secret}, no_proxy: ['{url}']}}")),
        target(&format!("proxy: '{url}'")),
        target(&format!("redirects: {{max: 1, hosts: ['{url}']}}")),
        target(&format!("subprotocols: ['bearer.{secret}', '{url}']")),
        target(&format!("pause: [{{until: '{url}'}}]\n    cookies: Bearer {secret}")),
        target(&format!("checks: {{handshake: {{interval: '{url}'}}}}")),
    ] {
        let told = load("f.yaml", text.as_bytes(), &[]).unwrap_err();
        assert!(!told.to_string().contains(secret), "{text}\n{told}");
    }
    let url_variable = ("GATEPROBE__TARGETS__A__URL", url.as_str());
    let token_variable = ("GATEPROBE__TARGETS__A__AUTH__TOKEN", secret);
    let told = load("f.yaml", b"", &[url_variable, token_variable]).unwrap_err();
    assert!(!format!("{told} {told:?}").contains(secret), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_loader_panic(text in "[-a-c:{}\\[\\],&*!|>'\"#%@`?~0-9. \\n\\t\u{e9}\u{feff}]{0,80}") {
        let _ = load("f.yaml", text.as_bytes(), &[]);
    }

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = load("f.yaml", &bytes, &[]);
    }

    #[test]
    fn no_damage_to_the_full_example_makes_the_loader_panic(
        at in 0..1000_usize, length in 0..40_usize, filling in "[a-z:\\[{}\\]*&\\n \"']{0,6}",
    ) {
        let text = full_example();
        let chars: Vec<char> = text.chars().collect();
        let from = at * chars.len() / 1000;
        let until = (from + length).min(chars.len());
        let damaged: String = chars[..from].iter().copied().chain(filling.chars()).chain(chars[until..].iter().copied()).collect();
        if let Err(problems) = load("f.yaml", damaged.as_bytes(), &[]) {
            // Mostly this one; or that of a dialect, which the damage may make any other file.
            let has_line = |problem: &Problem| matches!(problem.place, Place::File { .. });
            prop_assert!(problems.iter().all(has_line), "{problems}");
        }
    }
}

/// The full example without the system's authorities, which take a while to read each time.
fn full_example() -> String {
    examples(super::EXAMPLES)["full.yaml"].replace("ca: add", "ca: replace")
}

#[test]
fn a_typo_in_any_key_of_the_full_example_is_told_with_its_line() {
    let text = full_example();
    let lines: Vec<&str> = text.lines().collect();
    // Names of targets, modules, labels and claims are free.
    let free = ["chat", "issued", "minted", "plain", "public", "renewed", "stream", "team", "tenant", "tier"];
    let mut tried = 0;
    for (index, line) in lines.iter().enumerate() {
        let Some((key, _)) = line.trim_start_matches([' ', '-']).split_once(':') else { continue };
        let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if !is_key || free.contains(&key) {
            continue;
        }
        for damaged_line in [line.replacen(':', "qx:", 1), line.replacen(key, "", 1)] {
            let mut damaged = lines.clone();
            damaged[index] = &damaged_line;
            let told = load("f.yaml", damaged.join("\n").as_bytes(), &[]).unwrap_err();
            // Where the text is no YAML any more, the parser may see it only later.
            let is_told = |problem: &Problem| match &problem.place {
                Place::File { line, .. } => *line == index + 1 || problem.message.starts_with("not YAML"),
                _ => false,
            };
            assert!(told.iter().any(is_told), "{damaged_line}\n{told}");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}

/// Each line of the full example can be left out on its own, or what is then wrong is told with a line.
#[test]
fn a_deletion_in_the_full_example_is_harmless_or_told_with_a_line() {
    let text = full_example();
    let lines: Vec<&str> = text.lines().collect();
    for index in 0..lines.len() {
        let rest: Vec<&str> = [&lines[..index], &lines[index + 1..]].concat();
        if let Err(told) = load("f.yaml", rest.join("\n").as_bytes(), &[]) {
            assert!(told.iter().all(|p| matches!(p.place, Place::File { .. })), "{}\n{told}", lines[index]);
        }
    }
}

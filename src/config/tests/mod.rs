//! The loader as a whole: the examples load, each invalid example tells exactly its mistakes.

mod damage;
mod dialects;
mod routes;
mod slo;
mod watched;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use jiff::Timestamp;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::Map;
use tempfile::TempDir;

use super::{Loaded, Loader, Plan, for_url, load_with_sources};

/// A folder with the files that the examples point to.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["gw.example.com".to_owned()]).unwrap();
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", &cert.pem());
    write("client.pem", &cert.pem());
    write("client-key.pem", &signing_key.serialize_pem());
    write("other-key.pem", &KeyPair::generate().unwrap().serialize_pem());
    write("jwt-key.pem", &KeyPair::generate().unwrap().serialize_pem());
    write("jwt-secret", &"s3cr3t+/".repeat(6));
    write("mistaken.yaml", "dialect: 1\nname: mistaken\nerror: {txt: x}\n");
    write("notes.txt", "nothing to see here\n");
    for secret in
        ["token", "client-secret", "chat-token", "api-token", "otlp-token", "proxy-password", "a", "t"]
    {
        write(secret, "s3cr3t\n");
    }
    folder
});

/// Where the examples look for files, which is not where they are in a test.
const FOLDERS: [&str; 2] = ["/etc/gateprobe", "/run/secrets"];

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn load(name: &str, text: &[u8], variables: &[(&str, &str)]) -> Loaded {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Loader::new(variables, now()).text(name, text).load()
}

/// What a user begins with.
const EXAMPLES: &str = "config";
/// What must be refused.
const INVALID: &str = "tests/config";

/// The configs of a folder of the project, by name.
fn examples(folder: &str) -> BTreeMap<String, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(path).unwrap();
            let folder = FOLDER.path().to_str().unwrap();
            let dialects = concat!("dialect: ", env!("CARGO_MANIFEST_DIR"), "/config/dialects/");
            let text = text.replace("dialect: dialects/", dialects);
            (name, FOLDERS.iter().fold(text, |text, place| text.replace(place, folder)))
        })
        .collect()
}

fn lines<T: ToString>(list: impl Iterator<Item = T>) -> Vec<String> {
    list.map(|item| item.to_string()).collect()
}

fn plan(text: &str) -> Plan {
    load("f.yaml", text.as_bytes(), &[]).unwrap().0
}

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    lines(load("f.yaml", text.as_bytes(), variables).unwrap_err().iter())
}

/// As in Prometheus; what the environment names begins where the agent was started.
#[test]
fn files_lie_beside_the_file_that_names_them() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("conf")).unwrap();
    std::fs::copy(FOLDER.path().join("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let file = folder.path().join("conf/g.yaml");
    let text = "defaults: { tls: { ca_file: ../ca.pem } }\ntargets: { a: { url: 'wss://h/' } }\n";
    let load = |text: &str, variables: &[(&str, &str)]| {
        std::fs::write(&file, text).unwrap();
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        load_with_sources(std::slice::from_ref(&file), variables)
    };
    let (loaded, sources) = load(text, &[]);
    let (plan, _) = loaded.unwrap();
    let tried = folder.path().join("conf/../ca.pem");
    assert_eq!(plan.targets[0].settings.tls.ca_file.as_ref(), Some(&tried));
    let before = sources.now();
    std::fs::write(folder.path().join("ca.pem"), "").unwrap();
    assert!(sources.count() == 2 && sources.now() != before, "it is watched where it lies");

    let (loaded, _) = load(&text.replace("../ca", "../missing"), &[]);
    let told = loaded.unwrap_err().to_string();
    assert!(
        told.contains(&format!("{}/conf/../missing.pem can't be read", folder.path().display())),
        "{told}"
    );
    let (loaded, _) = load(text, &[("GATEPROBE__DEFAULTS__TLS__CA_FILE", "../no-such.pem")]);
    let told = loaded.unwrap_err().to_string();
    assert!(told.contains("tls.ca_file: ../no-such.pem can't be read"), "{told}");
}

#[test]
fn the_examples_load() {
    for (name, text) in examples(EXAMPLES) {
        let variables = [("CHAT_TOKEN", "s3cr3t"), ("TENANT_KEY", "s3cr3t")];
        let loaded = load(&name, text.as_bytes(), &variables);
        let (plan, warnings) = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        assert!(warnings.is_empty(), "{warnings:?}");
        assert!(!plan.jobs.is_empty());
        assert!(!format!("{plan:?}").contains("s3cr3t"));
    }
}

/// `# expect: ` and `# warning: ` lines at the top of each file are what it must tell, all of it.
#[test]
fn each_invalid_example_tells_exactly_its_mistakes() {
    let invalid = examples(INVALID);
    assert!(invalid.len() > 30, "{}", invalid.len());
    let mut wrong = String::new();
    for (name, text) in invalid {
        let lines_with = |mark: &str| lines(text.lines().filter_map(|line| line.strip_prefix(mark)));
        let told = match load(&name, text.as_bytes(), &[]) {
            Ok(_) => vec!["it loads".to_owned()],
            Err(problems) => lines(problems.iter()),
        };
        if told != lines_with("# expect: ") {
            let written = |line: &String| line.replace(FOLDER.path().to_str().unwrap(), FOLDERS[0]);
            let told: Vec<_> = told.iter().map(|line| format!("# expect: {}", written(line))).collect();
            wrong += &format!("\n{name} tells\n{}\n", told.join("\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_full_example_has_every_field() {
    fn given(value: &serde_json::Value, path: &str, names: &mut Vec<String>) {
        if let Some(map) = value.as_object() {
            for (key, value) in map {
                names.push(format!("{path}{key}"));
                given(value, &format!("{path}{key}."), names);
            }
        }
        if let Some(list) = value.as_array() {
            list.iter().for_each(|item| given(item, path, names));
        }
    }
    let tree = super::tree::parse("full.yaml", examples(EXAMPLES)["full.yaml"].as_bytes());
    let mut names = Vec::new();
    given(&tree.value, "", &mut names);
    let schema = super::json_schema().as_object().unwrap();
    let mut shapes = vec![schema];
    shapes.extend(schema["$defs"].as_object().unwrap().values().filter_map(|def| def.as_object()));
    for field in
        shapes.iter().filter_map(|shape| shape.get("properties")?.as_object()).flat_map(|map| map.keys())
    {
        let there = names.iter().any(|name| name == field || name.ends_with(&format!(".{field}")));
        assert!(there, "full.yaml lacks {field}");
    }
}

#[test]
fn the_schema_for_editors_is_fresh() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/gateprobe.schema.json");
    let fresh = format!("{:#}\n", super::json_schema());
    let advice = "run: cargo run -- config schema > config/gateprobe.schema.json";
    assert!(std::fs::read_to_string(path).is_ok_and(|text| text == fresh), "{advice}");
}

#[test]
fn a_mistake_in_defaults_is_told_once_where_it_stands() {
    let text = "defaults:\n  checks: {handshake: {interval: 1s, timeout: 5s}}\n  tls: {ca_fil: x}\n\
                targets:\n  a: {url: wss://a}\n  b: {url: wss://b, checks: {handshake: {timeout: 3s}}}\n";
    assert_eq!(
        problems(text, &[]),
        [
            "f.yaml:2:34: defaults.checks.handshake.interval: interval 1s is shorter than timeout 5s, so that runs would overlap",
            "f.yaml:3:9: defaults.tls.ca_fil: no such field; did you mean \"ca_file\"?",
            "f.yaml:6:51: targets.b.checks.handshake.timeout: interval 1s is shorter than timeout 3s, so that runs would overlap",
        ]
    );
}

#[test]
fn variables_override_files_and_are_named_in_mistakes() {
    let text = "targets:\n  my-gw: {url: wss://a}\n";
    let interval = "GATEPROBE__TARGETS__MY_GW__CHECKS__HANDSHAKE__INTERVAL";
    let (plan, _) = load("f.yaml", text.as_bytes(), &[(interval, "1m")]).unwrap();
    assert_eq!(plan.jobs[0].check.interval(), crate::model::Span::secs(60));
    assert_eq!(
        problems(text, &[(interval, "5"), ("GATEPROBE__HISTORY__RUNS", "many")]),
        [
            "GATEPROBE__HISTORY__RUNS: history.runs: \"many\" is not a whole number",
            "GATEPROBE__TARGETS__MY_GW__CHECKS__HANDSHAKE__INTERVAL: \
             targets.my-gw.checks.handshake.interval: \"5\" is not a length of time; write a number with a \
             unit, such as 250ms, 5s, 1m30s, 2h or 21d",
        ]
    );
}

#[test]
fn a_slip_in_a_targets_name_is_no_new_target() {
    let text = "targets:\n  chat: {url: wss://a}\n  my-gw: {url: wss://b}\n";
    let told = |variable: &str| problems(text, &[(variable, "1m")]);
    let missing = |target: &str, more: &str| {
        format!(
            "GATEPROBE__TARGETS__{}__CHECKS__HANDSHAKE__INTERVAL: targets.{target}.url: is missing{more}",
            target.to_uppercase()
        )
    };
    assert_eq!(
        told("GATEPROBE__TARGETS__CHATT__CHECKS__HANDSHAKE__INTERVAL"),
        [missing("chatt", "; did you mean CHAT?")]
    );
    assert_eq!(
        told("GATEPROBE__TARGETS__MYGW__CHECKS__HANDSHAKE__INTERVAL"),
        [missing("mygw", "; did you mean MY_GW?")]
    );
    assert_eq!(told("GATEPROBE__TARGETS__ORDERS__CHECKS__HANDSHAKE__INTERVAL"), [missing("orders", "")]);
    // A new one, near to another by chance: it is whole.
    let url = [("GATEPROBE__TARGETS__CHAT2__URL", "wss://c")];
    assert_eq!(load("f.yaml", text.as_bytes(), &url).unwrap().0.targets.len(), 3);
    // What a file itself says is missing there.
    let of_file = problems("targets:\n  chat: {url: wss://a}\n  chad: {labels: {}}\n", &[]);
    assert_eq!(of_file, ["f.yaml:3:3: targets.chad.url: is missing"]);
}

#[test]
fn a_mistake_does_not_hide_others_nor_make_new_ones() {
    let text = "targets:\n  a:\n    url: http://a\n    checks: {handshake: {interval: 1s, timeout: fast, intervall: 2s}}\n";
    assert_eq!(
        problems(text, &[]),
        [
            "f.yaml:3:10: targets.a.url: \"http://a\" is not the URL of a WebSocket; did you mean \"ws://a\"?",
            "f.yaml:4:49: targets.a.checks.handshake.timeout: \"fast\" is not a length of time; write a number with a unit, such as 250ms, 5s, 1m30s, 2h or 21d",
            "f.yaml:4:55: targets.a.checks.handshake.intervall: no such field; did you mean \"interval\"?",
        ]
    );
}

#[test]
fn a_jobs_key_changes_with_what_shapes_it_and_only_with_that() {
    let key = |text: &str| plan(text).jobs[0].key.clone();
    let base = key("targets: {a: {url: wss://a}}");
    assert_eq!(
        base,
        key("log: {level: debug}\ntargets: {b: {url: wss://b}, a: {url: 'wss://a', identify: true}}")
    );
    assert_eq!(base, key("targets: {a: {url: wss://a, checks: {handshake: {interval: 30s}}}}"));
    for other in [
        "targets: {a: {url: wss://a?x=1}}",
        "targets: {a: {url: wss://a, headers: {X-A: b}}}",
        "targets: {a: {url: wss://a, checks: {handshake: {interval: 31s}}}}",
        "defaults: {cookies: run}\ntargets: {a: {url: wss://a}}",
        "contact: me\ntargets: {a: {url: wss://a}}",
    ] {
        assert_ne!(base, key(other), "{other}");
    }
}

#[test]
fn a_bare_url_makes_a_plan() {
    let none = std::iter::empty();
    let (plan, warnings) = for_url("ws://gw.Example.com:8080/chat?room=1", Map::new(), none.clone()).unwrap();
    assert!(warnings.is_empty());
    assert_eq!((&*plan.targets[0].name, plan.jobs.len()), ("gw-example-com-8080", 1));
    let (plan, _) = for_url("wss://[::1]:1/", Map::new(), none.clone()).unwrap();
    assert_eq!(&*plan.targets[0].name, "1--1");
    for bad in ["", "gw.example.com", "http://x", "ws://", "wss://u:s3cr3t@h/", "s3cr3t@h"] {
        let problems = for_url(bad, Map::new(), none.clone()).unwrap_err().to_string();
        assert!(problems.starts_with("command line: URL: "), "{problems}");
        assert!(!problems.contains("s3cr3t"), "{problems}");
    }
}

#[test]
fn thousands_of_targets_load() {
    let mut text = String::from("targets:\n");
    for number in 0..3_000 {
        text += &format!("  t{number}:\n    url: wss://gw{number}.example.com/\n    labels: {{team: x}}\n");
    }
    assert_eq!(plan(&text).jobs.len(), 3_000);
}

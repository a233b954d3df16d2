//! Dialects as files: the presets and examples are in order, each invalid example tells exactly its mistakes.

use std::path::PathBuf;

use super::{lines, now, plan};
use crate::auth::Place;
use crate::config::{Loader, Plan, dialect_json_schema, read_dialect};
use crate::dialect::{Part, presets};
use crate::wire::{Dialer, ResolverSettings};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/dialects")
}

fn invalid() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/config/dialects")
}

fn files(folder: PathBuf) -> Vec<(String, PathBuf)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

#[test]
fn presets_and_examples_are_in_order() {
    for name in presets() {
        let dialect = read_dialect(name).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(dialect.name(), name);
    }
    let examples = files(folder());
    assert!(!examples.is_empty());
    for (name, path) in examples {
        read_dialect(path.to_str().unwrap()).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    }
    let json = read_dialect("json").unwrap();
    assert!(Part::ALL.into_iter().all(|part| json.has(part)));
    assert!(!Part::ALL.into_iter().any(|part| read_dialect("websocket").unwrap().has(part)));
}

/// `# expect: ` lines at the top of each file are what it must tell, all of it.
#[test]
fn each_invalid_dialect_tells_exactly_its_mistakes() {
    let files = files(invalid());
    assert!(files.len() > 20, "{}", files.len());
    let mut wrong = String::new();
    for (name, path) in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = lines(text.lines().filter_map(|line| line.strip_prefix("# expect: ")));
        let told = match read_dialect(path.to_str().unwrap()) {
            Ok(_) => vec!["it loads".to_owned()],
            Err(problems) => lines(problems.iter()),
        };
        let prefix = format!("{}/", invalid().display());
        let told: Vec<String> = told.iter().map(|line| line.replace(&prefix, "")).collect();
        if told != expected {
            let told: Vec<_> = told.iter().map(|line| format!("# expect: {line}")).collect();
            wrong += &format!("\n{name} tells\n{}\n", told.join("\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_full_dialect_has_every_field() {
    fn given(value: &serde_json::Value, names: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| {
                names.push(key.clone());
                given(value, names);
            }),
            serde_json::Value::Array(list) => list.iter().for_each(|item| given(item, names)),
            _ => {}
        }
    }
    let text = std::fs::read(folder().join("full.yaml")).unwrap();
    let mut names = Vec::new();
    given(&crate::config::tree::parse("full.yaml", &text).value, &mut names);
    let schema = dialect_json_schema().as_object().unwrap();
    let definitions = schema["$defs"].as_object().unwrap().iter();
    // A token goes to one place only; the example of a config has them all.
    let definitions =
        definitions.filter(|(name, _)| !name.ends_with("Place")).map(|(_, definition)| definition);
    let shapes = definitions.filter_map(|definition| definition.as_object()).chain([schema]);
    for field in shapes.filter_map(|shape| shape.get("properties")?.as_object()).flat_map(|map| map.keys()) {
        let exclusive = field == "window";
        assert!(exclusive || names.contains(field), "full.yaml lacks {field}");
    }
}

#[test]
fn the_examples_of_the_documentation_are_in_order() {
    let page = std::fs::read_to_string(folder().join("../../docs/dialects.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<&str> = blocks.filter(|block| block.starts_with("dialect: ")).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        std::fs::write(file.path(), example).unwrap();
        read_dialect(file.path().to_str().unwrap()).unwrap_or_else(|problems| panic!("{problems}"));
    }
}

#[test]
fn the_schema_for_editors_is_fresh() {
    let path = folder().with_file_name("dialect.schema.json");
    let fresh = format!("{:#}\n", dialect_json_schema());
    let advice = "run: cargo run -- dialect schema > config/dialect.schema.json";
    assert!(std::fs::read_to_string(path).is_ok_and(|text| text == fresh), "{advice}");
}

/// A config beside a dialect, in a folder of its own.
fn config_beside(dialect: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dialects")).unwrap();
    std::fs::write(folder.path().join("dialects/own.yaml"), dialect).unwrap();
    let config = folder.path().join("gateprobe.yaml");
    std::fs::write(&config, "defaults: {dialect: dialects/own.yaml}\ntargets:\n  a: {url: wss://a}\n")
        .unwrap();
    (folder, config)
}

fn dialer() -> Dialer {
    Dialer::new(&ResolverSettings::System).unwrap()
}

fn load(config: &PathBuf) -> Plan {
    let loaded = Loader::new(std::iter::empty(), now()).files(std::slice::from_ref(config)).load();
    loaded.unwrap_or_else(|problems| panic!("{problems}")).0
}

#[test]
fn a_file_is_sought_beside_the_config_and_its_content_is_part_of_the_job() {
    let (folder, config) = config_beside("dialect: 1\nname: own\nsubprotocols: [chat.v1]\n");
    let first = load(&config);
    let target = first.targets[0].visited(&dialer());
    assert_eq!((target.dialect.name(), &*target.endpoint.subprotocols[0]), ("own", "chat.v1"));
    assert_eq!(first.jobs[0].key, load(&config).jobs[0].key);
    std::fs::write(folder.path().join("dialects/own.yaml"), "dialect: 1\nname: own\nerror: {text: x}\n")
        .unwrap();
    assert_ne!(first.jobs[0].key, load(&config).jobs[0].key);
}

#[test]
fn mistakes_of_a_dialect_are_told_once_in_its_own_file() {
    let (folder, config) = config_beside("dialect: 1\nname: own\nerror: {txt: x}\n");
    std::fs::write(
        &config,
        "defaults: {dialect: dialects/own.yaml}\ntargets:\n  a: {url: wss://a}\n  b: {url: http://b}\n",
    )
    .unwrap();
    let told = Loader::new(std::iter::empty(), now()).files(&[config]).load().unwrap_err();
    let place = format!("{}/", folder.path().display());
    let told: Vec<String> = lines(told.iter()).iter().map(|line| line.replace(&place, "")).collect();
    assert_eq!(
        told,
        [
            "dialects/own.yaml:3:9: error.txt: no such field; did you mean \"text\"?",
            "gateprobe.yaml:4:12: targets.b.url: \"http://b\" is not the URL of a WebSocket; did you mean \"ws://b\"?",
        ]
    );
}

#[test]
fn the_token_goes_where_the_target_says_or_else_the_dialect() {
    let place = |dialect: &str, auth: &str| {
        let (_folder, config) = config_beside(&format!("dialect: 1\nname: own\n{dialect}\n"));
        let text = std::fs::read_to_string(&config).unwrap();
        let auth = format!("auth: {{token: {{env: T}}{auth}}}");
        std::fs::write(&config, text.replace("{url: wss://a}", &format!("{{url: wss://a, {auth}}}")))
            .unwrap();
        load(&config).targets[0].visited(&dialer()).credential.unwrap().place
    };
    let query = |name: &str| Place::Query { name: name.into() };
    let bearer = Place::Header { name: "Authorization".into(), prefix: "Bearer ".into() };
    assert_eq!(place("", ""), bearer);
    assert_eq!(place("credential: {query: {name: t}}", ""), query("t"));
    assert_eq!(place("credential: {query: {name: t}}", ", place: {query: {name: own}}"), query("own"));
    let opening = "open: [{send: {text: \"${token}\"}}]";
    assert_eq!(place(opening, ""), Place::Dialect);
    assert_eq!(place(opening, ", place: {header: {}}"), bearer);
    assert_eq!(place("refresh: {send: {text: \"${token}\"}, accepted: {text: ok}}", ""), bearer);
}

#[test]
fn a_dialect_that_sends_a_token_that_nobody_has_is_odd() {
    let (_folder, config) = config_beside("dialect: 1\nname: own\nopen: [{send: {text: \"${token}\"}}]\n");
    let (_, warnings) = Loader::new(std::iter::empty(), now()).files(&[config]).load().unwrap();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].message, "own sends the token, and the target has no auth");
}

#[test]
fn a_request_before_each_upgrade_is_part_of_the_cost() {
    let (_folder, config) = config_beside("dialect: 1\nname: own\nbefore: {method: GET, path: /ticket}\n");
    let cost = |plan: &Plan| crate::config::costs(plan)[0].connections;
    assert_eq!(cost(&load(&config)), 2 * cost(&plan("targets: {a: {url: wss://a}}")));
}

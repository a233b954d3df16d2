//! What others ask of the chart: Helm's linter, Kubernetes' schemas, the custom resources' definitions, the agent's own
//! rules for its config.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::helm::{all, cases, chart, helm, objects, render};
use crate::support::binary::run;
use crate::support::certificate::Certificate;
use crate::support::program::{project, tool};
use crate::support::{folder, write};

/// From the oldest that the chart promises to the newest that there are schemas for.
pub const KUBERNETES: [&str; 11] =
    ["1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"];

fn rendered(case: &Path, kubernetes: &str) -> String {
    let (chart, version) = (chart(), format!("{kubernetes}.0"));
    let chart = chart.to_str().expect("UTF-8");
    let args = ["template", "probe", chart, "--namespace", "monitoring", "--kube-version", &version];
    helm(&args, &[case]).unwrap_or_else(|error| panic!("{}: {error}", case.display()))
}

#[test]
fn what_is_copied_or_generated_is_fresh() {
    let output = Command::new(tool("python/bin/python"))
        .arg(project("deploy/helm/generate.py"))
        .arg("--check")
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

#[test]
fn the_linter_has_nothing_to_say() {
    let chart = chart();
    let lint =
        |files: &[&Path]| helm(&["lint", "--strict", "--quiet", chart.to_str().expect("UTF-8")], files);
    assert_eq!(lint(&[]).as_deref(), Ok(""));
    for (name, case) in cases() {
        assert_eq!(lint(&[&case]).as_deref(), Ok(""), "{name}");
    }
}

#[test]
fn every_version_of_kubernetes_takes_every_case() {
    let folder = folder();
    for version in KUBERNETES {
        let files: Vec<_> = cases()
            .iter()
            .map(|(name, case)| write(folder.path(), &format!("{name}.yaml"), rendered(case, version)))
            .collect();
        let (valid, said) = validate(version, &files);
        assert!(valid, "{version}: {said}");
    }
    let plain = std::fs::read_dir(project("deploy/kubernetes")).expect("deploy/kubernetes");
    let plain: Vec<_> = plain.map(|entry| entry.expect("an entry").path()).collect();
    for version in [KUBERNETES[0], KUBERNETES[KUBERNETES.len() - 1]] {
        let (valid, said) = validate(version, &plain);
        assert!(valid, "{version}: {said}");
    }
    let misspelt = rendered(&cases()[0].1, "1.27").replace("automountServiceAccountToken", "automount");
    let (valid, said) = validate("1.27", &[write(folder.path(), "misspelt.yaml", misspelt)]);
    assert!(!valid && said.contains("automount"), "the validator sees a field that does not exist: {said}");
}

/// Whether a version of Kubernetes takes the manifests in these files, and what is said about them.
pub fn validate(version: &str, files: &[std::path::PathBuf]) -> (bool, String) {
    let mut command = Command::new(tool("bin/kubernetes-validate"));
    // Custom resources are the next test's.
    command.args(["--strict", "--quiet", "--no-warn", "--kubernetes-version", version]).args(files);
    let output = command.output().expect("kubernetes-validate runs");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn the_operators_know_every_field() {
    let mut manifests: Vec<Value> =
        cases().iter().flat_map(|(_, case)| objects(&rendered(case, "1.37"))).collect();
    let said = hold_against_definitions(&manifests);
    for kind in ["ServiceMonitor", "PodMonitor", "Probe", "PrometheusRule", "ExternalSecret"] {
        assert!(said.contains(&format!("checked {kind}\n")), "{kind}: {said}");
    }
    assert!(!said.contains("wrong"), "{said}");
    // What it would say.
    manifests.retain(|manifest| manifest["kind"] == "ServiceMonitor");
    manifests[0]["spec"]["endpoints"][0]["scrapeDeadline"] = "5s".into();
    manifests[1]["spec"]["endpoints"][0]["interval"] = 5.into();
    let said = hold_against_definitions(&manifests);
    assert!(said.contains("no such field: spec.endpoints.scrapeDeadline"), "{said}");
    assert_eq!(said.matches("wrong ServiceMonitor").count(), 2, "{said}");
}

/// What the definitions of custom resources say about those among the manifests, a line each.
pub fn hold_against_definitions(manifests: &[Value]) -> String {
    let modules = tool("npm/node_modules");
    let mut child = Command::new("node")
        .arg(project("tests/it/chart/crds.mjs"))
        .arg(modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let lines: String = manifests.iter().map(|manifest| format!("{manifest}\n")).collect();
    child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("it reads all");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_agent_takes_the_config_of_every_case() {
    let mut checked = 0;
    for (name, case) in cases() {
        let objects = objects(&rendered(&case, "1.37"));
        let config =
            all(&objects, "ConfigMap").into_iter().find(|map| map["data"]["gateprobe.yaml"].is_string());
        if let Some(map) = config {
            assert_agent_takes(&name, map);
            checked += 1;
        }
    }
    assert!(checked >= 4, "only {checked} cases have a config of their own");
}

/// Writes the files of a ConfigMap, and those of /run/secrets that they name, and has the agent check them.
fn assert_agent_takes(name: &str, map: &Value) {
    let (folder, secrets) = (folder(), folder());
    let pair = Certificate::new(secrets.path(), &["gateprobe"]);
    std::fs::rename(pair.cert, secrets.path().join("tls.crt")).expect("renamed");
    std::fs::copy(&pair.key, secrets.path().join("tls.key")).expect("copied");
    std::fs::rename(pair.key, secrets.path().join("jwt-key.pem")).expect("renamed");
    for file in ["chat-token", "api-token", "tenant"] {
        write(secrets.path(), file, "secret");
    }
    for (file, text) in map["data"].as_object().expect("files") {
        let text = text.as_str().expect("text");
        let text = text.replace("/run/secrets", secrets.path().to_str().expect("UTF-8"));
        write(folder.path(), file, text);
    }
    let file = folder.path().join("gateprobe.yaml");
    let (exit, said, wrong) = run(&["config", "check", file.to_str().expect("UTF-8")]);
    assert_eq!(exit, 0, "{name}: {wrong}{said}");
    // Nobody shall copy what never turns red, or never tells anything.
    for odd in ["no check here fails", "no clean-up of silent connections is promised"] {
        assert!(!wrong.contains(odd), "{name}: {wrong}");
    }
}

/// Every field that there is survives the way through Helm.
#[test]
fn the_fullest_config_passes_through_unharmed() {
    let full = std::fs::read_to_string(project("config/full.yaml")).expect("config/full.yaml");
    let mut config = objects(&full).remove(0);
    // The chart's own words.
    config["http"].as_object_mut().expect("http").remove("listen");
    config.as_object_mut().expect("a mapping").remove("sharding");
    // What it names is mounted by no Secret and no dialect of the chart's.
    let mounts = ["/run/secrets", "/etc/gateprobe/dialects"]
        .map(|path| serde_json::json!({ "name": "more", "mountPath": path, "readOnly": true }));
    let values =
        serde_json::json!({ "config": config, "existingConfigMap": "", "extraVolumeMounts": mounts });
    let objects = render(&values.to_string());
    let map = all(&objects, "ConfigMap")[0]["data"]["gateprobe.yaml"].as_str().expect("a file");
    let mut passed = super::helm::objects(map).remove(0);
    // What the chart's own values add, and what Helm takes out of any values.
    passed.as_object_mut().expect("a mapping").retain(|key, _| config.get(key).is_some());
    without_nulls(&mut config);
    without_nulls(&mut passed);
    assert_eq!(passed, config);
}

fn without_nulls(node: &mut Value) {
    match node {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

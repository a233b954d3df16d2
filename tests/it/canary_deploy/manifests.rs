//! What reads the examples takes them, and they agree with each other and with the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use gateprobe::agent::metrics::catalogue;
use serde_json::{Value, json};

use super::scene::example;
use crate::chart::contract::{KUBERNETES, hold_against_definitions, validate};
use crate::chart::helm::{all, helm, objects, one};
use crate::chart::templates::assert_restricted;
use crate::support::binary::run;
use crate::support::program::{project, tool};
use crate::support::{folder, write};

const ARGO: [&str; 4] = ["job", "web", "prometheus", "rollout"];

fn read(path: &str) -> String {
    std::fs::read_to_string(example(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn argo(name: &str) -> Vec<Value> {
    objects(&read(&format!("argo/{name}.yaml")))
}

fn flagger() -> Vec<Value> {
    [objects(&read("flagger/canary.yaml")), objects(&read("flagger/metric-template.yaml"))].concat()
}

/// The Job that Argo makes of a template's metric.
fn job() -> Value {
    let spec = one(&argo("job"), "AnalysisTemplate")["spec"]["metrics"][0]["provider"]["job"]["spec"].clone();
    json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "gate" }, "spec": spec })
}

/// The pod of `helm test`, in a chart that has nothing else.
fn helm_test() -> Value {
    let folder = folder();
    let chart = folder.path().join("gateway");
    std::fs::create_dir_all(chart.join("templates/tests")).expect("a chart");
    write(&chart, "Chart.yaml", "{ apiVersion: v2, name: gateway, version: 1.0.0 }\n");
    let template = chart.join("templates/tests/gateway-test.yaml");
    std::fs::copy(example("helm/gateway-test.yaml"), template).expect("copied");
    let chart = chart.to_str().expect("UTF-8");
    assert_eq!(helm(&["lint", "--strict", "--quiet", chart], &[]).as_deref(), Ok(""));
    let rendered = helm(&["template", "next", chart, "--namespace", "chat"], &[]).expect("rendered");
    one(&objects(&rendered), "Pod").clone()
}

#[test]
fn argo_knows_every_field() {
    let manifests: Vec<Value> = ARGO.iter().flat_map(|name| argo(name)).collect();
    let said = hold_against_definitions(&manifests);
    assert_eq!(said.matches("checked AnalysisTemplate\n").count(), 3, "{said}");
    assert_eq!(said.matches("checked Rollout\n").count(), 1, "{said}");
    assert!(!said.contains("wrong"), "{said}");
    let mut wrong = argo("web");
    wrong[0]["spec"]["metrics"][0]["provider"]["web"]["jsonpath"] = "{$}".into();
    let said = hold_against_definitions(&wrong);
    assert!(said.contains("no such field: spec.metrics.provider.web.jsonpath"), "{said}");
}

#[test]
fn kubernetes_knows_every_field() {
    let pod = one(&argo("rollout"), "Rollout")["spec"].clone();
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "chat" },
        "spec": { "selector": pod["selector"], "template": pod["template"] },
    });
    let mut manifests = vec![job(), deployment, helm_test()];
    manifests.extend(all(&argo("job"), "ConfigMap").into_iter().cloned());
    manifests.extend(all(&argo("rollout"), "Service").into_iter().cloned());
    let folder = folder();
    let file =
        |at: usize, manifest: &Value| write(folder.path(), &format!("{at}.yaml"), manifest.to_string());
    let files: Vec<PathBuf> = manifests.iter().enumerate().map(|(at, manifest)| file(at, manifest)).collect();
    for version in [KUBERNETES[0], KUBERNETES[KUBERNETES.len() - 1]] {
        let (valid, said) = validate(version, &files);
        assert!(valid, "{version}: {said}");
    }
}

#[test]
fn what_runs_the_gate_has_no_rights() {
    let job = job();
    assert_eq!(job["spec"]["backoffLimit"], 0, "a gateway that failed is not asked until it passes");
    for (what, pod) in [("Job", &job["spec"]["template"]["spec"]), ("helm test", &helm_test()["spec"])] {
        assert_restricted(pod, what);
        assert_eq!(pod["restartPolicy"], "Never", "{what}");
        let image = pod["containers"][0]["image"].as_str().expect("an image");
        assert!(image.ends_with(concat!("/gateprobe:", env!("CARGO_PKG_VERSION"))), "{what}: {image}");
    }
}

/// Flagger's definitions are in no registry that the tests install from: what of them the examples use is written down in
/// `flagger.schema.json`, closed, so that a field with a mistake in its name does not pass.
#[test]
fn flagger_knows_every_field() {
    let folder = folder();
    let ask = |objects: &[Value]| {
        let file = write(folder.path(), "objects.json", Value::from(objects).to_string());
        let schema = project("tests/it/canary_deploy/flagger.schema.json");
        check_schema(&["--schemafile", schema.to_str().expect("UTF-8")], &file)
    };
    assert_eq!(ask(&flagger()), Ok(()));
    let mut wrong = flagger();
    wrong[0]["spec"]["analysis"]["webhooks"][0]["retry"] = 2.into();
    wrong[1]["spec"]["provider"]["type"] = "promtheus".into();
    let said = ask(&wrong).expect_err("two mistakes");
    assert!(said.contains("retry") && said.contains("promtheus"), "{said}");
}

#[test]
fn github_and_gitlab_know_every_field() {
    for (schema, file) in [("github-workflows", "ci/github-actions.yaml"), ("gitlab-ci", "ci/gitlab-ci.yaml")]
    {
        let schema = format!("vendor.{schema}");
        assert_eq!(check_schema(&["--builtin-schema", &schema], &example(file)), Ok(()), "{file}");
    }
}

fn check_schema(schema: &[&str], file: &Path) -> Result<(), String> {
    let output = Command::new(tool("bin/check-jsonschema")).args(schema).arg(file).output().expect("it runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn the_agent_takes_its_configs() {
    let folder = folder();
    let jobs = argo("job");
    let map = one(&jobs, "ConfigMap")["data"]["gateprobe.yaml"].as_str().expect("a config");
    for file in [example("agent.yaml"), write(folder.path(), "gateprobe.yaml", map)] {
        let (exit, said, wrong) = run(&["config", "check", file.to_str().expect("UTF-8")]);
        assert_eq!(exit, 0, "{}: {wrong}{said}", file.display());
    }
}

#[test]
fn they_speak_of_the_same_targets_and_of_metrics_that_exist() {
    let agent = objects(&read("agent.yaml")).remove(0);
    let known: Vec<&String> = agent["targets"].as_object().expect("targets").keys().collect();
    let web = argo("web");
    let args = web[0]["spec"]["args"].as_array().expect("arguments");
    let value = |name: &str| args.iter().find(|arg| arg["name"] == name).expect("it")["value"].clone();
    assert_eq!([value("baseline"), value("canary")], [json!(known[0]), json!(known[1])]);
    for hook in flagger()[0]["spec"]["analysis"]["webhooks"].as_array().expect("hooks") {
        assert_eq!(hook["metadata"], json!({ "baseline": known[0], "canary": known[1], "profile": "quick" }));
    }
    let queries = [read("argo/prometheus.yaml"), read("flagger/metric-template.yaml")].concat();
    let names = queries.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let mut names: Vec<&str> = names.filter(|word| word.starts_with("gateprobe_")).collect();
    names.dedup();
    assert!(!names.is_empty());
    for name in names {
        assert!(catalogue().iter().any(|metric| metric.name == name), "{name}");
    }
}

/// What a Rollout's step gives is what its template asks for.
#[test]
fn the_rollout_uses_the_templates() {
    let rollout = argo("rollout");
    let canary = &one(&rollout, "Rollout")["spec"]["strategy"]["canary"];
    let step = canary["steps"].as_array().expect("steps").iter().find(|step| !step["analysis"].is_null());
    let step = &step.expect("an analysis")["analysis"];
    let web = argo("web");
    assert_eq!(step["templates"][0]["templateName"], web[0]["metadata"]["name"]);
    let without = |arg: &&Value| arg["value"].is_null() && arg["valueFrom"].is_null();
    let asked: Vec<&Value> =
        web[0]["spec"]["args"].as_array().expect("arguments").iter().filter(without).collect();
    let given = step["args"].as_array().expect("arguments");
    assert_eq!(asked.len(), given.len());
    assert!(
        asked.iter().zip(given).all(|(asked, given)| asked["name"] == given["name"]),
        "{asked:?} {given:?}"
    );
    let prometheus = argo("prometheus");
    assert_eq!(canary["analysis"]["templates"][0]["templateName"], prometheus[0]["metadata"]["name"]);
    for service in ["stableService", "canaryService"] {
        let services = all(&rollout, "Service");
        assert!(services.iter().any(|one| one["metadata"]["name"] == canary[service]), "{service}");
    }
}

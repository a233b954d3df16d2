//! Helm, and what it renders.

use std::path::{Path, PathBuf};
use std::process::Command;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Number, Value};

use crate::support::program::{project, tool};
use crate::support::{folder, write};

/// Values with one target.
pub const TARGET: &str = "config: { targets: { chat: { url: 'wss://chat.example.com/socket' } } }\n";

/// Values with one target, and more.
pub fn with(values: &str) -> String {
    format!("{TARGET}{values}")
}

/// The chart in the repository.
pub fn chart() -> PathBuf {
    project("deploy/helm/gateprobe")
}

/// The values files in its folder `ci`, by name.
pub fn cases() -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(chart().join("ci")).expect("ci");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    let case = |path: PathBuf| (name(&path).trim_end_matches("-values.yaml").to_owned(), path);
    paths.into_iter().map(case).collect()
}

/// Runs Helm: what it printed, or what it complained of.
pub fn helm(args: &[&str], files: &[&Path]) -> Result<String, String> {
    let home = folder();
    let mut command = Command::new(tool("bin/helm"));
    // None of the caller's settings, plug-ins or clusters.
    command.env_clear().env("HOME", home.path()).args(args);
    files.iter().for_each(|file| _ = command.arg("--values").arg(file));
    let output = command.output().expect("helm runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Renders a chart with values in a text.
pub fn render_chart(chart: &Path, values: &str) -> Result<Vec<Value>, String> {
    let folder = folder();
    let file = write(folder.path(), "values.yaml", values);
    let chart = chart.to_str().expect("UTF-8");
    helm(&["template", "probe", chart, "--namespace", "monitoring"], &[&file]).map(|text| objects(&text))
}

/// Renders the chart with values in a text.
pub fn render(values: &str) -> Vec<Value> {
    render_chart(&chart(), values).unwrap_or_else(|error| panic!("{error}\n{values}"))
}

/// Why values are refused.
pub fn refused(values: &str) -> String {
    match render_chart(&chart(), values) {
        Ok(_) => panic!("these values were taken:\n{values}"),
        Err(error) => error,
    }
}

/// The one object of a kind.
pub fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found = all(objects, kind);
    assert_eq!(found.len(), 1, "{kind} in {objects:#?}");
    found[0]
}

/// The objects of a kind.
pub fn all<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The pods that the objects make: the kind, the labels and the specification.
pub fn pods(objects: &[Value]) -> Vec<(&str, &Value, &Value)> {
    objects
        .iter()
        .filter_map(|object| match object["kind"].as_str() {
            Some("Pod") => Some(("Pod", &object["metadata"]["labels"], &object["spec"])),
            Some(kind @ ("Deployment" | "StatefulSet")) => {
                let template = &object["spec"]["template"];
                Some((kind, &template["metadata"]["labels"], &template["spec"]))
            }
            _ => None,
        })
        .collect()
}

/// The documents of a YAML text.
pub fn objects(text: &str) -> Vec<Value> {
    let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    documents.iter().map(json).filter(|object| !object.is_null()).collect()
}

fn json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => {
            Number::from_f64(value.0).map_or(Value::Null, Value::from)
        }
        Yaml::Value(Scalar::String(value)) => value.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(fields) => {
            let name = |key: &Yaml<'_>| key.as_str().expect("a name").to_owned();
            fields.iter().map(|(key, value)| (name(key), json(value))).collect::<Map<_, _>>().into()
        }
        Yaml::Tagged(_, inner) => json(inner),
        other => panic!("unexpected in a manifest: {other:?}"),
    }
}

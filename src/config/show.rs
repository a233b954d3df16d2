//! What is in force: the merged config with all defaults, secrets masked.

use serde_json::{Map, Value, json};

use super::folder;
use super::locate::Origins;
use super::place::Path;
use super::plan::{Plan, Slo};
use super::schema::schema;
use super::settings::{TargetSettings, mask_url};

/// The plan as JSON, in the shape of the file. What is not set is left out; values of headers, of a minted token's
/// claims and queries of URLs show as `***`.
pub fn in_force(plan: &Plan) -> Value {
    let mut config = json_of(&plan.agent);
    config["user_agent"] = plan.agent.user_agent().into();
    let targets = plan.targets.iter().map(|target| (target.name.to_string(), settings(&target.settings)));
    let mut targets: Map<String, Value> = targets.collect();
    for job in &plan.jobs {
        let Some(Slo { objective, period }) = job.slo else { continue };
        let check =
            targets.get_mut(&*job.key.target).and_then(|target| target["checks"].get_mut(job.key.check));
        if let Some(check) = check {
            check["slo"] = json!({ "objective": objective, "period": period });
        }
    }
    let modules = plan.modules.iter().map(|(name, module)| {
        let mut shown = json!({ "allow": json_of(&module.allow) });
        if let (Value::Object(shown), Value::Object(rest)) = (&mut shown, settings(&module.settings)) {
            let inapplicable =
                |field: &String| matches!(field.as_str(), "labels" | "resolve" | "pause" | "slo");
            shown.extend(rest.into_iter().filter(|(field, _)| !inapplicable(field)));
        }
        (name.to_string(), shown)
    });
    let modules: Map<String, Value> = modules.collect();
    config["targets"] = targets.into();
    config["modules"] = modules.into();
    drop_unset(&mut config);
    // They were told by what lies beside their file; whoever reads this may lie elsewhere.
    if let Ok(here) = std::env::current_dir() {
        folder::anchor(&mut config, &here, schema());
    }
    config
}

fn json_of(settings: &impl serde::Serialize) -> Value {
    // Settings have no map keys but texts.
    serde_json::to_value(settings).unwrap_or_default()
}

fn settings(settings: &TargetSettings) -> Value {
    let mut shown = json_of(settings);
    for pointer in ["/url", "/proxy/url", "/observe/url", "/auth/token/oauth2/token_url"] {
        if let Some(Value::String(url)) = shown.pointer_mut(pointer) {
            *url = mask_url(url);
        }
    }
    if let Some(Value::Object(headers)) = shown.get_mut("headers") {
        headers.values_mut().filter(|value| value.is_string()).for_each(|value| *value = "***".into());
    }
    if let Some(Value::Object(claims)) = shown.pointer_mut("/auth/token/mint/claims") {
        claims.values_mut().for_each(|value| *value = "***".into());
    }
    shown
}

fn drop_unset(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_unset);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_unset),
        _ => {}
    }
}

/// As YAML; what somebody wrote has its place in a comment, the rest are defaults.
pub fn to_yaml(config: &Value, origins: &Origins) -> String {
    let mut text = String::new();
    fields(config, &Path::root(), 0, origins, &mut text);
    text
}

fn fields(value: &Value, path: &Path, depth: usize, origins: &Origins, text: &mut String) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        let path = path.key(key);
        let indent = "  ".repeat(depth);
        text.push_str(&format!("{indent}{}:", scalar(key)));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                fields(value, &path, depth + 1, origins, text);
            }
            _ => {
                let origin = origins.of(&path).map(|place| format!("  # {place}")).unwrap_or_default();
                text.push_str(&format!(" {}{origin}\n", flow(value)));
            }
        }
    }
}

/// On one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), flow(value));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Plain where YAML can't take it for anything else, or else as a JSON string, which is YAML too.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if plain && !reserved.contains(&text.to_lowercase().as_str()) {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

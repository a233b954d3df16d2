//! Variables of the environment that look as if they were settings, and are none: `GATEPROBE_HTTP_LISTEN`, where
//! `GATEPROBE__HTTP__LISTEN` is meant.

use serde_json::Value;

use super::place::{Path, Place};
use super::problem::Warning;
use super::schema::{ConfigSchema, fields};
use super::words::normal;

const PREFIX: &str = "gateprobe_";

/// A warning for each of these names that nobody reads, although a setting is meant by all appearances.
pub fn variables<'a>(names: impl Iterator<Item = &'a String>, schema: &ConfigSchema) -> Vec<Warning> {
    let warning = |name: &String| {
        let meant = meant(&name.to_lowercase(), schema)?;
        let message = format!("is not read: levels are parted by two underscores; did you mean {meant}?");
        Some(Warning::new(Place::Variable(name.as_str().into()), Path::root(), message))
    };
    names.filter_map(warning).collect()
}

/// The setting that is meant, as the environment spells it.
fn meant(name: &str, schema: &ConfigSchema) -> Option<String> {
    let rest = name.strip_prefix(PREFIX).filter(|rest| !rest.starts_with('_'))?;
    let root = schema.at(&Path::root())?;
    let section = |field: &str| {
        let rest = rest.strip_prefix(field)?;
        (rest.is_empty() || rest.starts_with('_')).then_some(())
    };
    fields(root).map(normal).find(|field| section(field).is_some())?;
    if is_of_kubernetes(rest) {
        return None;
    }
    let levels = match rest.contains("__") {
        true => rest.to_owned(),
        false => parted(rest, &Path::root(), schema).join("__"),
    };
    Some(format!("{PREFIX}_{levels}").to_uppercase())
}

/// The names of fields that a name is made of, the longest first. A name in a map, such as a target's, is taken for one
/// word; what fits nowhere stays as it is.
fn parted(name: &str, path: &Path, schema: &ConfigSchema) -> Vec<String> {
    let node = schema.at(path).unwrap_or(&Value::Null);
    let begins = |field: &&str| {
        let rest = name.strip_prefix(&normal(field));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    let is_map = node.get("additionalProperties").is_some_and(Value::is_object);
    let level = match fields(node).filter(begins).max_by_key(|field| field.len()) {
        Some(field) => field.to_owned(),
        None if is_map => name.split('_').next().unwrap_or(name).to_owned(),
        None => return vec![name.to_owned()],
    };
    let mut levels = vec![normal(&level)];
    if let Some(rest) = name[level.len()..].strip_prefix('_') {
        levels.extend(parted(rest, &path.key(&level), schema));
    }
    levels
}

/// What Kubernetes puts into each pod for a service whose name is ours with something behind it, such as
/// `GATEPROBE_HTTP_SERVICE_HOST` and `GATEPROBE_HTTP_PORT_9464_TCP_ADDR`.
fn is_of_kubernetes(rest: &str) -> bool {
    let port = |(_, behind): (&str, &str)| behind.is_empty() || behind.starts_with("_");
    rest.ends_with("_service_host")
        || rest.contains("_service_port")
        || rest.split_once("_port").is_some_and(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::schema;

    fn told(name: &str) -> Option<String> {
        variables([name.to_owned()].iter(), schema()).first().map(ToString::to_string)
    }

    #[test]
    fn what_is_meant_as_a_setting_is_told() {
        for (name, meant) in [
            ("GATEPROBE_TARGETS__CHAT__URL", "GATEPROBE__TARGETS__CHAT__URL"),
            ("GATEPROBE_HTTP_LISTEN", "GATEPROBE__HTTP__LISTEN"),
            ("GATEPROBE_HTTP_MAX_BODY_BYTES", "GATEPROBE__HTTP__MAX_BODY_BYTES"),
            ("GATEPROBE_LOCATION", "GATEPROBE__LOCATION"),
            ("gateprobe_user_agent", "GATEPROBE__USER_AGENT"),
            ("GATEPROBE_LOG_LEVEL", "GATEPROBE__LOG__LEVEL"),
            ("GATEPROBE_TARGETS_CHAT_URL", "GATEPROBE__TARGETS__CHAT__URL"),
        ] {
            let told = told(name).unwrap_or_else(|| panic!("{name} is passed over"));
            assert!(told.ends_with(&format!("did you mean {meant}?")), "{told}");
        }
    }

    #[test]
    fn what_others_put_there_is_none_of_ours() {
        for name in [
            "GATEPROBE_CONFIG",
            "GATEPROBE__HTTP__LISTEN",
            "GATEPROBE_PORT",
            "GATEPROBE_SERVICE_HOST",
            "GATEPROBE_PORT_9464_TCP_ADDR",
            "GATEPROBE_HTTP_SERVICE_HOST",
            "GATEPROBE_HTTP_SERVICE_PORT_HTTP",
            "GATEPROBE_HTTP_PORT",
            "GATEPROBE_HTTP_PORT_9464_TCP",
            "GATEPROBES_HTTP",
            "PATH",
        ] {
            assert_eq!(told(name), None, "{name}");
        }
    }
}

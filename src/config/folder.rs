//! Files that a config names by a relative path: they lie beside the file that names them, wherever the agent was started.

use std::path::{Path as FilePath, PathBuf};

use serde_json::Value;

use super::schema::{ConfigSchema, fields};

/// The folder from which a config's file names others. Empty, which is the working directory, for what is no plain
/// file: nothing lies beside a pipe (`--config <(...)`).
pub fn of_file(name: &str) -> PathBuf {
    let file = FilePath::new(name);
    // Standard input may be a plain file, too; nothing lies beside its name.
    let by_descriptor = file == FilePath::new("/dev/stdin")
        || file.starts_with("/dev/fd")
        || file.starts_with("/proc") && file.parent().is_some_and(|folder| folder.ends_with("fd"));
    if by_descriptor || std::fs::metadata(file).is_ok_and(|meta| !meta.is_file()) {
        return PathBuf::new();
    }
    file.parent().map(FilePath::to_owned).unwrap_or_default()
}

/// Puts the folder before every relative path in the settings of a file. (A dialect may be a preset's name: whoever
/// reads it looks for itself.)
pub fn anchor(value: &mut Value, folder: &FilePath, schema: &ConfigSchema) {
    if let Some(root) = schema.at(&super::Path::root()) {
        walk(value, root, folder, schema);
    }
}

fn walk(value: &mut Value, node: &Value, folder: &FilePath, schema: &ConfigSchema) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    // A header or a label may be called `file`, too.
                    Value::String(path) if names_a_file(key) && fields(node).any(|field| field == key) => {
                        *path = anchored(path, folder);
                    }
                    value => {
                        if let Some(below) = schema.below(node, key) {
                            walk(value, below, folder, schema);
                        }
                    }
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                if let Some(below) = schema.below(node, &index.to_string()) {
                    walk(item, below, folder, schema);
                }
            }
        }
        _ => {}
    }
}

/// `file`, `token_file`, `ca_file` and so on; a test holds this against the settings that are paths.
fn names_a_file(field: &str) -> bool {
    field == "file" || field.ends_with("_file")
}

/// An empty path stays empty: it names no file, and certainly not the folder.
fn anchored(path: &str, folder: &FilePath) -> String {
    if path.is_empty() { String::new() } else { folder.join(path).to_string_lossy().into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::schema;
    use serde_json::json;

    #[test]
    fn relative_paths_lie_beside_the_file_that_names_them() {
        let mut config = json!({
            "http": { "token_file": "api" },
            "otlp": { "headers": { "file": "text", "authorization": { "file": "otlp" } }, "tls": { "ca_file": "../ca" } },
            "defaults": { "proxy": { "password": { "file": "p" } } },
            "targets": { "file": {
                "url": "wss://h/",
                "labels": { "file": "text" },
                "dialect": "mine.yaml",
                "auth": { "token": { "mint": { "key_file": "/run/key" } } },
                "tls": { "client_cert_file": "c", "client_key_file": "" },
                "observe": { "token": { "file": "o" } },
            } },
            "modules": { "m": { "auth": { "token": { "oauth2": { "client_secret": { "file": "s" } } } } } },
        });
        anchor(&mut config, FilePath::new("conf"), schema());
        let at = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        for (pointer, path) in [
            ("/http/token_file", "conf/api"),
            ("/otlp/headers/file", "text"),
            ("/otlp/headers/authorization/file", "conf/otlp"),
            ("/otlp/tls/ca_file", "conf/../ca"),
            ("/defaults/proxy/password/file", "conf/p"),
            ("/targets/file/url", "wss://h/"),
            ("/targets/file/labels/file", "text"),
            ("/targets/file/dialect", "mine.yaml"),
            ("/targets/file/auth/token/mint/key_file", "/run/key"),
            ("/targets/file/tls/client_cert_file", "conf/c"),
            ("/targets/file/tls/client_key_file", ""),
            ("/targets/file/observe/token/file", "conf/o"),
            ("/modules/m/auth/token/oauth2/client_secret/file", "conf/s"),
        ] {
            assert_eq!(at(pointer), path, "{pointer}");
        }
    }

    /// By what is said of them: a field for a file that is not named like one would be looked for elsewhere.
    #[test]
    fn every_setting_that_is_a_file_is_named_like_one() {
        fn visit(node: &Value, found: &mut Vec<String>) {
            for (name, field) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let told = field["description"].as_str().unwrap_or_default();
                if ["A file", "The file", "A PEM file"].iter().any(|begin| told.starts_with(begin)) {
                    found.push(name.clone());
                }
            }
            node.as_object().into_iter().flatten().for_each(|(_, value)| visit(value, found));
        }
        let mut found = Vec::new();
        visit(schema().for_editors(), &mut found);
        assert!(found.len() > 6, "{found:?}");
        assert!(found.iter().all(|name| names_a_file(name)), "{found:?}");
    }

    #[test]
    fn nothing_lies_beside_a_pipe_or_standard_input() {
        for name in ["/dev/null", "/dev/stdin", "/dev/fd/3", "/proc/self/fd/0", "/proc/1/fd/63"] {
            assert_eq!(of_file(name), FilePath::new(""), "{name}");
        }
        assert_eq!(of_file("gateprobe.yaml"), FilePath::new(""));
        assert_eq!(of_file("/dev/shm/conf/no-such.yaml"), FilePath::new("/dev/shm/conf"));
        assert_eq!(of_file("/etc/gateprobe/no-such.yaml"), FilePath::new("/etc/gateprobe"));
    }
}

//! How values and names are shown to people: masked, short, and with the nearest known name.

use serde_json::Value;

use super::place::Path;
use super::settings::mask_url;

const MASK: &str = "***";
const LONGEST: usize = 60;

/// Whether what stands at a path may be a secret.
pub fn is_secret(path: &Path) -> bool {
    path.steps().any(|step| matches!(step.as_str(), "auth" | "headers" | "token" | "password"))
}

/// A value as a message shows it.
pub fn shown(path: &Path, value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".into(),
        Value::Array(_) => "a list".into(),
        Value::Null => "nothing".into(),
        _ if is_secret(path) => MASK.into(),
        Value::String(text) if looks_secret(text) => MASK.into(),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A text in quotes as a message shows it.
pub fn quoted(text: &str) -> String {
    format!("{:?}", shorten(&masked_text(text)))
}

/// Whether a text looks like a credential wherever it stands: by its scheme, or as a JWT.
pub fn looks_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["bearer ", "basic ", "digest ", "bearer."].iter().any(|scheme| lower.contains(scheme))
        || text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|part| part.starts_with("eyJ") && part.len() > 8)
}

/// A text without what a URL in it may hide.
pub fn masked_text(text: &str) -> String {
    if text.contains("://") || text.contains('@') { mask_url(text) } else { text.to_owned() }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}

/// The known name that a misspelt one most likely stands for.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = normal(name);
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    known
        .map(|candidate| (distance(&name, &normal(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// What is said of a name that is not known: the nearest one that is, and what there is; of very many, the first.
pub fn unknown<'a>(name: &str, heading: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    const MANY: usize = 30;
    let meant = nearest(name, known.clone());
    let meant = meant.map(|meant| format!("did you mean {meant:?}? ")).unwrap_or_default();
    let first: Vec<&str> = known.clone().take(MANY).collect();
    let more = match known.count() - first.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{}; {meant}{heading}: {}{more}", quoted(name), first.join(", "))
}

/// A name as the environment spells it: lower case, `_` for `-`.
pub fn normal(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// Letters to insert, drop, replace or swap with the next (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // A name this long is no slip of a finger, and the table would be large.
    if a.len().max(b.len()) > 64 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_nearest_name_is_suggested_and_nothing_far_fetched() {
        let known = ["interval", "timeout", "thresholds", "enabled", "url"];
        let nearest = |name| nearest(name, known.into_iter());
        assert_eq!(nearest("intervall"), Some("interval"));
        assert_eq!(nearest("tiemout"), Some("timeout"));
        assert_eq!(nearest("Interval"), Some("interval"));
        assert_eq!(nearest("ulr"), Some("url"));
        assert_eq!(nearest("colour"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"x".repeat(10_000)), None);
    }

    #[test]
    fn values_are_shown_without_secrets() {
        let path = |text: &str| Path::root().dotted(text);
        assert_eq!(shown(&path("targets.a.headers.X-Foo"), &json!("s3cr3t")), "***");
        assert_eq!(shown(&path("targets.a.auth"), &json!("Bearer s3cr3t")), "***");
        assert_eq!(shown(&path("targets.a"), &json!("wss://u:s3cr3t@h/?t=s3cr3t")), "\"wss://***@h/?***\"");
        assert_eq!(shown(&path("log.level"), &json!("loud\nx")), "\"loud\\nx\"");
        assert_eq!(shown(&path("lag_bound"), &json!(5)), "5");
        assert!(shown(&path("location"), &json!("x".repeat(500))).len() < 80);
    }
}

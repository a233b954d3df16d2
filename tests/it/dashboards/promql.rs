//! As much of PromQL as is needed to say which series a query reads, and how.

/// One selector of a query.
#[derive(Debug, PartialEq)]
pub struct Selector {
    /// The metric.
    pub name: String,
    /// Its matchers, as written: `job=~"$job"`.
    pub matchers: Vec<String>,
    /// What stands in brackets behind it, without an offset.
    pub range: Option<String>,
    /// The function or aggregation that it stands in directly.
    pub inside: Option<String>,
}

/// The selectors of a query. Every metric of ours is written with braces, so that a name before a brace is one.
pub fn selectors(expr: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    for (at, _) in expr.match_indices('{') {
        let name = word_before(expr, at);
        if name.is_empty() || quoted(expr, at) {
            continue;
        }
        let begin = at - name.len();
        let end = at + closing(&expr[at..], '}');
        let rest = expr[end + 1..].strip_prefix('[');
        found.push(Selector {
            name: name.to_owned(),
            matchers: matchers(&expr[at + 1..end]),
            range: rest.and_then(|rest| rest.split(']').next()).map(str::to_owned),
            inside: around(&expr[..begin]),
        });
    }
    found
}

/// The labels that a legend names.
pub fn legend_labels(legend: &str) -> impl Iterator<Item = &str> {
    legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next())
}

fn word_before(text: &str, at: usize) -> &str {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let begin = text[..at].rfind(|c| !word(c)).map_or(0, |other| other + 1);
    &text[begin..at]
}

/// True inside a string.
fn quoted(text: &str, at: usize) -> bool {
    text[..at].matches('"').count() % 2 == 1
}

/// Where the bracket that `text` begins with is closed; not by one in a string.
fn closing(text: &str, bracket: char) -> usize {
    let mut ends = text.match_indices(bracket).map(|(at, _)| at);
    ends.find(|&at| !quoted(text, at)).unwrap_or_else(|| panic!("no {bracket} in {text}"))
}

fn matchers(inside: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for (at, c) in inside.char_indices() {
        match c {
            ',' if !quoted(inside, at) => all.push(String::new()),
            c => all.last_mut().expect("never empty").push(c),
        }
    }
    all.into_iter().map(|matcher| matcher.trim().to_owned()).filter(|matcher| !matcher.is_empty()).collect()
}

/// The word before the parenthesis that is open at the end.
fn around(before: &str) -> Option<String> {
    let mut depth = 0;
    for (at, c) in before.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' if depth == 0 => {
                let name = word_before(before, at);
                return (!name.is_empty()).then(|| name.to_owned());
            }
            '(' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn selectors_are_found_with_what_is_around_them() {
    let found = selectors(
        r#"sum by (le) (rate(a_bucket{job=~"$job", x!="},"}[5m])) / b{} unless c_total{k="1"} offset 1h"#,
    );
    let told: Vec<_> =
        found.iter().map(|s| (s.name.as_str(), s.range.as_deref(), s.inside.as_deref())).collect();
    assert_eq!(told, [("a_bucket", Some("5m"), Some("rate")), ("b", None, None), ("c_total", None, None)]);
    assert_eq!(found[0].matchers, [r#"job=~"$job""#, r#"x!="},""#]);
    assert_eq!(legend_labels("{{a}} x {{b}}").collect::<Vec<_>>(), ["a", "b"]);
}

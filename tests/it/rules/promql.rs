//! Which metrics and labels an expression in PromQL names. Reads words, not meaning: whether it parses at all is
//! promtool's to say. Grafana's variables count as lengths of time or as nothing.

use std::collections::BTreeSet;

/// A selector: a metric, and the labels that its matchers ask for, with the text of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub metric: String,
    pub matchers: Vec<(String, String)>,
}

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub selectors: Vec<Selector>,
    /// Labels in `by`, `without`, `on`, `ignoring` and `group_left`.
    pub labels: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

const CLAUSES: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 8] = ["and", "or", "unless", "bool", "offset", "inf", "nan", "atan2"];

/// What an expression names.
pub fn named(expr: &str) -> Named {
    let (tokens, mut at, mut named) = (tokens(expr), 0, Named::default());
    while let Some(token) = tokens.get(at) {
        at += 1;
        let Token::Word(word) = token else {
            // A selector without a name before its braces would escape the contract.
            assert_ne!(*token, Token::Sign('{'), "a selector without a name in {expr}");
            continue;
        };
        let next = tokens.get(at);
        if CLAUSES.contains(&word.to_lowercase().as_str()) {
            if next == Some(&Token::Sign('(')) {
                let end =
                    tokens[at..].iter().position(|token| *token == Token::Sign(')')).expect("its end") + at;
                named.labels.extend(tokens[at..end].iter().filter_map(|token| match token {
                    Token::Word(label) => Some(label.clone()),
                    _ => None,
                }));
                at = end + 1;
            }
        } else if next == Some(&Token::Sign('(')) || OPERATORS.contains(&word.to_lowercase().as_str()) {
            // A function, an aggregation with its clause behind, or an operator.
        } else {
            let mut matchers = Vec::new();
            if next == Some(&Token::Sign('{')) {
                let end =
                    tokens[at..].iter().position(|token| *token == Token::Sign('}')).expect("its end") + at;
                matchers = self::matchers(&tokens[at + 1..end]);
                at = end + 1;
            }
            // `sum by (a) (b)` and `sum(b) by (a)`: the aggregation is a word before its clause.
            let clause =
                matches!(next, Some(Token::Word(word)) if CLAUSES.contains(&word.to_lowercase().as_str()));
            if !(clause && is_aggregation(word)) {
                named.selectors.push(Selector { metric: word.clone(), matchers });
            }
        }
    }
    named
}

fn is_aggregation(word: &str) -> bool {
    let all =
        ["sum", "min", "max", "avg", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile"];
    all.contains(&word) || word == "count_values"
}

fn matchers(tokens: &[Token]) -> Vec<(String, String)> {
    let mut matchers = Vec::new();
    let mut label = None;
    for token in tokens {
        match token {
            Token::Word(word) => label = Some(word.clone()),
            Token::Text(text) => matchers.extend(label.take().map(|label| (label, text.clone()))),
            Token::Sign(_) => {}
        }
    }
    matchers
}

fn tokens(expr: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expr;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' | '`' => {
                let end = end_of_text(rest, first).expect("the end of a text");
                tokens.push(Token::Text(rest[1..end].to_owned()));
                end + 1
            }
            // A range: what stands in it are lengths of time.
            '[' => rest.find(']').expect("the end of a range") + 1,
            '$' if rest.starts_with("${") => rest.find('}').expect("the end of a variable") + 1,
            '$' => 1 + rest[1..].find(|c: char| !is_word(c)).unwrap_or(rest.len() - 1),
            c if c.is_ascii_digit() || c == '.' => {
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len())
            }
            c if is_word(c) => {
                let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token::Sign(c));
                }
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

fn end_of_text(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped && quote != '`';
        ends.then_some(at)
    })
}

#[test]
fn selectors_and_labels_are_found() {
    let metrics = |expr: &str| {
        named(expr).selectors.into_iter().map(|selector| selector.metric).collect::<Vec<String>>()
    };
    assert_eq!(
        metrics("sum by (a, b) (rate(x_total{c=\"d\"}[5m])) / on (a) group_left (e) y:z"),
        ["x_total", "y:z"]
    );
    assert_eq!(metrics("sum(rate(x[$__rate_interval])) by (le) > 1e3 or vector(0)"), ["x"]);
    assert_eq!(metrics("topk(5, x) unless y offset 1h > bool 0.5 # z\n+ inf"), ["x", "y"]);
    assert_eq!(metrics("max_over_time((a > 0)[1h:5m]) * ${scale} + $other - b @ 5"), ["a", "b"]);
    assert_eq!(metrics("time() - x"), ["x"]);
    let all = named("sum without (a) (x{b=~\"c|\\\"d\", e!='f}'}) / ignoring (g) y");
    let matchers = [("b", "c|\\\"d"), ("e", "f}")].map(|(label, text)| (label.to_owned(), text.to_owned()));
    assert_eq!(all.selectors[0], Selector { metric: "x".into(), matchers: matchers.to_vec() });
    assert_eq!(all.labels, ["a", "g"].map(str::to_owned).into());
}

#[test]
#[should_panic(expected = "without a name")]
fn a_selector_without_a_name_is_refused() {
    named("sum({job=\"gateprobe\"})");
}

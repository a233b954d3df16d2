//! A verification as Markdown, for the summary of a job.

use std::fmt::Write;

use super::words::plain;
use crate::canary::Verdict;
use crate::canary::words::{metric, quantity, shift};
use crate::gate::Report;

/// The whole text (GitHub Flavored Markdown; tables are an extension that GitLab has too).
pub(super) fn markdown(report: &Report) -> String {
    let mut text = String::new();
    let Some(decision) = report.decision() else { return text };
    let sign = match decision.verdict {
        Verdict::Pass => "\u{2705}",
        Verdict::Fail => "\u{274c}",
        Verdict::Inconclusive => "\u{26a0}\u{fe0f}",
    };
    let gateways = &report.gateways;
    // Writing to a String can't fail.
    let _ = writeln!(text, "## {sign} Canary: {}\n", decision.verdict.label());
    let _ = writeln!(text, "{}\n", escaped(&decision.sentence));
    let _ = writeln!(text, "Canary {}", code(&gateways.canary.url));
    if let Some(baseline) = &gateways.baseline {
        let _ = writeln!(text, "against {}", code(&baseline.url));
    }
    let _ = writeln!(text, "\n| check | metric | baseline | canary | shift (95 %) | verdict | weight |");
    let _ = writeln!(text, "|---|---|---:|---:|---:|---|---:|");
    for row in &decision.rows {
        let verdict = if row.verdict.fails() {
            format!("**{}**", escaped(row.verdict.label()))
        } else {
            escaped(row.verdict.label())
        };
        let cells = [
            escaped(&row.check),
            code(metric(row)),
            quantity(row.baseline, &row.unit),
            quantity(row.canary, &row.unit),
            shift(row),
            verdict,
            format!("{}", row.weight),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    if !decision.notes.is_empty() {
        text.push('\n');
        decision.notes.iter().for_each(|note| _ = writeln!(text, "- {}", escaped(note)));
    }
    if !decision.evidence.is_empty() {
        let _ = writeln!(text, "\n| arm | check | reason | runs | said first |\n|---|---|---|---:|---|");
        for found in &decision.evidence {
            let critical = if found.critical { " (critical)" } else { "" };
            let _ = writeln!(
                text,
                "| {} | {} | {}{critical} | {} | {} |",
                found.arm.label(),
                escaped(&found.check),
                escaped(&found.reason),
                found.count,
                escaped(&found.detail),
            );
        }
    }
    text
}

/// As text, whatever it holds: each character that means something, in Markdown or in HTML, as an entity (CommonMark,
/// section 6.2), which is never taken for syntax.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            'a'..='z'
            | 'A'..='Z'
            | '0'..='9'
            | ' '
            | ','
            | '.'
            | ';'
            | ':'
            | '%'
            | '('
            | ')'
            | '+'
            | '?'
            | '=' => {
                safe.push(c);
            }
            '\'' | '/' | '"' => safe.push(c),
            c if c.is_ascii() => _ = write!(safe, "&#{};", u32::from(c)),
            c => safe.push(c),
        }
    }
    // Neither a mention nor a link by itself.
    safe.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// As code, in HTML: no number of backticks ends it.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gateway_said_is_text_and_nothing_else() {
        let hostile =
            "|x|\n<img src=x onerror=alert(1)> [a](http://evil) `c` @all #1 ![i](x) **b** &lt; -- ~~s~~";
        let safe = escaped(hostile);
        for syntax in ['|', '<', '>', '[', ']', '`', '@', '!', '*', '~', '\n'] {
            assert!(!safe.contains(syntax), "{syntax}: {safe}");
        }
        assert!(!safe.contains("://") && !safe.contains("&lt;"), "{safe}");
        assert!(escaped("plain words, 12.5 ms").eq("plain words, 12.5 ms"));
    }
}

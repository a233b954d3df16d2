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
/// section 6.2), which is never taken for syntax. What means nothing where it stands stays as it is, so that the source
/// can be read too: an underscore within a word, a hyphen behind the beginning.
fn escaped(text: &str) -> String {
    let characters: Vec<char> = plain(text).chars().collect();
    let in_word = |at: usize| characters.get(at).is_some_and(|c| c.is_alphanumeric());
    let mut safe = String::with_capacity(characters.len());
    for (at, &c) in characters.iter().enumerate() {
        let syntax = match c {
            '_' => at == 0 || !in_word(at - 1) || !in_word(at + 1),
            // A list, a heading, a line below one.
            '-' | '+' | '=' | '#' => at == 0,
            c => "\\`*[]<>|~&$@".contains(c),
        };
        if syntax {
            _ = write!(safe, "&#{};", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    // No link by itself: of these alone GitHub makes one.
    ["http", "https", "ftp"]
        .iter()
        .fold(safe, |safe, scheme| safe.replace(&format!("{scheme}://"), &format!("{scheme}&#58;//")))
        .replace("www.", "www&#46;")
}

/// As code.
fn code(text: &str) -> String {
    // A backtick would end it, a bar the cell that it stands in. In HTML nothing does.
    match text.contains(['`', '|']) || text != plain(text) {
        true => format!("<code>{}</code>", escaped(text)),
        false => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gateway_said_is_text_and_nothing_else() {
        let hostile =
            "|x|\n<img src=x onerror=alert(1)> [a](http://evil) `c` @all #1 ![i](x) **b** &lt; -- ~~s~~";
        let safe = escaped(hostile);
        for syntax in ['|', '<', '>', '[', ']', '`', '@', '*', '~', '\n'] {
            assert!(!safe.contains(syntax), "{syntax}: {safe}");
        }
        assert!(!safe.contains("http://") && !safe.contains("&lt;"), "{safe}");
        for (list, line) in
            [("- a", "&#45; a"), ("# a", "&#35; a"), ("=== a", "&#61;== a"), ("_a_ b", "&#95;a&#95; b")]
        {
            assert_eq!(escaped(list), line);
        }
        assert!(code("a`b").starts_with("<code>") && code("a|b").starts_with("<code>"));
    }

    #[test]
    fn the_source_can_be_read() {
        for words in [
            "plain words, 12.5 ms",
            "handshake failed in 15 of 30 runs of the canary (upgrade_reset), in none of the baseline: too_slow",
            "gateprobe_phase_seconds{phase=\"upgrade\"}: ws://127.0.0.1:9001/ answered 503 - it's \"busy\"",
        ] {
            assert_eq!(escaped(words), words);
        }
        assert_eq!(code("ws://127.0.0.1:9001/"), "`ws://127.0.0.1:9001/`");
    }
}

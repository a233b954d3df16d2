//! A verification as a person reads it: the sentence, the table, the evidence.

use std::fmt::Write;

use super::next::Next;
use super::words::plain;
use crate::canary::words::{metric, quantity, shift};
use crate::canary::{Decision, Row, Verdict};
use crate::cli::render::Style;
use crate::gate::Report;
use crate::model::aligned;

const HEADS: [&str; 6] = ["check", "metric", "baseline", "canary", "shift (95 %)", "verdict"];

/// The whole text.
pub(super) fn text(report: &Report, next: Option<&Next>, style: Style) -> String {
    let mut text = String::new();
    let Some(decision) = report.decision() else { return text };
    let label = decision.verdict.label();
    let head = format!("{}  ", label.to_uppercase());
    let sentence = style.paragraph(&head, &plain(&decision.sentence));
    // Painted once it is broken into lines: what paints has no width.
    text.push_str(&style.paint(label, head.trim_end()));
    text.push_str(&sentence[head.trim_end().len()..]);
    let below = |what: &str| style.paragraph("      ", what);
    let gateways = &report.gateways;
    text.push_str(&match &gateways.baseline {
        Some(baseline) => below(&format!("{} against {}", gateways.canary.url, baseline.url)),
        None => below(&format!("{} against the thresholds of its checks", gateways.canary.url)),
    });
    if let Some(early) = decision.stopped_early {
        text.push_str(&below(&format!("It was stopped early: {}.", early.explain())));
    }
    rows(&mut text, &decision.rows, style);
    counts(&mut text, decision, style);
    if !decision.notes.is_empty() {
        text.push('\n');
        for note in &decision.notes {
            text.push_str(&style.paragraph("Note: ", &format!("{}.", plain(note))));
        }
    }
    evidence(&mut text, decision, next, style);
    text
}

/// As a table; where that is wider than the terminal, each row as a paragraph.
fn rows(text: &mut String, rows: &[Row], style: Style) {
    let table = table(rows);
    let widest = table.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let lines = match style.columns {
        Some(columns) if widest > columns => rows.iter().map(|row| stacked(row, style)).collect(),
        _ => {
            let Some(heads) = table.first() else { return };
            _ = write!(text, "\n{heads}");
            table[1..].to_vec()
        }
    };
    text.push('\n');
    for (line, row) in lines.iter().zip(rows) {
        let painted = match row.verdict {
            verdict if verdict.fails() => style.paint("fail", line),
            verdict if verdict.blocks() => style.paint("inconclusive", line),
            _ => line.clone(),
        };
        // Writing to a String can't fail.
        let _ = writeln!(text, "{painted}");
    }
}

/// The heads and the rows; nothing where there are no rows.
fn table(rows: &[Row]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let heads = HEADS.map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(heads).chain(rows.iter().map(cells)).collect();
    aligned(&lines, [false; 6])
}

fn stacked(row: &Row, style: Style) -> String {
    let [check, metric, baseline, canary, shift, verdict] = cells(row);
    let head = style.paragraph("", &format!("{check} {metric}: {verdict}"));
    let numbers = format!("baseline {baseline}, canary {canary}, shift {shift}");
    (head + &style.paragraph("    ", &numbers)).trim_end().to_owned()
}

fn cells(row: &Row) -> [String; 6] {
    let verdict = match &row.note {
        Some(note) => format!("{}: {}", row.verdict.label(), plain(note)),
        None => row.verdict.label().to_owned(),
    };
    [
        row.check.clone(),
        metric(row).to_owned(),
        quantity(row.baseline, &row.unit),
        quantity(row.canary, &row.unit),
        shift(row),
        verdict,
    ]
}

fn counts(text: &mut String, decision: &Decision, style: Style) {
    text.push('\n');
    for counts in &decision.runs {
        let others = [(counts.inconclusive, "inconclusive"), (counts.unsupported, "unsupported")];
        let others = others.iter().filter(|(count, _)| *count > 0);
        let others: String = others.map(|(count, what)| format!(", {count} {what}")).collect();
        let told = format!(
            "{} {}: {} passed, {} failed{others} of {} planned",
            counts.check,
            counts.arm.label(),
            counts.pass,
            counts.fail,
            counts.planned,
        );
        text.push_str(&style.paragraph("", &told));
    }
}

fn evidence(text: &mut String, decision: &Decision, next: Option<&Next>, style: Style) {
    if decision.evidence.is_empty() {
        return;
    }
    let title = if decision.verdict == Verdict::Pass { "What else was seen" } else { "Evidence" };
    // Writing to a String can't fail.
    let _ = writeln!(text, "\n{title}:");
    for (at, found) in decision.evidence.iter().enumerate() {
        let head =
            format!("{} {} {} ({}x)", found.arm.label(), found.check, plain(&found.reason), found.count);
        let head = if found.critical { style.paint("fail", &format!("{head}, critical")) } else { head };
        let _ = writeln!(text, "  {head}");
        text.push_str(&style.paragraph("    ", &plain(&found.detail)));
        if let Some(next) = next.filter(|next| next.below == at) {
            text.push_str(&style.paragraph("    next: ", &next.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::RowVerdict;

    fn row(verdict: RowVerdict) -> Row {
        Row {
            check: "network_switch".into(),
            metric: "gateprobe_network_switch_resume_seconds{way=interface}".into(),
            unit: "seconds".into(),
            baseline: Some(0.0123),
            canary: Some(0.0456),
            n_baseline: 8,
            n_canary: 8,
            shift: Some(0.0333),
            interval: Some((0.021, 0.0417)),
            p: Some(0.01),
            effect: Some(0.9),
            threshold: None,
            verdict,
            note: None,
            weight: 1.0,
        }
    }

    fn shown(columns: Option<usize>) -> String {
        let mut text = String::new();
        rows(
            &mut text,
            &[row(RowVerdict::Worse), row(RowVerdict::NotEnough)],
            Style { colour: false, columns },
        );
        text
    }

    #[test]
    fn a_table_keeps_its_columns_where_there_is_room() {
        for columns in [None, Some(200)] {
            let text = shown(columns);
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.len() == 4 && lines[0].is_empty(), "{text}");
            let at = lines[1].find("baseline").expect("a head");
            assert!(lines[2][at..].starts_with("12.3 ms") && lines[3][at..].starts_with("12.3 ms"), "{text}");
        }
    }

    #[test]
    fn on_a_narrow_terminal_each_row_is_a_paragraph() {
        let text = shown(Some(60));
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = "resume_seconds{way=interface}: worse baseline 12.3 ms, canary 45.6 ms, \
            shift +33.3 ms (+21 ms to +41.7 ms)";
        assert!(words.contains(told), "{text}");
    }

    #[test]
    fn nothing_compared_is_no_table() {
        let mut text = String::new();
        rows(&mut text, &[], Style { colour: false, columns: Some(10) });
        assert_eq!(text, "");
    }
}

//! A verification as a person reads it: the sentence, the table, the evidence.

use std::fmt::Write;

use super::words::plain;
use crate::canary::words::{metric, quantity, shift};
use crate::canary::{Decision, Row, RowVerdict, Verdict};
use crate::cli::render::Style;
use crate::gate::Report;

const HEADS: [&str; 6] = ["check", "metric", "baseline", "canary", "shift (95 %)", "verdict"];

/// The whole text.
pub(super) fn text(report: &Report, style: Style) -> String {
    let mut text = String::new();
    let Some(decision) = report.decision() else { return text };
    let label = decision.verdict.label();
    // Writing to a String can't fail.
    let _ = writeln!(text, "{}  {}", style.paint(label, &label.to_uppercase()), plain(&decision.sentence));
    let gateways = &report.gateways;
    let _ = match &gateways.baseline {
        Some(baseline) => writeln!(text, "      {} against {}", gateways.canary.url, baseline.url),
        None => writeln!(text, "      {} against the thresholds of its checks", gateways.canary.url),
    };
    if let Some(early) = decision.stopped_early {
        let _ = writeln!(text, "      It was stopped early: {}.", early.explain());
    }
    table(&mut text, &decision.rows, style);
    counts(&mut text, decision);
    if !decision.notes.is_empty() {
        text.push('\n');
        for note in &decision.notes {
            let _ = writeln!(text, "Note: {}.", plain(note));
        }
    }
    evidence(&mut text, decision, style);
    text
}

fn table(text: &mut String, rows: &[Row], style: Style) {
    let cells: Vec<[String; 6]> = rows.iter().map(cells).collect();
    if cells.is_empty() {
        return;
    }
    let width = |column: usize| {
        let widest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        widest.max(HEADS[column].len())
    };
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let line = |row: [&str; 6]| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let _ = writeln!(text, "\n{}", line(HEADS));
    for (row, of) in cells.iter().zip(rows) {
        let line = line([&row[0], &row[1], &row[2], &row[3], &row[4], &row[5]]);
        let painted = match of.verdict {
            verdict if verdict.fails() => style.paint("fail", &line),
            RowVerdict::NotEnough => style.paint("inconclusive", &line),
            _ => line,
        };
        let _ = writeln!(text, "{painted}");
    }
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

fn counts(text: &mut String, decision: &Decision) {
    text.push('\n');
    for counts in &decision.runs {
        let others = [(counts.inconclusive, "inconclusive"), (counts.unsupported, "unsupported")];
        let others = others.iter().filter(|(count, _)| *count > 0);
        let others: String = others.map(|(count, what)| format!(", {count} {what}")).collect();
        let _ = writeln!(
            text,
            "{} {}: {} passed, {} failed{others} of {} planned",
            counts.check,
            counts.arm.label(),
            counts.pass,
            counts.fail,
            counts.planned,
        );
    }
}

fn evidence(text: &mut String, decision: &Decision, style: Style) {
    if decision.evidence.is_empty() {
        return;
    }
    let title = if decision.verdict == Verdict::Pass { "What else was seen" } else { "Evidence" };
    let _ = writeln!(text, "\n{title}:");
    for found in &decision.evidence {
        let head =
            format!("{} {} {} ({}x)", found.arm.label(), found.check, plain(&found.reason), found.count);
        let head = if found.critical { style.paint("fail", &format!("{head}, critical")) } else { head };
        let _ = writeln!(text, "  {head}\n    {}", plain(&found.detail));
    }
}

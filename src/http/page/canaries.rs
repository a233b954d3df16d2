//! `/canaries`: the verifications of canaries that the agent knows of, and one of them.

use jiff::Timestamp;
use maud::{Markup, html};

use super::chart;
use super::layout::{LINE, moment};
use super::row::State;
use super::text::plain;
use crate::canary::words::{metric, quantity, shift};
use crate::canary::{Decision, Evidence, Row, RowVerdict, Verdict};
use crate::gate::Report;

/// All of them.
pub(super) fn canaries(reports: &[Report], now: Timestamp) -> Markup {
    html! {
        div class="head" { h1 { "Canaries" } }
        @if reports.is_empty() {
            p class="empty" { "No canary has been verified since the agent began." }
        } @else {
            table class="runs" {
                thead { tr {
                    th scope="col" { "Began" } th scope="col" { "Canary" } th scope="col" { "Verdict" }
                    th scope="col" { "Why" }
                } }
                tbody { @for report in reports { (line(report, now)) } }
            }
        }
    }
}

fn line(report: &Report, now: Timestamp) -> Markup {
    html! {
        tr id=(format!("canary-{}", report.id)) {
            td { (moment(report.started_at, now)) }
            th scope="row" { a href=(format!("/canaries/{}", report.id)) { (name(report)) } }
            td { (badge(report)) }
            td class="detail" { (plain(report.sentence(), LINE)) }
        }
    }
}

/// One of them, with what it rests on.
pub(super) fn canary(report: &Report, now: Timestamp) -> Markup {
    html! {
        div class="head" { h1 { (name(report)) } p { (badge(report)) " " (moment(report.started_at, now)) } }
        p class="why" { (plain(report.sentence(), LINE)) }
        @match report.decision() {
            None => p { progress max="1" value=(report.progress) { } " " (format!("{:.0} %", report.progress * 100.0)) }
            Some(decision) => (decided(decision))
        }
        p { a href="/canaries" { "All canaries" } }
    }
}

fn decided(decision: &Decision) -> Markup {
    html! {
        @for note in &decision.notes { p { (plain(note, LINE)) } }
        h2 { "What was compared" }
        table class="runs" {
            thead { tr {
                th scope="col" { "Check" } th scope="col" { "Metric" } th scope="col" { "Baseline" }
                th scope="col" { "Canary" } th scope="col" { "Shift, and its interval" } th scope="col" { "Runs" }
                th scope="col" { "Verdict" }
            } }
            tbody { @for row in &decision.rows { (compared(row)) } }
        }
        @if !decision.evidence.is_empty() {
            h2 { "What the runs said that did not pass" }
            ul { @for evidence in &decision.evidence { li { (said(evidence)) } } }
        }
    }
}

fn compared(row: &Row) -> Markup {
    let state = match row.verdict {
        RowVerdict::Critical | RowVerdict::Worse | RowVerdict::OverThreshold => State::of_outcome("fail"),
        RowVerdict::NotEnough => State::of_outcome("inconclusive"),
        RowVerdict::Better | RowVerdict::Same => State::of_outcome("pass"),
        RowVerdict::NotJudged => State::Waiting,
    };
    html! {
        tr {
            th scope="row" { (row.check) }
            td { (plain(metric(row), 120)) }
            td { (quantity(row.baseline, &row.unit)) }
            td { (quantity(row.canary, &row.unit)) }
            td { (shift(row)) }
            td { (row.n_baseline) " / " (row.n_canary) }
            td {
                span class=(format!("badge {}", state.word())) { (chart::shape(state)) (row.verdict.label().replace('_', " ")) }
                @if let Some(note) = &row.note { " " (plain(note, LINE)) }
            }
        }
    }
}

fn said(evidence: &Evidence) -> Markup {
    html! {
        strong { (evidence.arm.label()) " " (evidence.check) ": " (plain(&evidence.reason, 64)) }
        " (" (evidence.count) ") " (plain(&evidence.detail, LINE))
    }
}

fn badge(report: &Report) -> Markup {
    let word = report.verdict().map_or("pending", Verdict::label);
    let state = report.verdict().map_or(State::Waiting, |verdict| State::of_outcome(verdict.label()));
    html! { span class=(format!("badge {}", state.word())) { (chart::shape(state)) (word) } }
}

fn name(report: &Report) -> String {
    let gateways = &report.gateways;
    let canary = plain(&gateways.canary.name, 64);
    match &gateways.baseline {
        Some(baseline) => format!("{canary} against {}", plain(&baseline.name, 64)),
        None => canary,
    }
}

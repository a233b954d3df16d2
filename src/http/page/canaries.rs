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
            None => p {
                progress max="1" value=(report.progress) aria-label="Runs that are made" { }
                " " (format!("{:.0} %", report.progress * 100.0))
            }
            Some(decision) => (decided(decision))
        }
        p { a href="/canaries" { "All canaries" } " " a href="/docs/canary" { "How it is decided" } }
    }
}

fn decided(decision: &Decision) -> Markup {
    html! {
        @for note in &decision.notes { p { (plain(note, LINE)) } }
        h2 { "What was compared" }
        table class="runs compared" {
            thead { tr {
                th scope="col" { "Check" } th scope="col" { "Metric" } th scope="col" class="num" { "Baseline" }
                th scope="col" class="num" { "Canary" } th scope="col" class="num" { "Shift, and its interval" }
                th scope="col" class="num" { "Runs" } th scope="col" { "Verdict" }
            } }
            tbody { @for row in &decision.rows { (compared(row)) } }
        }
        @if !decision.evidence.is_empty() {
            h2 { "What the runs said that did not pass" }
            ul class="evidence" { @for evidence in &decision.evidence { li { (said(evidence)) } } }
        }
    }
}

fn compared(row: &Row) -> Markup {
    let state = match row.verdict {
        RowVerdict::Critical | RowVerdict::Worse | RowVerdict::OverThreshold => State::of_outcome("fail"),
        RowVerdict::Suspect | RowVerdict::NotEnough => State::of_outcome("inconclusive"),
        RowVerdict::Better | RowVerdict::Same => State::of_outcome("pass"),
        RowVerdict::NotJudged => State::Waiting,
    };
    html! {
        tr {
            th scope="row" { (row.check) }
            td class="metric" { (plain(metric(row), 120)) }
            td class="num" data-label="baseline " { (quantity(row.baseline, &row.unit)) }
            td class="num" data-label="canary " { (quantity(row.canary, &row.unit)) }
            td class="num" data-label="shift " { (shift(row)) }
            td class="num" data-label="runs " { (row.n_baseline) " / " (row.n_canary) }
            td class="judged" {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::{Arm, End, Judge, Plan, Policy, Run, RunOutcome};
    use crate::gate::{Address, Addresses, Pending, Profile, State as Standing};

    const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{1b}[2J";

    fn report(state: Standing) -> Report {
        let address = |name: &str| Address { name: name.to_owned(), url: "wss://gateway.test/".to_owned() };
        Report {
            id: "0123456789abcdef".to_owned(),
            gateprobe: "0.0.0".to_owned(),
            gateways: Addresses { baseline: Some(address("chat")), canary: address("chat-next") },
            profile: Profile::default(),
            started_at: Timestamp::now(),
            ended_at: None,
            done: matches!(state, Standing::Decided(_)),
            progress: 0.25,
            state,
        }
    }

    /// A canary whose handshakes all fail, in the gateway's own words.
    fn decided() -> Report {
        let checks = [("handshake".to_owned(), 30)].into();
        let mut judge = Judge::new(Plan { compare: true, checks, policy: Policy::default() });
        for number in 0..60 {
            let arm = if number % 2 == 0 { Arm::Baseline } else { Arm::Canary };
            let fails = arm == Arm::Canary;
            judge.add(Run {
                arm,
                check: "handshake".into(),
                outcome: if fails { RunOutcome::Fail } else { RunOutcome::Pass },
                reason: fails.then(|| "unavailable".into()),
                detail: HOSTILE.to_owned(),
                critical: false,
                seconds_since_start: f64::from(number),
                measures: [("gateprobe_connect_seconds".to_owned(), 0.01)].into(),
            });
        }
        report(Standing::Decided(Box::new(judge.finish(End::Completed))))
    }

    #[test]
    fn a_verification_is_told_with_what_it_rests_on_and_obeys_nothing() {
        let report = decided();
        let all = canaries(std::slice::from_ref(&report), Timestamp::now()).into_string();
        assert!(
            all.contains("href=\"/canaries/0123456789abcdef\"") && all.contains("chat-next against chat"),
            "{all}"
        );
        let one = canary(&report, Timestamp::now()).into_string();
        for told in ["badge failing", "unavailable", "What was compared", "100 %", "30 / 30", "alert(1)"] {
            assert!(one.contains(told), "{told}: {one}");
        }
        assert!(!one.contains("<script") && !one.contains('\u{202e}') && !one.contains('\u{1b}'), "{one}");
    }

    #[test]
    fn one_that_is_not_over_shows_how_far_it_is() {
        let pending = Pending::new("1 of 4 runs are made".to_owned(), Vec::new());
        let html = canary(&report(Standing::Pending(pending)), Timestamp::now()).into_string();
        assert!(
            html.contains("<progress") && html.contains("25 %") && html.contains("1 of 4 runs"),
            "{html}"
        );
    }
}

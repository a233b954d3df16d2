//! `/canaries`: the verifications of canaries that the agent knows of.

use jiff::Timestamp;
use maud::{Markup, html};

use super::chart;
use super::layout::{LINE, moment};
use super::row::State;
use super::text::plain;
use crate::http::CanaryView;

/// The page's content.
pub(super) fn canaries(canaries: &[CanaryView], now: Timestamp) -> Markup {
    html! {
        div class="head" { h1 { "Canaries" } }
        @if canaries.is_empty() {
            p class="empty" { "No canary has been verified since the agent began." }
        } @else {
            table class="runs" {
                thead { tr {
                    th scope="col" { "Began" } th scope="col" { "Canary" } th scope="col" { "Verdict" }
                    th scope="col" { "Why" }
                } }
                tbody { @for canary in canaries { (line(canary, now)) } }
            }
        }
    }
}

fn line(canary: &CanaryView, now: Timestamp) -> Markup {
    let state = match canary.verdict {
        "pending" => State::Waiting,
        verdict => State::of_outcome(verdict),
    };
    html! {
        tr id=(format!("canary-{}", plain(&canary.id, 64))) {
            td { (moment(canary.started_at, now)) }
            th scope="row" { (plain(&canary.name, 120)) }
            td { span class=(format!("badge {}", state.word())) { (chart::shape(state)) (canary.verdict) } }
            td class="detail" { (plain(&canary.summary, LINE)) }
        }
    }
}

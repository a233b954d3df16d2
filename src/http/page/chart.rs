//! Charts as inline SVG: only attributes, since the page allows no inline style.

use std::fmt::Write;
use std::sync::Arc;

use maud::{Markup, PreEscaped, html};

use super::row::State;
use crate::model::count;
use crate::store::{PhaseView, RunView};

const SPARK_STEP: usize = 4;
const SPARK_HEIGHT: f64 = 20.0;

/// The last runs in a line, the newest at the right: as high as they took long, failures at full height.
pub(super) fn sparkline(runs: &[Arc<RunView>], most: usize) -> Markup {
    let (width, shown) = (most * SPARK_STEP, &runs[..runs.len().min(most)]);
    let longest = longest(shown);
    // One path a state: thousands of rows stay light.
    let mut paths: Vec<(State, String)> = Vec::new();
    for (at, run) in shown.iter().enumerate() {
        let state = State::of_outcome(run.outcome);
        let x = width as f64 - (at * SPARK_STEP) as f64 - 1.5;
        let height = match state {
            State::Passing => 3.0 + 11.0 * (run.duration_seconds / longest).clamp(0.0, 1.0),
            _ => SPARK_HEIGHT,
        };
        let path = match paths.iter_mut().find(|(of, _)| *of == state) {
            Some((_, path)) => path,
            None => &mut paths.push_mut((state, String::new())).1,
        };
        // Writing to a String can't fail.
        let _ = write!(path, "M{x} {SPARK_HEIGHT}V{:.1}", SPARK_HEIGHT - height);
    }
    html! {
        svg class="spark" viewBox=(format!("0 0 {width} {SPARK_HEIGHT}")) width=(width) height=(SPARK_HEIGHT)
            role="img" aria-label=(tally(shown)) {
            @for (state, path) in &paths { path class=(state.word()) d=(path) {} }
        }
    }
}

/// What a line of runs says, in words.
pub(super) fn tally(runs: &[Arc<RunView>]) -> String {
    if runs.is_empty() {
        return "no runs yet".to_owned();
    }
    let of = |outcome| runs.iter().filter(|run| run.outcome == outcome).count();
    let outcomes = ["pass", "fail", "inconclusive", "unsupported"].map(|outcome| (outcome, of(outcome)));
    let parts = outcomes.iter().filter(|(_, number)| *number > 0);
    let parts: Vec<String> = parts.map(|(outcome, number)| format!("{number} {outcome}")).collect();
    format!("last {}: {}", count(runs.len(), "run"), parts.join(", "))
}

const STRIP_HEIGHT: f64 = 64.0;
const STRIP_BAR: f64 = 56.0;

/// The history as bars, each of which leads to its run. Beside the table of runs it says nothing new, so it is left
/// out for screen readers and the tabulator.
pub(super) fn strip(runs: &[Arc<RunView>], most: usize, path: &str, chosen: Option<&str>) -> Markup {
    let shown = &runs[..runs.len().min(most)];
    let longest = longest(shown);
    let step = 1_000.0 / most as f64;
    html! {
        svg class="strip" viewBox=(format!("0 0 1000 {STRIP_HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" {
            @for (at, run) in shown.iter().enumerate() {
                @let state = State::of_outcome(run.outcome);
                @let x = 1_000.0 - (at + 1) as f64 * step;
                @let height = bar_height(run, longest);
                a href=(format!("{path}?run={}", run.id)) tabindex="-1" {
                    title { (run.outcome) " " (run.reason.unwrap_or_default()) ", " (super::text::absolute(run.started_at))
                        ", " (super::text::duration(run.duration_seconds)) }
                    rect class=(if chosen == Some(run.id.as_str()) { "hit chosen" } else { "hit" }) x=(format!("{x:.1}")) y="0" width=(format!("{step:.1}")) height=(STRIP_HEIGHT) {}
                    rect class=(state.word()) x=(format!("{:.1}", x + step * 0.12))
                        y=(format!("{:.1}", STRIP_BAR - height)) width=(format!("{:.1}", step * 0.76))
                        height=(format!("{height:.1}")) {}
                    @if state != State::Passing {
                        rect class=(state.word()) x=(format!("{:.1}", x + step * 0.12)) y="59"
                            width=(format!("{:.1}", step * 0.76)) height="5" {}
                    }
                }
            }
        }
    }
}

fn bar_height(run: &RunView, longest: f64) -> f64 {
    3.0 + (STRIP_BAR - 3.0) * (run.duration_seconds / longest).clamp(0.0, 1.0)
}

/// How long the longest of some runs took, in seconds; never 0.
pub(super) fn longest(runs: &[Arc<RunView>]) -> f64 {
    runs.iter().map(|run| run.duration_seconds).fold(1e-6, f64::max)
}

/// A phase in its place within the run.
pub(super) fn phase_bar(phase: &PhaseView, run_seconds: f64) -> Markup {
    let scale = 1_000.0 / run_seconds.max(1e-9);
    let width = (phase.duration_seconds * scale).clamp(4.0, 1_000.0);
    let x = (phase.at_seconds * scale).clamp(0.0, 1_000.0 - width);
    html! {
        svg class="span" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true" {
            rect class="track" x="0" y="5.5" width="1000" height="1" {}
            rect class=(format!("bar {}", phase.phase.label())) x=(format!("{x:.1}")) y="1"
                width=(format!("{width:.1}")) height="10" {}
        }
    }
}

/// A share as a short bar.
pub(super) fn gauge(share: f64) -> Markup {
    let width = 40.0 * share.clamp(0.0, 1.0);
    let class = if share > 0.25 {
        "passing"
    } else if share > 0.0 {
        "inconclusive"
    } else {
        "failing"
    };
    html! {
        svg class="gauge" viewBox="0 0 40 6" width="40" height="6" aria-hidden="true" {
            rect class="track" x="0" y="0" width="40" height="6" rx="3" {}
            rect class=(class) x="0" y="0" width=(format!("{width:.1}")) height="6" rx="3" {}
        }
    }
}

/// A state's shape, so that colour is never alone.
pub(super) fn shape(state: State) -> Markup {
    let inside = match state {
        State::Failing => {
            r#"<path d="M3 1h10l2 2v10l-2 2H3l-2-2V3z"/><path class="mark" d="m5 5 6 6m0-6-6 6"/>"#
        }
        State::Inconclusive => {
            r#"<path d="m8 .5 7.5 7.5L8 15.5.5 8z"/><path class="mark" d="M8 4.5v4.2M8 11v.6"/>"#
        }
        State::Stale => r#"<circle cx="8" cy="8" r="7"/><path class="mark" d="M8 4v4.3l2.8 1.7"/>"#,
        State::Unsupported => r#"<circle cx="8" cy="8" r="7"/><path class="mark" d="M4.5 8h7"/>"#,
        State::Waiting => r#"<circle class="hollow" cx="8" cy="8" r="6"/>"#,
        State::Paused => r#"<circle cx="8" cy="8" r="7"/><path class="mark" d="M6 5v6m4-6v6"/>"#,
        State::Passing => r#"<circle cx="8" cy="8" r="7"/><path class="mark" d="m4.7 8.3 2.3 2.3 4.3-5"/>"#,
    };
    html! {
        svg class=(format!("shape {}", state.word())) viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
            (PreEscaped(inside))
        }
    }
}

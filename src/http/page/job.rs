//! `/targets/{target}/{check}`: one check of one target, and one run of it in full.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::layout::{LINE, moment};
use super::overview::{budget, every, in_words, next, paused_by};
use super::row::{Row, State};
use super::text::{absolute, duration, plain, prose};
use super::timeline::{endings, timeline, waterfall};
use super::{chart, docs};
use crate::http::Promise;
use crate::model::{Span, count};
use crate::store::{Measured, RunView};

/// Runs in the strip and, at most, in the table.
pub(super) const RUNS: usize = 100;
/// Places in the strip, at least: a few runs are no wall of bars.
const FEW: usize = 50;
/// Runs in the table, unless more are asked for.
const TABLE: usize = 15;

/// What is to be seen of a job.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The run that was chosen, by its identity.
    pub(super) run: Option<String>,
    /// Of this address only.
    pub(super) peer: Option<String>,
    pub(super) all: bool,
}

impl View {
    /// From `?run=&peer=&all=`; what is unknown is left out.
    pub(super) fn parse(query: &str) -> Self {
        let mut view = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "run" => view.run = Some(value.into_owned()),
                "peer" => view.peer = Some(value.into_owned()),
                "all" => view.all = true,
                _ => {}
            }
        }
        view
    }
}

/// The page's content.
pub(super) fn job(row: &Row, view: &View, promises: &[Promise], now: Timestamp) -> Markup {
    let of_peer = |run: &&Arc<RunView>| view.peer.is_none() || run.peer == view.peer;
    let runs: Vec<Arc<RunView>> = row.runs.iter().filter(of_peer).cloned().collect();
    let (chosen, why) = choose(row, view, &runs);
    html! {
        (head(row, now))
        (facts(row, now))
        (peers(row, view))
        @if runs.is_empty() {
            p class="empty" { "No run yet. The first one is due " (next(row, now)) "." }
        } @else {
            (history(row, &runs, chosen.map(|run| run.id.as_str()), now))
        }
        @if let Some(run) = chosen {
            (in_full(run, why, (promises, row.standing.timeout_seconds), now))
        } @else if let Some(id) = &view.run {
            p class="empty" { "The run " code { (plain(id, 40)) } " is not kept any more." }
        }
        @if !runs.is_empty() { (table(row, &runs, view, chosen.map(|run| run.id.as_str()), now)) }
    }
}

/// The run that is shown in full: the one asked for, the failure that matters, or the newest one.
fn choose<'a>(
    row: &'a Row,
    view: &View,
    runs: &'a [Arc<RunView>],
) -> (Option<&'a Arc<RunView>>, &'static str) {
    if let Some(id) = &view.run {
        let kept = row.runs.iter().chain(&row.last_failure).find(|run| run.id == *id);
        return (kept, "The run that you chose");
    }
    if row.state == State::Failing && view.peer.is_none() {
        return (row.speaking(), "The last failure");
    }
    (runs.first(), "The last run")
}

fn head(row: &Row, now: Timestamp) -> Markup {
    let standing = &row.standing;
    let run = row.speaking();
    html! {
        nav class="crumbs" aria-label="Where you are" { a href="/" { "All checks" } " / " (standing.target) }
        div class="head" {
            h1 { span class="target" { (standing.target) } " " span class="check" { (standing.check) } }
            span class=(format!("badge large {}", row.state.word())) { (chart::shape(row.state)) (row.state.word()) }
            (actions(row))
        }
        @if let Some(paused) = standing.paused {
            p class="verdict" { (paused_by(paused.by)) ", ends " (moment(paused.until, now)) }
        }
        @if let Some(run) = run {
            @if let Some(reason) = run.reason {
                p class="verdict" { code class="reason" { (reason) } " " (prose(run.explanation, LINE)) "." }
                p class="links" {
                    @if let Some(book) = docs::runbook(row.state, run.reason) {
                        a class="button main" href=(format!("/runbooks/{book}")) { "Runbook" } " "
                    }
                    a href=(format!("/docs/checks#{}", standing.check)) { "What this check does" }
                }
            }
        }
    }
}

/// What may be done. The script shows it and asks for the token; without scripts there is nothing to see.
fn actions(row: &Row) -> Markup {
    let path = format!("/api/v1/targets/{}/checks/{}", row.standing.target, row.standing.check);
    html! {
        div class="actions" data-path=(path) hidden {
            @if row.state == State::Paused {
                button type="button" data-do="resume" { "Resume" }
            } @else {
                button type="button" data-do="run" disabled[row.standing.running] { "Run now" }
                span class="group" {
                    button type="button" data-do="pause" { "Pause" }
                    label class="unseen" for="pause-for" { "for" }
                    select id="pause-for" {
                        option value="15m" { "15 minutes" }
                        option value="1h" selected { "1 hour" }
                        option value="4h" { "4 hours" }
                        option value="1d" { "1 day" }
                    }
                }
            }
            span class="said" role="status" {}
        }
    }
}

fn facts(row: &Row, now: Timestamp) -> Markup {
    let standing = &row.standing;
    html! {
        dl class="facts" {
            div { dt { "Gateway" } dd class="url" { (plain(&standing.url, LINE)) } }
            div { dt { "Runs" } dd { (every(standing.interval_seconds)) } }
            div { dt { "Last" } dd {
                @match row.runs.first() { Some(run) => (moment(run.started_at, now)), None => "never" }
            } }
            div { dt { "Next" } dd { (next(row, now)) } }
            div { dt { "Failed in a row" } dd { (standing.consecutive_failures) } }
            @if let Some(left) = row.budget {
                div class="wide" { dt { "Error budget left" } dd { (budget(row.budget)) span class="quiet" { (in_words(&left)) } } }
            }
        }
    }
}

fn peers(row: &Row, view: &View) -> Markup {
    let mut peers: Vec<&str> = row.runs.iter().filter_map(|run| run.peer.as_deref()).collect();
    peers.sort_unstable();
    peers.dedup();
    let newest = |peer: &str| row.runs.iter().find(|run| run.peer.as_deref() == Some(peer));
    let state = |peer| newest(peer).map_or(State::Waiting, |run| State::of_outcome(run.outcome));
    let link = |peer: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("peer", peer).finish();
        format!("{}?{query}", row.path())
    };
    let current = |peer: Option<&str>| (view.peer.as_deref() == peer).then_some("true");
    html! {
        @if !peers.is_empty() {
            nav class="states" aria-label="Address" {
                a href=(row.path()) aria-current=[current(None)] { "all addresses " b { (peers.len()) } }
                @for peer in peers {
                    a href=(link(peer)) aria-current=[current(Some(peer))] {
                        (chart::shape(state(peer))) (plain(peer, 64)) span class="unseen" { " " (state(peer).word()) }
                    }
                }
            }
        }
    }
}

fn history(row: &Row, runs: &[Arc<RunView>], chosen: Option<&str>, now: Timestamp) -> Markup {
    let shown = runs.len().min(RUNS);
    html! {
        section class="history" aria-labelledby="history" {
            h2 id="history" { "History" }
            p class="quiet" { (chart::tally(&runs[..shown])) "; the longest took " (duration(chart::longest(&runs[..shown]))) }
            (chart::strip(runs, shown.max(FEW), &row.path(), chosen))
            p class="axis quiet" {
                @if shown >= FEW {
                    @if let Some(oldest) = runs.get(shown - 1) { (moment(oldest.started_at, now)) }
                }
                span { "now" }
            }
        }
    }
}

fn in_full(run: &RunView, why: &str, (promises, timeout): (&[Promise], f64), now: Timestamp) -> Markup {
    let state = State::of_outcome(run.outcome);
    html! {
        section class="run" id="run" aria-labelledby="run-title" {
            h2 id="run-title" { (why) span class="quiet" { " " (moment(run.started_at, now)) ", "
                (absolute(run.started_at)) } }
            div class="columns" {
                section aria-labelledby="happened" {
                    h3 id="happened" { "What happened" }
                    p { span class=(format!("badge {}", state.word())) { (chart::shape(state)) (run.outcome) }
                        @if let Some(reason) = run.reason { " " code class="reason" { (reason) } }
                        " after " (duration(run.duration_seconds)) }
                    p { (prose(run.explanation, LINE)) }
                    @if !run.detail.is_empty() { p class="detail" { (prose(&run.detail, LINE)) } }
                    @if let Some(next) = &run.next { p class="hint" { b { "What to try" } " " (prose(next, LINE)) "." } }
                    @let endings = endings(run);
                    @if !endings.is_empty() { ul class="endings" { @for ending in &endings { li { (ending) } } } }
                    (measured(&run.measured))
                }
                section aria-labelledby="promised" {
                    h3 id="promised" { "What was promised" }
                    p class="quiet" { "The check’s settings in force: what the gateway promises, and what the check does." }
                    (promised(promises, timeout))
                }
            }
            h3 { "Phases" }
            (waterfall(run))
            h3 { "On the wire" span class="quiet" { " " (count(run.timeline.events.len(), "event")) } }
            (timeline(run))
            p class="quiet" { "Run " code { (run.id) }
                @if let Some(peer) = &run.peer { ", to " (plain(peer, 64)) }
                ", " a href=(format!("/api/v1/runs/{}", run.id)) { "as JSON" } }
        }
    }
}

fn measured(measured: &[Measured]) -> Markup {
    html! {
        @if !measured.is_empty() {
            dl class="pairs" {
                @for one in measured {
                    div { dt { (name(one)) } dd { (value(one)) } }
                }
            }
        }
    }
}

/// `zombie cleanup (mute)` of `gateprobe_last_zombie_cleanup_seconds{mode="mute"}`.
fn name(measured: &Measured) -> String {
    let name = measured.metric.trim_start_matches("gateprobe_last_");
    let name =
        ["_seconds", "_bytes", "_ratio"].iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name);
    let name = name.replace('_', " ");
    let labels: Vec<String> =
        measured.labels.iter().map(|label| plain(label, 64).replace('_', " ")).collect();
    if labels.is_empty() { name } else { format!("{name} ({})", labels.join(", ")) }
}

fn value(measured: &Measured) -> String {
    if measured.metric.ends_with("_seconds") {
        duration(measured.value)
    } else {
        format!("{}", measured.value)
    }
}

/// What is not asked for is no promise.
fn promised(promises: &[Promise], timeout: f64) -> Markup {
    html! {
        dl class="pairs promises" {
            // As the settings below it: by the words of a config.
            div { dt { "timeout" } dd { (Span::from(Duration::from_secs_f64(timeout))) } }
            @for Promise { setting, value } in promises.iter().filter(|promise| promise.value != "false") {
                div { dt { (plain(setting, 120)) } dd { (plain(value, LINE)) } }
            }
        }
    }
}

fn table(row: &Row, runs: &[Arc<RunView>], view: &View, chosen: Option<&str>, now: Timestamp) -> Markup {
    let most = if view.all { RUNS } else { TABLE };
    let shown = &runs[..runs.len().min(most)];
    let with_peer = shown.iter().any(|run| run.peer.is_some());
    html! {
        section aria-labelledby="runs" {
            h2 id="runs" { "Last runs" }
            table class="runs" {
                thead { tr {
                    th scope="col" { "Began" }
                    th scope="col" { "Outcome" }
                    @if with_peer { th scope="col" { "Address" } }
                    th scope="col" class="num" { "Took" }
                    th scope="col" { "Detail" }
                } }
                tbody {
                    @for run in shown { (run_line(row, run, with_peer, chosen == Some(run.id.as_str()), now)) }
                    @if let Some(failure) = &row.last_failure {
                        @if !runs.iter().any(|run| run.id == failure.id) && view.peer.is_none() {
                            tr class="gap" { td colspan=(if with_peer { 5 } else { 4 }) { "the last failure, before those" } }
                            (run_line(row, failure, with_peer, chosen == Some(failure.id.as_str()), now))
                        }
                    }
                }
            }
            @if runs.len() > shown.len() && !view.all {
                p class="more" { a href=(format!("{}?all=1#runs", row.path())) { "Show " (runs.len().min(RUNS)) " runs" } }
            }
        }
    }
}

fn run_line(row: &Row, run: &RunView, with_peer: bool, chosen: bool, now: Timestamp) -> Markup {
    let state = State::of_outcome(run.outcome);
    html! {
        tr id=(format!("run-{}", run.id)) class=[chosen.then_some("chosen")] {
            td { a href=(format!("{}?run={}#run", row.path(), run.id)) aria-current=[chosen.then_some("true")] {
                (moment(run.started_at, now)) } }
            td { span class=(format!("badge {}", state.word())) { (chart::shape(state)) (run.outcome) }
                @if let Some(reason) = run.reason { " " code class="reason" { (reason) } } }
            @if with_peer { td { (plain(run.peer.as_deref().unwrap_or_default(), 64)) } }
            td class="num" { (duration(run.duration_seconds)) }
            td class="detail" { (prose(&run.detail, 200)) }
        }
    }
}

//! `/`: every check of every target at a glance, the worst first.

use jiff::Timestamp;
use maud::{Markup, html};

use super::chart;
use super::layout::{LINE, moment};
use super::row::{Budget, Row, SPARK, State};
use super::text::{absolute, duration, percent, plain, prose, roughly};
use crate::http::PausedBy;
use crate::model::count;

/// Rows on one page, unless all are asked for: the worst come first, and a browser stays quick.
const MOST_ROWS: usize = 250;

/// What is to be seen of all rows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) state: Option<State>,
    /// A part of the target's name or the check's.
    pub(super) text: String,
    pub(super) all: bool,
}

impl Filter {
    /// From `?state=&q=&all=`; what is unknown is left out.
    pub(super) fn parse(query: &str) -> Self {
        let mut filter = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "state" => filter.state = State::ALL.into_iter().find(|state| state.word() == value),
                "q" => filter.text = value.trim().chars().take(80).collect(),
                "all" => filter.all = true,
                _ => {}
            }
        }
        filter
    }

    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(state) = self.state {
            query.append_pair("state", state.word());
        }
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if self.all {
            query.append_pair("all", "1");
        }
        query.finish()
    }

    fn link(&self) -> String {
        match self.query() {
            query if query.is_empty() => "/".to_owned(),
            query => format!("/?{query}"),
        }
    }

    fn has_text(&self, row: &Row) -> bool {
        let (target, check) = (&*row.standing.target, row.standing.check);
        self.text.is_empty()
            || self.text.split_whitespace().all(|word| target.contains(word) || check.contains(word))
    }

    fn has(&self, row: &Row) -> bool {
        self.has_text(row) && self.state.is_none_or(|state| state == row.state)
    }
}

/// How all jobs stand, in a few words.
pub(super) fn summary(rows: &[Row]) -> String {
    let of = |state| rows.iter().filter(|row| row.state == state).count();
    let bad = State::ALL.into_iter().filter(|state| !matches!(state, State::Passing | State::Paused));
    let parts: Vec<String> =
        bad.filter(|state| of(*state) > 0).map(|state| format!("{} {}", of(state), state.word())).collect();
    match (rows.len(), parts.is_empty()) {
        (0, _) => "Nothing to watch".to_owned(),
        (_, false) => parts.join(", "),
        _ if of(State::Paused) > 0 => format!("{} passing, {} paused", of(State::Passing), of(State::Paused)),
        (number, _) => format!("All {number} passing"),
    }
}

/// The page's content. `rows` are in their order.
pub(super) fn overview(rows: &[Row], filter: &Filter, now: Timestamp) -> Markup {
    let chosen: Vec<&Row> = rows.iter().filter(|row| filter.has(row)).collect();
    let most = if filter.all { usize::MAX } else { MOST_ROWS };
    let shown = &chosen[..chosen.len().min(most)];
    html! {
        div class="head" {
            h1 class=(worst(rows).word()) { (chart::shape(worst(rows))) (summary(rows)) }
            (search(filter))
        }
        (states(rows, filter))
        @if rows.is_empty() {
            p class="empty" { "The config has no targets. " code { "gateprobe config check" } " tells what a config may say." }
        } @else if shown.is_empty() {
            p class="empty" { "No check is like that. " a href="/" { "Show all" } }
        } @else {
            (table(shown, now))
        }
        @if chosen.len() > shown.len() {
            p class="more" { (count(chosen.len() - shown.len(), "check")) " more. "
                a href=(Filter { all: true, ..filter.clone() }.link()) { "Show all" } }
        }
    }
}

fn worst(rows: &[Row]) -> State {
    rows.iter().map(|row| row.state).filter(|state| *state != State::Paused).min().unwrap_or(State::Waiting)
}

fn search(filter: &Filter) -> Markup {
    html! {
        form class="search" role="search" action="/" {
            @if let Some(state) = filter.state { input type="hidden" name="state" value=(state.word()); }
            label for="q" class="unseen" { "Target or check" }
            input id="q" name="q" type="search" value=(filter.text) placeholder="Target or check" autocomplete="off";
        }
    }
}

fn states(rows: &[Row], filter: &Filter) -> Markup {
    let rows: Vec<&Row> = rows.iter().filter(|row| filter.has_text(row)).collect();
    let of = |state| rows.iter().filter(|row| row.state == state).count();
    let link = |state| Filter { state, ..filter.clone() }.link();
    let current = |state| (filter.state == state).then_some("true");
    html! {
        nav class="states" aria-label="Show only" {
            a href=(link(None)) aria-current=[current(None)] { "all " b { (rows.len()) } }
            @for state in State::ALL {
                @if of(state) > 0 || filter.state == Some(state) {
                    a href=(link(Some(state))) aria-current=[current(Some(state))] {
                        (chart::shape(state)) (state.word()) " " b { (of(state)) }
                    }
                }
            }
        }
    }
}

fn table(rows: &[&Row], now: Timestamp) -> Markup {
    html! {
        table class="jobs" role="table" aria-label="Checks, the worst first" {
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "State" }
                    th scope="col" role="columnheader" { "Check" }
                    th scope="col" role="columnheader" { "What happened" }
                    th scope="col" role="columnheader" class="last" { "Last runs" }
                    th scope="col" role="columnheader" class="num" { "Last" }
                    th scope="col" role="columnheader" class="num" { "Next" }
                    th scope="col" role="columnheader" class="num" { "Budget left" }
                }
            }
            tbody role="rowgroup" { @for row in rows { (line(row, now)) } }
        }
    }
}

fn line(row: &Row, now: Timestamp) -> Markup {
    let standing = &row.standing;
    let (target, check) = (&standing.target, standing.check);
    html! {
        tr id=(format!("{target}.{check}")) class=(row.state.word()) role="row" {
            td class="state" role="cell" { span class=(format!("badge {}", row.state.word())) {
                (chart::shape(row.state)) (row.state.word())
            } }
            th class="name" scope="row" role="rowheader" {
                a href=(row.path()) { span class="target" { (target) } " " span class="check" { (check) } }
            }
            td class="what" role="cell" { (what(row, now)) }
            td class="last" role="cell" { (chart::sparkline(&row.runs, SPARK)) }
            td class="num when" role="cell" data-label="last " {
                @match row.runs.first() {
                    Some(run) => (moment(run.started_at, now)),
                    None => span class="quiet" { "never" },
                }
            }
            td class="num next" role="cell" data-label="next " { (next(row, now)) }
            td class="num budget" role="cell" { (budget(row.budget)) }
        }
    }
}

/// What a person should know of a row beside its state.
fn what(row: &Row, now: Timestamp) -> Markup {
    let failures = row.standing.consecutive_failures;
    html! {
        div {
            @if failures > 1 || (failures > 0 && row.state != State::Failing) {
                span class="streak" { (failures) " failed in a row" } " "
            }
            @if row.standing.ticks_left_out > 0 {
                span class="streak" { "backs off: the gateway asked for patience" } " "
            }
            (why(row, now))
        }
    }
}

fn why(row: &Row, now: Timestamp) -> Markup {
    html! {
        @if let Some(paused) = row.standing.paused {
            span class="why" { (paused_by(paused.by)) ", ends " (moment(paused.until, now)) }
        } @else if let Some(run) = row.speaking() {
            @if let Some(reason) = run.reason {
                code class="reason" { (reason) } " "
                span class="why" title=(plain(&run.detail, LINE)) { (prose(run.explanation, LINE)) }
            } @else if row.state == State::Stale {
                span class="why" { "passed, but has not run for long: what is known is old" }
            } @else if run.detail.is_empty() {
                span class="quiet" { "took " (duration(run.duration_seconds)) }
            } @else {
                // How long a run took is mostly how long it waited, and would be read as the gateway's latency.
                span class="calm quiet" title=(plain(&run.detail, LINE)) { (plain(&run.detail, LINE)) }
            }
        } @else {
            span class="quiet" { "no run yet" }
        }
    }
}

/// Who paused, in words.
pub(super) fn paused_by(by: PausedBy) -> &'static str {
    match by {
        PausedBy::Config => "paused by the config",
        PausedBy::Request => "paused by hand (until a restart at most)",
    }
}

/// When the next run is due, or that one is in progress.
pub(super) fn next(row: &Row, now: Timestamp) -> Markup {
    html! {
        @if row.standing.running {
            span class="running" { "running" }
        } @else if row.state == State::Paused {
            span class="quiet" { "–" }
        } @else if let Some(next) = row.standing.next_run_at {
            (moment(next, now))
        } @else {
            span class="quiet" { "–" }
        }
    }
}

/// What is left of the error budget, with what that means in the title.
pub(super) fn budget(budget: Option<Budget>) -> Markup {
    html! {
        @match budget {
            Some(budget) => span class="left" title=(in_words(&budget)) {
                (chart::gauge(budget.left())) span class="share" { (percent(budget.left())) }
            },
            None => span class="quiet" { "–" },
        }
    }
}

/// What a budget means: the agent knows of nothing that was before its start.
pub(super) fn in_words(budget: &Budget) -> String {
    let allowed = if budget.allowed >= 10.0 {
        format!("{:.0}", budget.allowed)
    } else {
        format!("{:.1}", budget.allowed)
    };
    let failed = count(budget.failed, "failed run");
    let since = absolute(budget.since);
    if budget.whole {
        format!("{failed} of the {allowed} that the objective allows in its period")
    } else {
        format!(
            "{failed} of the {allowed} that the objective allows in its period; counted since {since}, when the agent began"
        )
    }
}

/// How often a check runs, in words.
pub(super) fn every(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("every {}", duration(seconds))
    } else {
        format!("every {}", roughly(seconds.round() as u64))
    }
}

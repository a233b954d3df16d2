//! What the page says of jobs, and that nothing can misuse it.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::job::{View, job};
use super::overview::{Filter, overview, summary};
use super::row::{Row, State, peers};
use crate::http::testing::{Running, start};
use crate::http::{About, JobStanding, Limits, Notice, Objective, Paused, PausedBy};
use crate::model::{Cause, EventKind, Evidence, Failure, JobKey, Outcome, Phase, RunReport, TraceContext};
use crate::store::History;

const HOSTILE: &str = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\u{0}\u{1b}[2J'\"&";

fn standing(target: &str) -> JobStanding {
    JobStanding {
        target: target.into(),
        check: "handshake",
        url: "wss://chat.example.com/socket".to_owned(),
        interval_seconds: 30.0,
        timeout_seconds: 5.0,
        next_run_at: Some(Timestamp::now()),
        running: false,
        ticks_left_out: 0,
        consecutive_failures: 0,
        paused: None,
        slo: Some(Objective { objective: 0.999, period_seconds: 2_592_000.0 }),
    }
}

fn report(target: &str, outcome: Outcome, number: u128) -> RunReport {
    let evidence = Evidence::new();
    evidence.enter(Phase::Upgrade);
    evidence.note(EventKind::Http { status: 503 });
    RunReport {
        job: JobKey { target: target.into(), check: "handshake", config_hash: 1 },
        peer: None,
        started_at: SystemTime::now(),
        duration: Duration::from_millis(20),
        outcome,
        detail: "by the test".to_owned(),
        next: None,
        timeline: evidence.timeline(),
        first: Duration::ZERO,
        trace: TraceContext { trace: number, span: 1 },
        samples: Vec::new(),
    }
}

const FAIL: Outcome = Outcome::Fail(Failure::Unavailable);

fn row(standing: JobStanding, reports: &[RunReport]) -> Row {
    let history = History::default();
    reports.iter().for_each(|report| history.record(report));
    let known = history.recent_of(&standing.target, standing.check, 100);
    Row::new(standing, known, &history, Timestamp::now())
}

#[test]
fn each_state_is_told_from_the_others() {
    let of = |standing: JobStanding, outcomes: &[Outcome]| {
        let reports: Vec<_> = outcomes.iter().map(|outcome| report("chat", *outcome, 1)).collect();
        row(standing, &reports).state
    };
    let chat = || standing("chat");
    let inconclusive = Outcome::Inconclusive(Cause::AgentLag);
    assert_eq!(of(chat(), &[]), State::Waiting);
    assert_eq!(of(chat(), &[FAIL, Outcome::Pass]), State::Passing);
    assert_eq!(of(chat(), &[Outcome::Pass, FAIL]), State::Failing);
    assert_eq!(of(chat(), &[FAIL, inconclusive]), State::Inconclusive, "the last one could not tell");
    let paused = Some(Paused { by: PausedBy::Request, until: Timestamp::now() });
    assert_eq!(of(JobStanding { paused, ..chat() }, &[FAIL]), State::Paused);
}

#[test]
fn green_that_is_old_is_no_green() {
    let old = SystemTime::now() - Duration::from_secs(101);
    let passed = RunReport { started_at: old, ..report("chat", Outcome::Pass, 1) };
    assert_eq!(row(standing("chat"), std::slice::from_ref(&passed)).state, State::Stale);
    let backs_off = JobStanding { ticks_left_out: 4, ..standing("chat") };
    assert_eq!(
        row(backs_off, std::slice::from_ref(&passed)).state,
        State::Passing,
        "it stays away on purpose"
    );
    let long = JobStanding { running: true, ..standing("chat") };
    assert_eq!(row(long, &[passed]).state, State::Passing, "it is being looked at");
}

#[test]
fn of_several_addresses_the_worst_speaks_and_those_that_are_gone_do_not() {
    let of = |peer: &str, outcome, ago| RunReport {
        peer: Some(peer.to_owned()),
        started_at: SystemTime::now() - Duration::from_secs(ago),
        ..report("chat", outcome, 1)
    };
    let runs = [of("192.0.2.9", FAIL, 60), of("192.0.2.1", FAIL, 0), of("192.0.2.2", Outcome::Pass, 0)];
    let some = row(standing("chat"), &runs);
    assert_eq!((some.state, peers(&some.runs)), (State::Failing, 2));
    assert_eq!(some.speaking().unwrap().peer.as_deref(), Some("192.0.2.1"));
    let healed =
        [of("192.0.2.9", FAIL, 60), of("192.0.2.1", Outcome::Pass, 0), of("192.0.2.2", Outcome::Pass, 0)];
    assert_eq!(row(standing("chat"), &healed).state, State::Passing);
}

#[test]
fn the_budget_counts_what_the_objective_allows() {
    let failed: Vec<_> = (0..10).map(|number| report("chat", FAIL, number + 1)).collect();
    let budget = row(standing("chat"), &failed).budget.expect("an objective");
    // 0.1 % of one run in 30 s over 30 days.
    assert_eq!((budget.failed, budget.allowed.round()), (10, 86.0));
    assert!((budget.left() - 0.884).abs() < 0.001 && !budget.whole, "{budget:?}");
    assert!(row(JobStanding { slo: None, ..standing("chat") }, &failed).budget.is_none());
}

#[test]
fn the_worst_comes_first_and_the_summary_says_how_it_stands() {
    let mut rows = vec![
        row(standing("green"), &[report("green", Outcome::Pass, 1)]),
        row(standing("new"), &[]),
        row(JobStanding { consecutive_failures: 1, ..standing("red") }, &[report("red", FAIL, 2)]),
        row(JobStanding { consecutive_failures: 7, ..standing("redder") }, &[report("redder", FAIL, 3)]),
    ];
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    let names: Vec<&str> = rows.iter().map(|row| &*row.standing.target).collect();
    assert_eq!(names, ["redder", "red", "new", "green"]);
    assert_eq!(summary(&rows), "2 failing, 1 waiting");
    assert_eq!(summary(&rows[3..]), "All 1 passing");
    let shown = |query: &str| overview(&rows, &Filter::parse(query), Timestamp::now()).into_string();
    assert!(shown("").contains("7 failed in a row"));
    let reds = shown("state=failing&q=dd");
    assert!(
        reds.contains("/targets/redder/handshake") && !reds.contains("/targets/green/handshake"),
        "{reds}"
    );
    let none = shown("q=%3Cscript%3E");
    assert!(
        none.contains("No check is like that")
            && none.contains("&lt;script&gt;")
            && !none.contains("<script>")
    );
}

#[test]
fn hostile_text_is_only_text() {
    let hostile =
        RunReport { detail: HOSTILE.repeat(200), peer: Some(HOSTILE.to_owned()), ..report("chat", FAIL, 1) };
    let mut hostile = hostile;
    hostile.timeline.events[0].kind = EventKind::Note { text: HOSTILE.repeat(200) };
    hostile.timeline.events[1].kind = EventKind::TlsUp { version: HOSTILE.to_owned() };
    let bad = row(standing("chat"), &[hostile]);
    for view in ["", "all=1", "run=00000000000000000000000000000001", "peer=%3Cscript%3E&run=%3Cscript%3E"] {
        let html = job(&bad, &View::parse(view), &[], Timestamp::now()).into_string();
        for raw in ["<script", "<img", "\u{202e}", "\u{0}", "\u{1b}"] {
            assert!(!html.contains(raw), "{view}: {raw:?}");
        }
        assert!(html.len() < 60_000, "{view}: {} bytes", html.len());
    }
    let html = overview(&[bad], &Filter::default(), Timestamp::now()).into_string();
    assert!(!html.contains("<script") && !html.contains('\u{202e}'));
}

#[test]
fn a_failing_check_shows_its_failure_and_a_chosen_run_itself() {
    let reports = [report("chat", FAIL, 1), report("chat", Outcome::Pass, 2), report("chat", FAIL, 3)];
    let failing = row(standing("chat"), &reports);
    let page = |query: &str| job(&failing, &View::parse(query), &[], Timestamp::now()).into_string();
    assert!(page("").contains("The last failure") && page("").contains("HTTP 503"));
    let id = format!("{:032x}", 2);
    let chosen = page(&format!("run={id}"));
    assert!(chosen.contains("The run that you chose") && chosen.contains(&format!("Run <code>{id}</code>")));
    assert!(page("run=gone").contains("is not kept any more"));
    assert!(page("").contains("href=\"/runbooks/GateprobeCheckFailing\""));
}

#[test]
fn thousands_of_checks_are_a_page_that_a_browser_can_take() {
    let now = Timestamp::now();
    let passed: Vec<_> = (0..30).map(|number| report("chat", Outcome::Pass, number + 1)).collect();
    let one = row(standing("chat"), &passed);
    let rows: Vec<Row> = (0..2_000).map(|_| one.clone()).collect();
    let html = overview(&rows, &Filter::default(), now).into_string();
    assert!(html.contains("1750 checks more") && html.len() < 1_000_000, "{} bytes", html.len());
    assert!(overview(&rows, &Filter::parse("all=1"), now).into_string().len() < 6_000_000);
}

async fn serving() -> Running {
    let server = start(Limits::default()).await;
    server.history.record(&report("chat", FAIL, 5));
    *server.agent.jobs.lock().unwrap() = vec![standing("chat"), standing("edge")];
    server
}

#[tokio::test]
async fn the_pages_are_there_and_their_policy_allows_nothing_inline() {
    let server = serving().await;
    let notice = Notice { about: About::Config, lines: vec!["not loaded".to_owned(), HOSTILE.to_owned()] };
    server.agent.notices.lock().unwrap().push(notice);
    let paths = [
        "/",
        "/targets/chat/handshake",
        "/canaries",
        "/runbooks/GateprobeDown",
        "/docs/checks",
        "/docs/canary",
        "/docs/page",
    ];
    for path in paths {
        let reply = server.get(path).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("text/html; charset=utf-8")),
            "{path}"
        );
        let policy = reply.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(part) && !policy.contains("unsafe"), "{path}: {policy}");
        }
        for inline in [" style=", "<style", " onclick", "<script>", "javascript:", "=\"http://", "src=\"//"] {
            assert!(!reply.body.contains(inline) || path.starts_with("/docs"), "{path} has {inline}");
        }
        assert!(reply.body.contains("not loaded") && !reply.body.contains("<img src=x"), "{path}");
    }
    for gone in [
        "/canaries/none",
        "/targets/chat/zombie",
        "/targets/none/handshake",
        "/runbooks/x",
        "/docs/..%2f",
        "/assets/x",
    ] {
        assert_eq!(server.get(gone).await.status, 404, "{gone}");
    }
    for asset in ["page.css", "page.js", "icon.svg"] {
        assert_eq!(server.get(&format!("/assets/{asset}")).await.status, 200, "{asset}");
    }
}

#[tokio::test]
async fn without_a_token_there_is_nothing_to_press() {
    let server = serving().await;
    let page = || async { server.get("/targets/chat/handshake").await.body };
    assert!(!page().await.contains("data-changes"));
    *server.agent.token.lock().unwrap() = Some(SecretString::from("s3cret"));
    let page = page().await;
    assert!(page.contains("data-changes") && page.contains("id=\"token\""));
    assert!(!page.contains("s3cret"));
}

#[test]
fn a_moment_in_the_past_is_counted_from_now() {
    let begin = Timestamp::now().checked_sub(SignedDuration::from_secs(90)).unwrap();
    let html = super::layout::moment(begin, Timestamp::now()).into_string();
    assert!(html.contains(">1 m 30 s ago<"), "{html}");
}

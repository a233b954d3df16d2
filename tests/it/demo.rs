//! `gateprobe demo`, as a newcomer meets it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::binary::{gateprobe, get, value};
use crate::support::folder;
use crate::support::terminal::{OnTerminal, unpainted};

const JOBS: [&str; 9] = [
    "chat handshake",
    "chat heartbeat",
    "chat zombie",
    "orders handshake",
    "orders heartbeat",
    "orders zombie",
    "secure handshake",
    "secure heartbeat",
    "secure zombie",
];

/// A running demo; killed when dropped.
struct Demo {
    child: Child,
    lines: BufReader<ChildStdout>,
    began: Instant,
}

impl Demo {
    /// Starts it with this folder for temporary files.
    fn start(temporary: &Path, args: &[&str]) -> Self {
        let mut command = gateprobe(&["demo"]);
        command.args(args).env("TMPDIR", temporary).stdout(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().expect("runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines, began }
    }

    /// The next line; none after the last one.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("its output");
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Where it serves metrics, by its second line; the first one has the page.
    fn metrics(&mut self) -> String {
        let page = self.line().expect("a first line");
        let page = page.strip_prefix("gateprobe demo: the page is ").expect("the page's address").to_owned();
        assert_eq!(get(&page).0, 200, "{page}");
        let line = self.line().expect("a second line");
        line.strip_prefix("demo: metrics at ").expect("the address").to_owned()
    }

    /// Ctrl-C; then all lines to the end, and the exit code.
    fn interrupt(self) -> (Vec<String>, Option<i32>) {
        let kill = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        self.finish()
    }

    /// All lines to the end, and the exit code.
    fn finish(mut self) -> (Vec<String>, Option<i32>) {
        let lines = std::iter::from_fn(|| self.line()).collect();
        (lines, self.child.wait().expect("ends").code())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("a folder").next().is_none()
}

#[test]
fn a_healthy_demo_is_green_soon_and_never_red() {
    let folder = folder();
    let mut demo = Demo::start(folder.path(), &["--listen", "127.0.0.1:0", "--no-fault", "--seconds", "40"]);
    let url = demo.metrics();
    let mut said = Vec::new();
    let passed = |said: &[String]| JOBS.iter().all(|job| said.contains(&format!("{job}: pass")));
    while !passed(&said) {
        said.push(demo.line().unwrap_or_else(|| panic!("ended before all jobs passed: {said:#?}")));
    }
    // A zombie has to be silent for some seconds, and begins within its interval of 8 s.
    let took = demo.began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    let (status, metrics) = get(&url);
    let series = "gateprobe_check_runs_total{check=\"handshake\",outcome=\"pass\",target=\"orders\",location=\"demo\"}";
    assert_eq!(status, 200);
    assert!(value(&metrics, series).is_some_and(|passed| passed >= 1.0), "{metrics}");
    assert!(!is_empty(folder.path()), "or the last line of this test would prove nothing");
    let (rest, code) = demo.finish();
    said.extend(rest);
    assert!(!said.iter().any(|line| line.contains("fail")), "{said:#?}");
    assert_eq!(code, Some(0), "{said:#?}");
    assert!(is_empty(folder.path()), "it left something behind");
}

#[test]
fn the_fault_turns_orders_red_with_its_reason_and_heals() {
    let folder = folder();
    let args = ["--listen", "127.0.0.1:0", "--fault-after", "6s", "--seconds", "90"];
    let mut demo = Demo::start(folder.path(), &args);
    let mut said = Vec::new();
    // A zombie check that failed has to wait for silence again before all is green.
    while said
        .last()
        .is_none_or(|line: &String| line != "demo: `orders` has healed: every check passes again")
    {
        said.push(demo.line().unwrap_or_else(|| panic!("ended before it healed: {said:#?}")));
    }
    let (rest, code) = demo.interrupt();
    said.extend(rest);
    assert_eq!(code, Some(0), "{said:#?}");
    assert_eq!(verdicts(&said, "orders handshake"), ["pass", "fail (unavailable)", "pass"], "{said:#?}");
    for job in ["chat handshake", "secure handshake"] {
        assert_eq!(verdicts(&said, job), ["pass"], "{said:#?}");
    }
    let told = |text: &str| said.iter().position(|line| line.contains(text)).expect(text);
    let order = ["the fault `upgrade_status=503` is on", "orders handshake: fail", "the fault is off again"]
        .map(told);
    assert!(order.is_sorted(), "{said:#?}");
    let healed = said.iter().position(|line| line.contains("has healed")).expect("healed");
    for job in JOBS {
        let last = said[..healed].iter().rfind(|line| line.starts_with(job)).expect("told");
        assert_eq!(*last, format!("{job}: pass"), "{said:#?}");
    }
    assert!(is_empty(folder.path()), "it left something behind");
}

/// What was said of a job, without what an overloaded machine may add: that it can't tell.
fn verdicts<'a>(said: &'a [String], job: &str) -> Vec<&'a str> {
    let words = said.iter().filter_map(|line| line.strip_prefix(job)?.strip_prefix(": "));
    let mut words: Vec<&str> = words.filter(|words| !words.starts_with("inconclusive")).collect();
    words.dedup();
    words
}

#[test]
fn ctrl_c_ends_it_in_order_and_a_second_one_takes_a_free_port() {
    let folder = folder();
    let mut first = Demo::start(folder.path(), &["--listen", "127.0.0.1:0"]);
    let url = first.metrics();
    let address =
        url.strip_prefix("http://").and_then(|url| url.strip_suffix("/metrics")).expect("an address");
    let mut second = Demo::start(folder.path(), &["--listen", address]);
    let other = second.metrics();
    assert_ne!(url, other);
    let port = address.rsplit(':').next().expect("a port");
    let told = format!("demo: another port than asked for, because port {port} is taken");
    assert_eq!(second.line(), Some(told));
    for url in [&url, &other] {
        assert_eq!(get(url).0, 200, "{url}");
    }
    for demo in [first, second] {
        let (said, code) = demo.interrupt();
        assert_eq!(code, Some(0), "{said:#?}");
        assert!(said.last().is_some_and(|line| line.starts_with("ended")), "{said:#?}");
    }
    assert!(is_empty(folder.path()), "it left something behind");
}

#[test]
fn on_a_terminal_it_is_a_table_that_fits_and_says_where_the_page_is() {
    let folder = folder();
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("an address");
    let mut command = gateprobe(&["demo", "--listen", &taken.to_string(), "--no-fault", "--seconds", "60"]);
    command.env("TMPDIR", folder.path());
    let mut demo = OnTerminal::start(command, 80);
    let all = |written: &str| {
        let screen = last_screen(written);
        let passed = |line: &&String| line.contains(" pass, ");
        let shows = |job: &str| {
            screen.iter().filter(passed).any(|line| line.split_whitespace().take(2).eq(job.split(' ')))
        };
        JOBS.iter().all(|job| shows(job))
    };
    assert!(demo.until(all), "{}", demo.written);
    let screen = last_screen(&demo.written);
    assert!(screen.iter().all(|line| line.chars().count() <= 80), "{screen:#?}");
    let page = screen.iter().find_map(|line| line.trim().strip_prefix("page ")).expect("the page's address");
    assert_eq!(get(page.trim()).0, 200, "{screen:#?}");
    let why = format!("(port {} is taken)", taken.port());
    assert!(screen.iter().any(|line| line.trim() == why), "{screen:#?}");
}

/// The lines of what was drawn last.
fn last_screen(written: &str) -> Vec<String> {
    let drawn = written.rsplit("\x1b[2J").next().unwrap_or_default();
    unpainted(drawn).lines().map(str::to_owned).collect()
}

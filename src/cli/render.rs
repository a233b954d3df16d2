//! Reports as a person reads them.

use std::fmt::Write;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::time::Duration;

use textwrap::{Options, WordSplitter};

use super::terminal;
use crate::model::{End, Event, EventKind, FrameKind, Outcome, RunReport, Side};

/// How to write to a person: colour or not, and how wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colours.
    pub colour: bool,
    /// The columns to keep to; `None` for what is no terminal, so that a line of a log stays one.
    pub columns: Option<usize>,
}

impl Style {
    /// Text as a file has it.
    pub const PLAIN: Self = Self { colour: false, columns: None };

    /// Colour on a terminal, unless the environment says otherwise; its width.
    pub fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        let columns = stream.is_terminal().then(|| terminal::columns(stream));
        Self { colour: terminal::colour(stream), columns }
    }

    /// That of standard output.
    pub fn for_stdout() -> Self {
        Self::of(&std::io::stdout())
    }

    /// A paragraph and its newline: the first line begins with `first`, those it is broken into with as many blanks.
    pub fn paragraph(self, first: &str, text: &str) -> String {
        let Some(columns) = self.columns else { return format!("{first}{text}\n") };
        let rest = " ".repeat(first.chars().count());
        // An address or a path that is longer than a line must stay one word, to be copied.
        let options = Options::new(columns)
            .initial_indent(first)
            .subsequent_indent(&rest)
            .break_words(false)
            .word_splitter(WordSplitter::NoHyphenation);
        textwrap::fill(text, options) + "\n"
    }

    /// Wraps a text in the colour of an outcome, given by its label.
    pub fn paint(self, outcome: &str, text: &str) -> String {
        let code = match outcome {
            "pass" => 32,
            "fail" => 31,
            "inconclusive" => 33,
            _ => 90,
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A report; with its timeline where something needs an explanation, or `always` wants it.
pub fn report(report: &RunReport, style: Style, always: bool) -> String {
    let mut text = String::new();
    let peer = report.peer.as_ref().map(|peer| format!(" [{peer}]")).unwrap_or_default();
    let label = report.outcome.label().to_uppercase();
    let reason = report.outcome.reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let head = style.paint(report.outcome.label(), &format!("{label}{reason}"));
    let took = duration(report.duration);
    // Writing to a String can't fail.
    let _ = writeln!(text, "{head}  {}{peer} {}  ({took})", report.job.target, report.job.check);
    if report.outcome != Outcome::Pass {
        text.push_str(&style.paragraph("  ", report.outcome.explain()));
    }
    if !report.detail.is_empty() {
        text.push_str(&style.paragraph("  ", &report.detail));
    }
    if always || report.outcome != Outcome::Pass {
        text.push('\n');
        for shown in events(&report.timeline.events, always) {
            let _ = match shown {
                Shown::One(event) => writeln!(text, "  {:>10}  {}", duration(event.at()), describe(event)),
                Shown::More(count, what) => writeln!(text, "  {:>10}  ... {count} more {what}", ""),
            };
        }
        if report.timeline.dropped > 0 {
            let _ = writeln!(text, "  {:>10}  and {} more events", "", report.timeline.dropped);
        }
        let _ = writeln!(text, "  {took:>10}  end: {}", report.outcome);
    }
    text
}

/// A duration with three significant digits.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 1.0 { format!("{seconds:.2} s") } else { format!("{:.2} ms", seconds * 1e3) }
}

/// A line of the timeline.
enum Shown<'a> {
    One(&'a Event),
    /// So many of these, which say nothing new.
    More(usize, &'static str),
}

/// The events, where pings and pongs that follow each other for long are told by the first and the last ones, unless
/// `all` are wanted.
fn events(events: &[Event], all: bool) -> Vec<Shown<'_>> {
    /// How many of a row stay, at each of its ends: a ping and its pong.
    const ENDS: usize = 2;
    let mut shown = Vec::new();
    for row in events.chunk_by(|one, next| is_beat(one) && is_beat(next)) {
        if all || row.len() <= 2 * ENDS + 1 {
            shown.extend(row.iter().map(Shown::One));
        } else {
            shown.extend(row[..ENDS].iter().map(Shown::One));
            let left_out = &row[ENDS..row.len() - ENDS];
            let all = |wanted| left_out.iter().all(|event| beat(event) == Some(wanted));
            let what = match (all(FrameKind::Ping), all(FrameKind::Pong)) {
                (true, _) => "pings",
                (_, true) => "pongs",
                _ => "pings and pongs",
            };
            shown.push(Shown::More(left_out.len(), what));
            shown.extend(row[row.len() - ENDS..].iter().map(Shown::One));
        }
    }
    shown
}

fn is_beat(event: &Event) -> bool {
    beat(event).is_some()
}

/// A ping or a pong.
fn beat(event: &Event) -> Option<FrameKind> {
    match event.kind {
        EventKind::Frame { kind: kind @ (FrameKind::Ping | FrameKind::Pong), .. } => Some(kind),
        _ => None,
    }
}

fn describe(event: &Event) -> String {
    let connection = if event.connection > 0 { format!("#{} ", event.connection + 1) } else { String::new() };
    let what = match &event.kind {
        EventKind::Phase { phase } => format!("-- {phase}"),
        EventKind::Resolved { addresses } => format!("   resolved to {}", addresses.join(", ")),
        EventKind::Connecting { address } => format!("   connecting to {address}"),
        EventKind::Connected { address } => format!("   connected to {address}"),
        EventKind::ConnectFailed { address, error } => format!("   {address} failed: {error}"),
        EventKind::TlsUp { version } => format!("   {version} is up"),
        EventKind::Http { status } => format!("<- HTTP {status}"),
        EventKind::Frame { from, kind, bytes, code } => {
            let arrow = if *from == Side::Us { "->" } else { "<-" };
            let code = code.map(|code| format!(" code {code}")).unwrap_or_default();
            format!("{arrow} {} ({bytes} bytes){code}", format!("{kind:?}").to_lowercase())
        }
        EventKind::Ended { by, how } => {
            let how = if *how == End::Fin { "end of stream (FIN)" } else { "reset (RST)" };
            let who = if *by == Side::Us { "us" } else { "the gateway" };
            format!("   {how} by {who}")
        }
        EventKind::Note { text } => format!("   {text}"),
    };
    format!("{connection}{what}")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::{Evidence, Failure, JobKey, Phase};

    #[test]
    fn a_failure_comes_with_its_sentence_and_its_timeline() {
        let evidence = Evidence::new();
        evidence.enter(Phase::Upgrade);
        evidence.note(EventKind::Http { status: 503 });
        let run = RunReport {
            job: JobKey { target: "chat".into(), check: "handshake", config_hash: 0 },
            peer: None,
            started_at: SystemTime::UNIX_EPOCH,
            duration: Duration::from_millis(12),
            outcome: Outcome::Fail(Failure::Unavailable),
            detail: "status 503 instead of 101".into(),
            next: None,
            timeline: evidence.timeline(),
            first: Duration::ZERO,
            trace: Default::default(),
            samples: Vec::new(),
        };
        let text = report(&run, Style::PLAIN, false);
        assert!(text.starts_with("FAIL unavailable  chat handshake  (12.00 ms)\n"), "{text}");
        assert!(text.contains(Failure::Unavailable.explain()) && text.contains("-- upgrade"), "{text}");
        assert!(
            text.contains("<- HTTP 503") && text.trim_end().ends_with("end: fail (unavailable)"),
            "{text}"
        );
        let passed = RunReport { outcome: Outcome::Pass, ..run };
        assert_eq!(report(&passed, Style::PLAIN, false).lines().count(), 2);
        assert!(report(&passed, Style { colour: true, columns: None }, false).starts_with("\x1b[32mPASS"));
    }

    #[test]
    fn prose_is_broken_between_words_and_only_on_a_terminal() {
        let text = "one two three file:///a/path/that-is-longer-than-the-line four";
        assert_eq!(Style::PLAIN.paragraph("  ", text), format!("  {text}\n"));
        let narrow = Style { colour: false, columns: Some(16) };
        let told = "  one two three\n  file:///a/path/that-is-longer-than-the-line\n  four\n";
        assert_eq!(narrow.paragraph("  ", text), told);
    }

    #[test]
    fn a_long_row_of_pings_and_pongs_does_not_bury_the_verdict() {
        let evidence = Evidence::new();
        let beat = |from, kind| evidence.note(EventKind::Frame { from, kind, bytes: 8, code: None });
        for _ in 0..20 {
            beat(Side::Us, FrameKind::Ping);
            beat(Side::Gateway, FrameKind::Pong);
        }
        beat(Side::Gateway, FrameKind::Text);
        beat(Side::Us, FrameKind::Ping);
        let events = evidence.timeline().events;
        let told: Vec<String> = super::events(&events, false)
            .iter()
            .map(|shown| match shown {
                Shown::One(event) => describe(event),
                Shown::More(count, what) => format!("{count} more {what}"),
            })
            .collect();
        let (ping, pong) = ("-> ping (8 bytes)", "<- pong (8 bytes)");
        assert_eq!(told, [ping, pong, "36 more pings and pongs", ping, pong, "<- text (8 bytes)", ping]);
        assert_eq!(super::events(&events, true).len(), events.len());
    }
}

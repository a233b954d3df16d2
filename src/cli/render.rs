//! Reports as a person reads them.

use std::fmt::Write;
use std::time::Duration;

use super::terminal;
use crate::model::{End, Event, EventKind, FrameKind, Outcome, RunReport, Side};

/// Colour, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colours.
    pub colour: bool,
}

impl Style {
    /// Colour on a terminal, unless the environment says otherwise.
    pub fn for_stdout() -> Self {
        Self { colour: terminal::colour(&std::io::stdout()) }
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
        let _ = writeln!(text, "  {}", report.outcome.explain());
    }
    if !report.detail.is_empty() {
        let _ = writeln!(text, "  {}", report.detail);
    }
    if always || report.outcome != Outcome::Pass {
        text.push('\n');
        for shown in events(&report.timeline.events, always) {
            let _ = match shown {
                Shown::One(event) => writeln!(text, "  {:>10}  {}", duration(event.at()), describe(event)),
                Shown::More(count) => writeln!(text, "  {:>10}  ... {count} more pings and pongs", ""),
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
    /// So many pings and pongs that say nothing new.
    More(usize),
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
            shown.push(Shown::More(row.len() - 2 * ENDS));
            shown.extend(row[row.len() - ENDS..].iter().map(Shown::One));
        }
    }
    shown
}

fn is_beat(event: &Event) -> bool {
    matches!(event.kind, EventKind::Frame { kind: FrameKind::Ping | FrameKind::Pong, .. })
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
            timeline: evidence.timeline(),
            first: Duration::ZERO,
            trace: Default::default(),
            samples: Vec::new(),
        };
        let text = report(&run, Style { colour: false }, false);
        assert!(text.starts_with("FAIL unavailable  chat handshake  (12.00 ms)\n"), "{text}");
        assert!(text.contains(Failure::Unavailable.explain()) && text.contains("-- upgrade"), "{text}");
        assert!(
            text.contains("<- HTTP 503") && text.trim_end().ends_with("end: fail (unavailable)"),
            "{text}"
        );
        let passed = RunReport { outcome: Outcome::Pass, ..run };
        assert_eq!(report(&passed, Style { colour: false }, false).lines().count(), 2);
        assert!(report(&passed, Style { colour: true }, false).starts_with("\x1b[32mPASS"));
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
                Shown::More(count) => format!("{count} more"),
            })
            .collect();
        let (ping, pong) = ("-> ping (8 bytes)", "<- pong (8 bytes)");
        assert_eq!(told, [ping, pong, "36 more", ping, pong, "<- text (8 bytes)", ping]);
        assert_eq!(super::events(&events, true).len(), events.len());
    }
}

//! What happened on the wire in one run, in words: phases as a waterfall, then every event.

use maud::{Markup, html};

use super::chart;
use super::layout::LINE;
use super::text::{duration, plain};
use crate::model::{End, Event, EventKind, FrameKind, Side, count};
use crate::store::RunView;

/// Phases drawn of one run, at most: a run may open hundreds of connections.
const MOST_PHASES: usize = 40;

/// The phases of each connection, each in its place within the run.
pub(super) fn waterfall(run: &RunView) -> Markup {
    let shown = &run.phases[..run.phases.len().min(MOST_PHASES)];
    let several = run.phases.iter().any(|phase| phase.connection > 0);
    let end = run.phases.iter().map(|phase| phase.at_seconds + phase.duration_seconds).fold(0.0, f64::max);
    html! {
        @if shown.is_empty() {
            p class="quiet" { "The run came to no phase." }
        } @else {
            table class="waterfall" {
                caption class="unseen" { "Phases of the run, in the order of time" }
                thead class="unseen" { tr { th scope="col" { "Phase" } th scope="col" { "When" } th scope="col" { "Took" } } }
                tbody {
                    @for phase in shown {
                        tr {
                            th scope="row" {
                                @if several { span class="connection" { (phase.connection + 1) } " " }
                                (phase.phase.label().replace('_', " "))
                            }
                            td class="bar" {
                                (chart::phase_bar(phase, end))
                                span class="unseen" { "after " (duration(phase.at_seconds)) }
                            }
                            td class="num" { (duration(phase.duration_seconds)) }
                        }
                    }
                }
            }
            @if run.phases.len() > shown.len() {
                p class="quiet" { (count(run.phases.len() - shown.len(), "phase")) " more; the API has them all." }
            }
        }
    }
}

/// Every event that was kept, in the order of time.
pub(super) fn timeline(run: &RunView) -> Markup {
    let events = &run.timeline.events;
    let several = events.iter().any(|event| event.connection > 0);
    html! {
        @if events.is_empty() {
            p class="quiet" { "Nothing happened on the wire." }
        } @else {
            div class="scroll" role="region" aria-label="Timeline" tabindex="0" id="timeline" {
                table class="events" {
                    caption class="unseen" { "What happened on the wire, in the order of time" }
                    thead { tr {
                        th scope="col" class="num" { "After" }
                        @if several { th scope="col" { span class="unseen" { "Connection" } span aria-hidden="true" { "#" } } }
                        th scope="col" { "Who" }
                        th scope="col" { "What" }
                    } }
                    tbody {
                        @for (at, event) in events.iter().enumerate() {
                            @if run.timeline.dropped > 0 && at == events.len() / 2 {
                                tr class="gap" { td colspan=(if several { 4 } else { 3 }) {
                                    (count(run.timeline.dropped, "event")) " in between were not kept"
                                } }
                            }
                            (line(event, several))
                        }
                    }
                }
            }
        }
    }
}

fn line(event: &Event, several: bool) -> Markup {
    let (who, what) = words(&event.kind);
    html! {
        tr class=(class(&event.kind)) {
            td class="num" { (duration(event.at().as_secs_f64())) }
            @if several { td class="connection" { (event.connection + 1) } }
            td class="who" { (who) }
            td { (plain(&what, LINE)) }
        }
    }
}

fn class(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Phase { .. } => "phase",
        EventKind::Frame { kind: FrameKind::Close, .. } | EventKind::Ended { .. } => "end",
        EventKind::ConnectFailed { .. } => "failed",
        EventKind::Note { .. } => "note",
        _ => "event",
    }
}

/// Who did it, and what.
fn words(kind: &EventKind) -> (&'static str, String) {
    let side = |side: &Side| if *side == Side::Us { "we →" } else { "← gateway" };
    match kind {
        EventKind::Phase { phase } => ("", phase.label().replace('_', " ")),
        EventKind::Resolved { addresses } => ("resolver", format!("resolved to {}", addresses.join(", "))),
        EventKind::Connecting { address } => ("we →", format!("connect to {address}")),
        EventKind::Connected { address } => ("← gateway", format!("TCP is up with {address}")),
        EventKind::ConnectFailed { address, error } => ("", format!("{address} failed: {error}")),
        EventKind::TlsUp { version } => ("← gateway", format!("{version} is up")),
        EventKind::Http { status } => ("← gateway", format!("HTTP {status}")),
        EventKind::Frame { from, kind, bytes, code } => {
            let code = code.map(|code| format!(" {code}{}", meaning(code))).unwrap_or_default();
            (side(from), format!("{}{code}, {}", frame(*kind), count(*bytes, "byte")))
        }
        EventKind::Ended { by, how } => (side(by), format!("ended TCP ({})", end(*how))),
        EventKind::Note { text } => ("", text.clone()),
    }
}

fn frame(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Continuation => "Continuation",
        FrameKind::Text => "Text",
        FrameKind::Binary => "Binary",
        FrameKind::Close => "Close",
        FrameKind::Ping => "Ping",
        FrameKind::Pong => "Pong",
        FrameKind::Reserved => "a frame of a reserved kind",
    }
}

fn end(how: End) -> &'static str {
    match how {
        End::Fin => "FIN, in order",
        End::Rst => "RST, a reset",
    }
}

/// What a close code says (RFC 6455, section 7.4.1, and the registry of IANA).
fn meaning(code: u16) -> &'static str {
    match code {
        1000 => " (normal)",
        1001 => " (going away)",
        1002 => " (protocol error)",
        1003 => " (unsupported data)",
        1007 => " (invalid payload)",
        1008 => " (policy)",
        1009 => " (too big)",
        1010 => " (extension missing)",
        1011 => " (internal error)",
        1012 => " (restart)",
        1013 => " (try again later)",
        1014 => " (bad gateway)",
        0..=999 | 1004 | 1005 | 1006 | 1015 => " (illegal on the wire)",
        3000..=3999 => " (of a framework)",
        4000..=4999 => " (of the application)",
        _ => "",
    }
}

/// How each connection came to its end, the first ones: who began it, and by what.
pub(super) fn endings(run: &RunView) -> Vec<String> {
    let events = &run.timeline.events;
    let mut connections: Vec<u16> = events.iter().map(|event| event.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    let several = connections.len() > 1;
    let ending = |connection: u16| {
        let mut of = events.iter().filter(|event| event.connection == connection);
        let (who, how, at) =
            of.find_map(|event| began_end(&event.kind).map(|(who, how)| (who, how, event.at())))?;
        let which = if several { format!("connection {}: ", connection + 1) } else { String::new() };
        Some(format!("{which}{who} began the end by {how}, after {}", duration(at.as_secs_f64())))
    };
    connections.into_iter().filter_map(ending).take(6).collect()
}

fn began_end(kind: &EventKind) -> Option<(&'static str, String)> {
    let who = |side: &Side| if *side == Side::Us { "gateprobe" } else { "the gateway" };
    match kind {
        EventKind::Frame { from, kind: FrameKind::Close, code, .. } => {
            let code = code.map_or(" without a code".to_owned(), |code| format!(" {code}{}", meaning(code)));
            Some((who(from), format!("Close{code}")))
        }
        EventKind::Ended { by, how } => Some((who(by), end(*how).to_owned())),
        _ => None,
    }
}

//! What a run found out, in words that every floor shares. Knows no sockets, no config, and neither
//! which checks nor which metrics exist.

mod evidence;
mod outcome;
mod report;
mod span;
mod table;
mod text;
mod trace;

pub use evidence::{End, Event, EventKind, Evidence, FrameKind, Phase, Side, Timeline};
pub use outcome::{Cause, Failure, Outcome, Why};
pub use report::{JobKey, RunReport, Verdict};
pub use span::{SPAN_PATTERN, Span, SpanError};
pub use table::aligned;
pub use text::{count, harmless};
pub use trace::TraceContext;

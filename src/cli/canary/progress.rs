//! What is said on standard error while a verification runs: a line that changes on a terminal, one every ten seconds
//! elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::cli::render::Style;
use crate::gate::{Course, Progress};
use crate::model::Span;

/// What is said.
pub(super) struct Shown {
    terminal: bool,
    began: Instant,
    typical: Duration,
    longest: Duration,
    state: Mutex<Line>,
}

struct Line {
    progress: Progress,
    due: Instant,
}

impl Shown {
    /// Says what will be done, and what will not.
    pub(super) fn begin(course: &Course) -> Self {
        let runs: Vec<String> = course.runs().iter().map(|(check, runs)| format!("{check} {runs}")).collect();
        let arms = if course.addresses.baseline.is_some() { "Runs in each arm" } else { "Runs" };
        let (about, most) = (whole(course.typical()), Span::from(course.longest));
        let (stderr, now) = (std::io::stderr(), Instant::now());
        let terminal = stderr.is_terminal();
        let style = Style::of(&stderr);
        let plan = format!("{arms}: {}. About {about}, at most {most}.", runs.join(", "));
        eprint!("{}", style.paragraph("", &plan));
        course.notes.iter().for_each(|note| eprint!("{}", style.paragraph("Note: ", &format!("{note}."))));
        let line = Line { progress: Progress { done: 0, planned: course.total() }, due: now };
        let (typical, longest, state) = (course.typical(), course.longest, Mutex::new(line));
        let shown = Self { terminal, began: now, typical, longest, state };
        shown.state().due = now + shown.pace();
        shown
    }

    /// One more run is over.
    pub(super) fn advance(&self, progress: Progress) {
        self.state().progress = progress;
    }

    /// Waits until something is to be said, and says it.
    pub(super) async fn tick(&self) {
        let due = self.state().due;
        sleep_until(due).await;
        let progress = {
            let mut line = self.state();
            line.due = Instant::now() + self.pace();
            line.progress
        };
        let passed = self.began.elapsed();
        let Progress { done, planned } = progress;
        let bound = match passed <= self.typical {
            true => format!("about {}", whole(self.typical)),
            false => format!("at most {}", Span::from(self.longest)),
        };
        let text = format!("{done} of {planned} runs after {} of {bound}", whole(passed));
        let mut out = std::io::stderr().lock();
        // Nobody may be there to read it.
        let _ = match self.terminal {
            true => write!(out, "\r\x1b[K{text}").and_then(|()| out.flush()),
            false => writeln!(out, "{text}"),
        };
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        if self.terminal {
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\r\x1b[K").and_then(|()| out.flush());
        }
    }

    fn pace(&self) -> Duration {
        if self.terminal { Duration::from_millis(250) } else { Duration::from_secs(10) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Line> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In whole seconds.
fn whole(time: Duration) -> Span {
    Span::secs(time.as_secs_f64().round() as u64)
}

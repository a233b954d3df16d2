//! What a command waits for, told on standard error once it takes longer than a second.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::terminal;

/// How often a terminal's line is drawn anew.
const TICK: Duration = Duration::from_secs(1);

/// Elsewhere, such as in the log of a CI job: one line in so many ticks.
const TICKS_A_LINE: u64 = 10;

/// Does the work, and tells meanwhile what `say` says of it: on a terminal in one line that is drawn anew each second
/// and gone at the end, elsewhere in a line each 10 s.
pub async fn told<T>(work: impl Future<Output = T>, say: impl Fn() -> String) -> T {
    let terminal = std::io::stderr().is_terminal();
    let began = Instant::now();
    let mut ticks = interval_at(began + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut count = 0u64;
    tokio::pin!(work);
    let result = loop {
        tokio::select! {
            biased;
            result = &mut work => break result,
            _ = ticks.tick() => {}
        }
        count += 1;
        let line = format!("{} s  {}", began.elapsed().as_secs(), say());
        if terminal {
            write(&format!("\r\x1b[2K{}", fitting(&line, terminal::columns(&std::io::stderr()))));
        } else if count.is_multiple_of(TICKS_A_LINE) {
            write(&format!("{line}\n"));
        }
    };
    if terminal && count > 0 {
        write("\r\x1b[2K");
    }
    result
}

fn write(text: &str) {
    let mut stream = std::io::stderr().lock();
    // Nobody has to read along.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

/// As much as fits in one line: a line that wraps can't be drawn anew in place.
fn fitting(line: &str, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    if line.chars().count() <= room {
        return line.to_owned();
    }
    line.chars().take(room.saturating_sub(3)).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_the_terminal() {
        assert_eq!(fitting("12 s  zombie", 80), "12 s  zombie");
        assert_eq!(fitting("12 s  zombie", 13), "12 s  zombie");
        assert_eq!(fitting("12 s  zombie", 12), "12 s  zo...");
        assert_eq!(fitting("12 s", 0), "...");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_within_a_second_is_not_told() {
        let told_of = std::cell::Cell::new(0);
        let say = || {
            told_of.set(told_of.get() + 1);
            String::new()
        };
        assert_eq!(told(async { 7 }, say).await, 7);
        assert_eq!(told_of.get(), 0);
        told(tokio::time::sleep(Duration::from_millis(2500)), say).await;
        assert_eq!(told_of.get(), 2);
    }
}

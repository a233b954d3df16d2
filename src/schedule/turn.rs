//! A run out of turn: asked for by a person, done by the job's own loop, so that a job never runs twice at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Whose turn it is with a job; shared by its loop and whoever asks for a run.
#[derive(Debug, Default)]
pub struct Turn {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The job waits for its next tick.
    #[default]
    Waiting,
    /// A run was asked for and has not begun.
    Asked,
    /// A run is in progress.
    Running,
}

/// Why no run is begun: one is in progress, or about to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run is in progress")]
pub struct InProgress;

/// A run, for as long as this lives.
#[derive(Debug)]
pub(super) struct Running<'a>(&'a Turn);

impl Turn {
    /// Asks for a run now.
    ///
    /// # Errors
    /// When there is one already.
    pub fn ask(&self) -> Result<(), InProgress> {
        let mut state = self.lock();
        if *state != State::Waiting {
            return Err(InProgress);
        }
        *state = State::Asked;
        drop(state);
        self.asked.notify_one();
        Ok(())
    }

    /// Whether a run is in progress, or about to begin.
    pub fn is_taken(&self) -> bool {
        *self.lock() != State::Waiting
    }

    /// Returns when a run was asked for. One that began meanwhile by its tick is that run.
    pub(super) async fn asked(&self) {
        loop {
            self.asked.notified().await;
            if *self.lock() == State::Asked {
                return;
            }
        }
    }

    /// The run that was asked for, if any, is not done.
    pub(super) fn decline(&self) {
        let mut state = self.lock();
        if *state == State::Asked {
            *state = State::Waiting;
        }
    }

    /// A run begins.
    pub(super) fn begin(&self) -> Running<'_> {
        *self.lock() = State::Running;
        Running(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A single store can't be left half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.lock() = State::Waiting;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time() {
        let turn = Turn::default();
        assert_eq!((turn.ask(), turn.ask(), turn.is_taken()), (Ok(()), Err(InProgress), true));
        let running = turn.begin();
        assert_eq!(turn.ask(), Err(InProgress));
        turn.decline();
        assert!(turn.is_taken(), "only what has not begun can be declined");
        drop(running);
        assert!(!turn.is_taken());
        assert_eq!(turn.ask(), Ok(()));
        turn.decline();
        assert_eq!(turn.ask(), Ok(()));
    }
}

//! Which pair of runs comes next.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The numbers of a trial's pairs, for all of its lanes.
#[derive(Debug)]
pub(super) struct Queue {
    next: AtomicUsize,
    /// Pairs that are to be made.
    pairs: AtomicUsize,
    /// How many they may become.
    most: usize,
}

impl Queue {
    /// So many pairs, and as many more at most as are spare.
    pub(super) fn new(pairs: usize, spare: usize) -> Self {
        Self { next: AtomicUsize::new(0), pairs: AtomicUsize::new(pairs), most: pairs + spare }
    }

    /// The number of the next pair, from 0; none where all are made or begun.
    pub(super) fn next(&self) -> Option<usize> {
        one_up(&self.next, self.pairs.load(Ordering::Relaxed))
    }

    /// A pair in the place of one that found nothing out; whether there may be one.
    pub(super) fn one_more(&self) -> bool {
        one_up(&self.pairs, self.most).is_some()
    }
}

/// Counts one up, unless it is at its bound; what it was before.
fn one_up(count: &AtomicUsize, bound: usize) -> Option<usize> {
    let up = |now: usize| (now < bound).then_some(now + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, up).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_told_nothing_is_made_up_for_as_far_as_there_is_spare() {
        let queue = Queue::new(2, 1);
        assert_eq!((queue.next(), queue.next(), queue.next()), (Some(0), Some(1), None));
        assert!(queue.one_more() && !queue.one_more());
        assert_eq!((queue.next(), queue.next()), (Some(2), None));
    }
}

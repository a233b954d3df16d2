//! What sessions leave behind while a leak is switched on.

/// The most memory that is kept, in bytes.
const MEMORY_LIMIT: usize = 64 * 1024 * 1024;

/// What was left behind so far.
#[derive(Debug, Default)]
pub struct Leaks {
    /// Sessions that ended and are still counted.
    pub sessions: i64,
    memory: Vec<u8>,
}

impl Leaks {
    /// Keeps so many bytes, at most 64 MiB in all, and writes to them, so that they are resident.
    pub fn keep(&mut self, bytes: usize) {
        if self.memory.capacity() == 0 {
            // All at once: a block of this size is a mapping of its own in every allocator, so that
            // its pages become resident one after another, and all of them go when it is freed.
            self.memory.reserve_exact(MEMORY_LIMIT);
        }
        let room = MEMORY_LIMIT - self.memory.len();
        self.memory.resize(self.memory.len() + bytes.min(room), 0x5A);
    }

    /// Gives the memory back to the operating system.
    pub fn free(&mut self) {
        self.memory = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_freed() {
        let mut leaks = Leaks::default();
        leaks.keep(10);
        leaks.keep(1000);
        assert_eq!(leaks.memory.len(), 1010);
        leaks.keep(usize::MAX);
        assert_eq!((leaks.memory.len(), leaks.memory.capacity()), (MEMORY_LIMIT, MEMORY_LIMIT));
        leaks.free();
        assert_eq!(leaks.memory.capacity(), 0);
    }
}

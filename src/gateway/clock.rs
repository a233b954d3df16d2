//! The absolute monotonic clock that stamps the gateway's log.
//!
//! `std::time::Instant` can't be compared between processes; `CLOCK_MONOTONIC` can, so that a
//! measurement taken by another process on the same machine can be held against the log. This is
//! the one module of the gateway with `unsafe` in it, and it holds one system call.

/// Nanoseconds of `CLOCK_MONOTONIC` (clock_gettime(2)): since an arbitrary point, usually boot, and
/// the same for all processes of a machine.
#[allow(unsafe_code)]
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid, exclusively borrowed timespec for the length of the call, which
    // keeps no pointer to it.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    debug_assert_eq!(status, 0, "CLOCK_MONOTONIC exists on every supported system");
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000_000 + nanos
}

#[cfg(test)]
mod tests {
    use super::monotonic_ns;

    #[test]
    fn never_goes_back_and_is_not_zero() {
        let mut last = monotonic_ns();
        assert!(last > 0);
        for _ in 0..10_000 {
            let now = monotonic_ns();
            assert!(now >= last);
            last = now;
        }
    }
}

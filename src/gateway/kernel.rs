//! The two system calls for which no safe wrapper is at hand: the absolute monotonic clock that
//! stamps the gateway's log, and the length of a socket's send queue.
//!
//! `std::time::Instant` can't be compared between processes; `CLOCK_MONOTONIC` can, so that a
//! measurement taken by another process on the same machine can be held against the log. This is
//! the one module of the gateway with `unsafe` in it.

use std::os::fd::{AsFd, AsRawFd};

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

/// How many bytes the peer of a TCP socket has not acknowledged, a FIN counted as one (`SIOCOUTQ`
/// of tcp(7), which is `TIOCOUTQ`). Zero for a socket that is none any more.
#[allow(unsafe_code)]
pub fn unacknowledged(socket: &impl AsFd) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, since it is borrowed; the request writes one int, `bytes` is
    // one that is exclusively borrowed for the length of the call, and no pointer to it is kept.
    let status = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if status == 0 { u64::try_from(bytes).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

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

    #[test]
    fn what_a_peer_does_not_take_stays_in_the_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        client.set_recv_buffer_size(4096).unwrap();
        client.connect(&address.into()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(unacknowledged(&server), 0);
        server.write_all(&[0; 300_000]).unwrap();
        assert!(unacknowledged(&server) > 200_000);
        (&client).read_exact(&mut [0; 300_000]).unwrap();
        while unacknowledged(&server) > 0 {
            std::thread::yield_now();
        }
    }
}

//! The one system call of this floor for which no safe wrapper is at hand.

use std::os::fd::{AsFd, AsRawFd};

/// How many bytes of ours the peer of a TCP socket has not acknowledged (`SIOCOUTQ` of tcp(7), which is `TIOCOUTQ`).
/// Zero for a socket that is none any more.
#[allow(unsafe_code)]
pub fn unacknowledged(socket: &impl AsFd) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, since it is borrowed; the request writes one int, `bytes` is one that is
    // exclusively borrowed for the length of the call, and no pointer to it is kept.
    let status = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if status == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_not_read_may_wait_to_be_acknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client =
            TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::from_secs(9)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(unacknowledged(&client), 0);
        client.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(bytes) = client.write(&[0; 65_536]) {
            sent += bytes;
        }
        assert!(unacknowledged(&client) > 0);
        server.read_exact(&mut vec![0; sent]).unwrap();
        while unacknowledged(&client) > 0 {
            std::thread::yield_now();
        }
    }
}

//! Connecting: happy eyeballs (RFC 8305) over the resolved addresses, by the path that was asked for.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

use super::error::DialError;
use super::guard::AddressGuard;
use super::path::Path;
use crate::model::{EventKind, Evidence};

/// How long one address is tried before the next one is tried beside it (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The most addresses that are tried.
const MAX_ATTEMPTS: usize = 16;

type Attempt<'a> = Pin<Box<dyn Future<Output = Result<TcpStream, DialError>> + Send + 'a>>;

/// Connects to the first address that answers. Dropped, it closes every socket that it had begun to connect.
pub(super) async fn connect(
    addresses: &[IpAddr],
    port: u16,
    path: &Path,
    guard: AddressGuard,
    evidence: &Evidence,
) -> Result<TcpStream, DialError> {
    let allowed: Vec<IpAddr> = addresses.iter().copied().filter(|address| guard.permits(*address)).collect();
    if let (true, Some(&address)) = (allowed.is_empty(), addresses.first()) {
        return Err(DialError::AddressNotAllowed { address });
    }
    let order = interleave(&allowed, |address| has_route(address, path));
    let mut waiting = order.into_iter().take(MAX_ATTEMPTS).map(|address| SocketAddr::new(address, port));
    let mut running: Vec<(SocketAddr, Attempt<'_>)> = Vec::new();
    let mut worst: Option<DialError> = None;
    let delay = tokio::time::sleep(Duration::ZERO);
    tokio::pin!(delay);
    poll_fn(|cx| {
        loop {
            if running.is_empty() || delay.as_mut().poll(cx).is_ready() {
                if let Some(address) = waiting.next() {
                    evidence.note(EventKind::Connecting { address: address.to_string() });
                    running.push((address, Box::pin(attempt(address, path))));
                    delay.as_mut().reset(tokio::time::Instant::now() + ATTEMPT_DELAY);
                    continue;
                }
                if running.is_empty() {
                    return Poll::Ready(Err(worst.take().unwrap_or(DialError::Unreachable)));
                }
            }
            let done = running.iter_mut().enumerate().find_map(|(i, (_, attempt))| {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(result) => Some((i, result)),
                    Poll::Pending => None,
                }
            });
            let Some((i, result)) = done else { return Poll::Pending };
            let (address, _) = running.swap_remove(i);
            let error = match result {
                Ok(stream) => return Poll::Ready(Ok(stream)),
                Err(error) => error,
            };
            let text = error.to_string();
            evidence.note(EventKind::ConnectFailed { address: address.to_string(), error: text });
            worst = Some(match worst.take() {
                Some(worst) if weight(&worst) >= weight(&error) => worst,
                _ => error,
            });
            // A failure lets the next address begin at once.
            delay.as_mut().reset(tokio::time::Instant::now());
        }
    })
    .await
}

/// The families by turns, IPv6 first, each in the resolver's order; what has no route goes last (RFC 6724, rule 1).
fn interleave(addresses: &[IpAddr], has_route: impl Fn(IpAddr) -> bool) -> Vec<IpAddr> {
    let (routed, lost): (Vec<IpAddr>, Vec<IpAddr>) = match addresses {
        [one] => (vec![*one], Vec::new()),
        many => many.iter().copied().partition(|address| has_route(*address)),
    };
    let (mut v6, mut v4) = (routed.iter().filter(|a| a.is_ipv6()), routed.iter().filter(|a| a.is_ipv4()));
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < routed.len() {
        order.extend(v6.next());
        order.extend(v4.next());
    }
    order.extend(lost);
    order
}

/// Which failure tells the most: our own first, then what the gateway itself did.
fn weight(error: &DialError) -> u8 {
    match error {
        DialError::NoDescriptors | DialError::NoPorts => 6,
        DialError::Path(_) => 5,
        DialError::Refused => 4,
        DialError::ConnectReset => 3,
        DialError::ConnectTimedOut => 2,
        DialError::Unreachable => 1,
        // The other family may still have a route.
        _ => 0,
    }
}

async fn attempt(address: SocketAddr, path: &Path) -> Result<TcpStream, DialError> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|error| classify_socket(&error))?;
    prepare(&socket, address, path)?;
    match socket.connect(address).await {
        Ok(stream) if is_itself(&stream) => Err(DialError::Refused),
        Ok(stream) => {
            // Fails only on a socket that is dead already, which the first write will say.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Err(error) => Err(classify_connect(&error, address.ip(), path)),
    }
}

/// A connect to a free local port in the ephemeral range can meet itself (TCP simultaneous open): nobody listens.
fn is_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

fn prepare(socket: &TcpSocket, address: SocketAddr, path: &Path) -> Result<(), DialError> {
    if let Some(interface) = &path.interface {
        socket.bind_device(Some(interface.as_bytes())).map_err(|error| match error.raw_os_error() {
            Some(libc::ENODEV) => DialError::Path("no such interface"),
            _ => DialError::Path("may not bind to the interface"),
        })?;
    }
    if let Some(bytes) = path.receive_buffer {
        socket.set_recv_buffer_size(bytes).map_err(|_| DialError::Path("the receive buffer can't be set"))?;
    }
    let Some(local) = local_address(address, path) else { return Ok(()) };
    if path.source_port.is_some() {
        // A port that is in TIME_WAIT may be used again towards another address.
        let _ = socket.set_reuseaddr(true);
    }
    socket.bind(local).map_err(|error| match error.raw_os_error() {
        Some(libc::EADDRINUSE) if path.source_port.is_none() => DialError::NoPorts,
        Some(libc::EADDRINUSE) => DialError::Path("the source port is in use"),
        Some(libc::EADDRNOTAVAIL) => DialError::Path("the source address is not one of this machine"),
        _ => DialError::Path("can't bind to the source address"),
    })
}

fn local_address(towards: SocketAddr, path: &Path) -> Option<SocketAddr> {
    if path.source.is_none() && path.source_port.is_none() {
        return None;
    }
    let any: IpAddr = match towards {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    Some(SocketAddr::new(path.source.unwrap_or(any), path.source_port.unwrap_or(0)))
}

fn classify_socket(error: &io::Error) -> DialError {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => DialError::NoDescriptors,
        // A machine without IPv6.
        Some(libc::EAFNOSUPPORT) => DialError::NoRoute,
        _ => DialError::Path("can't open a socket"),
    }
}

fn classify_connect(error: &io::Error, address: IpAddr, path: &Path) -> DialError {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => DialError::Refused,
        Some(libc::ECONNRESET | libc::ECONNABORTED) => DialError::ConnectReset,
        Some(libc::ETIMEDOUT) => DialError::ConnectTimedOut,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => DialError::NoDescriptors,
        Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE) if path.source_port.is_some() => {
            DialError::Path("the source port is in use towards this address")
        }
        Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::EAGAIN) => DialError::NoPorts,
        Some(libc::EPERM | libc::EACCES) => DialError::Path("a local rule forbids the connect"),
        _ if has_route(address, path) => DialError::Unreachable,
        _ if path.interface.is_some() || path.source.is_some() => {
            DialError::Path("no route to the gateway's address by this interface or source address")
        }
        _ => DialError::NoRoute,
    }
}

/// Whether the kernel knows a way: to connect a UDP socket looks up the route and sends nothing.
fn has_route(address: IpAddr, path: &Path) -> bool {
    let probe = || -> io::Result<()> {
        let target = SocketAddr::new(address, 9);
        let socket = Socket::new(Domain::for_address(target), Type::DGRAM, None)?;
        if let Some(interface) = &path.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        if let Some(source) = path.source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.connect(&target.into())
    };
    match probe() {
        Ok(()) => true,
        Err(error) => !matches!(
            error.raw_os_error(),
            Some(
                libc::ENETUNREACH
                    | libc::EHOSTUNREACH
                    | libc::ENETDOWN
                    | libc::EAFNOSUPPORT
                    | libc::EADDRNOTAVAIL
                    // A loopback source towards the outside.
                    | libc::EINVAL
            )
        ),
    }
}

/// Whether this process can still open a socket.
pub(super) fn descriptors_left() -> bool {
    match UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)) {
        Ok(_) => true,
        Err(error) => !matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)),
    }
}

/// Makes the next close a reset (RST).
pub(super) fn reset_on_close(stream: &TcpStream) {
    // Fails only on a socket that is dead already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Sends a FIN now, below any TLS.
pub(super) fn send_fin(stream: &TcpStream) {
    // Fails only on a socket that is dead already.
    let _ = SockRef::from(stream).shutdown(std::net::Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect_error(code: i32, path: &Path) -> DialError {
        classify_connect(&io::Error::from_raw_os_error(code), "127.0.0.1".parse().unwrap(), path)
    }

    #[test]
    fn errors_of_the_system_have_their_names() {
        let free = Path::default();
        let fixed = Path { source_port: Some(4000), ..Path::default() };
        assert_eq!(connect_error(libc::ECONNREFUSED, &free), DialError::Refused);
        assert_eq!(connect_error(libc::ECONNRESET, &free), DialError::ConnectReset);
        assert_eq!(connect_error(libc::ETIMEDOUT, &free), DialError::ConnectTimedOut);
        assert_eq!(connect_error(libc::EHOSTUNREACH, &free), DialError::Unreachable);
        assert_eq!(connect_error(libc::ENETUNREACH, &free), DialError::Unreachable);
        assert_eq!(connect_error(libc::EADDRNOTAVAIL, &free), DialError::NoPorts);
        assert!(matches!(connect_error(libc::EADDRNOTAVAIL, &fixed), DialError::Path(_)));
        assert!(matches!(connect_error(libc::EPERM, &free), DialError::Path(_)));
        assert_eq!(connect_error(libc::EMFILE, &free), DialError::NoDescriptors);
        assert_eq!(classify_socket(&io::Error::from_raw_os_error(libc::ENFILE)), DialError::NoDescriptors);
        // Whatever else a kernel may say.
        for code in 1..134 {
            let _ = connect_error(code, &free).outcome();
        }
    }

    #[test]
    fn families_take_turns_and_the_lost_go_last() {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<IpAddr>>();
        let addresses = parse(&["1.1.1.1", "1.1.1.2", "2001:db8::1", "1.1.1.3", "2001:db8::2"]);
        let expected = parse(&["2001:db8::1", "1.1.1.1", "2001:db8::2", "1.1.1.2", "1.1.1.3"]);
        assert_eq!(interleave(&addresses, |_| true), expected);
        let expected = parse(&["1.1.1.1", "1.1.1.2", "1.1.1.3", "2001:db8::1", "2001:db8::2"]);
        assert_eq!(interleave(&addresses, |a| a.is_ipv4()), expected);
        assert!(has_route("127.0.0.1".parse().unwrap(), &Path::default()));
    }
}

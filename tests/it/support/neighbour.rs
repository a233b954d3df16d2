//! Whom a process under test talks with: reference gateways, and addresses where nobody answers.

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;

use gateprobe::gateway::{self, EventKind, Handle, Settings};
use socket2::{Domain, Socket, Type};
use tokio::runtime::Runtime;

/// A reference gateway that runs beside a test that blocks. Ends with this value.
pub struct Gateway {
    handle: Handle,
    _runtime: Runtime,
}

impl Gateway {
    /// A gateway with these settings.
    pub fn start(settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let handle = runtime.block_on(gateway::start(settings)).expect("a gateway");
        Self { handle, _runtime: runtime }
    }

    /// A healthy one with a fault, as `name` or `name=value`, where there shall be one.
    pub fn with(faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
        Self::start(Settings { faults, ..Settings::default() })
    }

    /// When it did what `wanted` names, in seconds of its clock, in the order of time.
    pub fn times(&self, wanted: impl Fn(&EventKind) -> bool) -> Vec<f64> {
        let events = self.handle.events(0).into_iter().filter(|event| wanted(&event.kind));
        events.map(|event| event.monotonic_ns as f64 / 1e9).collect()
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.times(|kind| *kind == EventKind::Accepted).len()
    }
}

impl Deref for Gateway {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

/// An address that refuses connections for as long as this lives: bound, so that nobody else can take it,
/// but not listened on.
pub struct Closed {
    /// The address.
    pub address: SocketAddr,
    _socket: Socket,
}

impl Closed {
    /// A port of this address.
    pub fn on(ip: &str) -> Self {
        let ip: IpAddr = ip.parse().expect("an address");
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::new(ip, 0).into()).expect("a free port");
        let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("its address");
        Self { address, _socket: socket }
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

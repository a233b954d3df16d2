//! Starting, steering and stopping a gateway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{accept_all, listen};
use super::control;
use super::error::Error;
use super::event::{Event, EventKind};
use super::fault::{Fault, FaultError, FaultKind};
use super::http::is_token;
use super::settings::{MESSAGE_LIMIT_MAX, Settings};
use super::shared::Shared;
use super::tls::Identity;

/// How long a shutdown waits for clients before it cuts them off.
const DRAIN_GRACE: Duration = Duration::from_secs(2);

/// Starts a gateway. When this returns, it accepts connections.
///
/// # Errors
/// Settings that can't work, an address that is taken, a certificate that can't be used.
pub async fn start(settings: Settings) -> Result<Handle, Error> {
    check(&settings)?;
    let identity = settings.tls.as_ref().map(Identity::new).transpose()?;
    let listener = listen(settings.listen)?;
    let control = settings.control.map(listen).transpose()?;
    let local = |listener: &tokio::net::TcpListener, asked: SocketAddr| {
        listener.local_addr().map_err(|source| Error::Bind { address: asked, source })
    };
    let address = local(&listener, settings.listen)?;
    let control_address = match (&control, settings.control) {
        (Some(listener), Some(asked)) => Some(local(listener, asked)?),
        _ => None,
    };
    let shared = Arc::new(Shared::new(settings, identity));
    for fault in &shared.settings.faults {
        shared.set_fault(fault.clone())?;
    }
    let handle = Handle {
        address,
        control_address,
        tasks: TaskTracker::new(),
        control_stop: CancellationToken::new(),
        shared,
    };
    let accepting = accept_all(listener, handle.shared.clone(), handle.tasks.clone());
    handle.tasks.spawn(accepting);
    if let Some(listener) = control {
        let stop = handle.control_stop.clone();
        tokio::spawn(control::serve(listener, handle.shared.clone(), stop));
    }
    Ok(handle)
}

fn check(settings: &Settings) -> Result<(), Error> {
    if let Some(address) = settings.control
        && !address.ip().is_loopback()
        && settings.control_token.is_none()
    {
        return Err(Error::ControlNeedsToken { address });
    }
    if let Some(name) = settings.subprotocols.iter().find(|name| !is_token(name)) {
        return Err(Error::Subprotocol { name: name.clone() });
    }
    if !(1..=MESSAGE_LIMIT_MAX).contains(&settings.message_limit) {
        return Err(Error::MessageLimit);
    }
    // A timer of zero would be due for ever.
    let application = settings.application_heartbeat;
    let times = [
        ("heartbeat interval", settings.heartbeat_interval),
        ("heartbeat timeout", Some(settings.heartbeat_timeout)),
        ("application heartbeat interval", application.map(|beat| beat.interval)),
        ("application heartbeat timeout", application.map(|beat| beat.timeout)),
        ("idle timeout", settings.idle_timeout),
        ("close timeout", Some(settings.close_timeout)),
        ("handshake timeout", Some(settings.handshake_timeout)),
    ];
    match times.iter().find(|(_, time)| time.is_some_and(|time| time.is_zero())) {
        Some((name, _)) => Err(Error::ZeroTime { name }),
        None => Ok(()),
    }
}

/// A gateway that runs. Dropping it cuts all connections.
pub struct Handle {
    address: SocketAddr,
    control_address: Option<SocketAddr>,
    tasks: TaskTracker,
    control_stop: CancellationToken,
    shared: Arc<Shared>,
}

impl Handle {
    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the control API listens.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control_address
    }

    /// The URL for a client on this machine.
    pub fn url(&self) -> String {
        let scheme = if self.shared.identity.is_some() { "wss" } else { "ws" };
        let ip = match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("{scheme}://{}/", SocketAddr::new(ip, self.address.port()))
    }

    /// The authority that clients must trust, in PEM; `None` without a self-made certificate.
    pub fn ca_pem(&self) -> Option<&str> {
        self.shared.identity.as_ref().and_then(Identity::ca_pem)
    }

    /// Switches a fault on, or gives it another value. It concerns connections accepted from now
    /// on; the faults of frames, the Close, heartbeats, pongs, zombies, streams, tokens in a session and
    /// malformed input concern open sessions too.
    ///
    /// # Errors
    /// A fault that could never show on this gateway, or whose value is out of range.
    pub fn set_fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.shared.set_fault(fault)
    }

    /// Switches a fault off; `false` when it was not on.
    pub fn clear_fault(&self, kind: FaultKind) -> bool {
        self.shared.clear_fault(kind)
    }

    /// Switches all faults off.
    pub fn clear_all(&self) {
        self.shared.clear_all();
    }

    /// The faults that are on.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.faults().iter().cloned().collect()
    }

    /// The events from number `since` on that are still kept.
    pub fn events(&self, since: u64) -> Vec<Event> {
        self.shared.log.since(since)
    }

    /// Waits until there are events from number `since` on, and gives them.
    pub async fn wait_events(&self, since: u64) -> Vec<Event> {
        self.shared.log.wait_since(since).await
    }

    /// Waits for the first event from number `since` on whose kind `wanted` accepts. It waits for
    /// ever if there is none.
    pub async fn wait_event(&self, mut since: u64, wanted: impl Fn(&EventKind) -> bool) -> Event {
        loop {
            let events = self.wait_events(since).await;
            since = events.last().map_or(since, |event| event.seq + 1);
            if let Some(event) = events.into_iter().find(|event| wanted(&event.kind)) {
                return event;
            }
        }
    }

    /// A reader of the log, from its beginning, that also outlives this handle.
    pub fn log_reader(&self) -> LogReader {
        LogReader { shared: self.shared.clone(), next: 0 }
    }

    /// How many TCP connections are open.
    pub fn open_connections(&self) -> usize {
        self.shared.open_connections()
    }

    /// Stops accepting, sends Close 1001 to every session, and waits until all are gone; cuts what
    /// is left after 2 s.
    pub async fn shutdown(self) {
        self.shared.record(EventKind::Draining);
        self.shared.drain.cancel();
        self.tasks.close();
        if timeout(DRAIN_GRACE, self.tasks.wait()).await.is_err() {
            self.shared.cut.cancel();
            self.tasks.wait().await;
        }
    }

    /// Resets (RST) every connection at once, and stops.
    pub async fn cut(self) {
        self.shared.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Follows the log. A gap in the events' numbers is what it was too slow for.
pub struct LogReader {
    shared: Arc<Shared>,
    next: u64,
}

impl LogReader {
    /// Waits for events that were not read yet.
    pub async fn read(&mut self) -> Vec<Event> {
        let events = self.shared.log.wait_since(self.next).await;
        self.advance(events)
    }

    /// The events that were not read yet.
    pub fn rest(&mut self) -> Vec<Event> {
        let events = self.shared.log.since(self.next);
        self.advance(events)
    }

    fn advance(&mut self, events: Vec<Event>) -> Vec<Event> {
        self.next = events.last().map_or(self.next, |event| event.seq + 1);
        events
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.cut.cancel();
        self.control_stop.cancel();
    }
}

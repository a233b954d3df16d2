//! The reference gateway that breaks for the drill, and heals whatever happens.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::place::{Place, RequestError};
use crate::gateway::Fault;

/// How long switching off is tried.
const TRIES: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(500);

/// A reference gateway, by its control API.
pub struct Gateway(Place);

/// Why a gateway is of no use for a drill.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Something else answers there.
    #[error("{url} is not the control API of a gateprobe reference gateway")]
    NotOurs {
        /// What was looked at.
        url: String,
    },
    /// It is older than this program, perhaps.
    #[error("that gateway knows no fault {name}")]
    Unknown {
        /// The fault.
        name: &'static str,
    },
    /// Somebody else's drill, perhaps; what would be seen is not the drill's own.
    #[error("the gateway has faults on already: {}; switch them off first", names.join(", "))]
    Busy {
        /// The faults.
        names: Vec<String>,
    },
    /// It can't be asked, or refuses.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// The answer to `/faults`.
#[derive(Deserialize)]
struct Faults {
    active: Vec<Named>,
    known: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Gateway {
    /// The gateway behind a control API.
    pub fn new(control: Place) -> Self {
        Self(control)
    }

    /// Makes sure that it is a reference gateway, that it knows the fault, and that none is on.
    ///
    /// # Errors
    /// When it is not so.
    pub async fn is_ready_for(&self, fault: &Fault) -> Result<(), GatewayError> {
        let not_ours = || GatewayError::NotOurs { url: self.0.url("faults") };
        let faults = match self.faults().await {
            Ok(faults) => faults,
            Err(RequestError::Unexpected { .. }) => return Err(not_ours()),
            Err(RequestError::Status { status, .. }) if status != http::StatusCode::UNAUTHORIZED => {
                return Err(not_ours());
            }
            Err(error) => return Err(error.into()),
        };
        let name = fault.kind().name();
        if faults.known.is_empty() {
            return Err(not_ours());
        }
        if !faults.known.iter().any(|known| known.name == name) {
            return Err(GatewayError::Unknown { name });
        }
        if !faults.active.is_empty() {
            let names = faults.active.into_iter().map(|fault| fault.name).collect();
            return Err(GatewayError::Busy { names });
        }
        Ok(())
    }

    /// Switches the fault on.
    ///
    /// # Errors
    /// When it refuses, or does not answer; the fault may be on then.
    pub async fn switch_on(&self, fault: &Fault) -> Result<(), RequestError> {
        self.0.change(Method::PUT, &path(fault), fault.value().as_deref().unwrap_or_default()).await
    }

    /// Switches the fault off, and looks whether it is; tries again for a while.
    ///
    /// # Errors
    /// When it can't be said that the fault is off.
    pub async fn switch_off(&self, fault: &Fault) -> Result<(), RequestError> {
        let deadline = Instant::now() + TRIES;
        loop {
            let error = match self.try_switch_off(fault).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if Instant::now() + PAUSE > deadline {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }

    /// The request that switches the fault off, for a person to send.
    pub fn how_to_switch_off(&self, fault: &Fault) -> String {
        format!("curl -X DELETE {}", self.0.url(&path(fault)))
    }

    /// How many connections clients have made to it so far.
    pub async fn connections(&self) -> Option<f64> {
        let text = self.0.text("metrics").await.ok()?;
        let line = text.lines().find(|line| line.starts_with("gateprobe_gateway_connections_total "))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    async fn try_switch_off(&self, fault: &Fault) -> Result<(), RequestError> {
        self.0.change(Method::DELETE, &path(fault), "").await?;
        let faults = self.faults().await?;
        match faults.active.iter().any(|active| active.name == fault.kind().name()) {
            true => Err(self.0.unexpected("the fault is still on")),
            false => Ok(()),
        }
    }

    async fn faults(&self) -> Result<Faults, RequestError> {
        self.0.json("faults", &[]).await
    }
}

fn path(fault: &Fault) -> String {
    format!("faults/{}", fault.kind().name())
}

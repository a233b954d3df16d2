//! A receiver of Alertmanager's notifications.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::look::Look;
use super::{Labels, Subject};

/// The largest notification that is read, in bytes.
const LARGEST: usize = 4 << 20;

/// A listener for notifications; ends when dropped.
pub struct Webhook {
    /// Where it listens.
    pub address: SocketAddr,
    ear: Arc<Ear>,
    _stop: DropGuard,
}

/// A notification of Alertmanager's, of a group of alerts (version 4 of its webhook).
#[derive(Deserialize)]
struct Notification {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    labels: Labels,
}

/// What came of the drill's alert.
struct Ear {
    subject: Subject,
    firing: AtomicBool,
    resolved: AtomicBool,
}

impl Webhook {
    /// Listens, and notes what concerns this subject.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn listen(address: SocketAddr, subject: Subject) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let ear = Arc::new(Ear { subject, firing: AtomicBool::new(false), resolved: AtomicBool::new(false) });
        let router =
            Router::new().fallback(hear).layer(DefaultBodyLimit::max(LARGEST)).with_state(Arc::clone(&ear));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                ended = axum::serve(listener, router) => if let Err(error) = ended {
                    eprintln!("gateprobe drill: the webhook ended: {error}");
                }
            }
        });
        Ok(Self { address, ear, _stop: stop.drop_guard() })
    }

    /// Whether a notification of the alert has come.
    pub fn notified(&self) -> Look {
        match self.ear.firing.load(Ordering::Acquire) {
            false => Look::NotYet("no notification of it came to the webhook".to_owned()),
            true => Look::Seen("its notification came to the webhook".to_owned()),
        }
    }

    /// Whether a notification of the alert's end has come.
    pub fn resolved(&self) -> Look {
        match self.ear.resolved.load(Ordering::Acquire) {
            false => {
                Look::NotYet("no notification of its end came to the webhook (send_resolved)".to_owned())
            }
            true => Look::Seen("the notification of its end came to the webhook".to_owned()),
        }
    }
}

async fn hear(State(ear): State<Arc<Ear>>, Json(notification): Json<Notification>) -> StatusCode {
    for alert in notification.alerts.iter().filter(|alert| ear.subject.is_named_by(&alert.labels)) {
        match alert.status.as_str() {
            "firing" => ear.firing.store(true, Ordering::Release),
            // The end of what was there before the drill is not the drill's.
            "resolved" if ear.firing.load(Ordering::Acquire) => ear.resolved.store(true, Ordering::Release),
            _ => {}
        }
    }
    StatusCode::OK
}

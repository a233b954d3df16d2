//! A connection that is up, before any WebSocket: TCP, through a proxy if there is one, and TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::{DialError, ended};
use super::identity::Identity;
use super::record::Record;
use super::request::Request;
use super::response::{self, Response};
use super::socket::Socket;
use super::stream::Transport;
use super::tcp;
use super::tls_error;
use crate::model::{End, EventKind, Evidence, Phase};

/// How many 1xx responses are skipped before the final one.
const MAX_INTERIM: usize = 8;

/// A connection for plain requests and hand-made ones.
pub struct Connected {
    pub(super) transport: Transport,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) buffer: BytesMut,
    pub(super) read_at: Instant,
    pub(super) record: Record,
    pub(super) evidence: Evidence,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected")
            .field("peer", &self.peer)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

impl Connected {
    /// The address that was reached: the gateway's, or the proxy's.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Our own address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// When the last read returned.
    pub fn read_at(&self) -> Instant {
        self.read_at
    }

    /// What is known so far.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Sends a request in one write and reads the header of its response; enters [`Phase::Upgrade`].
    ///
    /// # Errors
    /// When no final response could be read; its status is no error here.
    pub async fn exchange(&mut self, request: &Request) -> Result<Response, DialError> {
        self.exchange_raw(&request.encode()).await
    }

    /// The same for bytes of any kind.
    ///
    /// # Errors
    /// As [`Connected::exchange`].
    pub async fn exchange_raw(&mut self, request: &[u8]) -> Result<Response, DialError> {
        let response = self.ask(request).await;
        self.record.finish();
        response
    }

    /// The same, but leaves the phase open: after a redirect the next one follows without a break.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<Response, DialError> {
        self.record.enter(Phase::Upgrade, &self.evidence);
        self.say(request).await
    }

    pub(super) async fn say(&mut self, request: &[u8]) -> Result<Response, DialError> {
        // A gateway may answer and close before it has read everything: the answer counts, so it is read first.
        let written = self.write(request).await;
        let response = self.read_response().await;
        match (response, written) {
            (Err(DialError::UpgradeClosed { .. }), Err(error)) => Err(error),
            (response, _) => response,
        }
    }

    /// Writes bytes, for requests that are sent in pieces.
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), DialError> {
        let result = async {
            self.transport.write_all(bytes).await?;
            self.transport.flush().await
        };
        result.await.map_err(|error| self.classify(&error))
    }

    /// Reads the header of the next final response; 1xx but for 101 is skipped.
    ///
    /// # Errors
    /// When the connection ended, or what came is not HTTP/1.1 or too large.
    pub async fn read_response(&mut self) -> Result<Response, DialError> {
        let mut interim = 0;
        let mut fresh = true;
        loop {
            if fresh && let Some((response, length)) = response::parse(&self.buffer)? {
                self.buffer.advance(length);
                // With the time of its read, as the frames have it that may have come with it.
                self.evidence.note_at(self.read_at, EventKind::Http { status: response.status });
                if response.status == 101 || response.status >= 200 {
                    self.record.update(|facts| facts.response = Some(response.clone()));
                    return Ok(response);
                }
                interim += 1;
                if interim > MAX_INTERIM {
                    return Err(DialError::UpgradeMalformed("1xx responses without end"));
                }
                continue;
            }
            let before = self.buffer.len();
            let read = self.transport.read_buf(&mut self.buffer).await;
            self.read_at = Instant::now();
            match read {
                Ok(0) => return Err(DialError::UpgradeClosed { how: End::Fin }),
                Ok(_) => {}
                Err(error) => return Err(self.classify(&error)),
            }
            // Only the end of a line can complete a header, or be the line that is wrong; a short beginning may
            // show that it is no HTTP at all. So a drip does not cost a parse a byte.
            let line_ended = self.buffer[before..].contains(&b'\n');
            fresh = line_ended || self.buffer.len() <= 64 || self.buffer.len() >= response::MAX_HEADER;
        }
    }

    /// Ends the connection without another word.
    pub fn sever(self, how: End) {
        sever(&self.transport, how);
        self.evidence.note(EventKind::Ended { by: crate::model::Side::Us, how });
    }

    /// A WebSocket on this connection; what came behind the last response is its first bytes.
    pub fn into_socket(self, max_frame: u64) -> Socket {
        Socket::new(self, max_frame)
    }

    fn classify(&self, error: &std::io::Error) -> DialError {
        if tls_error::inner(error).is_some()
            && let Some(identity) = &self.identity
        {
            return tls_error::classify(error, identity, None);
        }
        match ended(error) {
            Some(how) => DialError::UpgradeClosed { how },
            None => DialError::Lost { phase: Phase::Upgrade, kind: error.kind() },
        }
    }
}

/// Prepares the end of a connection that is dropped right after.
pub(super) fn sever(transport: &Transport, how: End) {
    match how {
        End::Fin => tcp::send_fin(transport.tcp()),
        End::Rst => tcp::reset_on_close(transport.tcp()),
    }
}

//! A WebSocket in our hands: every frame as it came, every frame as we like it, nothing done by itself.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use socket2::{SockFilter, SockRef};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;
use tokio_util::sync::CancellationToken;

use super::connected::{Connected, sever};
use super::error::ended;
use super::frame::{BUFFER, Frame, Oversized, Reader};
use super::kernel;
use super::stream::Transport;
use super::tls_error;
use super::validate::{Validator, Violation};
use super::writer::OutFrame;
use crate::model::{End, EventKind, Evidence, Failure, Side};

/// Close code 1001: an endpoint is going away (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;

/// A WebSocket connection. It answers neither pings nor Close by itself, and reads only when asked to: not to
/// call [`Socket::recv`] is to stall. Dropped, it closes the descriptor at once, and says no Close but where
/// [`Socket::goodbye_when`] asks for one.
pub struct Socket {
    transport: Transport,
    reader: Reader,
    validator: Validator,
    read_at: Instant,
    over: Option<Incoming>,
    /// The kernel tells of a reset once, and it told a write.
    write_was_reset: bool,
    peer: SocketAddr,
    local: SocketAddr,
    pub(super) evidence: Evidence,
    cut: Option<CancellationToken>,
    /// Nothing more is to be said: not a Close behind a Close, or behind a part of a frame.
    mute: bool,
}

/// What came, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Taken right after the read returned; frames that came in one read share it.
    pub at: Instant,
    /// What.
    pub what: Incoming,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A frame that a server may send.
    Frame(Frame),
    /// A whole frame that breaks RFC 6455. Reading may go on.
    Violation(Violation, Frame),
    /// A frame larger than we read. Nothing can be read after it.
    TooLarge(Oversized),
    /// The end of the TCP connection, with or without a Close frame before it.
    End(End),
    /// The connection broke in another way.
    Broken(Broken),
}

/// How a connection broke, other than by FIN or RST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Broken {
    /// A fatal TLS alert, by name.
    #[error("TLS alert {0}")]
    TlsAlert(&'static str),
    /// Records that are not TLS, or were tampered with.
    #[error("broken TLS records")]
    Tls,
    /// A message that does not inflate, or to more than we read (RFC 7692).
    #[error("a compressed message that does not inflate")]
    Deflate,
    /// The kernel gave up, as when packets are not acknowledged any more.
    #[error("the connection was lost: {0}")]
    Lost(io::ErrorKind),
}

/// Why a frame was not sent. What the gateway had said before may still be there to be received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// The connection had ended.
    #[error("the connection has ended")]
    Ended(End),
    /// The connection broke.
    #[error("{0}")]
    Broken(Broken),
}

impl Incoming {
    /// The failure that it is where no end was expected; `None` for a legal frame.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Frame(_) => None,
            Self::Violation(..) => Some(Failure::ProtocolViolation),
            Self::TooLarge(_) => Some(Failure::MessageTooLarge),
            Self::End(End::Fin) => Some(Failure::ConnectionCut),
            Self::End(End::Rst) => Some(Failure::ConnectionReset),
            Self::Broken(Broken::Lost(_)) => Some(Failure::SessionTimeout),
            Self::Broken(Broken::TlsAlert(_) | Broken::Tls | Broken::Deflate) => {
                Some(Failure::ProtocolViolation)
            }
        }
    }

    /// The frame, legal or not.
    pub fn frame(&self) -> Option<&Frame> {
        match self {
            Self::Frame(frame) | Self::Violation(_, frame) => Some(frame),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("peer", &self.peer).field("local", &self.local).finish_non_exhaustive()
    }
}

impl Socket {
    pub(super) fn new(connected: Connected, max_frame: u64) -> Self {
        let mut reader = Reader::new(max_frame);
        reader.push(&connected.buffer);
        Self {
            transport: connected.transport,
            reader,
            validator: Validator::default(),
            read_at: connected.read_at,
            over: None,
            write_was_reset: false,
            peer: connected.peer,
            local: connected.local,
            evidence: connected.evidence,
            cut: None,
            mute: false,
        }
    }

    /// If this is dropped when `cut` is cancelled, a Close (1001: going away) is said before: whoever had it was
    /// stopped from outside, and could not. It is said in one attempt that waits for nothing, and not where it could
    /// be taken for something else: behind a Close, raw bytes or a frame that is not whole.
    pub fn goodbye_when(&mut self, cut: CancellationToken) {
        self.cut = Some(cut);
    }

    /// The gateway's address, or the proxy's.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Our own address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The evidence that this connection writes to.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Changes the largest frame that is read, in bytes of payload.
    pub fn set_max_frame(&mut self, bytes: u64) {
        self.reader.set_max_frame(bytes);
    }

    /// Takes compressed messages for legal from now on (RFC 7692).
    pub(super) fn expect_deflate(&mut self) {
        self.validator.expect_deflate();
    }

    /// Whether a frame has begun and is not complete: tells a gateway that drips from one that is silent.
    pub fn mid_frame(&self) -> bool {
        self.reader.mid_frame()
    }

    /// What is illegal about a frame that has begun and is not complete, and may never be.
    pub fn begun_illegally(&self) -> Option<Violation> {
        self.validator.check_begun(&self.reader.begun()?).err()
    }

    /// Sends a frame, legal or not; returns the time right before the write. Not to be cancelled but with the
    /// whole connection: a part of the frame may be out.
    ///
    /// # Errors
    /// When the connection is gone. Receive what is left to learn why.
    pub async fn send(&mut self, frame: &OutFrame) -> Result<Instant, SendError> {
        let at = self.write(&frame.encode()).await?;
        self.mute |= frame.opcode == 8;
        let (kind, bytes, code) = (frame.kind(), frame.payload.len() as u64, frame.close_code());
        self.evidence.note_at(at, EventKind::Frame { from: Side::Us, kind, bytes, code });
        Ok(at)
    }

    /// Sends bytes as they are; returns the time right before the write. As [`Socket::send`], but it leaves no
    /// event.
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<Instant, SendError> {
        let sent = self.write(bytes).await;
        self.mute = true;
        sent
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<Instant, SendError> {
        let at = Instant::now();
        let could_speak = !std::mem::replace(&mut self.mute, true);
        let result = async {
            self.transport.write_all(bytes).await?;
            self.transport.flush().await
        };
        let result = result.await;
        self.mute = !(could_speak && result.is_ok());
        result.map(|()| at).map_err(|error| {
            // A reset behind a FIN would be a broken pipe.
            self.write_was_reset |= error.kind() == io::ErrorKind::ConnectionReset;
            match ended(&error) {
                Some(how) => SendError::Ended(how),
                None => SendError::Broken(broken(&error)),
            }
        })
    }

    /// The next frame, or the end. After the end it returns the end again. May be cancelled at any time.
    pub async fn recv(&mut self) -> Received {
        loop {
            if let Some(next) = self.reader.next_frame() {
                return self.received(next);
            }
            if let Some(over) = &self.over {
                return Received { at: self.read_at, what: over.clone() };
            }
            let over = match self.read().await {
                Ok(1..) => continue,
                Ok(0) if self.write_was_reset => Incoming::End(End::Rst),
                Ok(0) => Incoming::End(End::Fin),
                Err(error) => match ended(&error) {
                    Some(how) => Incoming::End(how),
                    None => Incoming::Broken(broken(&error)),
                },
            };
            self.end(over);
        }
    }

    /// Hands what comes to the reader, and stamps it. Between frames it waits without a buffer: thousands of idle
    /// connections would each keep one for nothing.
    async fn read(&mut self) -> io::Result<usize> {
        if self.reader.mid_frame() {
            let read = self.transport.read_buf(self.reader.space()).await;
            self.read_at = Instant::now();
            return read;
        }
        poll_fn(|context| {
            let mut space = [MaybeUninit::uninit(); BUFFER];
            let mut space = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut self.transport).poll_read(context, &mut space));
            self.read_at = Instant::now();
            self.reader.push(space.filled());
            Poll::Ready(read.map(|()| space.filled().len()))
        })
        .await
    }

    /// Ends the connection without a Close frame, and without TLS's own goodbye.
    pub fn sever(mut self, how: End) {
        self.mute = true;
        sever(&self.transport, how);
        self.evidence.note(EventKind::Ended { by: Side::Us, how });
    }

    /// From now on nothing that the gateway sends reaches us, not even what would acknowledge it: as if the network
    /// between us had gone. What is not to be said either, must not be sent. Needs no privilege.
    ///
    /// # Errors
    /// Where the kernel takes no filter.
    pub fn blackhole(&mut self) -> io::Result<()> {
        self.mute = true;
        // A classic BPF program of one instruction, `return 0`: the kernel drops each packet before TCP sees it.
        const DROP_ALL: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];
        SockRef::from(self.transport.tcp()).attach_filter(&DROP_ALL)
    }

    /// Waits, without reading, until the gateway has ended the connection (a FIN or RST that the kernel got);
    /// unread bytes stay unread. With a closed receive window a FIN can't arrive, a RST can. May be cancelled.
    ///
    /// # Errors
    /// When no descriptor is left to watch with.
    pub async fn peer_gone(&self) -> io::Result<(Instant, End)> {
        if let Some(Incoming::End(how)) = self.over {
            return Ok((self.read_at, how));
        }
        // A descriptor of its own: to clear the readiness of the other would make a later read miss its bytes.
        let watched = std::net::TcpStream::from(self.transport.tcp().as_fd().try_clone_to_owned()?);
        let watch = TcpStream::from_std(watched)?;
        loop {
            let ready = watch.ready(Interest::READABLE | Interest::ERROR).await?;
            let at = Instant::now();
            if ready.is_error() {
                return Ok((at, End::Rst));
            }
            if ready.is_read_closed() {
                return Ok((at, End::Fin));
            }
            // Bytes only: forget them and wait for the next change.
            let _ =
                watch.try_io(Interest::READABLE, || io::Result::<()>::Err(io::ErrorKind::WouldBlock.into()));
        }
    }

    /// How many bytes the kernel holds that were not read, up to 64 KiB; to look does not open the window.
    pub fn unread(&self) -> usize {
        let mut space = [MaybeUninit::uninit(); 65_536];
        // Nothing there is an error here, and so is a connection that is gone; either way there is nothing to read.
        SockRef::from(self.transport.tcp()).peek(&mut space).unwrap_or(0)
    }

    /// How many of the bytes that we sent the peer's kernel has not acknowledged, as far as we know.
    pub fn unacknowledged(&self) -> usize {
        kernel::unacknowledged(self.transport.tcp())
    }

    /// Changes `SO_RCVBUF`, in bytes; without effect on a connection that is gone.
    pub fn set_receive_buffer(&self, bytes: usize) {
        let _ = SockRef::from(self.transport.tcp()).set_recv_buffer_size(bytes);
    }

    fn received(&mut self, next: Result<Frame, Oversized>) -> Received {
        let at = self.read_at;
        let frame = match next {
            Ok(frame) => frame,
            Err(oversized) => {
                let what = Incoming::TooLarge(oversized);
                if self.over.is_none() {
                    self.evidence.remark(format!("a frame of {} bytes was announced", oversized.length));
                    self.over = Some(what.clone());
                }
                return Received { at, what };
            }
        };
        let (kind, bytes, code) = (frame.kind(), frame.payload.len() as u64, frame.close_code());
        self.evidence.note_at(at, EventKind::Frame { from: Side::Gateway, kind, bytes, code });
        let what = match self.validator.check(&frame) {
            Ok(()) => Incoming::Frame(frame),
            Err(violation) => Incoming::Violation(violation, frame),
        };
        Received { at, what }
    }

    fn end(&mut self, over: Incoming) {
        match &over {
            Incoming::End(how) => {
                self.evidence.note_at(self.read_at, EventKind::Ended { by: Side::Gateway, how: *how });
            }
            Incoming::Broken(broken) => self.evidence.remark(broken.to_string()),
            _ => {}
        }
        self.over = Some(over);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_cut = self.cut.as_ref().is_some_and(CancellationToken::is_cancelled);
        if !is_cut || self.mute || self.over.is_some() {
            return;
        }
        let frame = OutFrame::close(GOING_AWAY, "");
        // Polled once, whatever the task has used up of its turn.
        let goodbye = unconstrained(self.send(&frame));
        // Where it could not be sent the connection is gone, or its peer takes nothing.
        let _ = pin!(goodbye).poll(&mut Context::from_waker(Waker::noop()));
    }
}

fn broken(error: &io::Error) -> Broken {
    match tls_error::inner(error) {
        Some(rustls::Error::AlertReceived(alert)) => Broken::TlsAlert(alert.as_str().unwrap_or("unknown")),
        Some(_) => Broken::Tls,
        None => Broken::Lost(error.kind()),
    }
}

//! One connection's bytes: both directions driven at once, so that a slow or stuck writer still
//! notices that the client has left.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::event::{EventKind, Level};
use super::kernel::monotonic_ns;
use super::peer::Peer;
use super::traffic::Quantity;

/// Above this many unsent bytes the gateway stops reading from a client.
const OUTPUT_HIGH: usize = 128 * 1024;
/// Above this many unsent frames that are to be logged, too.
const MARKS_HIGH: usize = 1024;
/// A buffer that grew beyond this is given back once it is empty.
const KEEP: usize = 4 * 1024;
const CHUNK: usize = 4 * 1024;

/// What happened on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Bytes came, and are in [`Link::input`].
    Read,
    /// Bytes went out.
    Wrote,
    /// The client ended its side (FIN).
    Eof,
}

/// A stream with what has been read but not used, and what is to be written.
pub struct Link<'a, S> {
    stream: S,
    peer: &'a Peer,
    /// Bytes that came and were not used yet.
    pub input: BytesMut,
    /// When the last of them came, in nanoseconds of `CLOCK_MONOTONIC`.
    pub read_at: u64,
    /// Bytes that are to go out.
    pub output: BytesMut,
    /// The pings that went out, and when; whoever sends pings takes them from here.
    pub pings_sent: Vec<(Level, u64, Instant)>,
    marks: VecDeque<(u64, EventKind)>,
    flushed: bool,
    written: u64,
    pace: Option<Duration>,
    next_byte: Instant,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Link<'a, S> {
    /// A link with empty buffers.
    pub fn new(stream: S, peer: &'a Peer) -> Self {
        Self {
            stream,
            peer,
            input: BytesMut::new(),
            read_at: 0,
            output: BytesMut::new(),
            pings_sent: Vec::new(),
            marks: VecDeque::new(),
            flushed: true,
            written: 0,
            pace: None,
            next_byte: Instant::now(),
        }
    }

    /// Writes at full speed, or one byte each `pace`.
    pub fn set_pace(&mut self, pace: Option<Duration>) {
        self.pace = pace;
    }

    /// Logs `event` once everything that is in [`Link::output`] now has gone out.
    pub fn mark(&mut self, event: EventKind) {
        let end = self.written + self.output.len() as u64;
        self.marks.push_back((end, event));
    }

    /// Whether anything is still to go out.
    pub fn is_sending(&self) -> bool {
        !self.output.is_empty() || !self.flushed || !self.marks.is_empty()
    }

    /// Waits for the next thing that happens on the wire, reading only while `input` holds fewer
    /// than `read_limit` bytes. Loses nothing when it is dropped.
    ///
    /// # Errors
    /// What the operating system or TLS reports, a reset among them.
    pub async fn turn(&mut self, read_limit: usize) -> io::Result<Turn> {
        let stuck = self.output.len() >= OUTPUT_HIGH || self.marks.len() >= MARKS_HIGH;
        let may_read = self.input.len() < read_limit && !stuck;
        let Some(pace) = self.pace.filter(|_| self.is_sending()) else {
            return poll_fn(|cx| self.poll(cx, may_read, usize::MAX)).await;
        };
        let due = self.next_byte;
        tokio::select! {
            biased;
            turn = poll_fn(|cx| self.poll(cx, may_read, 0)) => return turn,
            () = sleep_until(due) => {}
        }
        self.next_byte = Instant::now() + pace;
        poll_fn(|cx| self.poll(cx, may_read, 1)).await
    }

    /// Sends all of [`Link::output`].
    ///
    /// # Errors
    /// As [`Link::turn`]; and `BrokenPipe` when the client leaves while bytes are dripped to it.
    pub async fn send(&mut self) -> io::Result<()> {
        let mut read_limit = CHUNK * 4;
        while self.is_sending() {
            match self.turn(read_limit).await? {
                // A client may end its side and still read the answer.
                Turn::Eof if self.pace.is_none() => read_limit = 0,
                Turn::Eof => return Err(io::ErrorKind::BrokenPipe.into()),
                Turn::Read | Turn::Wrote => {}
            }
        }
        Ok(())
    }

    /// Reads and throws away until the client leaves; `true` when it left by a reset.
    pub async fn discard(&mut self) -> bool {
        loop {
            self.input.clear();
            match self.turn(CHUNK).await {
                Ok(Turn::Eof) => return false,
                Ok(Turn::Read | Turn::Wrote) => {}
                Err(_) => return true,
            }
        }
    }

    /// Ends the sending side: TLS close_notify, then FIN.
    ///
    /// # Errors
    /// What the operating system reports; the connection is of no more use then.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    fn poll(&mut self, cx: &mut Context<'_>, read: bool, most: usize) -> Poll<io::Result<Turn>> {
        if let Poll::Ready(turn) = self.poll_write(cx, most) {
            return Poll::Ready(turn);
        }
        if !read {
            return Poll::Pending;
        }
        let mut chunk = [0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        self.read_at = monotonic_ns();
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(Turn::Eof));
        }
        self.peer.count(Quantity::BytesReceived, buffer.filled().len() as u64);
        if self.input.is_empty() && self.input.capacity() > KEEP {
            self.input = BytesMut::new();
        }
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(Turn::Read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<Turn>> {
        let size = self.output.len().min(most);
        if size > 0 {
            let stream = Pin::new(&mut self.stream);
            let count = ready!(stream.poll_write(cx, &self.output[..size]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(count);
            self.written += count as u64;
            self.peer.count(Quantity::BytesSent, count as u64);
            self.flushed = false;
            if self.output.is_empty() && self.output.capacity() > KEEP {
                self.output = BytesMut::new();
            }
        } else if self.flushed && self.marks.front().is_none_or(|(end, _)| *end > self.written) {
            return Poll::Pending;
        }
        // TLS keeps records of its own: only after a flush has the kernel got the bytes.
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.flushed = true;
        let sent_at = monotonic_ns();
        while let Some((_, event)) = self.marks.pop_front_if(|(end, _)| *end <= self.written) {
            self.pings_sent.extend(event.ping_sent().map(|(level, number)| (level, number, Instant::now())));
            self.peer.log_at(Some(sent_at), event);
        }
        Poll::Ready(Ok(Turn::Wrote))
    }
}

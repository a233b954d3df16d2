//! The limits: the same work with nothing around it.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::agent::Rhythm;
use super::conversation::{PING, PONG};
use super::peer::Peer;
use super::tls;

/// How long a connect may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A blocking TCP connection.
pub struct Blocking(std::net::TcpStream);

impl Blocking {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = std::net::TcpStream::connect_timeout(&address, CONNECT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(CONNECT))?;
        Ok(Self(stream))
    }

    /// One exchange, stamped right before the write and right after the read.
    pub fn exchange(&mut self) -> Result<Duration> {
        let mut pong = [0; PONG];
        let began = Instant::now();
        self.0.write_all(&PING)?;
        self.0.read_exact(&mut pong)?;
        Ok(began.elapsed())
    }
}

/// A TCP connection of the runtime.
pub struct Tokio(TcpStream);

impl Tokio {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// As [`Blocking::exchange`].
    pub async fn exchange(&mut self) -> Result<Duration> {
        let mut pong = [0; PONG];
        let began = Instant::now();
        self.0.write_all(&PING).await?;
        self.0.read_exact(&mut pong).await?;
        Ok(began.elapsed())
    }
}

/// Tasks, each with a stream and nothing else. They end when it is dropped.
pub struct Tasks(JoinSet<Result<()>>);

impl Tasks {
    /// Connects so many, at this rate a second, and lets them beat.
    pub async fn start(
        peer: &Peer,
        secure: bool,
        folder: &Path,
        rhythm: Rhythm,
        connections: u64,
        pace: u32,
    ) -> Result<Self> {
        let connector = tls::connector(folder)?;
        let mut tasks = JoinSet::new();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / pace);
        // The whole pace on average, although the timer fires a millisecond late.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..connections {
            ticks.tick().await;
            let (plain, encrypted, connector) = (peer.plain, peer.secure, connector.clone());
            if secure {
                let dialing = async move {
                    let stream = TcpStream::connect(encrypted).await?;
                    stream.set_nodelay(true)?;
                    let name = ServerName::from(encrypted.ip());
                    anyhow::Ok(Box::new(connector.connect(name, stream).await?))
                };
                // Boxed, so that the handshake's state goes when it is over.
                tasks.spawn(async move { beat(Box::pin(dialing).await?, rhythm).await });
            } else {
                tasks.spawn(async move {
                    let stream = TcpStream::connect(plain).await?;
                    stream.set_nodelay(true)?;
                    beat(stream, rhythm).await
                });
            }
        }
        Ok(Self(tasks))
    }

    /// Whether a task has ended before its time.
    pub fn disturbed(&mut self) -> bool {
        self.0.try_join_next().is_some()
    }
}

async fn beat(mut stream: impl AsyncRead + AsyncWrite + Unpin, rhythm: Rhythm) -> Result<()> {
    let mut pong = [0; PONG];
    let mut next = tokio::time::Instant::now();
    loop {
        stream.write_all(&PING).await?;
        stream.flush().await?;
        stream.read_exact(&mut pong).await?;
        match rhythm {
            Rhythm::Seldom => {
                let more = stream.read(&mut pong).await?;
                return (more > 0).then_some(()).context("the peer has ended");
            }
            Rhythm::EverySecond => {
                next += Duration::from_secs(1);
                tokio::time::sleep_until(next).await;
            }
        }
    }
}

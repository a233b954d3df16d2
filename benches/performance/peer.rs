//! The other end, in a process of its own: answers pings, or echoes bytes where nobody asks for an upgrade,
//! with as little work as it can.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::conversation::Conversation;
use super::tls;

/// How it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// A blocking thread a connection: the least delay.
    Threads,
    /// A task a connection, all on one thread: thousands of connections.
    Tasks,
}

impl Manner {
    fn word(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Tasks => "tasks",
        }
    }
}

/// A running peer; ended when dropped.
pub struct Peer {
    /// Where it speaks TCP.
    pub plain: SocketAddr,
    /// Where it speaks TLS; only with [`Manner::Tasks`].
    pub secure: SocketAddr,
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What a peer has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Connections that are open.
    pub open: u64,
    /// Pings and echoes that were answered.
    pub answered: u64,
}

impl Peer {
    /// Starts one. Its certificate and key lie in the folder.
    pub fn start(manner: Manner, folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["peer", manner.word()]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let ask = child.stdin.take().context("no stdin")?;
        let mut answers = BufReader::new(child.stdout.take().context("no stdout")?);
        let line = read_line(&mut answers)?;
        let (plain, secure) = line.split_once(' ').context("no addresses")?;
        Ok(Self { plain: plain.parse()?, secure: secure.parse()?, child, ask, answers })
    }

    /// What it has seen so far.
    pub fn count(&mut self) -> Result<Count> {
        self.ask.write_all(b"count\n")?;
        let line = read_line(&mut self.answers)?;
        let (open, answered) = line.split_once(' ').context("no count")?;
        Ok(Count { open: open.parse()?, answered: answered.parse()? })
    }

    /// Waits until so many connections are open and so many pings were answered.
    pub async fn reaches(&mut self, open: u64, answered: u64) -> Result<()> {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..1_200 {
            ticks.tick().await;
            let count = self.count()?;
            if count.open >= open && count.answered >= answered {
                return Ok(());
            }
        }
        bail!("the peer saw {:?}, not {open} connections and {answered} pings", self.count()?)
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    ensure!(from.read_line(&mut line)? > 0, "the peer has ended");
    Ok(line.trim_end().to_owned())
}

#[derive(Default)]
struct Counts {
    open: AtomicU64,
    answered: AtomicU64,
}

/// The peer's own process; ends with its standard input.
pub fn run(manner: &str, folder: &Path) -> Result<()> {
    let counts = Arc::new(Counts::default());
    let plain = std::net::TcpListener::bind("127.0.0.1:0")?;
    let secure = std::net::TcpListener::bind("127.0.0.1:0")?;
    println!("{} {}", plain.local_addr()?, secure.local_addr()?);
    let (serving, folder) = (Arc::clone(&counts), folder.to_owned());
    match manner {
        "threads" => std::thread::spawn(move || serve_by_threads(&plain, &serving)),
        "tasks" => std::thread::spawn(move || serve_by_tasks(plain, secure, &folder, &serving)),
        _ => bail!("no such manner"),
    };
    for line in io::stdin().lines() {
        line?;
        println!("{} {}", counts.open.load(Relaxed), counts.answered.load(Relaxed));
    }
    Ok(())
}

fn serve_by_threads(listener: &std::net::TcpListener, counts: &Arc<Counts>) -> Result<()> {
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let counts = Arc::clone(counts);
        std::thread::spawn(move || {
            counts.open.fetch_add(1, Relaxed);
            let mut conversation = Conversation::default();
            while let Ok(1..) = stream.read(conversation.space()).inspect(|read| conversation.came(*read)) {
                while let Some(answer) = conversation.answer() {
                    if stream.write_all(answer).is_err() {
                        break;
                    }
                    counts.answered.fetch_add(1, Relaxed);
                }
            }
            counts.open.fetch_sub(1, Relaxed);
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve_by_tasks(
    plain: std::net::TcpListener,
    secure: std::net::TcpListener,
    folder: &Path,
    counts: &Arc<Counts>,
) -> Result<()> {
    let acceptor = tls::acceptor(folder)?;
    let listen = |listener: std::net::TcpListener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    };
    let (plain, secure) = (listen(plain)?, listen(secure)?);
    loop {
        tokio::select! {
            accepted = plain.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                tokio::spawn(converse(stream, Arc::clone(counts)));
            }
            accepted = secure.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                let (accepting, counts) = (acceptor.accept(stream), Arc::clone(counts));
                tokio::spawn(async move {
                    if let Ok(stream) = accepting.await {
                        converse(stream, counts).await;
                    }
                });
            }
        }
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, counts: Arc<Counts>) {
    counts.open.fetch_add(1, Relaxed);
    let mut conversation = Conversation::default();
    while let Ok(1..) = stream.read(conversation.space()).await.inspect(|read| conversation.came(*read)) {
        while let Some(answer) = conversation.answer() {
            if stream.write_all(answer).await.is_err() {
                break;
            }
            counts.answered.fetch_add(1, Relaxed);
        }
        let _ = stream.flush().await;
    }
    counts.open.fetch_sub(1, Relaxed);
}

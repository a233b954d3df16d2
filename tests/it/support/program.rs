//! Programs that nobody here wrote, installed below `.tools` and run for one test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Once;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// How long a program may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

static INSTALLED: Once = Once::new();

/// A path inside the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A path below `.tools`; installs the tools first.
pub fn tool(path: &str) -> PathBuf {
    INSTALLED.call_once(|| {
        let status = Command::new(project("tests/tools/install")).status().expect("tests/tools/install runs");
        assert!(status.success(), "tests/tools/install failed");
    });
    let path = project(".tools").join(path);
    assert!(path.exists(), "{} is not there", path.display());
    path
}

/// What a Python script of the project answers, from one process for all questions: a JSON value a line.
pub fn answers(script: &str, questions: &[Value]) -> Vec<Value> {
    let mut child = Command::new(tool("python/bin/python"))
        .arg(project(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let mut stdin = child.stdin.take().expect("piped");
    // Beside the reading: neither pipe holds everything.
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success() && writer.join().expect("no panic").is_ok());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// A server that printed its port. It ends when its standard input closes, that is with this value.
pub struct Program {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// Where else it listens.
    pub more_ports: Vec<u16>,
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: Option<JoinHandle<String>>,
}

impl Program {
    /// A gateway in Python from `tests/gateways`.
    pub fn python(script: &str, args: &[&str]) -> Self {
        let mut command = Command::new(tool("python/bin/python"));
        command.arg(project("tests/gateways").join(script)).args(args);
        Self::start(command)
    }

    /// A gateway in Node.js from `tests/gateways`.
    pub fn node(script: &str, args: &[&str]) -> Self {
        tool("npm/node_modules");
        let mut command = Command::new("node");
        command.arg(project("tests/gateways").join(script)).args(args);
        Self::start(command)
    }

    /// One of them, by its file's name.
    pub fn gateway(script: &str, args: &[&str]) -> Self {
        if script.ends_with(".mjs") { Self::node(script, args) } else { Self::python(script, args) }
    }

    /// Any program with the same manners.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdin, mut stderr) = (child.stdin.take(), child.stderr.take().expect("piped"));
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).expect("its standard error");
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut program = Self { port: 0, more_ports: Vec::new(), child, stdin, stderr: Some(stderr) };
        let mut line = String::new();
        stdout.read_line(&mut line).expect("its first line");
        let ports = line.trim().strip_prefix("READY ").unwrap_or_default();
        let ports: Option<Vec<u16>> = ports.split(' ').map(|port| port.parse().ok()).collect();
        let Some((port, more)) = ports.as_deref().and_then(<[u16]>::split_first) else {
            panic!("{command:?} said {line:?} instead of READY and a port; {}", program.finish());
        };
        (program.port, program.more_ports) = (*port, more.to_vec());
        program
    }

    /// Its URL.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it: all that it wrote to standard error.
    pub fn end(mut self) -> String {
        self.finish()
    }

    fn finish(&mut self) -> String {
        drop(self.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        // It has folders and children of its own to clean up.
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A port of 127.0.0.1 that refuses connections for as long as this lives: bound, so that nobody else gets
/// it, and not listening.
pub struct ClosedPort(Socket);

impl ClosedPort {
    /// Any one.
    pub fn any() -> Self {
        Self::of(0)
    }

    /// The port that a program listened at.
    pub fn of(port: u16) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("an option");
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into()).expect("the port is free");
        Self(socket)
    }

    /// Host and port.
    pub fn address(&self) -> String {
        let address = self.0.local_addr().expect("bound");
        address.as_socket().expect("an internet address").to_string()
    }
}

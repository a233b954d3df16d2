//! Programs that nobody here wrote, installed below `.tools` and run for one test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Once;

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

/// A server that printed its port. It ends when its standard input closes, that is with this value.
pub struct Program {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    child: Child,
    stdin: Option<ChildStdin>,
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

    /// Any program with the same manners.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut line).expect("its first line");
        let port = line.trim().strip_prefix("READY ").and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("{command:?} said {line:?} instead of READY and a port"));
        Self { port, child, stdin }
    }

    /// Its URL.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Mannered ones are gone by now, and `kill` of those is refused.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

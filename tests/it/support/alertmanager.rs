//! A real Alertmanager, and a pager that it notifies.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde::Deserialize;
use serde_json::Value;

use super::program::tool;
use super::{folder, write};

/// A running Alertmanager; killed when dropped.
pub struct Alertmanager {
    /// Where it serves, without a slash at the end.
    pub url: String,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    /// Starts it with a config in YAML; waits until it serves.
    pub fn start(config: &str) -> Self {
        let folder = folder();
        let config = write(folder.path(), "alertmanager.yml", config);
        let mut child = Command::new(tool("bin/alertmanager"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .args(["--cluster.listen-address=", "--web.listen-address=127.0.0.1:0", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("alertmanager runs");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        // Before anything can fail: it kills the child then.
        let mut alertmanager = Self { url: String::new(), child, _folder: folder };
        let mut said = String::new();
        alertmanager.url = loop {
            let mut line = String::new();
            let read = log.read_line(&mut line).expect("its log");
            assert!(read > 0, "alertmanager ended; it had said:\n{said}");
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            match &entry["address"] {
                Value::String(address) if entry["msg"] == "Listening on" => {
                    break format!("http://{address}");
                }
                _ => said.push_str(&line),
            }
        };
        // Its log must have a reader, or a full pipe would stop it.
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        alertmanager
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One alert of a notification.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// `firing` or `resolved`.
    pub status: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it says.
    pub annotations: BTreeMap<String, String>,
    /// When it began to fire; tells one time from the next.
    pub starts_at: String,
}

/// A server that Alertmanager's webhook calls; it ends with the process.
pub struct Pager {
    /// Where.
    pub url: String,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Pager {
    /// Listens on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("its address"));
        let pager = Self { url, notices: Arc::default() };
        let notices = Arc::clone(&pager.notices);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, notices) = (stream.expect("a connection"), Arc::clone(&notices));
                // An end by the client is none of this server's concern.
                thread::spawn(move || _ = serve(stream, &notices));
            }
        });
        pager
    }

    /// All that has come, in the order in which it came.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.lock().expect("whole").clone()
    }
}

fn serve(stream: TcpStream, notices: &Mutex<Vec<Notice>>) -> std::io::Result<()> {
    #[derive(Deserialize)]
    struct Notification {
        alerts: Vec<Notice>,
    }
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.expect("a length")];
        reader.read_exact(&mut body)?;
        let notification: Notification = serde_json::from_slice(&body).expect("a notification");
        notices.lock().expect("whole").extend(notification.alerts);
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}

//! The program as its users run it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

/// The binary, with no environment of the caller's that could change what it does.
pub fn gateprobe(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateprobe"));
    for (name, _) in std::env::vars() {
        let meddles = name.starts_with("GATEPROBE")
            || name.starts_with("OTEL_")
            || name == "RUST_LOG"
            || name.to_lowercase().ends_with("_proxy");
        if meddles {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs it to its end: exit code, standard output, standard error.
pub fn run(args: &[&str]) -> (i32, String, String) {
    finish(gateprobe(args).output().expect("runs"))
}

/// The parts of a finished run.
pub fn finish(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A running agent; killed when dropped.
pub struct Agent {
    /// Where it serves HTTP.
    pub address: String,
    child: Child,
}

impl Agent {
    /// Starts `gateprobe run` on a config that listens on port 0, with JSON logs; waits until it serves.
    pub fn start(config: &std::path::Path) -> (Self, LogLines) {
        Self::start_with(config, &[])
    }

    /// The same, with variables in its environment.
    pub fn start_with(config: &std::path::Path, variables: &[(&str, &str)]) -> (Self, LogLines) {
        let mut command = gateprobe(&["run", "--config"]);
        command.arg(config).envs(variables.iter().copied());
        Self::started_by(command)
    }

    /// The agent that a command starts.
    pub fn started_by(mut command: Command) -> (Self, LogLines) {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("runs");
        let stderr = child.stderr.take().expect("piped");
        // Before anything can fail, or the process would outlive the test.
        let mut agent = Self { address: String::new(), child };
        let mut lines = LogLines { reader: BufReader::new(stderr), seen: String::new() };
        let started = lines.until(|line| line.contains("\"started\""));
        let started: serde_json::Value = serde_json::from_str(&started).expect("a JSON log line");
        agent.address = started["address"].as_str().expect("an address").to_owned();
        (agent, lines)
    }

    /// GET of a path: status and body, whatever the status.
    pub fn get(&self, path: &str) -> (u16, String) {
        get(&format!("http://{}{path}", self.address))
    }

    /// GET of `/probe` with these parameters.
    pub fn probe(&self, module: &str, target: &str, more: &[(&str, &str)]) -> (u16, String) {
        self.probe_with(module, target, more, &[])
    }

    /// The same with headers.
    pub fn probe_with(
        &self,
        module: &str,
        target: &str,
        more: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let parameters = [&[("module", module), ("target", target)], more].concat();
        let url = url::Url::parse_with_params(&format!("http://{}/probe", self.address), parameters);
        get_with(url.expect("a URL").as_str(), headers)
    }

    /// POST of nothing.
    pub fn post(&self, path: &str) -> (u16, String) {
        let mut answer =
            client().post(format!("http://{}{path}", self.address)).send_empty().expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("a body"))
    }

    /// The value of a series of /metrics, named as it stands there.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics");
        value(&text, series)
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end: the exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("ends").code()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The agent's log.
pub struct LogLines {
    reader: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl LogLines {
    /// Reads on until a line is as wanted.
    pub fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            let read = self.reader.read_line(&mut line).expect("the log");
            assert!(read > 0, "the agent ended; it had said:\n{}", self.seen);
            self.seen.push_str(&line);
            if wanted(&line) {
                return line;
            }
        }
    }

    /// All that is left, to the end.
    pub fn rest(mut self) -> String {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.reader, &mut text).expect("the log");
        text
    }

    /// The same, to be looked at while the agent runs.
    pub fn follow(mut self) -> Followed {
        let seen = Arc::new(Mutex::new(std::mem::take(&mut self.seen)));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut line = String::new();
            while self.reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                shared.lock().expect("whole").push_str(&line);
                line.clear();
            }
        });
        Followed(seen)
    }

    /// All of it, from the first line to the end, read while the agent runs: a full pipe would stop it.
    pub fn collect(self) -> std::thread::JoinHandle<String> {
        std::thread::spawn(|| {
            let seen = self.seen.clone();
            seen + &self.rest()
        })
    }
}

/// A log that is read while the agent runs.
pub struct Followed(Arc<Mutex<String>>);

impl Followed {
    /// Lines with this text so far.
    pub fn count(&self, text: &str) -> usize {
        self.all().lines().filter(|line| line.contains(text)).count()
    }

    /// All so far.
    pub fn all(&self) -> String {
        self.0.lock().expect("whole").clone()
    }
}

/// GET: status and body, whatever the status.
pub fn get(url: &str) -> (u16, String) {
    get_with(url, &[])
}

/// The same with headers.
pub fn get_with(url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let request =
        headers.iter().fold(client().get(url), |request, (name, value)| request.header(*name, *value));
    let mut answer = request.call().expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("a body"))
}

/// The value of a series in the text format.
pub fn value(text: &str, series: &str) -> Option<f64> {
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Asks again and again until the answer is as wanted; fails after a minute.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(60, what, ask)
}

/// The same with so many seconds.
pub fn within<T>(seconds: u64, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while std::time::Instant::now() < deadline {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    panic!("not within {seconds} s: {what}");
}

fn client() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

//! Where the commands of a page are run: a folder of its own, with what the documentation takes for granted.
//!
//! `wss://chat.example.com` stands for a gateway of the reader's. Here it is replaced, in commands and configs, by the
//! reference gateway on loopback, whose authority `SSL_CERT_FILE` names. Fixed ports are replaced by those that the
//! started programs announce, and folders of the system by folders of the stage.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::markdown::root;
use crate::support::binary::gateprobe;
use crate::support::program::tool;
use crate::support::{folder, write};

/// A command may take so long, in seconds.
const LONGEST: &str = "300";

pub struct Stage {
    pub folder: tempfile::TempDir,
    children: Vec<Child>,
    /// What the page says, and what it means here; a later one wins.
    replaced: Vec<(String, String)>,
}

impl Stage {
    /// A stage with a gateway at `chat.example.com`, and one for fire drills at port 8081.
    pub fn new() -> Self {
        let mut stage = Self { folder: folder(), children: Vec::new(), replaced: Vec::new() };
        let here = stage.folder.path().to_owned();
        for name in ["bin", "run/secrets", "etc/prometheus", "dashboards-of-grafana"] {
            fs::create_dir_all(here.join(name)).expect("a folder");
        }
        let link = |original: &Path, link: &str| {
            std::os::unix::fs::symlink(original, here.join(link)).expect("a link");
        };
        link(Path::new(env!("CARGO_BIN_EXE_gateprobe")), "bin/gateprobe");
        for name in ["deploy", "dashboards"] {
            link(&root().join(name), name);
        }
        write(&here, "run/secrets/chat-token", "a-token");
        write(&here, "token", "a-token");
        write(&here, "key", "0123456789abcdef0123456789abcdef");
        stage.replace("/run/secrets/", &format!("{}/run/secrets/", here.display()));
        stage.replace("/etc/prometheus/", &format!("{}/etc/prometheus/", here.display()));
        stage.replace("cargo run --release -- ", "gateprobe ");
        // Two of them: a canary is held against another gateway than itself.
        stage.gateway("ca.pem", &["chat.example.com", "staging.example.com", "10.0.3.7:8443"]);
        stage.gateway("ca-next.pem", &["chat-next.example.com"]);
        let authorities =
            ["ca.pem", "ca-next.pem"].map(|name| fs::read(here.join(name)).expect("an authority"));
        fs::write(here.join("ca.pem"), authorities.concat()).expect("written");
        stage.start(
            "gateprobe gateway --listen 127.0.0.1:8080 --control 127.0.0.1:8081 --json --tls --jwt-key key \
             --jwt-algorithm HS256",
        );
        stage
    }

    /// A gateway that is met by these names, and writes its authority to a file.
    fn gateway(&mut self, authority: &str, names: &[&str]) {
        let said = self.start(&format!(
            "gateprobe gateway --listen 127.0.0.1:0 --tls --tls-ca-out {authority} --json --heartbeat-interval 1s \
             --heartbeat-timeout 1s",
        ));
        let url = said.first().and_then(|line| line.strip_prefix("gateway ")).expect("its address");
        for name in names {
            self.replace(&format!("wss://{name}"), url.trim_end_matches('/'));
        }
    }

    /// From now on the first text means the second one.
    fn replace(&mut self, text: &str, meaning: &str) {
        self.replaced.insert(0, (text.to_owned(), meaning.to_owned()));
    }

    /// What a text of the page means here.
    pub fn meant(&self, text: &str) -> String {
        let mut done: Vec<&str> = Vec::new();
        let mut text = text.to_owned();
        for (from, to) in &self.replaced {
            if !done.contains(&from.as_str()) {
                text = text.replace(from, to);
                done.push(from);
            }
        }
        text
    }

    /// Runs one command of a page to its end, or to where it serves.
    pub fn run(&mut self, command: &str) -> Result<String, String> {
        let words: Vec<&str> = command.split_whitespace().filter(|word| !word.contains('=')).collect();
        let serves =
            matches!(words.as_slice(), ["gateprobe", "run" | "gateway", ..]) && !command.contains("--help");
        if serves {
            return Ok(self.start(command).join("\n"));
        }
        let output = self.shell(&self.meant(&told_to_end(command))).output().expect("bash runs");
        let said = said(&output);
        match output.status.success() {
            true => Ok(said),
            false => Err(format!("{command}\nended with {}:\n{said}", output.status)),
        }
    }

    /// Starts what serves, on free ports, and reads where: the lines that it announces itself with.
    fn start(&mut self, command: &str) -> Vec<String> {
        let is_agent = command.contains("gateprobe run");
        let free = ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:9464"];
        let own = free.iter().fold(command.to_owned(), |text, port| text.replace(port, "127.0.0.1:0"));
        let mut shell = self.shell(&format!("exec {}", self.meant(own.trim_start_matches("exec "))));
        shell.env("GATEPROBE__HTTP__LISTEN", "127.0.0.1:0").env("GATEPROBE__LOG__FORMAT", "json");
        let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash runs");
        let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        self.children.push(child);
        if is_agent {
            let mut lines = BufReader::new(err).lines();
            let started =
                lines.by_ref().map(|line| line.expect("its log")).find(|line| line.contains("\"started\""));
            let started = started.unwrap_or_else(|| panic!("{command} did not start"));
            // Read on, or a full pipe would stop it.
            std::thread::spawn(move || lines.for_each(drop));
            let started: serde_json::Value = serde_json::from_str(&started).expect("JSON");
            self.replace(free[2], started["address"].as_str().expect("an address"));
            return vec![started.to_string()];
        }
        let count = if command.contains("--control") { 2 } else { 1 };
        let lines = BufReader::new(out).lines().take(count).map(|line| line.expect("its output"));
        let said: Vec<String> = lines.collect();
        if said.len() < count {
            panic!("{command} did not start: {}", std::io::read_to_string(err).unwrap_or_default());
        }
        // Open to the end: what it says later must not fail.
        std::thread::spawn(move || BufReader::new(err).lines().for_each(drop));
        let address = |line: &str| line.split("//").nth(1).map(|rest| rest.trim_end_matches('/').to_owned());
        for (line, port) in said.iter().zip(free) {
            self.replace(port, &address(line).expect("an address"));
        }
        said
    }

    /// Bash in the stage's folder, with the program and the test tools on its path.
    fn shell(&self, command: &str) -> Command {
        // What the caller's environment could change is taken away as for any run of the program.
        let plain = gateprobe(&[]);
        let mut bash = Command::new("timeout");
        for (name, _) in plain.get_envs() {
            bash.env_remove(name);
        }
        let here = self.folder.path();
        let path = std::env::var("PATH").unwrap_or_default();
        let tools = tool("bin");
        bash.args([LONGEST, "bash", "-euo", "pipefail", "-c", command])
            .current_dir(here)
            .stdin(Stdio::null())
            .env("PATH", format!("{}:{}:{path}", here.join("bin").display(), tools.display()))
            .env("HOME", here)
            .env("SSL_CERT_FILE", here.join("ca.pem"));
        bash
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.children {
            // `timeout` passes SIGTERM on to what it runs; the gateways and agents then end by themselves.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

/// What would go on until Ctrl-C, ends by itself; what would be installed, is only rendered; curl's answer counts; and
/// a gateway that is held against itself on a busy machine is looked at briefly, its verdict being no matter here.
fn told_to_end(command: &str) -> String {
    if command.contains("gateprobe canary ") && !command.contains("--help") {
        return format!("{command} --max-duration 20s --alpha 0.000001 --inconclusive-exit-code 0");
    }
    let command = match command.contains("demo") {
        true => format!("{} --listen 127.0.0.1:0 --seconds 2", command.split(" #").next().unwrap_or(command)),
        false => command.to_owned(),
    };
    command
        .replace("helm install ", "helm template ")
        .replace("helm upgrade ", "helm template ")
        .replace(" --create-namespace", "")
        .replace("curl ", "curl --silent --show-error --fail-with-body --noproxy '*' ")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

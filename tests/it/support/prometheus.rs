//! A real Prometheus, and promtool.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use serde_json::Value;
use url::Url;

use super::binary::{eventually, get};
use super::program::tool;
use super::{folder, write};

/// A running Prometheus; killed when dropped.
pub struct Prometheus {
    address: String,
    child: Child,
    _folder: tempfile::TempDir,
}

/// A series of an answer: its labels, and its value.
pub type Series = (Value, f64);

impl Prometheus {
    /// Starts it with scrape configs in YAML; waits until it serves.
    pub fn start(scrape_configs: &str) -> Self {
        let folder = folder();
        let config = write(folder.path(), "prometheus.yml", scrape_configs);
        let mut child = Command::new(tool("bin/prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus runs");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        // Before anything can fail: it kills the child then.
        let mut prometheus = Self { address: String::new(), child, _folder: folder };
        let mut said = String::new();
        prometheus.address = loop {
            let mut line = String::new();
            let read = log.read_line(&mut line).expect("its log");
            assert!(read > 0, "prometheus ended; it had said:\n{said}");
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            match &entry["address"] {
                Value::String(address) if entry["msg"] == "Listening on" => break address.clone(),
                _ => said.push_str(&line),
            }
        };
        // Its log must have a reader, or a full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        prometheus
    }

    /// Where it serves, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The series that a query gives now.
    pub fn query(&self, query: &str) -> Vec<Series> {
        let value = |series: &Value| number(&series["value"]).expect("a number");
        self.ask("query", &[("query", query)]).iter().map(|one| (one["metric"].clone(), value(one))).collect()
    }

    /// The series that a query gave over the last `seconds`, every `step` seconds, each with the last value that is a
    /// number; NaN where none is.
    pub fn query_range(&self, query: &str, seconds: u64, step: u64) -> Vec<Series> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        let (start, end, step) = ((now - seconds).to_string(), now.to_string(), step.to_string());
        let parameters = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        let last = |series: &Value| {
            let values = series["values"].as_array().expect("a matrix").iter().rev();
            values.filter_map(number).find(|value| value.is_finite()).unwrap_or(f64::NAN)
        };
        self.ask("query_range", &parameters).iter().map(|one| (one["metric"].clone(), last(one))).collect()
    }

    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
        let base = format!("http://{}/api/v1/{path}", self.address);
        let url = Url::parse_with_params(&base, parameters).expect("a URL");
        let (status, text) = get(url.as_str());
        if status == 503 {
            // Not ready yet.
            return Vec::new();
        }
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer:#}");
        answer["data"]["result"].as_array().expect("a vector or a matrix").clone()
    }

    /// Asks until the query gives one series with a value as wanted; tells what it gave if it never does.
    pub fn until(&self, query: &str, wanted: impl Fn(f64) -> bool) -> Series {
        eventually(query, || match &self.query(query)[..] {
            [series] if wanted(series.1) => Some(series.clone()),
            _ => None,
        })
    }
}

/// The value of a sample; a sample is its time and its value in a text.
fn number(sample: &Value) -> Option<f64> {
    sample[1].as_str()?.parse().ok()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `promtool check metrics` complains of; panics if it fails without a word.
pub fn promtool_check_metrics(text: &str) -> String {
    let mut child = Command::new(tool("bin/promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("it reads all");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("UTF-8");
    assert_eq!(output.status.success(), said.is_empty(), "{}: {said}", output.status);
    said
}

//! A real OpenTelemetry collector, which prints what it gets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::binary::eventually;
use super::program::tool;

/// Where gRPC is served and where HTTP is: by the address it can be told which port is whose.
const GRPC: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const HTTP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A running collector; killed when dropped.
pub struct Collector {
    /// Its gRPC endpoint.
    pub grpc: String,
    /// Its HTTP endpoint.
    pub http: String,
    child: Child,
    said: Arc<Mutex<String>>,
}

/// Attributes by name, as text.
pub type Attributes = BTreeMap<String, String>;

/// A value or count of a series at one time.
#[derive(Debug, Clone, Default)]
pub struct Point {
    pub metric: String,
    /// `Sum`, `Gauge` or `ExponentialHistogram`.
    pub kind: String,
    pub unit: String,
    pub attributes: Attributes,
    /// When it began to count, in nanoseconds since 1970.
    pub start: u64,
    pub time: u64,
    /// The value of a sum or gauge.
    pub value: f64,
    /// The count of a histogram.
    pub count: f64,
}

/// A span.
#[derive(Debug, Clone, Default)]
pub struct Span {
    pub trace: String,
    pub parent: String,
    pub id: String,
    pub name: String,
    pub start: u64,
    pub end: u64,
    pub status: String,
    pub attributes: Attributes,
}

impl Collector {
    /// Starts it; waits until it listens.
    pub fn start() -> Self {
        let mut command = Command::new(tool("bin/rotel-agent"));
        command
            .arg("start")
            .args([
                "--otlp-grpc-endpoint",
                &format!("{GRPC}:0"),
                "--otlp-http-endpoint",
                &format!("{HTTP}:0"),
            ])
            .args(["--exporter", "blackhole", "--debug-log", "traces", "--debug-log", "metrics"])
            .args(["--debug-log-verbosity", "detailed"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("rotel-agent runs");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let said = Arc::new(Mutex::new(String::new()));
        let all = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let mut all = all.lock().expect("whole");
                all.push_str(&line);
                all.push('\n');
            }
        });
        // Before anything can fail: it kills the child then.
        let mut collector = Self { grpc: String::new(), http: String::new(), child, said };
        let pid = collector.child.id();
        let url = |at: Ipv4Addr| {
            eventually("the collector listens", || Some(format!("http://{at}:{}", port(pid, at)?)))
        };
        (collector.grpc, collector.http) = (url(GRPC), url(HTTP));
        collector
    }

    /// All that it has printed.
    pub fn said(&self) -> String {
        self.said.lock().expect("whole").clone()
    }

    /// Every point, in the order in which they came.
    pub fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        let (mut metric, mut now) = (Point::default(), None::<Point>);
        for line in self.said().lines() {
            if line.starts_with("Metric #") || line.starts_with("Resource") || line.starts_with("Scope") {
                points.extend(now.take());
            }
            if line.contains("DataPoints #") {
                points.extend(now.replace(metric.clone()));
            }
            let (name, value) = field(line);
            match (&mut now, name) {
                (None, "Name") => metric = Point { metric: value.to_owned(), ..Point::default() },
                (None, "DataType") => metric.kind = value.to_owned(),
                (None, "Unit") => metric.unit = value.to_owned(),
                (Some(point), "StartTimestamp") => point.start = value.parse().expect("nanoseconds"),
                (Some(point), "Timestamp") => point.time = value.parse().expect("nanoseconds"),
                (Some(point), "Value") => point.value = value.parse().expect("a number"),
                (Some(point), "Count") => point.count = value.parse().expect("a number"),
                (Some(point), _) => attribute(line, &mut point.attributes),
                (None, _) => {}
            }
        }
        points.extend(now);
        points
    }

    /// The last point of each series of a metric.
    pub fn last(&self, metric: &str) -> BTreeMap<Attributes, Point> {
        let points = self.points().into_iter().filter(|point| point.metric == metric);
        points.map(|point| (point.attributes.clone(), point)).collect()
    }

    /// Every span, in the order in which they came.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut now = None::<Span>;
        for line in self.said().lines() {
            if line.starts_with("Span #") {
                spans.extend(now.replace(Span::default()));
            } else if line.starts_with("Resource") || line.starts_with("Scope") {
                spans.extend(now.take());
            }
            let Some(span) = &mut now else { continue };
            let (name, value) = field(line);
            match name {
                "Trace ID" => span.trace = value.to_owned(),
                "Parent ID" => span.parent = value.to_owned(),
                "ID" => span.id = value.to_owned(),
                "Name" => span.name = value.to_owned(),
                "Start time" => span.start = value.parse().expect("nanoseconds"),
                "End time" => span.end = value.parse().expect("nanoseconds"),
                "Status code" => span.status = value.to_owned(),
                _ => attribute(line, &mut span.attributes),
            }
        }
        spans.extend(now);
        spans
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `   -> Name: value` or `Name : value`.
fn field(line: &str) -> (&str, &str) {
    let line = line.trim().trim_start_matches("-> ");
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.trim(), value.trim())
}

/// `   -> name: Str(value)`.
fn attribute(line: &str, attributes: &mut Attributes) {
    if let Some((name, value)) = line.trim().strip_prefix("-> ").and_then(|line| line.split_once(": "))
        && let Some((_, value)) = value.split_once('(')
    {
        attributes.insert(name.to_owned(), value.trim_end_matches(')').to_owned());
    }
}

/// The port at which a process listens on an address.
fn port(pid: u32, address: Ipv4Addr) -> Option<u16> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let links = links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets: BTreeSet<String> = links
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).ok()?;
    let wanted = format!("{:08X}", u32::from(address).swap_bytes());
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (at, port) = columns.get(1)?.split_once(':')?;
        // 0A is LISTEN; column 9 is the inode (proc_pid_net(5)).
        let ours = at == wanted && *columns.get(3)? == "0A" && sockets.contains(*columns.get(9)?);
        ours.then(|| u16::from_str_radix(port, 16).ok())?
    })
}

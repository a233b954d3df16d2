//! `/probe`: whom it dials, and how it says no.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::support::binary::{Agent, value};
use crate::support::program::Program;
use crate::support::{folder, write};

const CONFIG: &str = "
log: { format: json }
targets:
  chat: { url: 'ws://GATEWAY/', checks: { handshake: { interval: 1h, timeout: 3s, close_timeout: 1s } } }
modules:
  loopback:
    allow: { hosts: [127.0.0.1, \"*.test\"], addresses: [loopback] }
    checks: { handshake: { timeout: 3s, close_timeout: 1s } }
  public:
    allow: { hosts: [\"*\"] }
    checks: { handshake: { timeout: 3s, close_timeout: 1s } }
  slow:
    allow: { hosts: [127.0.0.1], addresses: [loopback] }
    checks: { handshake: { timeout: 20s, close_timeout: 1s } }
";

fn agent(gateway: &str, more: &str) -> Agent {
    let folder = folder();
    let text = format!("{}{more}", CONFIG.replace("GATEWAY", gateway));
    let http = if more.contains("http:") { "" } else { "http: { listen: '127.0.0.1:0' }\n" };
    Agent::start(&write(folder.path(), "gateprobe.yaml", format!("{http}{text}"))).0
}

/// A port whose visitors are noticed.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("an option");
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("bound").port()
    }

    fn assert_untouched(&self, what: &str) {
        let visitor = self.0.accept().map(|(_, peer)| peer);
        assert_eq!(visitor.map_err(|error| error.kind()), Err(ErrorKind::WouldBlock), "{what} was dialled");
    }
}

#[test]
fn internal_addresses_are_refused_in_every_disguise() {
    let trap = Trap::new();
    let agent = agent("gw.example.com", "");
    let port = trap.port();
    let targets = [
        "http://169.254.169.254".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "169.254.169.254".to_owned(),
        "ws://169.254.169.254/".to_owned(),
        "ws://2852039166/".to_owned(),
        "ws://0xa9.254.169.254/".to_owned(),
        "ws://[::ffff:169.254.169.254]/".to_owned(),
        "ws://[::ffff:a9fe:a9fe]/".to_owned(),
        "ws://[fd00:ec2::254]/".to_owned(),
        format!("127.0.0.1:{port}"),
        format!("ws://127.0.0.1:{port}/x"),
        format!("ws://127.1:{port}/"),
        format!("ws://0177.0.0.1:{port}/"),
        format!("ws://2130706433:{port}/"),
        format!("ws://0.0.0.0:{port}/"),
        format!("ws://[::1]:{port}/"),
        format!("ws://[::ffff:127.0.0.1]:{port}/"),
        "ws://10.0.0.1/".to_owned(),
        "ws://192.168.0.1/".to_owned(),
        "ws://me:it@127.0.0.1/".to_owned(),
        format!("file:///etc/passwd?{port}"),
    ];
    for target in &targets {
        let (status, text) = agent.probe("public", target, &[("debug", "true")]);
        assert_eq!(status, 400, "{target}: {text}");
        let told = ["internal address", "ws:// or wss://", "no user and no password"];
        assert!(told.iter().any(|told| text.contains(told)), "{target}: {text}");
        trap.assert_untouched(target);
    }
    // A module that may dial loopback may dial only what it names.
    for target in [format!("ws://127.0.0.2:{port}/"), format!("ws://localhost:{port}/")] {
        let (status, text) = agent.probe("loopback", &target, &[]);
        assert!(status == 400 && text.contains("does not allow that host"), "{target}: {status} {text}");
        trap.assert_untouched(&target);
    }
}

#[test]
fn names_are_held_against_what_they_resolve_to() {
    let trap = Trap::new();
    let records = [
        "--record",
        "inside.test=127.0.0.1",
        "--record",
        "meta.test=169.254.169.254",
        "--record",
        "mapped.test=::ffff:127.0.0.1",
        "--record",
        "six.test=::1",
        "--record",
        "private.test=10.0.0.1,192.168.0.1",
    ];
    let server = Program::python("dns_server.py", &records);
    let gateway = Program::node("node_ws.mjs", &[]);
    let resolver = format!("resolver: {{ servers: ['{}'] }}\n", server.address());
    let agent = agent("gw.example.com", &resolver);
    let names = [
        ("public", "inside.test"),
        ("public", "localhost"),
        ("public", "meta.test"),
        ("public", "mapped.test"),
        ("public", "six.test"),
        ("public", "private.test"),
        ("loopback", "meta.test"),
        ("loopback", "private.test"),
    ];
    for (module, name) in names {
        let target = format!("ws://{name}:{}/", trap.port());
        let (status, text) = agent.probe(module, &target, &[("debug", "true")]);
        assert_eq!(status, 200, "{target}: {text}");
        assert_eq!(value(&text, "probe_success"), Some(0.0), "{target}: {text}");
        let outcome = "gateprobe_probe_outcome{outcome=\"inconclusive\",reason=\"address_not_allowed\"}";
        assert_eq!(value(&text, outcome), Some(1.0), "{target}: {text}");
        assert!(!text.contains("\"connecting\""), "{target}: {text}");
        trap.assert_untouched(&target);
    }
    // The same name where the module names it, and allows what it resolves to.
    let (status, text) = agent.probe("loopback", &format!("ws://inside.test:{}/", gateway.port), &[]);
    assert_eq!((status, value(&text, "probe_success")), (200, Some(1.0)), "{text}");
}

#[test]
fn a_configured_target_is_probed_by_name_and_by_url_and_debug_tells_all() {
    let gateway = Program::python("python_uvicorn.py", &[]);
    let agent = agent(&gateway.address(), "");
    for target in ["chat", &gateway.url("ws"), gateway.url("ws").trim_end_matches('/')] {
        let (status, text) = agent.probe("public", target, &[]);
        assert_eq!((status, value(&text, "probe_success")), (200, Some(1.0)), "{target}: {text}");
        assert_eq!(value(&text, "probe_timeout_seconds"), Some(3.0), "{text}");
    }
    // Another path of the same gateway is none: only what the module allows.
    let (status, text) = agent.probe("public", &format!("{}other", gateway.url("ws")), &[]);
    assert!(status == 400 && text.contains("internal address"), "{status} {text}");
    let (status, text) = agent.probe("public", "chat", &[("debug", "true")]);
    let told = [
        "Log of the probe:",
        "\"phase\":\"upgrade\"",
        "\"status\":101",
        "pass: ",
        "Metrics of the probe:",
        "probe_success 1",
        "Module:",
        "\"timeout\": \"3s\"",
    ];
    let missing: Vec<&str> = told.into_iter().filter(|told| !text.contains(told)).collect();
    assert_eq!((status, missing), (200, vec![]), "{text}");
    // Somebody else's probes are none of the job's runs.
    let (_, metrics) = agent.get("/metrics");
    let passed = "gateprobe_check_runs_total{check=\"handshake\",outcome=\"pass\",target=\"chat\"}";
    assert_eq!(value(&metrics, passed), Some(0.0), "{metrics}");
}

#[test]
fn what_is_asked_wrongly_is_told_why() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let agent = agent(&gateway.address(), "");
    let scrape_timeout = |seconds| {
        let header = [("X-Prometheus-Scrape-Timeout-Seconds", seconds)];
        agent.probe_with("loopback", "chat", &[], &header)
    };
    let known = "the config has loopback, public, slow\n";
    assert_eq!(agent.probe("nobody", "chat", &[]), (400, format!("unknown module; {known}")));
    let missing = format!("the parameter `module` is missing; {known}");
    assert_eq!(agent.get("/probe?target=chat"), (400, missing));
    let too_short =
        "the check needs up to 1s, and the scrape time-out leaves it 900ms: raise scrape_timeout\n";
    assert_eq!(scrape_timeout("1.4"), (400, too_short.to_owned()));
    let (status, text) = scrape_timeout("0.5");
    assert!(status == 400 && text.contains("no time for a probe"), "{status} {text}");
    let (status, text) = scrape_timeout("1.6");
    assert_eq!((status, value(&text, "probe_timeout_seconds")), (200, Some(1.1)), "{text}");
    let (status, text) = agent.get("/probe?module=loopback");
    assert!(status == 400 && text.contains("`target` is missing"), "{status} {text}");
    let (status, text) = agent.probe("loopback", "nobody", &[]);
    assert!(status == 400 && text.contains("no configured target"), "{status} {text}");
}

#[test]
fn a_client_that_names_no_time_gets_the_configs() {
    let trap = Trap::new();
    let http = "http: { listen: '127.0.0.1:0', probe_timeout: 1s }\n";
    let agent = agent("gw.example.com", http);
    // A gateway that accepts, and never says a word.
    let (status, text) = agent.probe("slow", &format!("ws://127.0.0.1:{}/", trap.port()), &[]);
    assert_eq!((status, value(&text, "probe_timeout_seconds")), (200, Some(1.0)), "{text}");
    assert_eq!(value(&text, "probe_success"), Some(0.0), "{text}");
    let (status, text) = agent.probe("loopback", &format!("ws://127.0.0.1:{}/", trap.port()), &[]);
    assert_eq!((status, value(&text, "probe_timeout_seconds")), (200, Some(1.0)), "{text}");
}

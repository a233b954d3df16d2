//! A machine with two network interfaces, one of which goes down in the middle of a stream: two network namespaces of
//! the test's own, joined by two pairs of virtual interfaces. Nothing leaves them.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{folder, write};

/// Makes the namespaces, runs the gateway in one and the check in the other, and takes the first link down when the
/// subscriber has joined. What it starts ends with it, after a minute at the latest.
const SCRIPT: &str = r#"
set -eu
far= gateway=
trap 'kill $far $gateway' EXIT
trap 'exit 1' TERM
ip link set lo up
unshare --net sleep 60 &
far=$!
while [ "$(readlink /proc/$far/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
beyond() { nsenter --net --target "$far" "$@"; }
beyond ip link set lo up
beyond ip address add 10.77.9.1/32 dev lo
for n in 1 2; do
    ip link add near$n type veth peer name far$n
    ip link set far$n netns "$far"
    ip address add 10.77.$n.2/24 dev near$n
    ip link set near$n up
    beyond ip address add 10.77.$n.1/24 dev far$n
    beyond ip link set far$n up
    ip route add 10.77.9.1 via 10.77.$n.1 dev near$n metric $n
done
for all in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > "$all" || true; done
nsenter --net --target "$far" "$BINARY" gateway --listen 10.77.9.1:8080 --json --print-log $FAULT > gateway.log &
gateway=$!
until grep -q . gateway.log; do sleep 0.01; done
"$BINARY" check --config gateprobe.yaml --output json > report.json &
check=$!
until grep -q '"subscribed"' gateway.log; do sleep 0.01; done
ip link set near1 down
wait "$check" || true
kill "$gateway"
wait "$gateway" || true
gateway=
"#;

const CONFIG: &str = "
targets:
  stream:
    url: ws://10.77.9.1:8080/
    dialect: json
    network: { interface: near2 }
    checks:
      network_switch:
        paths: [{ interface: near1 }, { interface: near2 }]
        messages: 40
        every: 50ms
        retention: 20s
";

/// The check's report, and the gateway's log.
fn lose_a_link(fault: &str) -> (Value, Vec<Value>) {
    let folder = folder();
    write(folder.path(), "gateprobe.yaml", CONFIG);
    let fault = if fault.is_empty() { String::new() } else { format!("--fault {fault}") };
    let mut command = Command::new("unshare");
    // A user namespace of its own, so that no privilege is needed.
    command.args(["--user", "--map-root-user", "--net", "timeout", "60", "bash", "-c", SCRIPT]);
    command.env("BINARY", env!("CARGO_BIN_EXE_gateprobe")).env("FAULT", fault);
    command.current_dir(folder.path()).stdin(Stdio::null());
    let output = command.output().expect("unshare, of util-linux");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let told = || format!("{}\n{}", String::from_utf8_lossy(&output.stderr), read("gateway.log"));
    let report =
        serde_json::from_str(&read("report.json")).unwrap_or_else(|error| panic!("{error}: {}", told()));
    let log = read("gateway.log");
    (report, log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn clients(log: &[Value], event: &str) -> Vec<String> {
    let of_event = log.iter().filter(|entry| entry["event"] == event);
    let mut clients: Vec<String> =
        of_event.filter_map(|entry| Some(entry["peer"].as_str()?.rsplit_once(':')?.0.to_owned())).collect();
    clients.sort();
    clients.dedup();
    clients
}

#[test]
fn a_link_goes_down_and_no_message_is_lost() {
    let (report, log) = lose_a_link("");
    let run = &report[0];
    assert_eq!(run["outcome"], "pass", "{report:#}");
    assert_eq!(clients(&log, "upgraded"), ["10.77.1.2", "10.77.2.2"]);
    assert_eq!(clients(&log, "session_resumed"), ["10.77.2.2"], "it comes back by the other link");
    let missed = log.iter().find(|entry| entry["event"] == "session_resumed").expect("resumed");
    assert_eq!(missed["recovered"], true);
    assert!(missed["missed"].as_u64() > Some(10), "the link was down for most of the stream: {missed}");
    let timeline = run["timeline"].to_string();
    for address in ["10.77.1.2", "10.77.2.2"] {
        assert!(timeline.contains(address), "the run says by which ways it went: {timeline}");
    }
}

#[test]
fn what_is_lost_beside_a_lost_link_is_told_by_its_numbers() {
    let (report, _) = lose_a_link("messages_lost=50");
    let run = &report[0];
    assert_eq!(run["reason"], "messages_lost", "{report:#}");
    assert!(run["detail"].as_str().is_some_and(|detail| detail.contains("never delivered: 50")), "{run}");
    let (report, _) = lose_a_link("resume_lies");
    assert_eq!(report[0]["reason"], "falsely_resumed", "{report:#}");
}

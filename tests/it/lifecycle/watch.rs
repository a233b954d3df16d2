//! Changes of the config's files that the agent finds by itself.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use gateprobe::gateway::{EventKind, Settings, TlsSettings, Token};

use super::kubelet::Mount;
use super::reload::{held_its_schedule, reloads};
use super::{runs, until_runs};
use crate::support::binary::{Agent, Followed, eventually};
use crate::support::neighbour::Gateway;
use crate::support::{folder, write};

const AGENT: &str = "http: {listen: '127.0.0.1:0'}\nlog: {format: json, level: debug}\nlag_bound: 10s\n";
/// Within this time a change shows on the wire, in seconds.
const SOON: f64 = 5.0;

/// The present, by the clock of the gateways' logs.
fn now() -> f64 {
    let clock = Gateway::with(&[]);
    let _stream = TcpStream::connect_timeout(&clock.address(), Duration::from_secs(10)).expect("connects");
    eventually("a stamp", || clock.times(|kind| *kind == EventKind::Accepted).first().copied())
}

fn accepted_since(gateway: &Gateway, when: f64) -> Vec<f64> {
    gateway.times(|kind| *kind == EventKind::Accepted).into_iter().filter(|at| *at > when).collect()
}

fn start(folder: &Path) -> (Agent, Followed) {
    let (agent, log) = Agent::start(&folder.join("gateprobe.yaml"));
    (agent, log.follow())
}

/// Ten targets that are visited every second, one that is held, one that is kept, one that is where it is said to be.
fn busy([kept, held, load, changing]: [&Gateway; 4], removed: bool) -> String {
    let hold =
        "interval: 6s, timeout: 6s, watch: 200ms, back_within: 1s, connect_timeout: 2s, pong_timeout: 2s";
    let mut text = format!(
        "{AGENT}defaults: {{budget: {{connections_per_second: 100}}, \
         checks: {{handshake: {{interval: 1s, timeout: 1s, close_timeout: 500ms}}}}}}\n\
         targets:\n  \
           kept: {{url: {}, checks: {{handshake: {{interval: 2s, timeout: 2s}}}}}}\n  \
           held: {{url: {}, checks: {{handshake: {{enabled: false}}, hold: {{{hold}, every: 300ms}}}}}}\n  \
           changing: {{url: {}}}\n",
        kept.url(),
        held.url(),
        changing.url()
    );
    for index in if removed { 5..10 } else { 0..10 } {
        text += &format!("  load-{index}: {{url: {}}}\n", load.url());
    }
    text
}

#[test]
fn the_kubelets_swap_is_followed_under_load_and_leaves_alone_what_is_the_same() {
    let folder = folder();
    let [kept, holder, load, before, after] = [(); 5].map(|()| Gateway::with(&[]));
    let text = |gateway: &Gateway, removed: bool| busy([&kept, &holder, &load, gateway], removed);
    let mut mount = Mount::new(folder.path(), &[("gateprobe.yaml", &text(&before, false))]);
    let (mut agent, log) = start(folder.path());
    let held = "gateprobe_held_connections{check=\"hold\",target=\"held\"}";
    eventually("two held", || (agent.metric(held) == Some(2.0)).then_some(()));
    until_runs(&agent, "kept", "pass", 1.0);
    until_runs(&agent, "load-0", "pass", 1.0);

    // All files written anew, and the same: nothing is loaded, and nothing restarts.
    mount.publish(&[("gateprobe.yaml", &text(&before, false))]);
    eventually("a look at the same", || (log.count("say what they said before") == 1).then_some(()));
    assert_eq!(reloads(&agent, "success"), 1.0);

    let swapped = now();
    mount.publish(&[("gateprobe.yaml", &text(&after, true))]);
    let first = eventually("a visit of the new address", || accepted_since(&after, swapped).first().copied());
    assert!(first - swapped <= SOON, "took {} s", first - swapped);
    assert_eq!(reloads(&agent, "success"), 2.0);
    until_runs(&agent, "kept", "pass", runs(&agent, "kept", "pass") + 1.0);
    let (_, metrics) = agent.get("/metrics");
    assert!(!metrics.contains("target=\"load-0\"") && metrics.contains("target=\"load-9\""));
    let old = accepted_since(&before, first).len();
    assert_eq!(old, 0, "an old address was visited again");

    // A broken one changes nothing, and is told once, however often it is written.
    for written in 2..=3 {
        mount.publish(&[("gateprobe.yaml", "targets: {chat: {url: nonsense}}\n")]);
        let told = || log.count("say what they said before") + log.count("the old one stays in force");
        eventually("a look at the broken one", || (told() == written).then_some(()));
    }
    assert_eq!((reloads(&agent, "failure"), log.count("the old one stays in force")), (1.0, 1));
    let (status, told) = agent.get("/readyz?verbose");
    assert!(status == 200 && told.contains("targets.chat.url"), "{told}");
    until_runs(&agent, "changing", "pass", runs(&agent, "changing", "pass") + 2.0);
    until_runs(&agent, "kept", "pass", runs(&agent, "kept", "pass") + 1.0);

    mount.publish(&[("gateprobe.yaml", &text(&after, true))]);
    eventually("healed", || (agent.get("/readyz?verbose").1 == "8 jobs of 8 targets\nok\n").then_some(()));
    until_runs(&agent, "kept", "pass", runs(&agent, "kept", "pass") + 1.0);
    held_its_schedule(&agent, &kept);
    let ends = load.times(|kind| *kind == EventKind::CloseReceived { code: Some(1001) });
    assert!(ends.len() <= 6, "more runs were cut than jobs have gone");
    assert_eq!((holder.accepted(), holder.open_connections()), (2, 2), "what is held was not kept");
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
}

#[test]
fn a_secret_is_seen_by_the_next_connection_and_nothing_is_loaded_for_it() {
    let folder = folder();
    let gateway = Gateway::start(Settings { token: Token::new("new-token"), ..Settings::default() });
    let mut secret = Mount::new(&folder.path().join("secret"), &[("token", "old-token")]);
    let check = "checks: {handshake: {interval: 1s, timeout: 1s, close_timeout: 500ms}}";
    let token = folder.path().join("secret/token");
    let text = format!(
        "{AGENT}targets: {{chat: {{url: {}, auth: {{token: {{file: {token:?}}}}}, {check}}}}}\n",
        gateway.url()
    );
    write(folder.path(), "gateprobe.yaml", text);
    let (agent, _log) = start(folder.path());
    let rejected = || gateway.times(|kind| matches!(kind, EventKind::Rejected { .. }));
    eventually("the old one is refused", || (!rejected().is_empty()).then_some(()));
    let swapped = now();
    secret.publish(&[("token", "new-token")]);
    until_runs(&agent, "chat", "pass", 3.0);
    // A run that had begun may have read the old one.
    let late = accepted_since(&gateway, swapped).len();
    let refused = rejected().into_iter().filter(|at| *at > swapped).count();
    assert!(refused <= 1 && late > refused, "{refused} of {late} connections had the old token");
    assert_eq!((reloads(&agent, "success"), reloads(&agent, "failure")), (1.0, 0.0));
}

#[test]
fn authorities_in_a_folder_of_their_own_are_followed() {
    let folder = folder();
    let tls = || Settings { tls: Some(TlsSettings::loopback()), ..Settings::default() };
    let [gateway, other] = [(); 2].map(|()| Gateway::start(tls()));
    let pem = |gateway: &Gateway| gateway.ca_pem().expect("its own authority").to_owned();
    let mut mount = Mount::new(&folder.path().join("ca"), &[("ca.pem", &pem(&other))]);
    let ca = folder.path().join("ca/ca.pem");
    let check = "checks: {handshake: {interval: 1s, timeout: 1s, close_timeout: 500ms}}";
    let target = format!("url: {}, tls: {{ca_file: {ca:?}}}, {check}", gateway.url());
    write(folder.path(), "gateprobe.yaml", format!("{AGENT}targets: {{chat: {{{target}}}}}\n"));
    let (agent, _log) = start(folder.path());
    until_runs(&agent, "chat", "fail", 1.0);
    mount.publish(&[("ca.pem", &pem(&gateway))]);
    until_runs(&agent, "chat", "pass", 1.0);
}

/// A config by whose interval one sees that it is in force.
fn version(gateway: &Gateway, seconds: u32) -> String {
    let filler = "# and so on\n".repeat(2_000);
    format!(
        "{AGENT}{filler}targets: {{chat: {{url: {}, checks: {{handshake: {{interval: {seconds}s, timeout: 1s, close_timeout: 500ms}}}}}}}}\n",
        gateway.url()
    )
}

fn until_in_force(agent: &Agent, seconds: u32) {
    let interval = "gateprobe_check_interval_seconds{check=\"handshake\",target=\"chat\"}";
    eventually(&format!("an interval of {seconds} s"), || {
        (agent.metric(interval) == Some(f64::from(seconds))).then_some(())
    });
}

#[test]
fn every_way_to_write_a_file_is_followed_and_none_is_taken_for_broken_halfway() {
    let (folder, gateway) = (folder(), Gateway::with(&[]));
    // Files named by a path that goes through a folder that comes and goes.
    let home = folder.path().join("config");
    fs::create_dir(&home).expect("a folder");
    let file = write(&home, "gateprobe.yaml", version(&gateway, 100));
    let (agent, log) = start(&home);

    // `mv`, as most programs do it.
    let next = write(&home, "next.yaml", version(&gateway, 101));
    fs::rename(next, &file).expect("moved");
    until_in_force(&agent, 101);
    // An editor that writes in place: emptied, then one part after the other.
    let text = version(&gateway, 102);
    let mut opened = fs::File::create(&file).expect("opened");
    for part in text.as_bytes().chunks(4_096) {
        opened.write_all(part).expect("written");
        opened.sync_data().expect("on disk");
    }
    until_in_force(&agent, 102);
    // `git pull`.
    fs::remove_file(&file).expect("removed");
    fs::write(&file, version(&gateway, 103)).expect("written");
    until_in_force(&agent, 103);
    // The folder itself.
    fs::remove_dir_all(&home).expect("removed");
    fs::create_dir(&home).expect("a folder");
    fs::write(&file, version(&gateway, 104)).expect("written");
    until_in_force(&agent, 104);
    fs::write(&file, version(&gateway, 105)).expect("written");
    until_in_force(&agent, 105);
    // A link where a file was.
    let elsewhere = write(folder.path(), "elsewhere.yaml", version(&gateway, 106));
    let link = home.join("link");
    std::os::unix::fs::symlink(elsewhere, &link).expect("a link");
    fs::rename(link, &file).expect("moved");
    until_in_force(&agent, 106);
    assert_eq!((reloads(&agent, "success"), reloads(&agent, "failure")), (7.0, 0.0), "{}", log.all());
}

#[test]
fn what_a_broken_config_lacked_is_found_when_it_comes() {
    let (folder, gateway) = (folder(), Gateway::with(&[]));
    write(folder.path(), "gateprobe.yaml", version(&gateway, 100));
    let (agent, _log) = start(folder.path());
    let text = version(&gateway, 101).replace("targets: {chat: {", "targets: {chat: {dialect: own.yaml, ");
    write(folder.path(), "gateprobe.yaml", text);
    eventually("a dialect is missing", || agent.get("/readyz?verbose").1.contains("own.yaml").then_some(()));
    write(folder.path(), "own.yaml", "dialect: 1\nname: own\n");
    until_in_force(&agent, 101);
}

#[test]
fn who_does_not_want_it_is_left_in_peace() {
    let (folder, gateway) = (folder(), Gateway::with(&[]));
    let still = |seconds| version(&gateway, seconds).replace("lag_bound", "watch_config: false\nlag_bound");
    let every = |text: String| text.replace("interval: 100s", "interval: 1s");
    write(folder.path(), "gateprobe.yaml", every(still(100)));
    let (agent, _log) = start(folder.path());
    write(folder.path(), "gateprobe.yaml", version(&gateway, 101));
    // Long enough for three looks.
    until_runs(&agent, "chat", "pass", 4.0);
    assert_eq!(reloads(&agent, "success"), 1.0);
    // Loaded by hand, the new config says that it is to be followed.
    assert_eq!(agent.post("/-/reload").0, 200);
    until_in_force(&agent, 101);
    write(folder.path(), "gateprobe.yaml", version(&gateway, 102));
    until_in_force(&agent, 102);
}

//! Two agents in two locations, a gateway for each target, and everything behind them that is real: Prometheus with our
//! rules, Alertmanager with a pager, a collector.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::otlp::server::Server;
use crate::support::alertmanager::{Alertmanager, Notice, Pager};
use crate::support::binary::{self, Agent, within};
use crate::support::collector::Collector;
use crate::support::prometheus::Prometheus;
use crate::support::reference::Reference;
use crate::support::{folder, write};

const CONFIG: &str = include_str!("scene.yaml");
const ANNEX: &str = include_str!("annex.yaml");
const CLEAN_UP: &str = "{ interval: 8s, timeout: 7900ms, connect_timeout: 1s, pong_timeout: 1s, close_timeout: 1s, tolerance: 500ms, \
     beat_within: 1s, modes: [mute], recovery: false, window: { earliest: 2s, latest: 2s } }";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PAUSED: &str = "[{ until: '2999-01-01T00:00:00Z' }]";

/// An hour is a minute here: of the rules' windows, not of the agents' intervals.
const SPEED: &str = "60";
/// Its limit is a quarter of a second of this machine's own, whatever the speed.
const OF_THE_MACHINE: &str = "GateprobeSchedulerLag";

/// How long anything here may take, in seconds.
pub const PATIENCE: u64 = 150;

/// All of it; ends when dropped.
pub struct Scene {
    /// The agent in the location `lab`.
    pub lab: Agent,
    /// The agent in the location `annex`.
    pub annex: Agent,
    /// What scrapes both.
    pub prometheus: Prometheus,
    /// What Prometheus tells of its alerts.
    pub alertmanager: Alertmanager,
    /// Whom Alertmanager tells of all alerts.
    pub pager: Pager,
    /// What the agent in `lab` exports to.
    pub collector: Collector,
    /// What the agent in `annex` exports to.
    pub receiver: Server,
    gateways: BTreeMap<&'static str, Reference>,
    folder: TempDir,
}

impl Scene {
    /// Starts it; all gateways are well.
    pub fn start() -> Self {
        let folder = folder();
        write(folder.path(), "key", SECRET);
        write(folder.path(), "token", SECRET);
        write(folder.path(), "blind", SECRET);
        let (pager, collector, receiver) = (Pager::start(), Collector::start(), Server::answering(200));
        let drill = folder.path().join("drill-webhook");
        let alertmanager = Alertmanager::start(&notifying(&pager.url, &drill));
        let gateways = gateways(&folder);
        let lab = write(folder.path(), "lab.yaml", config(CONFIG, &collector.grpc, &gateways, &folder, "[]"));
        let receiver_url = format!("http://{}", receiver.address);
        let annex =
            write(folder.path(), "annex.yaml", config(ANNEX, &receiver_url, &gateways, &folder, "[]"));
        let [lab, annex] = [lab, annex].map(|file| {
            let (agent, log) = Agent::start(&file);
            log.collect();
            agent
        });
        let prometheus = Prometheus::start(&scraping(&[&lab, &annex], &alertmanager, &rules(&folder)));
        Self { lab, annex, prometheus, alertmanager, pager, collector, receiver, gateways, folder }
    }

    /// The gateway of a target.
    pub fn gateway(&self, target: &str) -> &Reference {
        &self.gateways[target]
    }

    /// A file of the scene.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Pauses every target of `lab`.
    pub fn pause_lab(&self) {
        self.reload(&self.lab, "lab.yaml", &self.config(CONFIG, &self.collector.grpc, PAUSED));
    }

    /// Pauses the target `flaky` of `annex`.
    pub fn pause_flaky(&self) {
        self.reload(&self.annex, "annex.yaml", &self.annex_config(PAUSED));
    }

    /// Writes a config for `annex` that can't be loaded, and tries.
    pub fn break_annex(&self) {
        write(self.folder.path(), "annex.yaml", "targets: 5");
        assert_eq!(self.annex.post("/-/reload").0, 400, "a config that is none");
    }

    /// Writes the right one again, and loads it.
    pub fn mend_annex(&self) {
        self.reload(&self.annex, "annex.yaml", &self.annex_config("[]"));
    }

    /// Waits for a notice whose labels have all these.
    pub fn notified(&self, status: &str, labels: &[(&str, &str)]) -> Notice {
        within(PATIENCE, &format!("{labels:?} is {status}; the pager has {:#?}", self.told()), || {
            let notices = self.pager.notices().into_iter();
            notices.rev().find(|notice| notice.status == status && has(notice, labels))
        })
    }

    fn told(&self) -> Vec<String> {
        self.pager.notices().iter().map(|notice| format!("{} {:?}", notice.status, notice.labels)).collect()
    }

    fn annex_config(&self, pause: &str) -> String {
        self.config(ANNEX, &format!("http://{}", self.receiver.address), pause)
    }

    fn config(&self, text: &str, collector: &str, pause: &str) -> String {
        config(text, collector, &self.gateways, &self.folder, pause)
    }

    fn reload(&self, agent: &Agent, file: &str, config: &str) {
        write(self.folder.path(), file, config);
        let (status, answer) = agent.post("/-/reload");
        assert_eq!(status, 200, "{answer}");
    }
}

/// Whether an alert has these labels.
pub fn has(notice: &Notice, labels: &[(&str, &str)]) -> bool {
    labels.iter().all(|(name, value)| notice.labels.get(*name).is_some_and(|own| own == value))
}

fn gateways(folder: &TempDir) -> BTreeMap<&'static str, Reference> {
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (key, token, ca) = (file("key"), file("token"), file("ca.pem"));
    let beat = ["--heartbeat-interval", "1s", "--heartbeat-timeout", "2s"];
    let jwt = ["--json", "--jwt-key", &key, "--jwt-algorithm", "HS256", "--jwt-audience", "chat"];
    let like: [(&str, &[&str]); 16] = [
        ("down", &[]),
        ("blip", &[]),
        ("split", &[]),
        ("annex", &[]),
        ("drill", &[]),
        ("counted", &[]),
        ("flaky", &[]),
        ("ending", &["--tls", "--tls-ca-out", &ca]),
        ("open", &["--token-file", &token]),
        ("blind", &[]),
        ("slow", &[]),
        ("zombies", &beat),
        ("evicted", &beat),
        ("refused", &jwt),
        ("outlived", &jwt),
        ("harmed", &["--heartbeat-interval", "1s", "--heartbeat-timeout", "3s"]),
    ];
    like.into_iter().map(|(name, options)| (name, Reference::start(options))).collect()
}

fn config(
    text: &str,
    collector: &str,
    gateways: &BTreeMap<&str, Reference>,
    folder: &TempDir,
    pause: &str,
) -> String {
    let file = |name: &str| folder.path().join(name).display().to_string();
    let mut text = text
        .replace("COLLECTOR", collector)
        .replace("PAUSE", pause)
        .replace("CLEAN_UP", CLEAN_UP)
        .replace("CA_FILE", &file("ca.pem"))
        .replace("TOKEN_FILE", &file("token"))
        .replace("BLIND_FILE", &file("blind"))
        .replace(
            "JWT",
            &format!(
                "{{ token: {{ mint: {{ algorithm: HS256, key_file: {:?}, subject: gateprobe, audience: chat }} }} }}",
                file("key")
            ),
        );
    // The same target in two locations: each has a gateway of its own, as behind a broken link.
    let split = if text.contains("location: annex") { "annex" } else { "split" };
    text = text.replace("SPLIT", &gateways[split].url);
    for (name, gateway) in gateways {
        text = text.replace(&name.to_uppercase(), &gateway.url);
    }
    text
}

/// The rules as `gateprobe rules` prints them.
fn rules(folder: &TempDir) -> PathBuf {
    let (exit, rules, told) = binary::run(&["rules", "--speed", SPEED, "--without", OF_THE_MACHINE]);
    assert_eq!(exit, 0, "{told}");
    write(folder.path(), "gateprobe.rules.yaml", rules)
}

fn scraping(agents: &[&Agent], alertmanager: &Alertmanager, rules: &std::path::Path) -> String {
    let targets: Vec<String> = agents.iter().map(|agent| format!("'{}'", agent.address)).collect();
    format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
         rule_files: ['{}']\n\
         alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['{}'] }}] }}] }}\n\
         scrape_configs: [{{ job_name: gateprobe, static_configs: [{{ targets: [{}] }}] }}]\n",
        rules.display(),
        alertmanager.url.trim_start_matches("http://"),
        targets.join(", ")
    )
}

/// Each alert by itself and at once; those of the drill go to its own webhook too, whose URL a file will hold.
fn notifying(pager: &str, drill: &std::path::Path) -> String {
    format!(
        "route:\n  \
           {{ receiver: pager, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 4h,\n    \
              routes: [{{ receiver: drill, matchers: ['target=\"drill\"'], continue: true }}, {{ receiver: pager }}] }}\n\
         receivers:\n  \
           - {{ name: pager, webhook_configs: [{{ url: '{pager}', send_resolved: true }}] }}\n  \
           - {{ name: drill, webhook_configs: [{{ url_file: '{}', send_resolved: true }}] }}\n",
        drill.display()
    )
}

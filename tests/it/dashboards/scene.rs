//! Gateways good and bad, an agent that watches them with every check, and a Prometheus that scrapes it.

use std::path::PathBuf;

use crate::support::binary::Agent;
use crate::support::collector::Collector;
use crate::support::prometheus::Prometheus;
use crate::support::reference::Reference;
use crate::support::{folder, write};

const CONFIG: &str = include_str!("scene.yaml");

/// What goes wrong from the start, by target; `chat` is well, `asleep` is paused.
const FAULTS: [(&str, &[&str]); 5] = [
    ("orders", &["zombies_kept", "messages_lost=3", "malformed_hang=not_utf8", "pong_dropped=4"]),
    ("presence", &["session_closed_after=3s", "refuse_every=4"]),
    ("legacy", &["upgrade_status=503"]),
    ("tenants", &["refresh_takes=expired"]),
    ("renewals", &["refresh_refused"]),
];

/// All of it; ends when dropped.
pub struct Scene {
    /// Where the answers come from.
    pub prometheus: Prometheus,
    _agent: Agent,
    _gateways: Vec<Reference>,
    _collector: Collector,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Starts it.
    pub fn start() -> Self {
        let folder = folder();
        let file = |name: &str| folder.path().join(name).display().to_string();
        write(folder.path(), "key", "0123456789abcdef0123456789abcdef");
        let (key, ca) = (file("key"), file("ca.pem"));
        let tls = ["--tls", "--tls-ca-out", &ca];
        let jwt = [
            "--jwt-key",
            &key,
            "--jwt-algorithm",
            "HS256",
            "--jwt-issuer",
            "gateprobe",
            "--jwt-audience",
            "chat",
        ];
        let chat = gateway(&[&tls[..], &jwt[..]].concat());
        let broken = FAULTS.map(|(name, faults)| {
            let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
            let options: Vec<&str> =
                faults.chain(jwt.into_iter().filter(|_| matches!(name, "tenants" | "renewals"))).collect();
            (name.to_uppercase(), gateway(&options))
        });
        let collector = Collector::start();
        let mut config =
            CONFIG.replace("COLLECTOR", &collector.grpc).replace("CA_FILE", &ca).replace("KEY_FILE", &key);
        let named = broken.into_iter().chain([("CHAT".to_owned(), chat)]);
        let mut gateways = Vec::new();
        for (name, gateway) in named {
            config = config
                .replace(&format!("{name}_CONTROL"), gateway.control.trim_end_matches('/'))
                .replace(&name, &gateway.url);
            gateways.push(gateway);
        }
        let config: PathBuf = write(folder.path(), "gateprobe.yaml", config);
        let (agent, log) = Agent::start(&config);
        log.collect();
        let scrape = format!(
            "scrape_configs: [{{ job_name: gateprobe, scrape_interval: 1s, static_configs: [{{ targets: ['{}'] }}] }}]\n",
            agent.address
        );
        let prometheus = Prometheus::start(&scrape);
        verify(&agent);
        Self { prometheus, _agent: agent, _gateways: gateways, _collector: collector, _folder: folder }
    }
}

/// Has the agent verify a canary that drops pongs: it is worse, and the other pongs have times.
fn verify(agent: &Agent) {
    let asked = r#"{ "baseline": "chat", "canary": "orders", "checks": ["heartbeat"] }"#;
    let answer = ureq::post(format!("http://{}/api/v1/canary", agent.address)).send(asked);
    assert_eq!(answer.expect("an answer").status(), 202);
}

fn gateway(options: &[&str]) -> Reference {
    let common = ["--json", "--heartbeat-interval", "1s", "--heartbeat-timeout", "2s"];
    Reference::start(&[&common[..], options].concat())
}

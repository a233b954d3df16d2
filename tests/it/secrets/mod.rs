//! No secret ever leaves but to the gateway that it is for: not in a log, a metric, an error, an answer, a
//! report or `Debug`, in clear or encoded; not even where the gateway gives it away.

pub mod grep;
mod mirror;
mod mistakes;

use std::sync::Arc;

use futures_util::future::join_all;
use gateprobe::agent::Setup;
use gateprobe::auth::Algorithm;
use gateprobe::config;
use gateprobe::gateway::{JwtRules, Settings, TlsSettings, Token};
use gateprobe::session::{Budget, Limits};
use tokio_util::sync::CancellationToken;

use crate::support::binary::{Agent, eventually, finish, gateprobe, within};
use crate::support::neighbour::{Closed, Gateway};
use crate::support::{folder, write};
use grep::{assert_clean, found};
use mirror::{MODES, Mirror};

/// What goes to the gateway or the proxy: a token by each way, a header, a plain header's value, the URL's
/// query, a password.
const SENT: [&str; 14] = [
    BY_HEADER,
    BY_QUERY,
    BY_PROTOCOL,
    BY_COOKIE,
    BY_MESSAGE,
    HEADER,
    PLAIN,
    QUERY,
    PASSWORD,
    OBSERVER,
    OBSERVED,
    CLIENT,
    ISSUER,
    ISSUED,
];
const BY_HEADER: &str = "Zq1Header7x";
const BY_QUERY: &str = "Zq2Query7x";
const BY_PROTOCOL: &str = "Zq3Proto7x";
const BY_COOKIE: &str = "Zq4Cookie7x";
const BY_MESSAGE: &str = "Zq5Message7x";
const HEADER: &str = "Zq6Key7x";
const PLAIN: &str = "Zq7Plain7x";
const QUERY: &str = "Zq8Room7x";
const PASSWORD: &str = "Zq9Pass7x";
const OBSERVER: &str = "ZqAObserver7x";
const OBSERVED: &str = "ZqBObserved7x";
/// A client's secret, in the query of a token endpoint, and the token that it issues.
const CLIENT: &str = "ZqDClient7x";
const ISSUER: &str = "ZqEIssuer7x";
const ISSUED: &str = "ZqFIssued7x";
const RELOAD: &str = "Zq0Reload7x";
/// In the secret that signs tokens, and in a claim of theirs.
const SIGNING: &str = "ZqSSigning7x";
const CLAIM: &str = "ZqCClaim7x";
/// How the header of every minted token begins: `{"typ":"JWT","alg":`.
const MINTED: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOi";
/// What people write where it must not be.
const MISTAKE: &str = "ZqXMistake7x";

/// The variables that some of the secrets come from.
const VARIABLES: [(&str, &str); 2] = [("TOKEN_OF_QUERY", BY_QUERY), ("KEY_OF_TENANT", HEADER)];

/// The neighbourhood: a mirror, a gateway that wants a token, one with TLS, and the files.
struct House {
    folder: tempfile::TempDir,
    mirror: Mirror,
    healthy: Gateway,
    secure: Gateway,
    /// One whose tokens are signed, and can be refreshed.
    signed: Gateway,
    closed: Closed,
    /// A line out of the middle of our private key.
    key: String,
    /// The same of the key that signs tokens.
    signing_key: String,
}

impl House {
    fn build() -> Self {
        let folder = folder();
        let token = Token::new(BY_HEADER);
        let healthy = Gateway::start(Settings { token, ..Settings::default() });
        let secure = Gateway::start(Settings { tls: Some(TlsSettings::loopback()), ..Settings::default() });
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(vec!["probe.example".to_owned()]).expect("a name");
        let certificate = certificate.self_signed(&key).expect("a certificate");
        let path = folder.path();
        let signing = rcgen::KeyPair::generate().expect("a key");
        for (name, content) in [
            ("by-header", BY_HEADER),
            ("by-query", BY_QUERY),
            ("by-subprotocol", BY_PROTOCOL),
            ("by-cookie", BY_COOKIE),
            ("by-message", BY_MESSAGE),
            ("header", HEADER),
            ("password", PASSWORD),
            ("observer", OBSERVER),
            ("client", CLIENT),
            ("reload", RELOAD),
            ("signing", &SIGNING.repeat(6)),
            ("signing.pem", &signing.serialize_pem()),
            ("key.pem", &key.serialize_pem()),
            ("certificate.pem", &certificate.pem()),
            ("ca.pem", secure.ca_pem().expect("its own authority")),
        ] {
            write(path, name, content);
        }
        let line = |key: &rcgen::KeyPair| key.serialize_pem().lines().nth(2).expect("a PEM file").to_owned();
        let (key, signing_key) = (line(&key), line(&signing));
        let rules = JwtRules::read(Algorithm::HS256.into(), &path.join("signing")).expect("a key");
        let signed = Gateway::start(Settings { jwt: Some(rules), json: true, ..Settings::default() });
        let (mirror, closed) = (Mirror::start(&SENT), Closed::on("127.0.0.1"));
        Self { folder, mirror, healthy, secure, signed, closed, key, signing_key }
    }

    fn file(&self, name: &str) -> String {
        format!("{{file: {:?}}}", self.folder.path().join(name))
    }

    /// A config with all kinds of secrets; those of [`VARIABLES`] from the environment where `variables`.
    fn config(&self, variables: bool) -> String {
        let source = |name: &str, variable: &str| match variables {
            true => format!("{{env: {variable}}}"),
            false => self.file(name),
        };
        let key = source("header", "KEY_OF_TENANT");
        let (reload, path) = (self.folder.path().join("reload"), self.folder.path());
        let mut text = format!(
            "http: {{listen: '127.0.0.1:0', token_file: {reload:?}}}\n\
             log: {{format: json, level: trace}}\n\
             lag_bound: 10s\n\
             defaults:\n  \
               headers: {{X-Tenant-Key: {key}, X-Note: {PLAIN}}}\n  \
               cookies: session\n  \
               redirects: {{max: 1}}\n  \
               checks: {{handshake: {{interval: 5s, timeout: 4s, close_timeout: 1s}}}}\n\
             modules:\n  \
               ws: {{checks: {{handshake: {{timeout: 4s}}}}, headers: {{X-Tenant-Key: {key}}}, \
                 allow: {{hosts: [127.0.0.1], addresses: [loopback]}}}}\n\
             targets:\n"
        );
        let places = [
            ("header", self.file("by-header"), "header: {}"),
            ("query", source("by-query", "TOKEN_OF_QUERY"), "query: {}"),
            ("subprotocol", self.file("by-subprotocol"), "subprotocol: {prefix: bearer.}"),
            ("cookie", self.file("by-cookie"), "cookie: {name: session}"),
            ("message", self.file("by-message"), "first_message: {template: '{\"token\":\"${token}\"}'}"),
        ];
        for mode in MODES {
            let url = format!("{}?room={QUERY}", self.mirror.url(mode));
            for (name, token, place) in &places {
                text += &format!(
                    "  {mode}-{name}: {{url: '{url}', auth: {{token: {token}, place: {{{place}}}}}}}\n"
                );
            }
            // A first message that is not the promised one.
            text += &format!(
                "  {mode}-greeted: {{url: '{url}', checks: {{handshake: {{first_message: {{contains: peace}}}}}}}}\n"
            );
        }
        let proxy = format!(
            "proxy: {{url: 'http://{}', username: probe, password: {}}}",
            self.mirror.address,
            self.file("password")
        );
        let token = format!("auth: {{token: {}}}", self.file("by-header"));
        text +=
            &format!("  proxied: {{url: '{}?room={QUERY}', {token}, {proxy}}}\n", self.mirror.url("close"));
        text += &format!("  proxy-refuses: {{url: 'ws://refuse.example/?room={QUERY}', {proxy}}}\n");
        let mint = |algorithm: &str, key: &str| {
            let key = path.join(key);
            format!(
                "auth: {{token: {{mint: {{algorithm: {algorithm}, key_file: {key:?}, claims: {{c: {CLAIM}}}}}}}}}"
            )
        };
        for (name, mode, token) in [
            ("minted-status", "status", mint("HS256", "signing")),
            ("minted-message", "message", mint("ES256", "signing.pem")),
            ("minted-by-nothing", "close", mint("HS256", "signing-later")),
        ] {
            text += &format!("  {name}: {{url: '{}?room={QUERY}', {token}}}\n", self.mirror.url(mode));
        }
        // The mirror issues a token too, and refuses one with all that it knows.
        let oauth2 = |mode: &str, method: &str| {
            format!(
                "auth: {{token: {{oauth2: {{token_url: 'http://{}/{mode}?key={ISSUER}', client_id: probe, \
                 client_secret: {}, auth_method: {method}}}}}}}",
                self.mirror.address,
                self.file("client")
            )
        };
        for (name, mode, token) in [
            ("issued-status", "status", oauth2("token", "basic")),
            ("issued-message", "message", oauth2("token", "post")),
            ("issued-by-nobody", "close", oauth2("unauthorized", "basic")),
            ("issued-garbage", "close", oauth2("garbage", "post")),
        ] {
            text += &format!("  {name}: {{url: '{}?room={QUERY}', {token}}}\n", self.mirror.url(mode));
        }
        text += &format!("  healthy: {{url: '{}?room={QUERY}', {token}}}\n", self.healthy.url());
        // Its metrics endpoint is the mirror, which tells nothing but secrets.
        text += &format!(
            "  observed: {{url: '{}?room={QUERY}', {token}, observe: {{url: 'http://{}/garbage?key={OBSERVED}', \
             sessions: open, exclusive: true, token: {}}}, checks: {{handshake: {{enabled: false}}, \
             flapping: {{cycles: 4, gap: 50ms, hold: 20ms, interval: 60s}}}}}}\n",
            self.healthy.url(),
            self.mirror.address,
            self.file("observer")
        );
        // Whoever names what was accepted must not show it.
        text += &format!(
            "  refreshed: {{url: '{}?room={QUERY}', dialect: json, {}, checks: {{handshake: {{enabled: false}}, \
             token_refresh: {{profile: suite, lifetime: 3s, leeway: 0s, tolerance: 1s, interval: 60s}}}}}}\n",
            self.signed.url(),
            mint("HS256", "signing")
        );
        text += &format!("  closed: {{url: '{}?room={QUERY}', {token}}}\n", self.closed.url());
        text += &format!(
            "  secure: {{url: '{}?room={QUERY}', {token}, tls: {{ca_file: {:?}, client_cert_file: {:?}, client_key_file: {:?}}}}}\n",
            self.secure.url(),
            path.join("ca.pem"),
            path.join("certificate.pem"),
            path.join("key.pem")
        );
        text
    }

    fn secrets(&self) -> Vec<&str> {
        SENT.into_iter()
            .chain([RELOAD, MISTAKE, SIGNING, CLAIM, MINTED, &self.key, &self.signing_key])
            .collect()
    }

    /// That the secrets were there to be told: or finding none would mean nothing.
    fn assert_heard(&self) {
        let heard = self.mirror.heard();
        for secret in SENT.into_iter().chain([CLAIM, MINTED]) {
            assert!(found(&heard, secret).is_some(), "the mirror was never told {secret}");
        }
    }
}

/// How many targets the config has.
const TARGETS: usize = MODES.len() * 6 + 14;

#[test]
fn the_agent_tells_no_secret() {
    let house = House::build();
    let secrets = house.secrets();
    let file = write(house.folder.path(), "gateprobe.yaml", house.config(true));
    let (agent, log) = Agent::start_with(&file, &VARIABLES);
    let log = log.collect();
    let clean = |place: &str, text: &str| assert_clean(place, text, &secrets);
    // First runs are spread over their intervals, and the longest runs wait for time-outs.
    within(180, "a run of every target", || {
        let (_, text) = agent.get("/api/v1/status");
        let status: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        (status["jobs"].as_array().map(Vec::len) == Some(TARGETS)).then_some(())
    });
    house.healthy.set_fault("upgrade_status=503".parse().expect("a fault")).expect("a fault");
    house.secure.set_fault("tls_expired".parse().expect("a fault")).expect("a fault");
    eventually("the faults", || {
        let runs = |target: &str| agent.get(&format!("/api/v1/runs?outcome=fail&target={target}")).1;
        ["healthy", "secure"].iter().all(|target| runs(target).contains("reason")).then_some(())
    });

    let probe = |target: &str| {
        let target: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        agent.get(&format!("/probe?debug=true&module=ws&target={target}"))
    };
    for mode in MODES {
        for target in [format!("{mode}-query"), format!("{}?room={QUERY}", house.mirror.url(mode))] {
            let (status, text) = probe(&target);
            assert_eq!(status, 200, "{text}");
            clean(&format!("/probe of {target}"), &text);
        }
    }
    for target in [
        format!("ws://me:{MISTAKE}@127.0.0.1/"),
        format!("ws://{MISTAKE}@127.0.0.1/"),
        format!("ws://127.0.0.1:99999/?{MISTAKE}"),
        format!("http://127.0.0.1/?{MISTAKE}"),
        format!("gw.example.com/?{MISTAKE}"),
        format!("ws://169.254.169.254/{MISTAKE}?{MISTAKE}#{MISTAKE}"),
    ] {
        let (status, text) = probe(&target);
        assert_eq!(status, 400, "{target}: {text}");
        clean(&format!("/probe of {target}"), &text);
    }
    let reload = |token: &str| {
        let client: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let request = client.post(format!("http://{}/-/reload", agent.address));
        let mut answer =
            request.header("Authorization", format!("Bearer {token}")).send_empty().expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    };
    let (status, text) = reload(MISTAKE);
    assert_eq!(status, 401);
    clean("a refused reload", &text);
    write(
        house.folder.path(),
        "gateprobe.yaml",
        house.config(true) + "  bad: {url: 'wss://me:ZqXMistake7x@x/'}\n",
    );
    let (status, text) = reload(RELOAD);
    assert_eq!(status, 400, "{text}");
    clean("a failed reload", &text);
    write(house.folder.path(), "gateprobe.yaml", house.config(true).replace("max: 1", "max: 2"));
    let ready = agent.get("/readyz?verbose").1;
    assert!(ready.contains("was not loaded"), "{ready}");
    clean("/readyz?verbose", &ready);
    let (status, text) = reload(RELOAD);
    assert_eq!(status, 200, "{text}");
    clean("a reload", &text);

    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/runs?limit=100", "/readyz?verbose"] {
        let (status, text) = agent.get(path);
        assert_eq!(status, 200, "{path}");
        clean(path, &text);
    }
    for mode in MODES {
        for name in ["header", "query", "subprotocol", "cookie", "message", "greeted"] {
            let path = format!("/api/v1/runs?limit=100&target={mode}-{name}");
            clean(&path, &agent.get(&path).1);
        }
    }
    drop(agent);
    let log = log.join().expect("a log");
    assert!(log.contains("\"DEBUG\"") && log.lines().count() > TARGETS, "{log}");
    clean("the log", &log);
    house.assert_heard();
}

#[test]
fn the_commands_tell_no_secret() {
    let house = House::build();
    let secrets = house.secrets();
    let file = write(house.folder.path(), "gateprobe.yaml", house.config(true));
    let file = file.to_str().expect("UTF-8");
    let url = format!("{}?room={QUERY}", house.mirror.url("close"));
    for (args, codes) in [
        (vec!["check", "--config", file, "--verbose"], vec![1]),
        (vec!["check", "--config", file, "--output", "json"], vec![1]),
        // Without a config, a busy machine may say that it was too late to judge.
        (vec!["check", "--verbose", &url], vec![1, 3]),
        (vec!["check", "--output", "json", &url], vec![1, 3]),
        (vec!["config", "check", file], vec![0]),
        (vec!["config", "show", file], vec![0]),
        (vec!["config", "show", file, "--output", "json"], vec![0]),
        (vec!["config", "show", file, "--cost"], vec![0]),
    ] {
        let output = gateprobe(&args).envs(VARIABLES).output().expect("runs");
        let (code, out, err) = finish(output);
        assert!(codes.contains(&code), "{args:?}: {code}\n{out}\n{err}");
        assert!(!out.is_empty(), "{args:?}");
        assert_clean(&format!("{args:?}"), &out, &secrets);
        assert_clean(&format!("{args:?}"), &err, &secrets);
    }
    house.assert_heard();
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_output_tells_no_secret() {
    let house = tokio::task::spawn_blocking(House::build).await.expect("a house");
    let file = write(house.folder.path(), "gateprobe.yaml", house.config(false));
    let (plan, warnings) = config::load(&[file], std::iter::empty()).expect("a good config");
    let mut told = format!("{plan:?}{plan:#?}{warnings:?}");
    let (setup, _watch) = Setup::standalone(plan).expect("a good setup");
    let cut = CancellationToken::new();
    let jobs: Vec<_> = setup
        .plan
        .jobs
        .iter()
        .map(|job| setup.job(job, &Arc::new(Budget::new(Limits::default()))).expect("a job"))
        .collect();
    let reports = join_all(jobs.iter().map(|job| setup.runner.run(job, &cut))).await.concat();
    assert_eq!(reports.len(), TARGETS);
    // Once they have run: caches and cookie jars are full.
    told += &format!("{setup:?}{setup:#?}{jobs:?}{reports:?}{reports:#?}");
    assert_clean("Debug", &told, &house.secrets());
    house.assert_heard();
    // Runtimes within it must not end on a thread that drives this one.
    tokio::task::spawn_blocking(move || drop(house)).await.expect("dropped");
}

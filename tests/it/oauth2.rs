//! Tokens by OAuth2's client credentials grant, from an authorization server that nobody here wrote (Authlib).

use std::path::Path;
use std::time::Duration;

use gateprobe::auth::Algorithm;
use gateprobe::gateway::{self, EventKind, Handle, JwtRules, Settings};
use gateprobe::model::RunReport;

use crate::support::certificate::Certificate;
use crate::support::program::{ClosedPort, Program};
use crate::support::session::{AMPLE, samples};
use crate::support::{Bench, folder, words, write};
use crate::tokens::keys::Keys;

/// Both have characters that a form must encode.
const CLIENT: &str = "gate probe:1";
const SECRET: &str = "s3cr3t +&=:%";

/// An authorization server, the gateway that verifies its tokens by the public key, and the client's secret.
struct House {
    folder: tempfile::TempDir,
    server: Program,
    gateway: Handle,
}

impl House {
    async fn build(options: &[&str]) -> Self {
        Self::with_gateway(options, Settings::default()).await
    }

    async fn with_gateway(options: &[&str], settings: Settings) -> Self {
        let folder = folder();
        write(folder.path(), "secret", SECRET);
        let keys = Keys::new(folder.path(), Algorithm::RS256);
        let rules = JwtRules::read(Algorithm::RS256.into(), &keys.public).expect("a key");
        let rules =
            rules.with_issuer(Some("https://id.example.com".into())).with_audience(Some("chat".into()));
        let gateway = gateway::start(Settings { jwt: Some(rules), json: true, ..settings }).await;
        let sign = keys.private.to_str().expect("UTF-8");
        let own = ["--sign", sign, "--client-id", CLIENT, "--client-secret", SECRET];
        let server = Program::python("oauth2_server.py", &[&own, options].concat());
        Self { folder, server, gateway: gateway.expect("a gateway") }
    }

    /// A target; `more` fields of `oauth2`.
    fn target(&self, name: &str, url: &str, more: &str) -> String {
        format!(
            "  {name}: {{ url: '{}', auth: {{ token: {{ oauth2: {{ token_url: '{url}', client_id: '{CLIENT}', \
             client_secret: {{ file: {:?} }}, {more} }} }} }}, \
             checks: {{ handshake: {{ timeout: 8s, expect: {{ no_token_refused: true }} }} }} }}\n",
            self.gateway.url(),
            self.folder.path().join("secret"),
        )
    }

    fn bench(&self, targets: &[String]) -> Bench {
        Bench::new(&format!("lag_bound: 10s\ntargets:\n{}", targets.concat()))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.server.address())
    }

    /// How many tokens were asked for.
    fn requests(&self) -> u32 {
        let client: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let mut answer = client.get(self.url("requests")).call().expect("an answer");
        answer.body_mut().read_to_string().expect("text").parse().expect("a number")
    }

    /// How many clients the gateway has let in.
    fn let_in(&self) -> usize {
        self.gateway.events(0).iter().filter(|event| matches!(event.kind, EventKind::Upgraded)).count()
    }
}

async fn run(bench: &Bench, target: &str) -> RunReport {
    bench.run(target).await.remove(0)
}

fn expect(report: &RunReport, expected: &str, why: &str) {
    assert_eq!(words(report), expected, "{}", report.detail);
    assert!(report.detail.contains(why), "{}, not {why}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_issued_once_for_all_who_want_the_same() {
    let house = House::build(&[]).await;
    let url = house.url("token");
    let mut targets: Vec<String> = ["a", "b", "c"].map(|name| house.target(name, &url, "")).into();
    targets.push(house.target("scoped", &url, "scope: 'chat:connect chat:admin', audience: chat"));
    targets.push(house.target("greedy", &url, "scope: chat:everything"));
    let bench = house.bench(&targets);
    let (a, b, c) = tokio::join!(run(&bench, "a"), run(&bench, "b"), run(&bench, "c"));
    for report in [a, b, c, run(&bench, "a").await] {
        expect(&report, "pass", "");
    }
    assert_eq!(house.requests(), 1);
    assert_eq!(house.let_in(), 4);
    expect(&run(&bench, "scoped").await, "pass", "");
    assert_eq!(house.requests(), 2);
    expect(&run(&bench, "greedy").await, "inconclusive credential", "it answered 400 (invalid_scope)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_about_to_end_is_used_no_more() {
    let house = House::build(&["--lifetime", "3"]).await;
    let bench = house.bench(&[house.target("chat", &house.url("token"), "")]);
    while house.requests() < 3 {
        expect(&run(&bench, "chat").await, "pass", "");
    }
    assert!(house.let_in() >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_goes_by_the_body_where_the_server_wants_it_there() {
    let house = House::build(&["--auth-method", "client_secret_post"]).await;
    let url = house.url("token");
    let bench = house.bench(&[
        house.target("post", &url, "auth_method: post"),
        house.target("basic", &url, "auth_method: basic"),
    ]);
    expect(&run(&bench, "post").await, "pass", "");
    expect(&run(&bench, "basic").await, "inconclusive credential", "it answered 401 (invalid_client)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_our_own_trouble_until_it_is_right() {
    let house = House::build(&[]).await;
    let bench = house.bench(&[house.target("chat", &house.url("token"), "")]);
    let secret = |text: &str| write(house.folder.path(), "secret", text);
    std::fs::remove_file(secret("")).expect("removed");
    expect(&run(&bench, "chat").await, "inconclusive credential", "the client's secret: the token file ");
    assert_eq!(house.requests(), 0, "nobody is asked without one");
    secret("wrong");
    let refused = run(&bench, "chat").await;
    expect(&refused, "inconclusive credential", "it answered 401 (invalid_client)");
    assert!(!refused.detail.contains("wrong"), "{}", refused.detail);
    secret(SECRET);
    let mut report = run(&bench, "chat").await;
    while words(&report) != "pass" {
        expect(&report, "inconclusive credential", "it answered 401 (invalid_client); asked again in 1 s");
        report = run(&bench, "chat").await;
    }
    assert_eq!(house.requests(), 2, "it is left alone in between");
    assert_eq!(house.let_in(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_gives_no_token_accuses_nobody() {
    let house = House::build(&[]).await;
    let closed = ClosedPort::any();
    let cases = [
        ("silent", house.url("silent"), "no answer within 300ms"),
        ("down", format!("http://{}/token", closed.address()), "connection refused"),
        ("broken", house.url("status/500"), "it answered 500"),
        ("busy", house.url("status/429"), "it answered 429"),
        ("elsewhere", house.url("status/302"), "it answered 302"),
        ("garbage", house.url("garbage"), "its answer is no JSON object"),
        ("missing", house.url("nowhere"), "it answered 404"),
        ("plain", format!("https://{}/token", house.server.address()), "no TLS in common"),
    ];
    let targets = cases.each_ref().map(|(name, url, _)| house.target(name, url, "timeout: 300ms"));
    let bench = house.bench(&targets);
    for (name, url, why) in cases {
        let report = run(&bench, name).await;
        expect(&report, "inconclusive credential", why);
        assert!(report.detail.contains(&format!("no token from {url}: ")), "{}", report.detail);
    }
    assert_eq!(house.let_in(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_which_nothing_is_known_is_asked_for_each_time() {
    let house = House::build(&[]).await;
    let bench = house.bench(&[house.target("chat", &house.url("opaque"), "")]);
    // To the gateway it is no token at all, and that is for people to see.
    for requests in 1..=2 {
        expect(&run(&bench, "chat").await, "fail unauthorized", "");
        assert_eq!(house.requests(), requests);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_is_trusted_as_the_target_says() {
    let pki = folder();
    let certificate = Certificate::new(pki.path(), &["127.0.0.1"]);
    let house = House::build(&certificate.options()).await;
    let url = format!("https://{}/token?tenant=t1", house.server.address());
    let trusting = |target: String, ca: &Path| {
        target.replacen("auth:", &format!("tls: {{ ca_file: {ca:?} }}, auth:"), 1)
    };
    let bench = house.bench(&[
        trusting(house.target("trusted", &url, ""), &certificate.ca),
        house.target("stranger", &url, ""),
    ]);
    expect(&run(&bench, "trusted").await, "pass", "");
    let report = run(&bench, "stranger").await;
    expect(&report, "inconclusive credential", "the certificate is not issued by a trusted authority");
    assert!(report.detail.contains("/token?***: "), "{}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_renewed_by_issued_tokens_and_lives_on() {
    let house = House::build(&["--lifetime", "6"]).await;
    let target = house.target("chat", &house.url("token"), "");
    let check = "token_refresh: { cases: [renew, rapid, together], leeway: 0s, tolerance: 1s, every: 30ms }";
    let target = target.replacen(
        "checks: { handshake:",
        &format!("dialect: json, {AMPLE}, checks: {{ {check}, handshake:"),
        1,
    );
    let bench = house.bench(&[target]);
    let report = bench.run_check("chat", "token_refresh").await.remove(0);
    expect(&report, "pass", "6 refreshes accepted within ");
    assert!(report.detail.contains("served after the old token's expiry"), "{}", report.detail);
    assert!(report.detail.contains("none lost"), "{}", report.detail);
    let [mean] = samples(&report, "gateprobe_last_token_refresh_duration_seconds", &[])[..] else {
        panic!("no mean: {report:#?}")
    };
    assert!(mean > 0.0 && mean < 0.5, "{mean}");
    assert!(house.requests() >= 7, "each refresh has a token of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_answers_the_gateway_while_its_token_is_fetched() {
    // Who leaves a ping unanswered for half a second is let go of; a token takes a second.
    let impatient = Settings {
        heartbeat_interval: Some(Duration::from_millis(200)),
        heartbeat_timeout: Duration::from_millis(500),
        ..Settings::default()
    };
    let house = House::with_gateway(&["--lifetime", "8"], impatient).await;
    let target = house.target("chat", &house.url("slow"), "");
    let check = "token_refresh: { cases: [renew, rapid], leeway: 0s, tolerance: 1s, every: 30ms }";
    let target = target.replacen(
        "checks: { handshake:",
        &format!("dialect: json, {AMPLE}, checks: {{ {check}, handshake:"),
        1,
    );
    let bench = house.bench(&[target]);
    let report = bench.run_check("chat", "token_refresh").await.remove(0);
    expect(&report, "pass", "refreshes accepted within ");
}

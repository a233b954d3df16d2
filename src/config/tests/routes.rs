//! What the dial gets to see of a config.

use secrecy::ExposeSecret;

use super::{FOLDER, load};
use crate::config::Plan;
use crate::wire::{Endpoint, Family};

fn plan(text: &str, variables: &[(&str, &str)]) -> Plan {
    load("f.yaml", text.as_bytes(), variables).unwrap_or_else(|problems| panic!("{problems}")).0
}

fn endpoint(settings: &str, variables: &[(&str, &str)]) -> Endpoint {
    let text = format!("targets:\n  a:\n    url: wss://a.example.com/\n{settings}");
    plan(&text, variables).targets[0].endpoint.clone()
}

#[test]
fn a_target_becomes_an_endpoint() {
    let settings = "    headers: {Origin: 'https://o', X-Key: {env: KEY}}\n    subprotocols: [x, y]\n    \
                    redirects: {max: 2, hosts: ['*.b.example.com', c.example.com]}\n    \
                    network: {family: v4, source: 10.0.0.5}\n";
    let endpoint = endpoint(settings, &[("KEY", "s3cr3t")]);
    let headers: Vec<(&str, &str)> =
        endpoint.headers.iter().map(|h| (h.name.as_str(), h.value.expose_secret())).collect();
    assert_eq!(headers, [("Origin", "https://o"), ("X-Gateprobe-Target", "a")]);
    assert_eq!(endpoint.subprotocols, ["x", "y"]);
    assert_eq!((endpoint.redirects.max, &*endpoint.redirects.hosts[0]), (2, ".b.example.com"));
    assert_eq!((endpoint.path.family, endpoint.path.source), (Family::V4, "10.0.0.5".parse().ok()));
    assert!(endpoint.user_agent.starts_with("gateprobe/"));
    assert!(endpoint.guard.permits_all());
}

#[test]
fn a_proxys_password_comes_from_its_file_without_the_line_break() {
    let file = FOLDER.path().join("proxy-password");
    let settings = format!(
        "    proxy: {{url: 'http://p:3128', username: me, password: {{file: {}}}, no_proxy: [.x, 10.0.0.0/8]}}\n",
        file.display()
    );
    let proxy = endpoint(&settings, &[]).proxy.unwrap();
    assert_eq!(proxy.credentials.as_ref().unwrap().expose_secret(), "me:s3cr3t");
    assert!(proxy.exceptions.covers("b.x", 443) && proxy.exceptions.covers("10.1.2.3", 443));
}

#[test]
fn the_environments_proxy_counts_only_where_asked_for() {
    let variables = [("https_proxy", "http://p.example.com:1"), ("no_proxy", "b.example.com")];
    assert!(endpoint("", &variables).proxy.is_none());
    let proxy = endpoint("    proxy: {from_environment: true}\n", &variables).proxy.unwrap();
    assert_eq!((proxy.host(), proxy.port()), ("p.example.com", 1));
    assert!(proxy.exceptions.covers("b.example.com", 443));
    let text = "targets: {a: {url: 'wss://a', proxy: {from_environment: true}}}";
    let told = load("f.yaml", text.as_bytes(), &[("https_proxy", "socks5://p")]).unwrap_err().to_string();
    assert!(
        told.starts_with(
            "f.yaml:1:57: targets.a.proxy.from_environment: a proxy variable of the environment is wrong"
        ),
        "{told}"
    );
}

#[test]
fn other_authorities_in_the_same_file_make_another_job() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    let text = format!("targets: {{a: {{url: 'wss://a', tls: {{ca_file: {}}}}}}}", file.display());
    let mut keys = Vec::new();
    for name in ["a", "b", "b"] {
        let certificate = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
        if name == "a" || keys.len() == 1 {
            std::fs::write(&file, certificate).unwrap();
        }
        keys.push(plan(&text, &[]).jobs[0].key.config_hash);
    }
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[1], keys[2]);
}

//! An HTTP proxy on the way: what it refuses is not the gateway's fault, what it can't reach is.

use crate::support::check::{check_config, check_config_with, phases};
use crate::support::program::{ClosedPort, Program};
use crate::support::{folder, write};

fn config(gateway: &str, proxy: &str) -> String {
    format!(
        "targets: {{ chat: {{ url: 'ws://{gateway}/', proxy: {{ {proxy} }}, \
         checks: {{ handshake: {{ timeout: 5s }} }} }} }}"
    )
}

fn url(proxy: &Program) -> String {
    format!("url: 'http://{}'", proxy.address())
}

#[test]
fn a_tunnel_leads_to_the_gateway() {
    let gateway = Program::python("python_websockets.py", &[]);
    let proxy = Program::python("connect_proxy.py", &[]);
    let passed = check_config(&config(&gateway.address(), &url(&proxy)));
    let run = passed.expect(0, "pass");
    assert_eq!(phases(run)[..], ["budget", "proxy", "upgrade", "session", "close"], "{run:#}");
    assert_eq!(proxy.end(), format!("CONNECT {}\n", gateway.address()));
}

#[test]
fn a_proxy_that_wants_a_login_is_no_fault_of_the_gateway() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let proxy = Program::python("connect_proxy.py", &["--user", "me", "--password", "it"]);
    let refused = check_config(&config(&gateway.address(), &url(&proxy)));
    let run = refused.expect(3, "inconclusive proxy_unavailable");
    assert!(run["detail"].as_str().is_some_and(|detail| detail.contains("407")), "{run:#}");
    let folder = folder();
    let password = write(folder.path(), "password", "it\n");
    let login = format!("{}, username: me, password: {{ file: '{}' }}", url(&proxy), password.display());
    check_config(&config(&gateway.address(), &login)).expect(0, "pass");
}

#[test]
fn a_proxy_that_can_not_reach_the_gateway_accuses_it() {
    let closed = ClosedPort::any();
    let proxy = Program::python("connect_proxy.py", &[]);
    check_config(&config(&closed.address(), &url(&proxy))).expect(1, "fail proxy_target_failed");
    for status in ["503", "504"] {
        let proxy = Program::python("connect_proxy.py", &["--status", status]);
        check_config(&config(&closed.address(), &url(&proxy))).expect(1, "fail proxy_target_failed");
    }
}

#[test]
fn a_proxy_that_is_dead_or_silent_accuses_nobody() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let closed = ClosedPort::any();
    let dead = format!("url: 'http://{}'", closed.address());
    check_config(&config(&gateway.address(), &dead)).expect(3, "inconclusive proxy_unavailable");
    let silent = Program::python("connect_proxy.py", &["--silent"]);
    check_config(&config(&gateway.address(), &url(&silent))).expect(3, "inconclusive proxy_unavailable");
}

#[test]
fn exceptions_go_round_the_proxy() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let proxy = Program::python("connect_proxy.py", &["--status", "500"]);
    let address = gateway.address();
    for exceptions in ["127.0.0.1", "127.0.0.0/8", "'*'"] {
        let around = format!("{}, no_proxy: [gw.example.com, {exceptions}]", url(&proxy));
        let passed = check_config(&config(&address, &around));
        assert!(!phases(passed.expect(0, "pass")).contains(&"proxy"), "{exceptions}");
    }
    let here = format!("http://{}", proxy.address());
    let from_environment = config(&address, "from_environment: true");
    let around = [("http_proxy", here.as_str()), ("NO_PROXY", "gw.example.com,127.0.0.1")];
    check_config_with(&from_environment, &around).expect(0, "pass");
    // Which a CGI request's header can set.
    check_config_with(&from_environment, &[("HTTP_PROXY", &here)]).expect(0, "pass");
    check_config(&from_environment).expect(0, "pass");
    // Without `from_environment`, the environment is not asked.
    check_config_with(&config(&address, ""), &[("http_proxy", &here)]).expect(0, "pass");
    assert_eq!(proxy.end(), "", "the proxy was asked all the same");
}

#[test]
fn the_environments_proxy_is_used_where_the_config_says_so() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let proxy = Program::python("connect_proxy.py", &[]);
    let here = format!("http://{}", proxy.address());
    let variables = [("http_proxy", here.as_str()), ("NO_PROXY", "gw.example.com")];
    let config = config(&gateway.address(), "from_environment: true");
    check_config_with(&config, &variables).expect(0, "pass");
    assert_eq!(proxy.end(), format!("CONNECT {}\n", gateway.address()));
}

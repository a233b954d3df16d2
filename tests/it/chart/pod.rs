//! What the chart's pods do, without a cluster: the program with their arguments, variables and files.

use std::path::Path;

use serde_json::Value;

use super::helm::{all, one, pods, render};
use crate::support::binary::{Agent, eventually, finish, gateprobe};
use crate::support::program::project;
use crate::support::reference::Reference;
use crate::support::{folder, write};

#[test]
fn the_pods_watch_a_gateway_and_helms_test_passes() {
    let gateway = Reference::start(&[]);
    let values = format!("config: {{ targets: {{ chat: {{ url: '{}' }} }} }}", gateway.url);
    let objects = render(&values);
    let folder = folder();
    for (name, text) in all(&objects, "ConfigMap")[0]["data"].as_object().expect("files") {
        write(folder.path(), name, text.as_str().expect("text"));
    }
    let agent =
        &pods(&objects).into_iter().find(|pod| pod.0 == "Deployment").expect("the agent").2["containers"][0];
    let args = arguments(agent, folder.path());
    let config = args.iter().find_map(|arg| arg.strip_prefix("--config=")).expect("a config");
    // The port is any free one; all else is the pod's.
    let variables = variables(agent, "127.0.0.1:0");
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    let (running, _log) = Agent::start_with(Path::new(config), &variables);

    eventually("the pod is ready", || probe(&running, agent, "readinessProbe").then_some(()));
    assert!(probe(&running, agent, "livenessProbe"));
    let green = r#"gateprobe_last_check_success{check="handshake",target="chat"}"#;
    eventually("the target is green", || running.metric(green).filter(|value| *value == 1.0));

    let containers = one(&objects, "Pod")["spec"]["containers"].as_array().expect("containers");
    let address = format!("http://{}", running.address);
    for container in containers {
        let args = arguments(container, folder.path());
        let service = |arg: &String| if arg.starts_with("http://") { address.clone() } else { arg.clone() };
        let args: Vec<String> = args.iter().map(service).collect();
        let output = gateprobe(&args.iter().map(String::as_str).collect::<Vec<_>>()).output().expect("runs");
        let (exit, said, wrong) = finish(output);
        assert_eq!(exit, 0, "{args:?}: {said}{wrong}");
    }
    drop(running);
    let (exit, _, wrong) = finish(gateprobe(&["ready", &address]).output().expect("runs"));
    assert_eq!(exit, 1, "nobody is there: {wrong}");
    assert!(wrong.starts_with("gateprobe ready: "), "{wrong}");
}

/// With the values of the page, as far as they fit without a cluster: another gateway, another control, the token elsewhere.
#[test]
fn helms_test_passes_with_the_values_that_the_page_says_to_write_down() {
    let page = std::fs::read_to_string(project("docs/install.md")).expect("the page");
    let values = page.split("```yaml\n").find(|block| block.starts_with("# values.yaml\n")).expect("values");
    let objects = render(values.split("```").next().expect("its end"));
    let gateway = Reference::start(&[]);
    let folder = folder();
    let token = write(folder.path(), "chat-token", "s3cr3t");
    for (name, text) in all(&objects, "ConfigMap")[0]["data"].as_object().expect("files") {
        let text = text.as_str().expect("text");
        let text = text.replace("wss://chat.example.com/socket", &gateway.url);
        let text = text.replace(
            "one.example.net:443",
            gateway.control.trim_start_matches("http://").trim_end_matches('/'),
        );
        write(folder.path(), name, text.replace("/run/secrets/chat-token", token.to_str().expect("UTF-8")));
    }
    let containers = one(&objects, "Pod")["spec"]["containers"].as_array().expect("containers");
    let targets = containers.iter().find(|container| container["name"] == "targets").expect("a container");
    let args = arguments(targets, folder.path());
    let output = gateprobe(&args.iter().map(String::as_str).collect::<Vec<_>>()).output().expect("runs");
    let (exit, said, wrong) = finish(output);
    assert!(exit == 0 && said.contains("chat handshake"), "{args:?}: {said}{wrong}");
}

/// A container's arguments, with its folder of files in another place.
fn arguments(container: &Value, files: &Path) -> Vec<String> {
    let args = container["args"].as_array().expect("arguments").iter();
    let files = files.to_str().expect("UTF-8");
    args.map(|arg| arg.as_str().expect("text").replace("/etc/gateprobe", files)).collect()
}

fn variables(container: &Value, listen: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let variables = container["env"].as_array().expect("variables").iter();
    let mut variables: Vec<_> = variables.map(|v| (text(&v["name"]), text(&v["value"]))).collect();
    let place = variables.iter_mut().find(|(name, _)| name == "GATEPROBE__HTTP__LISTEN");
    place.expect("where it listens").1 = listen.to_owned();
    variables
}

fn probe(agent: &Agent, container: &Value, kind: &str) -> bool {
    agent.get(container[kind]["httpGet"]["path"].as_str().expect("a path")).0 == 200
}

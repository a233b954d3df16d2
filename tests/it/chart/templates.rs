//! What the templates make of values.

use serde_json::{Value, json};

use super::helm::{TARGET, all, cases, chart, objects, one, pods, refused, render, with};

/// The case that is not restricted, and says so in its first lines.
const PRIVILEGED: &str = "multi-interface-old-kernel";

fn case(name: &str) -> Vec<Value> {
    let (_, path) = cases().into_iter().find(|(case, _)| case == name).expect("a case");
    render(&std::fs::read_to_string(path).expect("values"))
}

#[test]
fn every_pod_is_restricted() {
    for (name, path) in cases().iter().filter(|(name, _)| name != PRIVILEGED) {
        let objects = render(&std::fs::read_to_string(path).expect("values"));
        let pods = pods(&objects);
        assert_eq!(pods.len(), 2, "{name}: the agent and its test");
        for (kind, _, pod) in pods {
            assert_restricted(pod, &format!("{name}, {kind}"));
        }
    }
    let plain =
        std::fs::read_to_string(crate::support::program::project("deploy/kubernetes/deployment.yaml"));
    assert_restricted(pods(&objects(&plain.expect("a manifest")))[0].2, "the plain manifest");
    let privileged = case(PRIVILEGED);
    let container = &pods(&privileged)[0].2["containers"][0];
    assert_eq!(container["securityContext"]["capabilities"], json!({ "drop": ["ALL"], "add": ["NET_RAW"] }));
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
}

/// Who has no chart writes the gateways into one manifest, and must learn that their ports stand in another.
#[test]
fn the_plain_manifests_tell_that_a_gateway_on_another_port_is_cut_off() {
    let read = |path: &str| {
        std::fs::read_to_string(crate::support::program::project(path)).expect("a file of the project")
    };
    let policy = read("deploy/kubernetes/networkpolicy.yaml");
    let (_, gateways) = policy.split_once("# Gateways").expect("the gateways' ports");
    let (told, _) = gateways.split_once("- ports:").expect("ports");
    assert!(told.contains("on a port that is not here can't be reached"), "{told}");
    let page = read("docs/install.md");
    let (_, section) = page.split_once("## Without Helm").expect("a section");
    assert!(section.contains("their ports into `networkpolicy.yaml`"), "{section}");
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/>, and what goes beyond.
pub fn assert_restricted(pod: &Value, what: &str) {
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[host].is_null(), "{what}: {host}");
    }
    let context = &pod["securityContext"];
    assert_eq!(context["runAsNonRoot"], true, "{what}");
    assert_eq!((&context["runAsUser"], &context["runAsGroup"]), (&json!(65534), &json!(65534)), "{what}");
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{what}");
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let kinds: Vec<&String> =
            volume.as_object().expect("a volume").keys().filter(|k| *k != "name").collect();
        let allowed = ["configMap", "secret", "projected"];
        assert!(kinds.iter().all(|kind| allowed.contains(&kind.as_str())), "{what}: {kinds:?}");
    }
    for container in pod["containers"].as_array().expect("containers") {
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false, "{what}");
        assert_eq!(context["readOnlyRootFilesystem"], true, "{what}");
        assert_eq!(context["capabilities"], json!({ "drop": ["ALL"] }), "{what}");
        let user = [&context["runAsUser"], &context["runAsNonRoot"], &context["privileged"]];
        assert!(user.iter().all(|value| value.is_null()), "{what}: the container loosens what the pod says");
        for port in container["ports"].as_array().into_iter().flatten() {
            assert!(port["hostPort"].is_null(), "{what}: hostPort");
        }
    }
    assert_eq!(
        (&pod["automountServiceAccountToken"], &pod["enableServiceLinks"]),
        (&json!(false), &json!(false))
    );
}

#[test]
fn a_wrong_value_is_refused_with_its_path() {
    for (values, told) in [
        (
            "config: { targets: { chat: { url: 'wss://h/', dialekt: json } } }",
            "/config/targets/chat': additional",
        ),
        (
            "config: { targets: { chat: { url: 'wss://h/', checks: { handshake: { interval: 5x } } } } }",
            "/config/targets/chat/checks/handshake/interval'",
        ),
        (
            "config: { targets: { chat: { url: 'wss://h/', checks: { zombi: {} } } } }",
            "/config/targets/chat/checks': additional properties 'zombi'",
        ),
        (
            "config: { targets: { chat: { url: 'wss://h/', auth: { token: s3cr3t } } } }",
            "/config/targets/chat/auth/token': got string, want ",
        ),
        (
            "config: { targets: { chat: { url: 'https://h/' } } }",
            "/config/targets/chat/url': 'https://h/' does not match",
        ),
        (
            "config: { control: { address: foo }, targets: { chat: { url: 'wss://h/' } } }",
            "/config/control/address': 'foo' does not match",
        ),
        ("config: { targets: { chat: {} } }", "/config/targets/chat': missing property 'url'"),
        ("dialects: { chat.yaml: { dialect: 1, name: chat, heartbet: {} } }", "/dialects/chat.yaml"),
        ("dialects: { gateprobe.yaml: { dialect: 1, name: chat } }", "gateprobe.yaml"),
        ("replicas: two", "/replicas': got string, want integer"),
        ("serviceMonitor: { enable: true }", "/serviceMonitor': additional properties 'enable'"),
        ("image: { digest: latest }", "/image/digest'"),
        ("listen: { port: 80 }", "/listen/port'"),
        ("replica: 2", "additional properties 'replica'"),
        ("sharding: { shards: 3 }", "/sharding': additional properties 'shards'"),
    ] {
        let whole = if values.starts_with("config") { values.to_owned() } else { with(values) };
        let said = refused(&whole);
        assert!(said.contains(told), "{values}\n{said}");
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}

/// Values with one target that has more fields.
fn target(fields: &str) -> String {
    format!("config: {{ targets: {{ chat: {{ url: 'wss://h/', {fields} }} }} }}\n")
}

#[test]
fn a_dialect_comes_with_the_program_or_with_the_values() {
    for preset in gateprobe::dialect::presets() {
        render(&target(&format!("dialect: {preset}")));
    }
    let own = "dialects: { chat.yaml: { dialect: 1, name: chat } }";
    for (dialect, values) in [
        ("chat.yaml", own),
        ("./chat.yaml", own),
        ("/etc/gateprobe/chat.yaml", own),
        ("jsonn", "existingConfigMap: mine"),
        (
            "more/chat.yaml",
            "extraVolumeMounts: [{ name: more, mountPath: /etc/gateprobe/more, readOnly: true }]",
        ),
    ] {
        render(&format!("{}{values}", target(&format!("dialect: {dialect}"))));
    }
    for (values, told) in [
        (target("dialect: jsonn"), "config.targets.chat.dialect: there is no dialect \"jsonn\"; write websocket, json"),
        (format!("{}{own}", target("dialect: foo.yaml")), "no dialect \"foo.yaml\"; write websocket, json, or a file's name that is in dialects (chat.yaml)"),
        ("config: { defaults: { dialect: foo.yaml }, targets: { chat: { url: 'wss://h/' } } }".to_owned(), "config.defaults.dialect: "),
        ("config: { modules: { ws: { dialect: foo.yaml, allow: { hosts: [h] }, checks: { handshake: {} } } } }".to_owned(), "config.modules.ws.dialect: "),
        (format!("{}dialects: null", target("dialect: foo.yaml")), "(none now)"),
    ] {
        let said = refused(&values);
        assert!(said.contains(told), "{values}\n{said}");
    }
}

#[test]
fn a_secret_that_the_config_names_is_mounted() {
    let token = target("auth: { token: { file: /run/secrets/chat-token } }");
    for values in [
        "secrets: { existing: [{ name: chat, items: [{ key: token, path: chat-token }] }] }",
        // All of its keys, whatever they are.
        "secrets: { existing: [{ name: chat }] }",
        "secrets: { data: { chat-token: x } }",
        "externalSecret: { enabled: true, secretStoreRef: { name: s }, data: [{ secretKey: chat-token }] }",
        "externalSecret: { enabled: true, secretStoreRef: { name: s }, dataFrom: [{ extract: { key: x } }] }",
        "extraVolumeMounts: [{ name: more, mountPath: /run/secrets, readOnly: true }]",
        "existingConfigMap: mine",
    ] {
        render(&format!("{token}{values}"));
    }
    for (values, told) in [
        (
            "",
            "config.targets.chat.auth.token.file: /run/secrets/chat-token is in no Secret of secrets (there: none)",
        ),
        ("secrets: { data: null }", "(there: none)"),
        (
            "secrets: { existing: [{ name: chat, items: [{ key: token, path: chat }] }] }",
            "(there: chat); mount it by secrets.existing, such as [{name: NAME, items: [{key: KEY, path: chat-token}]}]",
        ),
        (
            "externalSecret: { enabled: true, secretStoreRef: { name: s }, data: [{ secretKey: token }] }",
            "(there: token)",
        ),
        (
            "extraVolumeMounts: [{ name: more, mountPath: /run/sec, readOnly: true }]",
            "chat-token is in no Secret",
        ),
    ] {
        let said = refused(&format!("{token}{values}"));
        assert!(said.contains(told), "{values}\n{said}");
    }
    let header = "config: { otlp: { endpoint: 'http://c:4318', headers: { A: { file: /run/secrets/otlp } } }, targets: { chat: { url: 'wss://h/' } } }";
    assert!(refused(header).contains("config.otlp.headers.A.file: /run/secrets/otlp"), "{}", refused(header));
}

/// What the README of the chart says of the rest: numbers that contradict each other are for the agent to judge.
#[test]
fn what_only_the_agent_can_judge_is_left_to_it() {
    for checks in ["handshake: { interval: 1s }", "zombie: { window: { earliest: 90s, latest: 20s } }"] {
        let objects = render(&target(&format!("checks: {{ {checks} }}")));
        let folder = crate::support::folder();
        let config = one(&objects, "ConfigMap")["data"]["gateprobe.yaml"].as_str().expect("a file");
        let file = crate::support::write(folder.path(), "gateprobe.yaml", config);
        let (exit, _, said) =
            crate::support::binary::run(&["config", "check", file.to_str().expect("UTF-8")]);
        assert_eq!(exit, 2, "{checks}: {said}");
        assert!(said.contains("targets.chat.checks."), "{said}");
    }
}

#[test]
fn what_contradicts_itself_is_refused_with_a_reason() {
    for (values, told) in [
        (
            "serviceMonitor: { enabled: true }\npodMonitor: { enabled: true }",
            "serviceMonitor.enabled and podMonitor.enabled",
        ),
        ("terminationGracePeriodSeconds: 25", "config.shutdown.drain_grace: 25s must be less than"),
        ("authorities: { configMap: a, secret: b }", "authorities.configMap and authorities.secret"),
        (
            "podDisruptionBudget: { enabled: true, minAvailable: 0, maxUnavailable: 1 }",
            "podDisruptionBudget.minAvailable",
        ),
        (
            "probe: { enabled: true, module: ws, targets: [a] }",
            "probe.module: \"ws\" is not in config.modules; there are none: name one there",
        ),
        ("externalSecret: { enabled: true }", "externalSecret: secretStoreRef.name"),
        ("existingConfigMap: x\nnetworkPolicy: { enabled: true }", "networkPolicy.egress.ports"),
        ("prometheusRule: { enabled: true, disabled: [NoSuchAlert] }", "there is no alert \"NoSuchAlert\""),
    ] {
        let said = refused(&with(values));
        assert!(said.contains(told), "{values}\n{said}");
    }
    let shared = "config: { sharding: { shards: 3 }, targets: { chat: { url: 'wss://h/' } } }";
    assert!(refused(shared).contains("config.sharding: each pod has its own number"), "{}", refused(shared));
    let module = "{ allow: { hosts: ['*.example.com'] }, checks: { handshake: {} } }";
    let modules = format!("config: {{ modules: {{ wss: {module}, b: {module} }} }}\n");
    let said = refused(&format!("{modules}probe: {{ enabled: true, module: ws, targets: [a] }}"));
    assert!(said.contains("probe.module: \"ws\" is not in config.modules; there are: b, wss"), "{said}");
    let said = refused("replicas: 1");
    assert!(said.contains("config.targets: nothing to watch; name a gateway"), "{said}");
    let listens = "config: { http: { listen: '0.0.0.0:1' }, targets: { chat: { url: 'wss://h/' } } }";
    assert!(refused(listens).contains("config.http.listen: "), "{}", refused(listens));
    let minutes = "config: { shutdown: { drain_grace: 1m30s }, targets: { chat: { url: 'wss://h/' } } }\n";
    assert!(refused(&format!("{minutes}terminationGracePeriodSeconds: 90")).contains("1m30s must be less"));
    render(&format!("{minutes}terminationGracePeriodSeconds: 91"));
    // Null is "not set".
    let nulls = "http: null, resolver: null, control: null, shutdown: { drain_grace: null }, modules: null";
    let values = format!("config: {{ {nulls}, targets: {{ chat: {{ url: 'wss://h/', labels: null }} }} }}");
    render(&format!("{values}\nnetworkPolicy: {{ enabled: true }}"));
}

#[test]
fn shards_are_a_stateful_set_whose_pods_know_their_number() {
    let objects = case("sharded");
    assert!(all(&objects, "Deployment").is_empty());
    let set = one(&objects, "StatefulSet");
    assert_eq!(
        (&set["spec"]["replicas"], &set["spec"]["podManagementPolicy"]),
        (&json!(3), &json!("Parallel"))
    );
    let service = &one(&objects, "Service")["metadata"]["name"];
    assert_eq!(&set["spec"]["serviceName"], service);
    let (selector, template) = (&set["spec"]["selector"]["matchLabels"], &set["spec"]["template"]);
    assert_eq!(selector, &template["metadata"]["labels"]);
    assert_eq!(&one(&objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"], selector);
    let variables = template["spec"]["containers"][0]["env"].as_array().expect("variables");
    let variable = |name: &str| variables.iter().find(|variable| variable["name"] == name).expect(name);
    assert_eq!(variable("POD_NAME")["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
    assert_eq!(variable("GATEPROBE__SHARDING__INDEX")["value"], "$(POD_NAME)");
    assert_eq!(variable("GATEPROBE__SHARDING__SHARDS")["value"], "3");
    // `helm test` is no shard: it tries all targets.
    let text = one(&objects, "Pod").to_string();
    assert!(!text.contains("SHARDING"), "{text}");
    let plain = render(TARGET);
    assert!(
        all(&plain, "StatefulSet").is_empty() && !one(&plain, "Deployment").to_string().contains("SHARD")
    );
}

#[test]
fn secrets_are_files_and_stand_in_no_config_map() {
    let objects = render(&with("secrets: { data: { chat-token: s3cr3t }, existing: [{ name: mine }] }"));
    let told: Vec<&Value> = objects.iter().filter(|object| object.to_string().contains("s3cr3t")).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["kind"], "Secret");
    for (kind, _, pod) in pods(&objects) {
        let volume =
            pod["volumes"].as_array().expect("volumes").iter().find(|volume| volume["name"] == "secrets");
        let sources = &volume.expect("a volume")["projected"]["sources"];
        let name = told[0]["metadata"]["name"].clone();
        assert_eq!(
            *sources,
            json!([{ "secret": { "name": "mine" } }, { "secret": { "name": name } }]),
            "{kind}"
        );
    }
    let without = render(TARGET);
    assert!(all(&without, "Secret").is_empty());
    assert!(!pods(&without)[0].2.to_string().contains("/run/secrets"));
}

/// A part of a volume by `subPath` would never change.
#[test]
fn what_is_mounted_follows_its_source() {
    for (name, path) in cases() {
        let objects = render(&std::fs::read_to_string(path).expect("values"));
        for (_, _, pod) in pods(&objects) {
            assert!(!pod.to_string().contains("subPath"), "{name}");
            for mount in pod["containers"][0]["volumeMounts"].as_array().into_iter().flatten() {
                assert_eq!(mount["readOnly"], true, "{name}: {mount}");
            }
        }
    }
    let environment = |values: &str| pods(&render(&with(values)))[0].2["containers"][0]["env"].clone();
    let bundle = environment("authorities: { configMap: company, key: all.pem }");
    let expected = json!({ "name": "SSL_CERT_FILE", "value": "/etc/gateprobe-authorities/all.pem" });
    assert!(bundle.as_array().expect("variables").contains(&expected), "{bundle}");
    assert!(!environment("").to_string().contains("SSL_CERT_FILE"));
    let listen = json!({ "name": "GATEPROBE__HTTP__LISTEN", "value": "[::]:9465" });
    let changed = environment("listen: { address: '[::]', port: 9465 }");
    assert!(changed.as_array().expect("variables").contains(&listen), "{changed}");
}

#[test]
fn selectors_find_the_agents_and_nothing_else() {
    let objects = render(&with(
        "replicas: 2\npodDisruptionBudget: { enabled: true }\nnetworkPolicy: { enabled: true }\npodMonitor: { enabled: true }",
    ));
    let pods = pods(&objects);
    let labels = |kind: &str| pods.iter().find(|pod| pod.0 == kind).expect("a pod").1;
    let (agent, test) = (labels("Deployment"), labels("Pod"));
    let selects = |selector: &Value, labels: &Value| {
        selector.as_object().expect("labels").iter().all(|(name, value)| labels[name] == *value)
    };
    let spread =
        &pods.iter().find(|pod| pod.0 == "Deployment").expect("the agent").2["topologySpreadConstraints"];
    for selector in [
        &one(&objects, "Service")["spec"]["selector"],
        &one(&objects, "Deployment")["spec"]["selector"]["matchLabels"],
        &one(&objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        &one(&objects, "PodMonitor")["spec"]["selector"]["matchLabels"],
        &spread[0]["labelSelector"]["matchLabels"],
        &spread[1]["labelSelector"]["matchLabels"],
    ] {
        assert!(selects(selector, agent) && !selects(selector, test), "{selector}");
    }
    // The test's pod has to look up names and reach the gateways too.
    let policy = &one(&objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"];
    assert!(selects(policy, agent) && selects(policy, test), "{policy}");
    assert_eq!(one(&objects, "PodDisruptionBudget")["spec"]["maxUnavailable"], 1);
    let objects = render(&with("serviceMonitor: { enabled: true }"));
    let monitor = &one(&objects, "ServiceMonitor")["spec"];
    assert!(selects(&monitor["selector"]["matchLabels"], &one(&objects, "Service")["metadata"]["labels"]));
    assert_eq!(monitor["endpoints"][0]["port"], one(&objects, "Service")["spec"]["ports"][0]["name"]);
}

#[test]
fn the_network_policy_lets_out_what_the_config_needs() {
    let objects = render(
        "networkPolicy: { enabled: true }\nconfig:\n  control: { address: 'one.example.net:8444' }\n  \
         resolver: { servers: ['10.0.0.2:5353', 10.0.0.3] }\n  defaults: { proxy: { url: 'http://proxy:3128' } }\n  \
         targets:\n    a: { url: 'wss://a/x:1?y=z' }\n    b: { url: 'ws://b/' }\n    c: { url: 'wss://[::1]:8443/' }\n",
    );
    let egress = &one(&objects, "NetworkPolicy")["spec"]["egress"];
    let ports = |rule: &Value| -> Vec<u64> {
        rule["ports"].as_array().expect("ports").iter().filter_map(|port| port["port"].as_u64()).collect()
    };
    assert_eq!(ports(&egress[0]), [53, 53, 5353, 5353]);
    assert_eq!(ports(&egress[1]), [3128, 443, 80, 8443, 8444]);
    assert_eq!(egress[1]["to"][0]["ipBlock"]["except"], json!(["169.254.0.0/16"]));
    // What Prometheus names by /probe: URLs, hosts that stand for wss, and names of targets, which have a URL of their own.
    let probed = |probe: &str| {
        let values = format!(
            "networkPolicy: {{ enabled: true }}\nprobe: {{ {probe}, module: ws, targets: ['wss://a:8443/', 'ws://b/x', 'c:9443', d, \
             chat] }}\nconfig:\n  targets: {{ chat: {{ url: 'wss://chat:7443/' }} }}\n  \
             modules: {{ ws: {{ allow: {{ hosts: [a, b, c, d] }}, checks: {{ handshake: {{}} }} }} }}\n"
        );
        ports(&one(&render(&values), "NetworkPolicy")["spec"]["egress"][1])
    };
    assert_eq!(probed("enabled: true"), [443, 7443, 80, 8443, 9443]);
    assert_eq!(probed("enabled: false"), [7443]);
    let objects = case("ha");
    let ingress = &one(&objects, "NetworkPolicy")["spec"]["ingress"][0];
    assert_eq!(ingress["from"][1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "test");
}

#[test]
fn the_chart_is_of_the_programs_version_and_its_schema_knows_its_values() {
    let read = |file: &str| std::fs::read_to_string(chart().join(file)).expect("a file");
    assert_eq!(objects(&read("Chart.yaml"))[0]["appVersion"], env!("CARGO_PKG_VERSION"));
    let schema: Value = serde_json::from_str(&read("values.schema.json")).expect("JSON");
    let values = objects(&read("values.yaml")).remove(0);
    let missing = missing(&schema["properties"], &values, &schema);
    assert_eq!(missing, Vec::<String>::new(), "the schema has values that values.yaml does not");
}

/// The fields of a schema, apart from the agent's own, that values lack.
fn missing(fields: &Value, values: &Value, schema: &Value) -> Vec<String> {
    let helms_own = ["global", "enabled"];
    let mut found = Vec::new();
    for (name, field) in fields.as_object().into_iter().flatten() {
        let field = match field["$ref"].as_str().and_then(|reference| reference.strip_prefix("#")) {
            Some("/definitions/agent" | "/definitions/dialect") => continue,
            Some(pointer) => schema.pointer(pointer).expect("a definition"),
            None => field,
        };
        match values.get(name) {
            None if helms_own.contains(&name.as_str()) => {}
            None => found.push(name.clone()),
            Some(value) => found
                .extend(missing(&field["properties"], value, schema).iter().map(|f| format!("{name}.{f}"))),
        }
    }
    found
}

#[test]
fn helms_own_test_asks_by_the_service() {
    let objects = render(TARGET);
    let test = one(&objects, "Pod");
    assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test");
    assert_eq!(test["metadata"]["annotations"]["helm.sh/hook-delete-policy"], "before-hook-creation");
    let args = |container: usize| test["spec"]["containers"][container]["args"].clone();
    assert_eq!(args(0), json!(["ready", "http://probe-gateprobe.monitoring.svc:9464"]));
    assert_eq!(args(1), json!(["check", "--config=/etc/gateprobe/gateprobe.yaml", "--check=handshake"]));
    assert!(all(&render(&with("tests: { enabled: false }")), "Pod").is_empty());
    let agent = &pods(&objects)[0].2["containers"][0]["args"];
    assert_eq!(*agent, json!(["run", "--config=/etc/gateprobe/gateprobe.yaml"]));
}

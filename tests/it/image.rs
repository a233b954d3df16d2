//! The image: built by buildah from a statically linked program, run by podman and runc with no right at all.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::certificate::Certificate;
use crate::support::program::{Program, project, tool};
use crate::support::reference::Reference;
use crate::support::{folder, write};

/// Builds the image and runs it. It is the first process of a PID namespace: all that it starts ends with it, and it
/// collects what has ended, for which podman waits.
const SCRIPT: &str = r#"
set -eu
buildah bud --quiet --isolation chroot --signature-policy "$POLICY" --build-arg BINARY=prebuilt \
    --build-arg VERSION=1.2.3 --tag gateprobe:test --file Dockerfile "$FOLDER/program" >&2
podman image inspect gateprobe:test > "$FOLDER/image.json"

# As the chart has it; the user is the image's own.
run() {
    podman run --network host --ulimit host --read-only --read-only-tmpfs=false --cap-drop all \
        --security-opt no-new-privileges --volume "$FOLDER/mounted:/etc/gateprobe:ro" \
        --env "GATEPROBE__RESOLVER__SERVERS=$RESOLVER" "$@"
}
check() {
    local file=$1
    shift
    status=0
    run --rm "$@" gateprobe:test check "$URL" --check handshake --output json > "$FOLDER/$file.json" || status=$?
    echo "$status" > "$FOLDER/$file.exit"
}
check trusting --env GATEPROBE__DEFAULTS__TLS__CA_FILE=/etc/gateprobe/ca.pem
check bundle --env SSL_CERT_FILE=/etc/gateprobe/ca.pem
check bare

run --detach --name agent --env GATEPROBE__HTTP__LISTEN=127.0.0.1:0 gateprobe:test > /dev/null
logs() { podman logs agent 2>&1; }
until logs | grep -q '"started"'; do sleep 0.1; done
address=$(logs | sed -n 's/.*"address":"\([0-9.:]*\)".*/\1/p')
cp /proc/"$(podman inspect --format '{{.State.Pid}}' agent)"/status "$FOLDER/status"
run --rm gateprobe:test ready "http://$address" > "$FOLDER/ready"
podman stop --time 40 agent > /dev/null
podman wait agent > "$FOLDER/agent.exit"
podman rm agent > /dev/null
"#;

const CONFIG: &str = "
log: { format: json }
targets:
  chat:
    url: wss://gateway.test:1/
    checks: { handshake: { interval: 1h } }
";

/// Needs root, for podman: `make image-test`.
#[test]
#[ignore = "make image-test"]
fn the_image_checks_a_gateway_by_its_name_with_no_right_at_all() {
    let folder = folder();
    let certificate = Certificate::new(folder.path(), &["gateway.test"]);
    let mounted = folder.path().join("mounted");
    std::fs::create_dir(&mounted).expect("made");
    std::fs::copy(&certificate.ca, mounted.join("ca.pem")).expect("copied");
    write(&mounted, "gateprobe.yaml", CONFIG);
    let [_, cert, _, key] = certificate.options();
    let gateway = Reference::start(&["--tls", "--tls-cert", cert, "--tls-key", key]);
    let resolver = Program::python("dns_server.py", &["--record", "gateway.test=127.0.0.1"]);
    let port = gateway.url.rsplit(':').next().expect("a port").trim_end_matches('/');
    let url = format!("wss://gateway.test:{port}/");

    link(folder.path());
    build_and_run(folder.path(), &url, &resolver.address());

    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("written");
    let json = |name: &str| serde_json::from_str::<Value>(&read(name)).expect("JSON");
    let image = &json("image.json")[0];
    assert_eq!(image["User"], "65534:65534");
    assert_eq!(image["Config"]["Entrypoint"], serde_json::json!(["/gateprobe"]));
    assert!(image["Config"]["ExposedPorts"]["9464/tcp"].is_object(), "{image:#}");
    assert_eq!(image["Labels"]["org.opencontainers.image.version"], "1.2.3");
    assert_eq!(image["RootFS"]["Layers"].as_array().map(Vec::len), Some(1), "the program, and nothing else");
    println!("the image has {} bytes", image["Size"]);

    for trusting in ["trusting", "bundle"] {
        let run = &json(&format!("{trusting}.json"))[0];
        assert_eq!(
            (run["outcome"].as_str(), &*read(&format!("{trusting}.exit"))),
            (Some("pass"), "0\n"),
            "{run:#}"
        );
    }
    // No store, no bundle: Mozilla's roots, which don't know this authority.
    let run = &json("bare.json")[0];
    assert_eq!((run["reason"].as_str(), &*read("bare.exit")), (Some("tls_untrusted"), "1\n"), "{run:#}");
    assert!(resolver.end().contains("QUERY A gateway.test\n"));

    assert!(read("ready").ends_with("\nok\n"), "{}", read("ready"));
    assert_eq!(read("agent.exit"), "0\n", "SIGTERM drains");
    let status = read("status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect("a field").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!((&*field("Uid"), &*field("Gid")), ("65534 65534 65534 65534", "65534 65534 65534 65534"));
    for set in ["Prm", "Eff", "Bnd", "Amb"] {
        assert_eq!(field(&format!("Cap{set}")), "0000000000000000", "{set}");
    }
    assert_eq!((&*field("NoNewPrivs"), &*field("Seccomp")), ("1", "2"));
}

/// Links the program statically of the library that the tests were built with: some seconds, where `make image` takes
/// minutes. What that one links differs in the optimizer's work only; IMAGE_PROGRAM names it, to try it too.
fn link(folder: &Path) {
    if let Some(program) = std::env::var_os("IMAGE_PROGRAM") {
        let copy = folder.join("program/gateprobe");
        std::fs::create_dir(folder.join("program")).expect("made");
        std::fs::copy(project("").join(program), copy).expect("copied");
        return;
    }
    let library = library();
    let mut command = Command::new("rustc");
    command.args(["--edition", "2024", "--crate-name", "gateprobe", "--crate-type", "bin", "src/main.rs"]);
    command.arg("--extern").arg(format!("gateprobe={}", library.display()));
    command.arg("-L").arg(format!("dependency={}", library.parent().expect("a folder").display()));
    command.args(["-C", "target-feature=+crt-static", "-C", "strip=debuginfo", "--out-dir"]);
    let output = command.arg(folder.join("program")).current_dir(project("")).output().expect("rustc runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The library that these tests are linked with. Cargo knows which of those that lie around it is.
fn library() -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--locked", "--offline", "--no-run", "--test", "it", "--message-format", "json"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.current_dir(project("")).stderr(Stdio::null()).output().expect("cargo runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let mut found = said.lines().filter_map(|line| {
        let artifact: Value = serde_json::from_str(line).ok()?;
        let target = &artifact["target"];
        let ours = target["name"] == "gateprobe" && target["kind"] == serde_json::json!(["lib"]);
        let files = artifact["filenames"].as_array().filter(|_| ours)?;
        files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".rlib")).map(PathBuf::from)
    });
    found.next_back().unwrap_or_else(|| panic!("no library in {said}"))
}

fn build_and_run(folder: &Path, url: &str, resolver: &str) {
    let (buildah, policy) = (tool("bin/buildah"), tool("debian/podman/etc/containers/policy.json"));
    let path =
        format!("{}:{}", buildah.parent().expect("a folder").display(), std::env::var("PATH").expect("PATH"));
    let mut command = Command::new("timeout");
    command.args(["240", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", SCRIPT]);
    command.env("PATH", path).env("POLICY", policy).env("CONTAINERS_STORE", folder.join("store"));
    command.env("FOLDER", folder).env("URL", url).env("RESOLVER", resolver);
    let output =
        command.current_dir(project("")).stdin(Stdio::null()).output().expect("unshare, of util-linux");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

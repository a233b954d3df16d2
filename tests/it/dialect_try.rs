//! `gateprobe dialect try`: a real conversation, told part by part, with no secret in it.

use crate::support::binary::{finish, gateprobe};
use crate::support::program::Program;
use crate::support::{folder, write};

const TOKEN: &str = "Zq7TryToken7x";

/// What a server that sends back whatever it gets speaks, with a secret in each message.
const ECHO: &str = r#"
dialect: 1
name: echo
open:
  - send: { json: { type: auth, token: "${token}" } }
  - await: { json: { type: auth } }
    within: 5s
heartbeat:
  pings: { interval: 1s }
echo:
  send: { json: { type: echo, id: "${nonce}", note: "as ${token}" } }
  answer: { json: { type: echo, id: "${nonce}" } }
"#;

#[test]
fn a_conversation_with_python_websockets_is_told_without_its_secrets() {
    let gateway = Program::gateway("python_websockets.py", &["--ping-interval", "1", "--ping-timeout", "1"]);
    let folder = folder();
    let dialect = write(folder.path(), "echo.yaml", ECHO);
    let token = write(folder.path(), "token", TOKEN);
    let mut command = gateprobe(&["dialect", "try"]);
    command.arg(&dialect).arg(gateway.url("ws")).arg("--token-file").arg(&token);
    let (exit, stdout, stderr) = finish(command.output().expect("runs"));
    assert_eq!(exit, 0, "{stdout}{stderr}");
    for told in [
        r#"-> {"type":"auth","token":"***"}"#,
        r#"<- {"type":"auth","token":"***"}"#,
        r#""note":"as ***"}"#,
        "ok  answered after",
        "<- ping",
        "ok  its protocol heartbeat came",
        "-> close",
        "PASS  the gateway speaks the dialect",
    ] {
        assert!(stdout.contains(told), "{told} in:\n{stdout}");
    }
    assert!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN), "{stdout}{stderr}");
}

#[test]
fn a_part_that_does_not_go_as_the_dialect_says_is_named() {
    let gateway = Program::gateway("python_websockets.py", &[]);
    let folder = folder();
    let dialect = write(
        folder.path(),
        "echo.yaml",
        ECHO.replace("answer: { json: { type: echo,", "answer: { json: { type: told,"),
    );
    let token = write(folder.path(), "token", TOKEN);
    let mut command = gateprobe(&["dialect", "try"]);
    command.arg(&dialect).arg(gateway.url("ws")).arg("--token-file").arg(&token);
    let (exit, stdout, _) = finish(command.output().expect("runs"));
    assert_eq!(exit, 1, "{stdout}");
    assert!(stdout.contains("FAIL dialect_mismatch  echo was not answered"), "{stdout}");
}

#[test]
fn mistakes_come_before_the_conversation() {
    let folder = folder();
    let dialect = write(folder.path(), "bad.yaml", "dialect: 1\nname: bad\necho: {send: {text: x}}\n");
    let mut command = gateprobe(&["dialect", "try"]);
    command.arg(&dialect).arg("ws://127.0.0.1:9/");
    let (exit, _, stderr) = finish(command.output().expect("runs"));
    assert_eq!(exit, 2, "{stderr}");
    assert!(stderr.contains("bad.yaml:3:"), "{stderr}");
}

//! The examples for CI: their shell steps are run as the CI runs them, with the built program on PATH.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::scene::{config_of, example};
use crate::chart::helm::objects;
use crate::support::binary::{finish, gateprobe};
use crate::support::program::ClosedPort;
use crate::support::reference::Reference;
use crate::support::{folder, write};

/// A folder to work in, with the program in `bin`.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let folder = folder();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).expect("made");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_gateprobe"), bin.join("gateprobe")).expect("linked");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a program with these variables: exit code, standard output, standard error.
    fn run(&self, program: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
        // Its environment is that of a run of ours.
        let clean = gateprobe(&[]);
        let mut command = Command::new(program[0]);
        for (name, value) in clean.get_envs() {
            assert!(value.is_none());
            command.env_remove(name);
        }
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").expect("a PATH"));
        command.args(&program[1..]).current_dir(self.0.path()).env("PATH", path);
        finish(command.envs(variables.iter().copied()).output().expect("it runs"))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// Quick, by a config: `gateprobe canary` takes the settings of its target for both. By the strictest shell that there is.
fn shell(machine: &Machine, baseline: &str, canary: &str, more: &[&str]) -> (i32, String, String) {
    let config = write(machine.0.path(), "gateprobe.yaml", config_of(baseline));
    let script = example("ci/gate.sh");
    let program = ["sh", script.to_str().expect("UTF-8"), "--config", config.to_str().expect("UTF-8")];
    let variables = [("BASELINE", "chat"), ("CANARY", canary), ("REPORTS", "reports")];
    machine.run(&[&program[..], more].concat(), &variables)
}

#[test]
fn the_shell_script_ends_with_the_verdict_and_leaves_its_reports() {
    let (stable, good, bad) =
        (Reference::start(&[]), Reference::start(&[]), Reference::start(&["--fault", "upgrade_status=404"]));
    let nobody = ClosedPort::any();
    let machine = Machine::new();
    for (baseline, canary, more, exit, verdict) in [
        (&stable.url, &good.url, &[][..], 0, "pass"),
        (&stable.url, &bad.url, &[], 1, "fail"),
        (&format!("ws://{}/", nobody.address()), &good.url, &[], 3, "inconclusive"),
        (
            &format!("ws://{}/", nobody.address()),
            &good.url,
            &["--inconclusive-exit-code", "0"],
            0,
            "inconclusive",
        ),
    ] {
        let (code, said, wrong) = shell(&machine, baseline, canary, more);
        assert_eq!(code, exit, "{said}{wrong}");
        let report: Value = serde_json::from_str(&machine.read("reports/canary.json")).expect("JSON");
        assert_eq!(report["verdict"], verdict, "{report:#}");
        assert!(machine.read("reports/canary.xml").contains("<testsuite"));
        assert!(machine.read("reports/canary.md").contains('|'), "a table");
    }
    let script = example("ci/gate.sh");
    let script = script.to_str().expect("UTF-8");
    let nowhere = [("BASELINE", "ws://x/"), ("CANARY", "ws://y/"), ("REPORTS", "bin/gateprobe/reports")];
    for shell in [&[][..], &["sh"], &["bash"]] {
        let program = [shell, &[script]].concat();
        let (code, _, wrong) = machine.run(&program, &[("BASELINE", "ws://x/")]);
        assert_eq!(code, 2, "{wrong}");
        assert!(wrong.contains("CANARY: the gateway that may come next"), "{wrong}");
        // No exit code that would be taken for a verdict.
        let (code, _, wrong) = machine.run(&program, &nowhere);
        assert_eq!(code, 4, "{wrong}");
        let (code, said, wrong) = machine.run(&[&program[..], &["--help"]].concat(), &nowhere[..2]);
        assert_eq!(code, 0, "{wrong}");
        assert!(said.contains("gateprobe canary"), "{said}");
    }
}

/// GitHub runs a step by `bash --noprofile --norc -eo pipefail FILE`; what a step writes to GITHUB_PATH is on the PATH of
/// the next.
#[test]
fn the_steps_of_github_actions_run() {
    let workflow = read("ci/github-actions.yaml");
    let job = &workflow["jobs"]["verify"];
    let machine = Machine::new();
    // What the image would hold.
    std::fs::rename(machine.path("bin/gateprobe"), machine.path("image-gateprobe")).expect("moved");
    let docker = "#!/bin/sh\nset -eu\ncase $1 in create) echo id;; cp) cp \"$IMAGE_PROGRAM\" \"$3\";; rm) ;; *) exit 9;; esac\n";
    executable(&machine.path("bin/docker"), docker);
    for (canary, exit, word) in [
        (Reference::start(&[]), 0, "pass"),
        (Reference::start(&["--fault", "upgrade_status=404"]), 1, "fail"),
    ] {
        let stable = Reference::start(&[]);
        let (mut path, mut last) = (String::new(), 0);
        for name in ["path", "summary"] {
            write(machine.0.path(), name, "");
        }
        let [program, temporary, github_path, summary] = ["image-gateprobe", "temp", "path", "summary"]
            .map(|name| machine.path(name).display().to_string());
        for step in job["steps"].as_array().expect("steps") {
            let Some(script) = step["run"].as_str() else {
                assert_eq!(step["if"], "${{ !cancelled() }}", "the report is kept above all when it failed");
                assert_eq!(step["with"]["path"], "canary.xml");
                continue;
            };
            assert!(!script.contains("${{"), "an expression in a script lets its value be code");
            assert_eq!(last, 0, "a step after one that failed");
            let script = write(machine.0.path(), "step.sh", format!("export PATH={path}$PATH\n{script}"));
            let variables = [
                ("BASELINE", &*stable.url),
                ("CANARY", &canary.url),
                ("IMAGE_PROGRAM", &program),
                ("RUNNER_TEMP", &temporary),
                ("GITHUB_PATH", &github_path),
                ("GITHUB_STEP_SUMMARY", &summary),
            ];
            let shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", script.to_str().expect("UTF-8")];
            let (code, said, wrong) = machine.run(&shell, &variables);
            path = machine.read("path").lines().fold(String::new(), |mut path, line| {
                let _ = write!(path, "{line}:");
                path
            });
            last = code;
            assert!(code == 0 || code == exit, "{said}{wrong}");
        }
        assert_eq!(last, exit);
        assert!(machine.read("canary.xml").contains("<testsuite"));
        assert!(machine.read("summary").to_lowercase().contains(word), "{}", machine.read("summary"));
    }
}

/// GitLab runs the lines of `script` by `sh -e` in an image without bash.
#[test]
fn the_script_of_gitlab_runs() {
    let pipeline = read("ci/gitlab-ci.yaml");
    let job = &pipeline["canary"];
    let lines: Vec<&str> =
        job["script"].as_array().expect("lines").iter().map(|line| line.as_str().expect("text")).collect();
    let machine = Machine::new();
    let script = write(machine.0.path(), "script.sh", lines.join("\n"));
    for (canary, exit) in
        [(Reference::start(&[]), 0), (Reference::start(&["--fault", "upgrade_status=404"]), 1)]
    {
        let stable = Reference::start(&[]);
        let variables = [("BASELINE", &*stable.url), ("CANARY", &canary.url)];
        let (code, said, wrong) = machine.run(&["sh", "-e", script.to_str().expect("UTF-8")], &variables);
        assert_eq!(code, exit, "{said}{wrong}");
        let artifacts = &job["artifacts"];
        assert_eq!(artifacts["when"], "always");
        assert!(machine.read(artifacts["reports"]["junit"].as_str().expect("a file")).contains("<testsuite"));
        for file in artifacts["paths"].as_array().expect("files") {
            assert!(!machine.read(file.as_str().expect("a file")).is_empty());
        }
    }
}

fn read(path: &str) -> Value {
    objects(&std::fs::read_to_string(example(path)).expect("a file")).remove(0)
}

fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("made executable");
}

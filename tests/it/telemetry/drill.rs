//! `gateprobe drill` through the real parts of the scene.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use super::scene::Scene;
use crate::support::binary::{finish, gateprobe};

const UP: [&str; 5] = ["ready", "fault_on", "red", "metric", "firing"];

/// The arguments of a drill at a target of the scene.
fn arguments<'a>(scene: &'a Scene, target: &'a str, urls: &'a [String; 3]) -> Vec<&'a str> {
    let mut arguments = vec!["drill", "--control", &scene.gateway(target).control, "--target", target];
    arguments.extend(["--fault", "upgrade_status=503", "--within", "2m", "--agent", &urls[0]]);
    arguments.extend(["--prometheus", &urls[1], "--alertmanager", &urls[2]]);
    arguments
}

fn urls(scene: &Scene) -> [String; 3] {
    [format!("http://{}", scene.lab.address), scene.prometheus.url(), scene.alertmanager.url.clone()]
}

/// All the way to a receiver that drill itself listens on, and back.
pub fn to_a_webhook(scene: &Scene) {
    let urls = urls(scene);
    let mut command = gateprobe(&arguments(scene, "drill", &urls));
    command.args(["--webhook", "127.0.0.1:0", "--output", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped"));
    let mut said = String::new();
    lines.read_line(&mut said).expect("a line");
    let url = said.trim().strip_prefix("listening for notifications at ");
    let url = url.unwrap_or_else(|| panic!("{said:?} instead of where it listens"));
    std::fs::write(scene.file("drill-webhook"), url).expect("written");
    lines.read_to_string(&mut said).expect("the rest");
    let (exit, told, _) = finish(child.wait_with_output().expect("it ends"));
    assert_eq!(exit, 0, "{said}\n{told}");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(
        (&told["passed"], &told["fault_off"], &told["missing"]),
        (&true.into(), &true.into(), &Value::Null)
    );
    let steps = told["steps"].as_array().expect("a list");
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().expect("a name")).collect();
    let down = ["fault_off", "green", "metric_back", "resolved", "alertmanager_clear", "notified_of_end"];
    assert_eq!(names, [&UP[..], &["alertmanager", "notified"], &down].concat());
    assert!(steps.iter().all(|step| step["seen"] == true), "{told:#}");
    let after = |name: &str| {
        let step = steps.iter().find(|step| step["step"] == name).expect("a step");
        step["after_seconds"].as_f64().expect("a number")
    };
    assert!(after("red") <= after("firing") && after("firing") <= after("notified"), "{told:#}");
    switched_on_and_off(scene, "drill");
}

/// Where nobody listens, Alertmanager's own count says whether a notification got through.
pub fn by_the_count_of_notifications(scene: &Scene) {
    let (exit, told, complaint) =
        finish(gateprobe(&arguments(scene, "counted", &urls(scene))).output().expect("runs"));
    assert_eq!(exit, 0, "{told}\n{complaint}");
    for step in
        ["red", "metric", "firing", "alertmanager", "notified", "green", "resolved", "alertmanager clear"]
    {
        // As it happened, and in the table.
        let lines = told
            .lines()
            .filter(|line| line.contains(&format!("  {step:<18}  ")) && !line.contains("waiting:"));
        assert_eq!(lines.count(), 2, "{step}: {told}");
    }
    assert!(told.contains("notifications got through, by its own count"), "{told}");
    assert!(told.contains("every step was seen; the fault upgrade_status=503 is off"), "{told}");
    switched_on_and_off(scene, "counted");
}

fn switched_on_and_off(scene: &Scene, target: &str) {
    let gateway = scene.gateway(target);
    assert_eq!(gateway.faults(), Vec::<String>::new());
    let log = gateway.log();
    let times = |event: &str| log.iter().filter(|entry| entry.event == event).count();
    assert_eq!((times("fault_set"), times("fault_cleared")), (1, 1));
}

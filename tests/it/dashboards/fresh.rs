//! What is generated is as it would be generated now, and what the documentation shows is there.

use std::process::Command;

use super::board;
use crate::support::program::project;

#[test]
fn the_dashboards_are_what_their_source_says() {
    let output = Command::new("python3").arg(project("dashboards/generate.py")).arg("--check").output();
    let output = output.expect("python3 runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stale, run `make dashboards`: {said}");
    let listed = std::fs::read_dir(project("dashboards")).expect("the folder").filter_map(|entry| {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        name.ends_with(".json").then_some(name)
    });
    let mut listed: Vec<String> = listed.collect();
    listed.sort();
    let mut known = board::ALL.map(|(file, _)| file.to_owned());
    known.sort();
    assert_eq!(listed, known, "a dashboard that no test looks at");
}

/// Drawing them takes a browser and minutes, which a test of every change should not.
#[test]
fn every_dashboard_has_a_picture_that_a_page_shows() {
    let read = |page| std::fs::read_to_string(project(page)).expect("a page");
    let (readme, page) = (read("README.md"), read("docs/dashboards.md"));
    for (file, _) in board::ALL {
        let name = format!("img/{}.png", file.trim_end_matches(".json"));
        let picture = std::fs::read(project("docs").join(&name)).expect("a picture");
        assert!(picture.starts_with(b"\x89PNG\r\n"), "{name} is no PNG");
        let width = u32::from_be_bytes(picture[16..20].try_into().expect("4 bytes"));
        assert!((1400..=1800).contains(&width), "{name} is {width} pixels wide");
        assert!(picture.len() < 300 * 1024, "{name} has {} bytes", picture.len());
        assert!(page.contains(&format!("]({name})")), "docs/dashboards.md does not show {name}");
    }
    assert!(readme.contains("](docs/img/overview.png)") && readme.contains("](docs/dashboards.md)"));
}

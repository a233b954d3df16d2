//! What must not be in the program, and why.

use std::process::Command;

const BANNED: &[(&str, &str)] = &[
    ("ring", "with a second crypto provider compiled in, rustls panics where none is named"),
    (
        "openssl-sys",
        "verdicts on certificates must come from one implementation, and the image has no libssl",
    ),
    ("native-tls", "as openssl-sys"),
    ("serde_yaml", "archived by its author; the config is read with line and column"),
];

#[test]
fn no_banned_crate_is_in_the_program() {
    let args =
        ["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let tree = Command::new(env!("CARGO")).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let tree = tree.expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("UTF-8");
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"rustls") && names.contains(&"aws-lc-rs"), "the tree was not read");
    for (name, why) in BANNED {
        assert!(!names.contains(name), "{name} is in the tree: {why}");
    }
}

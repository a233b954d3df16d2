//! What must not be in the program, and why.

use std::path::Path;
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

/// Or the image could not be built from its own context.
#[test]
fn the_images_context_has_what_the_sources_embed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = std::fs::read_to_string(root.join(".dockerignore")).expect("the list");
    let has = |path: &Path| context.lines().any(|line| path.starts_with(line.trim_start_matches('!')));
    let mut count = 0;
    each_source(&root.join("src"), &mut |file, text| {
        for embedded in text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let path = file.with_file_name(embedded).canonicalize().expect("what is embedded is there");
            let path = path.strip_prefix(root.canonicalize().expect("the root")).expect("within").to_owned();
            count += 1;
            assert!(has(&path), "{} embeds {}", file.display(), path.display());
        }
    });
    assert!(count > 20 && has(Path::new("build.rs")), "{count}");
}

fn each_source(folder: &Path, visit: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        // Tests are not in the program.
        match path.file_name().and_then(|name| name.to_str()) {
            Some("tests" | "tests.rs") => {}
            _ if path.is_dir() => each_source(&path, visit),
            _ => std::fs::read_to_string(&path).iter().for_each(|text| visit(&path, text)),
        }
    }
}

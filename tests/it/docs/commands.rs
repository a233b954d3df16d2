//! Every command and every config of the documentation, run and loaded as it stands there.

use std::sync::Mutex;

use saphyr::{LoadableYamlNode, Yaml};

use super::markdown::{Block, Page, pages};
use super::stage::Stage;
use crate::support::write;

/// Blocks that may be exempt: those that need a cluster, root, a network, or a quarter of an hour. One more is a
/// decision.
const EXEMPT_AT_MOST: usize = 9;

/// Pages that are played at once.
const AT_ONCE: usize = 3;

#[test]
fn what_the_documentation_says_can_be_done_can_be_done() {
    let pages = Mutex::new(pages().into_iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = pages.lock().expect("whole").next();
                    let Some(page) = next else { return };
                    let found = play(&page);
                    wrong.lock().expect("whole").extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("whole");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn few_blocks_are_exempt_and_each_says_why() {
    let pages = pages();
    let exempt: Vec<String> = pages
        .iter()
        .flat_map(|page| page.blocks().into_iter().map(move |block| (page, block)))
        .filter_map(|(page, block)| Some(format!("{}:{}: {}", page.name, block.line, block.exempt?)))
        .collect();
    println!("{exempt:#?}");
    assert!(exempt.len() <= EXEMPT_AT_MOST, "{} blocks are not run: {exempt:#?}", exempt.len());
}

/// Or all of this would prove nothing.
#[test]
fn what_does_not_work_is_noticed() {
    let text = "```sh\ngateprobe config nonsense\n```\n```sh\ncurl http://127.0.0.1:8081/nowhere\n```\n\
                ```console\n$ gateprobe --version\nsomething else\n```\n\
                ```yaml\ntargets: {chat: {url: 'wss://chat.example.com/', nonsense: {}}}\n```\n\
                <!-- not run: an example -->\n```sh\nfalse\n```\n```sh\ngateprobe --version\n```\n";
    let wrong = play(&Page { name: "docs/wrong.md".to_owned(), text: text.to_owned() });
    let places: Vec<&str> = wrong.iter().filter_map(|wrong| wrong.split(": ").next()).collect();
    assert_eq!(
        places,
        ["docs/wrong.md:1", "docs/wrong.md:4", "docs/wrong.md:7", "docs/wrong.md:11"],
        "{wrong:#?}"
    );
}

/// All that a page says, in its order, on one stage.
fn play(page: &Page) -> Vec<String> {
    let blocks: Vec<Block> = page.blocks().into_iter().filter(|block| block.exempt.is_none()).collect();
    if !blocks.iter().any(|block| matches!(block.language.as_str(), "sh" | "console" | "yaml")) {
        return Vec::new();
    }
    let mut stage = Stage::new();
    if blocks.iter().any(|block| block.language != "yaml" && asks_an_agent(&block.text)) {
        write(
            stage.folder.path(),
            "agent.yaml",
            stage.meant("targets: {chat: {url: wss://chat.example.com/}}\n"),
        );
        stage.run("gateprobe run --config agent.yaml").expect("an agent");
    }
    // A dialect's file for configs that name one.
    stage.run("gateprobe dialect show json > chat.yaml").expect("a dialect");
    let mut wrong = Vec::new();
    for block in blocks {
        let found = match block.language.as_str() {
            "sh" => commands(&block.text).iter().try_for_each(|command| stage.run(command).map(drop)),
            "console" => console(&mut stage, &block.text),
            "yaml" => load(&mut stage, &block.text),
            _ => Ok(()),
        };
        wrong.extend(found.err().map(|error| format!("{}:{}: {error}", page.name, block.line)));
    }
    wrong
}

fn asks_an_agent(commands: &str) -> bool {
    ["127.0.0.1:9464", "gateprobe ready", "gateprobe pause"].iter().any(|word| commands.contains(word))
}

/// The commands of a block: a line each, or several that end in a backslash.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Lines with `$ ` are commands; what follows is part of what they say, whatever their exit code.
fn console(stage: &mut Stage, text: &str) -> Result<(), String> {
    for part in text.replace("\\\n", " ").split("$ ").skip(1) {
        let mut lines = part.lines();
        let command = lines.next().unwrap_or_default();
        let said = stage.run(command).unwrap_or_else(|error| error);
        if let Some(missing) = lines.filter(|line| *line != "...").find(|line| !said.contains(line.trim())) {
            return Err(format!("{command}\ndoes not say {missing:?}, but\n{said}"));
        }
    }
    Ok(())
}

/// Writes a YAML block into its file, and has whoever it is for check it.
fn load(stage: &mut Stage, text: &str) -> Result<(), String> {
    let named =
        text.strip_prefix("# ").and_then(|rest| rest.lines().next()).filter(|name| name.ends_with(".yaml"));
    let name = named.unwrap_or("block.yaml");
    let keys = keys(text)?;
    let has = |wanted: &[&str]| wanted.iter().any(|wanted| keys.iter().any(|key| key == wanted));
    let (text, command) = if has(&["scrape_configs", "rule_files"]) {
        (text.to_owned(), format!("promtool check config --syntax-only {name}"))
    } else if has(&["receivers"]) {
        (text.to_owned(), format!("amtool check-config {name}"))
    } else if has(&["config", "replicas", "networkPolicy"]) {
        let watched = "config: { targets: { chat: { url: wss://chat.example.com/ } } }\n";
        let text = if has(&["config"]) { text.to_owned() } else { format!("{text}{watched}") };
        (text, format!("helm template gateprobe deploy/helm/gateprobe --values {name} > rendered.yaml"))
    } else if keys.iter().any(|key| key == "dialect") && has(&["name"]) {
        (text.to_owned(), format!("gateprobe dialect check {name}"))
    } else if has(&["targets", "modules"]) {
        (text.to_owned(), format!("gateprobe config check {name}"))
    } else if has(&["auth", "checks", "tls", "observe", "budget"]) {
        let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
        let around =
            format!("targets:\n  chat:\n    url: wss://chat.example.com/\n    dialect: json\n{indented}");
        (around, format!("gateprobe config check {name}"))
    } else {
        (
            format!("{text}\ntargets: {{chat: {{url: wss://chat.example.com/}}}}\n"),
            format!("gateprobe config check {name}"),
        )
    };
    write(stage.folder.path(), name, stage.meant(&text));
    let mut said = stage.run(&command).map_err(|error| format!("{error}\n{text}"))?;
    if has(&["config"]) {
        said =
            stage.run(&format!("gateprobe config check {name} --below config")).unwrap_or_else(|error| error);
    }
    // What stands there as a whole is copied as a whole: nobody shall copy what never turns red.
    let whole = has(&["targets", "config"]);
    match ["no check here fails", "no clean-up of silent"].iter().find(|odd| whole && said.contains(**odd)) {
        Some(_) => Err(format!("{said}\n{text}")),
        None => Ok(()),
    }
}

fn keys(text: &str) -> Result<Vec<String>, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("no YAML: {error}\n{text}"))?;
    let mapping = documents.first().and_then(|document| document.as_mapping());
    let keys = mapping.into_iter().flat_map(|mapping| mapping.keys());
    Ok(keys.filter_map(|key| key.as_str().map(str::to_owned)).collect())
}

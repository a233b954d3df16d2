//! Commands within sentences and tables, and in blocks that are not run, are ones that the program knows.

use std::collections::BTreeMap;

use super::markdown::{Page, pages};
use crate::support::binary::run;

/// Pages beside those of the documentation.
const MORE: [&str; 2] = ["deploy/canary/README.md", "deploy/helm/README.template.md"];

#[test]
fn commands_in_sentences_exist_with_their_options() {
    let pages = pages().into_iter().chain(MORE.map(|name| Page::read(name.to_owned())));
    let (mut helps, mut count) = (Helps::default(), 0);
    let mut wrong = Vec::new();
    for page in pages {
        for command in commands(&page) {
            count += 1;
            wrong.extend(
                helps.problem(&command).map(|problem| format!("{}: `{command}`: {problem}", page.name)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "only {count} were found");
}

/// Or this would prove nothing.
#[test]
fn commands_that_do_not_exist_are_noticed() {
    let text = "Say `gateprobe check --target chat`, `gateprobe\nconfig nonsense` or `gateprobe nonsense`; best is\n\
                `kubectl exec x -- /gateprobe check --config a.yaml ...`, or `gateprobe dialect show json > a --b`.\n\n\
                <!-- not run: an example -->\n```sh\ngateprobe rules --nonsense\n```\n";
    let page = Page { name: "docs/wrong.md".to_owned(), text: text.to_owned() };
    let mut helps = Helps::default();
    let problems: Vec<Option<String>> =
        commands(&page).iter().map(|command| helps.problem(command)).collect();
    let told =
        ["check has no --target", "config has no command nonsense", "gateprobe has no command nonsense"];
    let last = "rules has no --nonsense";
    let expected = [Some(told[0]), Some(told[1]), Some(told[2]), None, None, Some(last)];
    assert_eq!(problems, expected.map(|problem| problem.map(str::to_owned)));
}

/// The program's command lines in a page's code spans, and in its blocks that are not run.
fn commands(page: &Page) -> Vec<String> {
    let exempt = page.blocks().into_iter().filter(|block| block.exempt.is_some());
    let lines: Vec<String> =
        exempt.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    page.spans().into_iter().chain(lines).filter_map(|text| command(&text)).collect()
}

/// From the program's name on, to where the shell ends it.
fn command(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| matches!(*word, "gateprobe" | "/gateprobe"))?;
    // Elsewhere it is the name of a release, or a namespace.
    let runs = words[at] == "/gateprobe" || at == 0 || words[at - 1] == "--" || words[at - 1].contains('=');
    let ends = |word: &&&str| !matches!(**word, ">" | "|" | "&&" | "#" | ";");
    let own: Vec<&str> = words[at + 1..].iter().take_while(ends).copied().collect();
    // `gateprobe` alone is a name, and `gateprobe (ops@example.com)` a header.
    let speaks =
        own.first().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '-'));
    (runs && speaks).then(|| own.join(" "))
}

/// What the program says of its commands, by their names.
#[derive(Default)]
struct Helps(BTreeMap<String, String>);

impl Helps {
    /// Why the program would not take a command line.
    fn problem(&mut self, line: &str) -> Option<String> {
        let mut path: Vec<&str> = Vec::new();
        let mut words = line.split_whitespace().peekable();
        while let Some(word) = words.next_if(|word| !word.starts_with('-')) {
            let known = subcommands(self.of(&path));
            if known.is_empty() || is_placeholder(word) {
                break;
            }
            if !known.iter().any(|known| known == word) {
                let above = path.last().copied().unwrap_or("gateprobe");
                return Some(format!("{above} has no command {word}"));
            }
            path.push(word);
        }
        let help = self.of(&path);
        let options = line.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
        let mut names = options.map(|option| option.split('=').next().unwrap_or(option));
        let missing = names.find(|name| !has_option(help, name))?;
        Some(format!("{} has no {missing}", path.join(" ")))
    }

    fn of(&mut self, path: &[&str]) -> &str {
        self.0.entry(path.join(" ")).or_insert_with(|| {
            let (exit, help, wrong) = run(&[path, &["--help"]].concat());
            assert_eq!(exit, 0, "{path:?}: {wrong}");
            help
        })
    }
}

/// `COMMAND`, or `...`.
fn is_placeholder(word: &str) -> bool {
    !word.contains(|c: char| c.is_ascii_lowercase())
}

fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  "));
    names
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn has_option(help: &str, name: &str) -> bool {
    let words = help.lines().filter(|line| line.trim_start().starts_with('-'));
    words.flat_map(|line| line.split([' ', ',', '=', '['])).any(|word| word == name)
}

//! `gateprobe completions` and `gateprobe man`: the command line, described for shells and for `man`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, Exit};

/// Arguments of `gateprobe completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe completions bash > ~/.local/share/bash-completion/completions/gateprobe\n  \
    gateprobe completions zsh > ~/.zfunc/_gateprobe       with ~/.zfunc in fpath, before compinit\n  \
    gateprobe completions fish > ~/.config/fish/completions/gateprobe.fish\n\n\
    Exit codes: 0 printed, 2 usage, 4 gateprobe's own error")]
pub struct CompletionsArgs {
    /// Whose script is wanted
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Arguments of `gateprobe man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe man /usr/local/share/man/man1     then `man gateprobe`, `man gateprobe-check`\n\n\
    Exit codes: 0 written, 2 usage, 4 the pages can't be written")]
pub struct ManArgs {
    /// The folder for the pages; it is made where it does not exist
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Prints the script.
pub fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "gateprobe", &mut script);
    match io::stdout().lock().write_all(&script) {
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Agent,
        _ => Exit::Pass,
    }
}

/// Writes the pages.
pub fn man(args: &ManArgs) -> Exit {
    match write_pages(&args.folder) {
        Ok(()) => Exit::Pass,
        Err(error) => {
            eprintln!("gateprobe man: {}: {error}", args.folder.display());
            Exit::Agent
        }
    }
}

fn write_pages(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("gateprobe") && name.ends_with(".1") {
            std::fs::write(&path, unfilled(&std::fs::read_to_string(&path)?))?;
        }
    }
    Ok(())
}

/// The page with its examples, which are indented, line by line: `man` would fill them to paragraphs.
fn unfilled(page: &str) -> String {
    let Some((before, extra)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let mut text = format!("{before}.SH EXAMPLES\n");
    let mut example = false;
    for line in extra.lines() {
        if line.starts_with(' ') != example {
            example = !example;
            text.push_str(if example { ".nf\n" } else { ".fi\n" });
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command below this one that a person can type, by its words.
    fn commands(command: &clap::Command, words: &str, found: &mut Vec<(String, clap::Command)>) {
        found.push((words.to_owned(), command.clone()));
        for sub in command.get_subcommands() {
            commands(sub, &format!("{words} {}", sub.get_name()), found);
        }
    }

    #[test]
    fn every_help_has_an_example_and_the_exit_codes() {
        let mut all = Vec::new();
        let mut root = Arguments::command();
        root.build();
        commands(&root, "gateprobe", &mut all);
        assert!(all.len() > 15, "{}", all.len());
        for (words, mut command) in all {
            for help in [command.render_help(), command.render_long_help()] {
                let help = help.to_string();
                assert!(help.contains("Exit codes: 0 "), "{words} has no exit codes:\n{help}");
                // Of the command itself, not only of another.
                let example = help.split("Example").nth(1).is_some_and(|rest| rest.contains(&words));
                assert!(example, "{words} has no example:\n{help}");
            }
        }
    }

    #[test]
    fn no_example_is_wider_than_a_terminal() {
        let mut all = Vec::new();
        let mut root = Arguments::command();
        root.build();
        commands(&root, "gateprobe", &mut all);
        for (words, command) in all {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            // Examples only: what begins a line is prose, which is wrapped.
            let wide = text.lines().find(|line| line.starts_with(' ') && line.chars().count() > 100);
            assert_eq!(wide, None, "{words}");
        }
    }

    #[test]
    fn each_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        write_pages(folder.path()).unwrap();
        for name in ["gateprobe", "gateprobe-check", "gateprobe-config-show", "gateprobe-gateway"] {
            let page = std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
            assert!(page.contains(".SH SYNOPSIS") && page.contains("Exit codes"), "{name}");
            assert!(page.contains("Examples:\n.nf\n  gateprobe ") && page.contains("\n.fi\n"), "{page}");
        }
    }

    #[test]
    fn shells_are_told_of_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "gateprobe", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["zombie-window", "completions", "drill", "schema"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}

//! `gateprobe dialect`: check a dialect's file, print a preset, print the schema.

mod trial;

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::{Value, json};

use super::config::as_json as problem_as_json;
use super::output::Output;
use super::{Exit, unknown};
use crate::config::{self, Problems};
use crate::dialect::{Dialect, preset, presets};

/// Arguments of `gateprobe dialect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe dialect show json > chat.yaml     a start for one's own\n  \
    gateprobe dialect check chat.yaml           every mistake: file, line, field, what is allowed\n  \
    gateprobe dialect try chat.yaml wss://chat.example.com/ws\n\n\
    A target takes it by `dialect: chat.yaml`.\n\n\
    Exit codes: 0 in order, 2 mistakes or usage, 4 gateprobe's own error; of `try` as of `gateprobe check`")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Of(Words),
    /// Hold one conversation with a gateway, part by part, and print it, redacted
    Try(trial::Args),
}

/// What needs no gateway.
#[derive(Debug, Subcommand)]
enum Words {
    /// Tell all mistakes in dialects, or which parts they have
    #[command(after_help = "Examples:\n  \
        gateprobe dialect check chat.yaml\n  \
        gateprobe dialect check json --output json     the parts of a preset, for a script\n\n\
        Exit codes: 0 no mistakes, 2 mistakes or usage, 4 gateprobe's own error")]
    Check {
        /// Files that end in .yaml or .yml, or names of presets
        #[arg(value_name = "FILE", required = true)]
        files: Vec<String>,
        /// The form of the output: text, or one JSON array
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Print a preset's file
    #[command(after_help = "Examples:\n  \
        gateprobe dialect show json > chat.yaml     a start for one's own\n\n\
        Exit codes: 0 printed, 2 no such preset, 4 gateprobe's own error")]
    Show {
        /// The preset: websocket or json
        name: String,
    },
    /// Print the JSON Schema of a dialect's file, for editors
    #[command(after_help = "Examples:\n  \
        gateprobe dialect schema > dialect.schema.json\n\n\
        Exit codes: 0 printed, 4 gateprobe's own error")]
    Schema,
}

/// In order.
const OK: u8 = 0;
/// A dialect has mistakes, or there is no such preset.
const MISTAKES: u8 = 2;
/// The output can't be written.
const BROKEN: u8 = 4;

/// Runs the subcommand; its exit code: 0, 2 for mistakes, 4 if the output can't be written.
pub async fn run(args: &Args) -> Exit {
    match &args.command {
        Command::Try(args) => trial::run(args).await,
        Command::Of(command) => Exit::from_code(answer(command)),
    }
}

fn answer(command: &Words) -> u8 {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    match execute(command, &mut out, &mut err) {
        Ok(code) => code,
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => OK,
        Err(_) => BROKEN,
    }
}

fn execute(command: &Words, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    let code = match command {
        Words::Check { files, output: Output::Json } => {
            let read: Vec<_> = files.iter().map(|file| (file, config::read_dialect(file))).collect();
            let found: Vec<Value> = read.iter().map(|(file, dialect)| as_json(file, dialect)).collect();
            writeln!(out, "{:#}", json!(found))?;
            if read.iter().all(|(_, dialect)| dialect.is_ok()) { OK } else { MISTAKES }
        }
        Words::Check { files, .. } => {
            let mut code = OK;
            for file in files {
                code = code.max(check(file, out, err)?);
            }
            code
        }
        Words::Show { name } => match preset(name) {
            Some(text) => {
                write!(out, "{text}")?;
                OK
            }
            None => {
                let known: Vec<&str> = presets().collect();
                writeln!(err, "there is no preset {}", unknown(name, "there are", known.into_iter()))?;
                MISTAKES
            }
        },
        Words::Schema => {
            writeln!(out, "{:#}", config::dialect_json_schema())?;
            OK
        }
    };
    out.flush()?;
    Ok(code)
}

fn check(file: &str, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    match config::read_dialect(file) {
        Ok(dialect) => {
            write!(out, "{}", describe(file, &dialect))?;
            Ok(OK)
        }
        Err(problems) => {
            writeln!(err, "{problems}")?;
            Ok(MISTAKES)
        }
    }
}

/// One line for the dialect, and one for each part that it has.
fn describe(file: &str, dialect: &Dialect) -> String {
    let mut text = format!("{file}: ok: {}\n", dialect.name());
    for part in dialect.parts() {
        text.push_str(&format!("  {:<18}{}\n", part.word, part.meaning));
    }
    text
}

fn as_json(file: &str, read: &Result<Dialect, Problems>) -> Value {
    match read {
        Ok(dialect) => {
            let parts = dialect.parts();
            let parts = parts.iter().map(|part| json!({ "part": part.word, "meaning": part.meaning }));
            json!({ "file": file, "ok": true, "name": dialect.name(), "parts": parts.collect::<Vec<_>>() })
        }
        Err(problems) => {
            let problems: Vec<Value> = problems.iter().map(problem_as_json).collect();
            json!({ "file": file, "ok": false, "problems": problems })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        dialect: Words,
    }

    fn gateprobe(args: &[&str]) -> (u8, String, String) {
        let cli = Cli::parse_from([&["dialect"], args].concat());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = execute(&cli.dialect, &mut out, &mut err).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_dialect_in_order_tells_its_parts() {
        let (code, out, err) = gateprobe(&["check", "websocket", "json"]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.starts_with("websocket: ok: websocket\n  closes "), "{out}");
        assert!(out.contains("\njson: ok: json\n  heartbeat.client  "), "{out}");
    }

    #[test]
    fn mistakes_of_all_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("a.yaml"), "dialect: 1\nname: a\necho: {send: {text: x}}\n").unwrap();
        let (a, b) = (path("a.yaml"), path("b.yaml"));
        let (code, out, err) = gateprobe(&["check", &a, "json", &b]);
        assert!(code == 2 && out.starts_with("json: ok"), "{out}");
        let lines: Vec<&str> = err.lines().collect();
        assert_eq!(lines[0], format!("{a}:3:1: echo.answer: is missing"));
        assert!(lines[1].starts_with(&format!("command line: {b} can't be read: No such file")), "{err}");
    }

    #[test]
    fn programs_are_told_in_json() {
        let (code, out, err) = gateprobe(&["check", "json", "/nonexistent.yaml", "--output", "json"]);
        let found: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, err.as_str()), (2, ""));
        assert_eq!((&found[0]["ok"], &found[0]["name"]), (&json!(true), &json!("json")));
        assert!(found[0]["parts"].as_array().is_some_and(|parts| parts.len() > 5), "{found}");
        assert_eq!(
            (&found[1]["ok"], &found[1]["problems"][0]["place"]),
            (&json!(false), &json!("command line"))
        );
    }

    #[test]
    fn a_preset_that_is_shown_is_a_dialect() {
        let (code, out, _) = gateprobe(&["show", "json"]);
        let path = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        std::fs::write(path.path(), out).unwrap();
        assert_eq!((code, gateprobe(&["check", path.path().to_str().unwrap()]).0), (0, 0));
        let (code, _, err) = gateprobe(&["show", "jsn"]);
        assert_eq!(
            (code, err.as_str()),
            (2, "there is no preset \"jsn\"; did you mean \"json\"? there are: websocket, json\n")
        );
    }
}

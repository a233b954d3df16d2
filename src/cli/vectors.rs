//! `gateprobe vectors`: what the check `malformed` may send, and what it takes for right.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::output::Output;
use super::render::Style;
use super::{Exit, files, unknown};
use crate::checks::malformed::{Unasked, Vector};
use crate::checks::{CheckSpec, Malformed};
use crate::config::{self, Plan, Target};
use crate::model::aligned;

/// Arguments of `gateprobe vectors`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe vectors                                          all that malformed may send\n  \
    gateprobe vectors --config gateprobe.yaml --target chat    what it sends there, and what is right\n\n\
    Known crashers are not among them.\n\n\
    Exit codes: 0 printed, 2 usage or config, 4 gateprobe's own error")]
pub struct Args {
    /// A config file; several are layered, the later one wins
    #[arg(
        long,
        short,
        value_name = "FILE",
        env = "GATEPROBE_CONFIG",
        value_delimiter = ',',
        requires = "target"
    )]
    config: Vec<PathBuf>,
    /// As this target of the config has it
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// How the list is written: a table, or one JSON array
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Line {
    vector: &'static str,
    group: &'static str,
    class: &'static str,
    /// What goes out beyond a good upgrade request and a ping.
    bytes: u64,
    sends: &'static str,
    right: Vec<String>,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    autobahn: Option<&'static str>,
    /// With a target: why it is not sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_sent: Option<&'static str>,
}

impl Line {
    /// What is right, or why it is not sent.
    fn told(&self) -> String {
        match self.not_sent {
            Some(why) => format!("- ({why})"),
            None => self.right.join(", "),
        }
    }
}

/// Lists the vectors.
pub fn run(args: &Args) -> Exit {
    let lines = match lines(args) {
        Ok(lines) => lines,
        Err(message) => {
            eprintln!("{message}");
            return Exit::Usage;
        }
    };
    let text = match args.output {
        Output::Text => written(&lines, Style::for_stdout()),
        Output::Json => format!("{:#}\n", serde_json::json!(lines)),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Agent,
        _ => Exit::Pass,
    }
}

fn lines(args: &Args) -> Result<Vec<Line>, String> {
    let Some(name) = &args.target else {
        let check = Malformed { caution: true, ..Malformed::default() };
        return Ok(Vector::all().map(|vector| line(vector, &check, None)).collect());
    };
    let files = files::named_or_here(&args.config, config::process_environment())
        .map_err(|none| format!("gateprobe vectors: {none}; name a config by --config"))?;
    let (plan, _) =
        config::load(&files, config::process_environment()).map_err(|problems| problems.to_string())?;
    let target = plan.target(name).ok_or_else(|| {
        let known = plan.targets.iter().map(|target| &*target.name);
        format!("gateprobe vectors: the config has no target {}", unknown(name, "it has", known))
    })?;
    let check = check_of(&plan, name)
        .ok_or_else(|| format!("gateprobe vectors: the target {name:?} has no check malformed"))?;
    Ok(Vector::all().map(|vector| line(vector, check, Some(target))).collect())
}

fn check_of<'a>(plan: &'a Plan, target: &str) -> Option<&'a Malformed> {
    plan.jobs.iter().filter(|job| &*job.key.target == target).find_map(|job| match &job.check {
        CheckSpec::Malformed(check) => Some(check),
        _ => None,
    })
}

fn line(vector: &'static Vector, check: &Malformed, target: Option<&Target>) -> Line {
    let dialect = target.map(|target| &*target.dialect);
    let not_sent = target.and_then(|target| {
        if !check.chooses(vector) {
            return Some("not chosen in the config");
        }
        let has_credential = target.settings.auth.is_some();
        Unasked::of(vector, check, &target.dialect, has_credential).map(Unasked::why)
    });
    Line {
        vector: vector.name,
        group: vector.group.label(),
        class: vector.class.label(),
        bytes: vector.shot.bytes(check.limit()),
        sends: vector.summary,
        right: check.acceptable(vector, dialect).iter().map(ToString::to_string).collect(),
        source: vector.source,
        autobahn: vector.autobahn,
        not_sent,
    }
}

/// For people: a table where it fits, as it does in a pipe; else a paragraph each.
fn written(lines: &[Line], style: Style) -> String {
    let table = table(lines);
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    if style.columns.is_none_or(|columns| widest <= columns) { table } else { paragraphs(lines, style) }
}

fn paragraphs(lines: &[Line], style: Style) -> String {
    let mut text = String::new();
    for line in lines {
        let head = format!("{} ({}, {}, {} bytes)", line.vector, line.group, line.class, line.bytes);
        text.push_str(&style.paragraph("", &head));
        for (name, said) in [("sends", line.sends), ("right", &line.told()), ("source", line.source)] {
            text.push_str(&style.paragraph(&format!("  {name:<6}  "), said));
        }
    }
    text
}

/// The lines as a table.
fn table(lines: &[Line]) -> String {
    let head = ["vector", "group", "class", "bytes", "sends", "right", "source"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(lines.iter().map(|line| {
        let right = line.told();
        let text = [line.vector, line.group, line.class].map(str::to_owned);
        let [vector, group, class] = text;
        [vector, group, class, line.bytes.to_string(), line.sends.into(), right, line.source.into()]
    }));
    let lines = aligned(&rows, [false, false, false, true, false, false, false]);
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_has_a_line_with_what_is_right() {
        let args = Args { config: Vec::new(), target: None, output: Output::Text };
        let lines = lines(&args).expect("needs no config");
        let text = table(&lines);
        assert_eq!(text.lines().count(), Vector::all().count() + 1);
        let unmasked = text.lines().find(|line| line.starts_with("unmasked ")).expect("a line");
        assert!(
            unmasked.contains("1002, rejected_unclean") && unmasked.contains("section 5.1"),
            "{unmasked}"
        );
        assert!(lines.iter().all(|line| !line.right.is_empty()));
    }

    #[test]
    fn a_line_is_no_wider_than_the_terminal_and_one_each_in_a_pipe() {
        let args = Args { config: Vec::new(), target: None, output: Output::Text };
        let lines = lines(&args).expect("needs no config");
        for columns in [60, 80, 120] {
            let text = written(&lines, Style { colour: false, columns: Some(columns) });
            // A word is never broken.
            let wide = |line: &&str| line.chars().count() > columns && line.split_whitespace().count() > 1;
            assert_eq!(text.lines().find(wide), None, "{columns}");
            assert_eq!(text.lines().filter(|line| !line.starts_with(' ')).count(), lines.len(), "{text}");
        }
        assert_eq!(written(&lines, Style::PLAIN), table(&lines));
        assert_eq!(written(&lines, Style { colour: false, columns: Some(500) }), table(&lines));
    }
}

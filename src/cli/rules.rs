//! `gateprobe rules`: the Prometheus rules of this version.

use std::io::{self, Write};

use super::Exit;
use crate::metrics::valid_label_name;
use crate::rules::{self, Options};

/// Arguments of `gateprobe rules`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe rules > gateprobe.rules.yaml                     for `rule_files` of Prometheus\n  \
    gateprobe rules --without GateprobeCheckUnstable           without an alert\n  \
    gateprobe rules --speed 60 --label drill=yes               an hour in a minute, for a rehearsal\n\n\
    Each alert has its page in docs/runbooks/. They are printed in YAML, as Prometheus reads them.\n\n\
    Exit codes: 0 printed, 2 usage, such as an alert that does not exist, 4 gateprobe's own error")]
pub struct Args {
    /// Divide every window, wait and interval by this
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    speed: u32,
    /// Leave out this alert; may be given again
    #[arg(long, value_name = "ALERT")]
    without: Vec<String>,
    /// A further label of each alert, to route by; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Where your runbooks are; the alert's name and `.md` follow
    #[arg(long, value_name = "URL", value_parser = address)]
    runbooks: Option<String>,
    /// Where your Grafana is
    #[arg(long, value_name = "URL", value_parser = address)]
    dashboards: Option<String>,
}

/// Prints the rules.
pub fn run(args: Args) -> Exit {
    let default = Options::default();
    let options = Options {
        speed: args.speed,
        runbooks: args.runbooks.unwrap_or(default.runbooks),
        dashboards: args.dashboards.unwrap_or(default.dashboards),
        without: args.without,
        labels: args.label,
    };
    let text = match rules::file(&options) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("gateprobe rules: {error}");
            return Exit::Usage;
        }
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Agent,
        _ => Exit::Pass,
    }
}

/// What an alert links to is opened from a pager or a chat: a path leads nowhere there.
fn address(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    let slashes = text.split_once("://").is_some_and(|(_, rest)| !rest.starts_with('/'));
    match url {
        Some(url) if slashes && url.has_host() && url.query().is_none() && url.fragment().is_none() => {
            Ok(text.to_owned())
        }
        _ => {
            Err("write an address with http:// or https://, such as https://wiki.example.com/runbooks".into())
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    // These tell the alerts apart.
    if ["severity", "window", "target", "check", "alertname"].contains(&name) {
        return Err(format!("the alerts have a label {name:?} of their own"));
    }
    if !valid_label_name(name) {
        return Err(format!("{name:?} can't be a label; use letters, digits and _"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

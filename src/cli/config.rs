//! `gateprobe config`: check a config, print its schema, show what is in force and what it costs.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::files;
use super::output::Output;
use crate::config::{self, Loader, Origins, Plan, Problem, Problems, Warning};
use crate::model::count;

/// Arguments of `gateprobe config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gateprobe config check gateprobe.yaml            every mistake: file, line, field, what is allowed\n  \
    gateprobe config show gateprobe.yaml --cost      what it costs your gateways a day\n  \
    gateprobe config schema > gateprobe.schema.json  for an editor\n\n\
    Exit codes: 0 in order, 2 mistakes or usage, 4 gateprobe's own error")]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

/// What the config is made of.
#[derive(Debug, Args)]
struct Layers {
    /// Files, the later over the earlier; GATEPROBE__... variables over them all [default: gateprobe.yaml].
    #[arg(value_name = "FILE", env = "GATEPROBE_CONFIG", value_delimiter = ',')]
    files: Vec<PathBuf>,
    /// The key of each file that the config stands below: `config`, in the values of the Helm chart
    #[arg(long, value_name = "KEY")]
    below: Option<String>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Tell all mistakes in a config, or that there are none
    #[command(after_help = "Examples:\n  \
        gateprobe config check                              gateprobe.yaml\n  \
        gateprobe config check common.yaml eu.yaml          the later over the earlier\n  \
        gateprobe config check values.yaml --below config   the values of the Helm chart\n  \
        gateprobe config check gateprobe.yaml --output json for a script\n\n\
        Exit codes: 0 no mistakes, 2 mistakes or usage, 4 gateprobe's own error")]
    Check {
        #[command(flatten)]
        layers: Layers,
        /// The form of the output: text, or one JSON object
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Print the JSON Schema of the file, for editors
    #[command(after_help = "Examples:\n  \
        gateprobe config schema > gateprobe.schema.json\n\n\
        The first line of a config then reads: # yaml-language-server: $schema=gateprobe.schema.json\n\n\
        Exit codes: 0 printed, 4 gateprobe's own error")]
    Schema,
    /// Print what is in force: merged, with all defaults, secrets masked
    #[command(after_help = "Examples:\n  \
        gateprobe config show gateprobe.yaml             each setting, and where it was written\n  \
        gateprobe config show gateprobe.yaml --cost      connections, messages and bytes a day\n\n\
        Exit codes: 0 printed, 2 mistakes or usage, 4 gateprobe's own error")]
    Show {
        #[command(flatten)]
        layers: Layers,
        /// Print what the checks will cost each target a day, at most, instead
        #[arg(long)]
        cost: bool,
        /// Print which target goes to which shard, were there so many, instead
        #[arg(long, value_name = "N", conflicts_with = "cost", value_parser = clap::value_parser!(u32).range(1..=256))]
        shards: Option<u32>,
        /// The form of the output: YAML or a table, or JSON
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
}

/// The config is in order.
const OK: u8 = 0;
/// The config has mistakes.
const MISTAKES: u8 = 2;
/// The output can't be written.
const BROKEN: u8 = 4;

/// Runs the subcommand; its exit code: 0, 2 for a config with mistakes, 4 if the output can't be written.
pub fn run(args: &ConfigArgs) -> u8 {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    match execute(args, config::process_environment(), &mut out, &mut err) {
        Ok(code) => code,
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => OK,
        Err(_) => BROKEN,
    }
}

fn execute(
    args: &ConfigArgs,
    environment: impl Iterator<Item = (String, String)>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<u8> {
    let Layers { files, below } = match &args.command {
        ConfigCommand::Schema => {
            writeln!(out, "{:#}", config::json_schema())?;
            return Ok(OK);
        }
        ConfigCommand::Check { layers, .. } | ConfigCommand::Show { layers, .. } => layers,
    };
    // As `gateprobe run`: what it would load is what is checked.
    let environment: Vec<(String, String)> = environment.collect();
    let files = match files::named_or_here(files, environment.iter().cloned()) {
        Ok(files) => files,
        // A mistake in a variable is told though nothing else is there.
        Err(_) if environment.iter().any(|(name, _)| config::is_setting(name)) => Vec::new(),
        Err(none) => return missing(&args.command, &none, out, err),
    };
    let loader = Loader::new(environment, Timestamp::now()).below(below.as_deref());
    let loaded = loader.files(&files).load_traced();
    let (plan, warnings, origins) = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => return complain(&args.command, &problems, out, err),
    };
    warn(&warnings, err)?;
    match &args.command {
        ConfigCommand::Check { output: Output::Json, .. } => {
            let (targets, jobs, modules) = (plan.targets.len(), plan.jobs.len(), plan.modules.len());
            let warnings: Vec<Value> = warnings.iter().map(as_json).collect();
            let found = json!({
                "ok": true, "targets": targets, "jobs": jobs, "modules": modules, "problems": [], "warnings": warnings
            });
            writeln!(out, "{found:#}")?;
        }
        ConfigCommand::Show { cost: true, output, .. } => show_cost(&plan, *output, out)?,
        ConfigCommand::Show { shards: Some(shards), output, .. } => {
            show_shards(&plan, *shards, *output, out)?;
        }
        ConfigCommand::Show { output, .. } => show(&plan, &origins, *output, out)?,
        _ => writeln!(out, "ok: {}", summary(&plan))?,
    }
    out.flush()?;
    Ok(OK)
}

/// Neither a file nor a variable has anything.
fn missing(
    command: &ConfigCommand,
    none: &str,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<u8> {
    let told = format!("{none}; name a config");
    match command {
        ConfigCommand::Check { output: Output::Json, .. } => {
            let problem = json!({ "place": "config", "field": "", "message": told });
            writeln!(out, "{:#}", json!({ "ok": false, "problems": [problem] }))?;
        }
        ConfigCommand::Check { .. } => {
            writeln!(err, "gateprobe config check: {told}: gateprobe config check FILE")?
        }
        _ => writeln!(err, "gateprobe config show: {told}: gateprobe config show FILE")?,
    }
    Ok(MISTAKES)
}

fn complain(
    command: &ConfigCommand,
    problems: &Problems,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<u8> {
    if let ConfigCommand::Check { output: Output::Json, .. } = command {
        let problems: Vec<Value> = problems.iter().map(as_json).collect();
        writeln!(out, "{:#}", json!({ "ok": false, "problems": problems }))?;
    } else {
        writeln!(err, "{problems}")?;
    }
    Ok(MISTAKES)
}

/// A mistake or an oddity for a program.
pub(super) fn as_json(problem: &Problem) -> Value {
    let Problem { place, path, message } = problem;
    json!({ "place": place.to_string(), "field": path.to_string(), "message": message })
}

fn warn(warnings: &[Warning], err: &mut impl Write) -> io::Result<()> {
    warnings.iter().try_for_each(|warning| writeln!(err, "warning: {warning}"))
}

fn show(plan: &Plan, origins: &Origins, output: Output, out: &mut impl Write) -> io::Result<()> {
    let in_force = config::in_force(plan);
    match output {
        Output::Text => write!(out, "{}", config::to_yaml(&in_force, origins)),
        Output::Json => writeln!(out, "{in_force:#}"),
    }
}

fn show_cost(plan: &Plan, output: Output, out: &mut impl Write) -> io::Result<()> {
    let rows = config::costs(plan);
    match output {
        Output::Text => write!(out, "{}", config::cost_table(&rows)),
        Output::Json => writeln!(out, "{:#}", serde_json::json!(rows)),
    }
}

fn show_shards(plan: &Plan, shards: u32, output: Output, out: &mut impl Write) -> io::Result<()> {
    let targets = plan.targets.iter().map(|target| (config::shard_of(&target.name, shards), &*target.name));
    let mut targets: Vec<(u32, &str)> = targets.collect();
    targets.sort_unstable();
    let of = |shard: u32| targets.iter().filter(move |(at, _)| *at == shard).map(|(_, target)| *target);
    let jobs = |shard: u32| {
        plan.jobs.iter().filter(|job| config::shard_of(&job.key.target, shards) == shard).count()
    };
    match output {
        Output::Text => (0..shards).try_for_each(|shard| {
            let names: Vec<&str> = of(shard).collect();
            let counted = format!("{}, {}", count(names.len(), "target"), count(jobs(shard), "job"));
            writeln!(out, "shard {shard}: {counted}")?;
            names.iter().try_for_each(|name| writeln!(out, "  {name}"))
        }),
        Output::Json => {
            let row = |shard: u32| {
                let targets: Vec<&str> = of(shard).collect();
                serde_json::json!({ "shard": shard, "jobs": jobs(shard), "targets": targets })
            };
            let rows: Vec<serde_json::Value> = (0..shards).map(row).collect();
            writeln!(out, "{:#}", serde_json::json!(rows))
        }
    }
}

fn summary(plan: &Plan) -> String {
    let modules = match plan.modules.len() {
        0 => String::new(),
        some => format!(", {}", count(some, "module")),
    };
    format!("{}, {}{modules}", count(plan.targets.len(), "target"), count(plan.jobs.len(), "job"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: ConfigArgs,
    }

    fn gateprobe(args: &[&str], variables: &[(&str, &str)]) -> (u8, String, String) {
        let cli = Cli::parse_from([&["config"], args].concat());
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = execute(&cli.config, variables, &mut out, &mut err).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    const URL: (&str, &str) = ("GATEPROBE__TARGETS__CHAT__URL", "wss://gw.example.com/s?token=s3cr3t");

    #[test]
    fn check_says_ok_or_all_mistakes() {
        let (code, out, err) = gateprobe(&["check"], &[URL]);
        assert_eq!((code, out.as_str()), (0, "ok: 1 target, 1 job\n"));
        assert!(
            err.starts_with("warning: GATEPROBE__TARGETS__CHAT__URL: targets.chat.url: the query"),
            "{err}"
        );
        let (code, out, err) = gateprobe(&["check", "/nonexistent/g.yaml"], &[URL, ("GATEPROBE__X", "1")]);
        assert_eq!((code, out.as_str()), (2, ""));
        let lines: Vec<&str> = err.lines().collect();
        assert!(lines[0].starts_with("/nonexistent/g.yaml:1:1: can't be read: No such file"), "{err}");
        assert!(lines[1].starts_with("GATEPROBE__X: no setting has this name"), "{err}");
    }

    #[test]
    fn the_values_of_a_chart_are_checked_where_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let values = folder.path().join("values.yaml");
        let file = values.to_str().unwrap();
        let check = |text: &str, key: &str| {
            std::fs::write(&values, text).unwrap();
            gateprobe(&["check", file, "--below", key], &[])
        };
        let good = "replicas: 2\nconfig:\n  targets: { chat: { url: 'wss://chat.example.com/' } }\n";
        assert_eq!(check(good, "config"), (0, "ok: 1 target, 1 job\n".into(), String::new()));
        let (code, _, err) = check(&good.replace("url", "urll"), "config");
        assert!(code == 2 && err.contains(&format!("{file}:3:22: targets.chat.urll: ")), "{err}");
        for (text, key, place) in
            [(good, "konfig", "1:1"), (good, "replicas", "1:11"), ("config: [", "config", "2:1")]
        {
            let (code, _, err) = check(text, key);
            assert!(code == 2 && err.starts_with(&format!("{file}:{place}")), "{key}: {err}");
        }
        let (_, _, err) = check(good, "konfig");
        assert!(
            err.contains("there must be a mapping with the config here, below the key \"konfig\""),
            "{err}"
        );
    }

    #[test]
    fn check_speaks_json_too() {
        let (code, out, _) = gateprobe(&["check", "--output", "json"], &[URL]);
        let found: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &found["ok"], &found["jobs"]), (0, &json!(true), &json!(1)));
        assert_eq!(found["warnings"][0]["field"], "targets.chat.url");
        let (code, out, err) = gateprobe(&["check", "--output", "json"], &[("GATEPROBE__X", "1")]);
        let found: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &found["ok"], err.as_str()), (2, &json!(false), ""));
        assert_eq!(found["problems"][0]["place"], "GATEPROBE__X");
    }

    #[test]
    fn show_masks_secrets_and_names_origins() {
        let (code, out, _) = gateprobe(&["show"], &[URL, ("GATEPROBE__DEFAULTS__HEADERS__ORIGIN", "s3cr3t")]);
        assert_eq!(code, 0);
        assert!(!out.contains("s3cr3t"), "{out}");
        assert!(
            out.contains("    url: \"wss://gw.example.com/s?***\"  # GATEPROBE__TARGETS__CHAT__URL\n"),
            "{out}"
        );
        assert!(out.contains("        interval: \"30s\"\n"), "{out}");
        let (_, out, _) = gateprobe(&["show", "--output", "json"], &[URL]);
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["targets"]["chat"]["checks"]["handshake"]["timeout"], "10s");
    }

    #[test]
    fn show_cost_multiplies_runs_by_their_cost() {
        let other = ("GATEPROBE__TARGETS__OTHER__CHECKS__HANDSHAKE__INTERVAL", "60s");
        let address = ("GATEPROBE__TARGETS__OTHER__URL", "ws://10.0.0.1");
        let (_, out, _) = gateprobe(&["show", "--cost"], &[URL, other, address]);
        assert_eq!(
            out,
            "target  check      runs/day  connections/day  messages/day  bytes/day\n\
             chat    handshake      2880             2880          2880  2.8 MiB\n\
             other   handshake      1440             1440          1440  1.4 MiB\n\
             total   all            4320             4320          4320  4.2 MiB\n"
        );
    }

    #[test]
    fn show_shards_tells_where_each_target_goes() {
        let names = ["CHAT", "GAME", "TICKER"];
        let urls = names.map(|name| (format!("GATEPROBE__TARGETS__{name}__URL"), "ws://10.0.0.1"));
        let variables: Vec<(&str, &str)> = urls.iter().map(|(name, url)| (name.as_str(), *url)).collect();
        let (code, out, _) = gateprobe(&["show", "--shards", "2"], &variables);
        assert_eq!(
            (code, out.as_str()),
            (0, "shard 0: 1 target, 1 job\n  ticker\nshard 1: 2 targets, 2 jobs\n  chat\n  game\n")
        );
        let (_, out, _) = gateprobe(&["show", "--shards", "2", "--output", "json"], &variables);
        let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(rows[1]["targets"], serde_json::json!(["chat", "game"]), "{out}");
    }

    #[test]
    fn schema_is_json() {
        let (code, out, _) = gateprobe(&["schema"], &[]);
        let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &schema["title"]), (0, &serde_json::json!("gateprobe")));
    }
}

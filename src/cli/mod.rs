//! The command line: one file a subcommand.

mod access;
mod canary;
mod check;
mod config;
mod demo;
mod dialect;
mod drill;
mod fault;
mod files;
mod gateway;
mod gateway_jwt;
mod logging;
mod manual;
mod output;
mod pause;
mod progress;
mod ready;
mod render;
mod rules;
mod run;
mod terminal;
mod typed;
mod vectors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::unknown;

/// What the process says at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything passed, or the command did what it was asked.
    Pass,
    /// A gateway failed a check.
    Fail,
    /// The arguments or the config are wrong.
    Usage,
    /// Nothing failed, but something could not be found out.
    Inconclusive,
    /// gateprobe itself could not do its work.
    Agent,
    /// What whoever called wants to hear where something could not be found out.
    AsAsked(u8),
}

impl Exit {
    /// The exit with this code; any unknown one is our own error.
    fn from_code(code: u8) -> Self {
        let all = [Self::Pass, Self::Fail, Self::Usage, Self::Inconclusive];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Agent)
    }

    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Agent => 4,
            Self::AsAsked(code) => code,
        }
    }
}

#[derive(Debug, Parser)]
#[command(
    name = "gateprobe",
    version,
    about = "Watches WebSocket gateways the way their worst clients treat them, and tells the truth about it",
    after_help = "Examples:\n  \
        gateprobe demo                                see it work, with a gateway of its own\n  \
        gateprobe check wss://chat.example.com/ws     check a gateway once, without a config\n  \
        gateprobe run --config gateprobe.yaml         watch gateways and serve /metrics\n\n\
        `gateprobe COMMAND --help` has examples of each.\n\n\
        Exit codes: 0 pass, 1 fail, 2 usage or config, 3 inconclusive, 4 gateprobe's own error",
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the targets of a config and serve the results
    Run(run::Args),
    /// Run checks once, against a target of the config or a bare URL
    Check(check::Args),
    /// Hold a new gateway against the one that it is to replace
    Canary(canary::Args),
    /// Ask a running agent whether it is ready
    Ready(ready::Args),
    /// Leave a target of a running agent alone for a while
    Pause(pause::PauseArgs),
    /// End what `gateprobe pause` began
    Resume(pause::ResumeArgs),
    /// Check, describe or show a config
    Config(config::ConfigArgs),
    /// Check a dialect, print a preset as a start for one's own, or the schema
    Dialect(dialect::Args),
    /// List what the check malformed may send, and what is right in answer to it
    Vectors(vectors::Args),
    /// Print rules for Prometheus: what is recorded, and what alerts
    Rules(rules::Args),
    /// See the agent watch a reference gateway that gets a fault and heals
    Demo(demo::Args),
    /// Break a reference gateway, and follow the fault to whoever is paged, and back
    Drill(drill::Args),
    /// Run the reference gateway, with faults on demand
    Gateway(gateway::Args),
    /// Print the script by which a shell completes the command line
    Completions(manual::CompletionsArgs),
    /// Write the man pages into a folder
    Man(manual::ManArgs),
}

/// Reads the arguments, does what they say, and tells how it went.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` and `--version` come this way too; a closed pipe is no reason to complain.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Pass }.code());
        }
    };
    raise_descriptor_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("gateprobe: the runtime could not be started: {error}");
            return ExitCode::from(Exit::Agent.code());
        }
    };
    let exit = runtime.block_on(async {
        match arguments.command {
            Command::Run(args) => run::run(args).await,
            Command::Check(args) => check::run(args).await,
            Command::Canary(args) => canary::run(args).await,
            Command::Ready(args) => ready::run(args).await,
            Command::Pause(args) => pause::pause(args).await,
            Command::Resume(args) => pause::resume(args).await,
            Command::Config(args) => Exit::from_code(config::run(&args)),
            Command::Dialect(args) => dialect::run(&args).await,
            Command::Vectors(args) => vectors::run(&args),
            Command::Rules(args) => rules::run(args),
            Command::Completions(args) => manual::completions(&args),
            Command::Man(args) => manual::man(&args),
            Command::Demo(args) => demo::run(args).await,
            Command::Drill(args) => drill::run(args).await,
            Command::Gateway(args) => match gateway::run(args).await {
                Ok(code) => Exit::from_code(code),
                Err(error) => {
                    eprintln!("gateprobe gateway: {error:#}");
                    Exit::Usage
                }
            },
        }
    });
    // A blocking read that never returns, of a token on a dead network disk say, must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    ExitCode::from(exit.code())
}

/// Each connection is a descriptor, and the soft limit is made for programs that use `select`.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Refused only where the limit is fixed from outside: then it stays as it was.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// Ctrl-C, or the SIGTERM of whatever started us: caught from this call on, not only once it is awaited.
fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        match signals {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            // Without handlers the signals end the process by themselves.
            _ => std::future::pending().await,
        }
    }
}

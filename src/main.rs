use std::process::ExitCode;

use clap::Parser;
use gateprobe::cli::gateway;

#[derive(Parser)]
enum Cli {
    Gateway(gateway::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Cli::Gateway(args) = Cli::parse();
    Ok(gateway::run(args).await?.into())
}

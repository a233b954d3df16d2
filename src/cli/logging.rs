//! Structured logs on standard error.

use tracing_subscriber::EnvFilter;

use super::terminal;
use crate::config::settings;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging at `level`; the environment variable `RUST_LOG` overrides it.
pub fn start(level: &str, format: Format) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_filter(level)));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would be written to standard error, too: a log that nobody reads any more would panic the task
        // that logs, and end its job for good.
        .log_internal_errors(false)
        // The module's name: `target` is the gateway's here, and JSON has room for one.
        .with_target(false);
    // Fails only when a test has set one before.
    let _ = match format {
        Format::Text => builder.with_ansi(terminal::colour(&std::io::stderr())).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// Our own lines at the level asked for; the libraries' only from warnings up, as theirs may tell of bytes.
fn default_filter(level: &str) -> String {
    // rustls tells of each certificate that it refuses: so do we, with a reason.
    format!("warn,rustls=off,rustls_platform_verifier=off,gateprobe={level}")
}

/// Starts logging as the config says.
pub fn start_as_configured(log: &settings::Log) {
    let format = match log.format {
        settings::LogFormat::Text => Format::Text,
        settings::LogFormat::Json => Format::Json,
    };
    start(log.level.word(), format);
}

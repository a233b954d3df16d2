//! Where a verification is written to, and how.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use super::next::Next;
use super::{junit, markdown, text};
use crate::cli::render::Style;
use crate::gate::Report;

/// A form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// For people
    Text,
    /// All that was decided, as config/canary.schema.json describes it
    Json,
    /// JUnit XML, for the list of tests of a pipeline
    Junit,
    /// Markdown, for the summary of a job
    Markdown,
}

/// A file that is written beside standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReportFile {
    format: Output,
    path: PathBuf,
}

impl FromStr for ReportFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "write FORMAT=FILE, with the format text, json, junit or markdown";
        let (format, path) = text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or(WANTED)?;
        let format = <Output as clap::ValueEnum>::from_str(format, false).map_err(|_| WANTED)?;
        Ok(Self { format, path: PathBuf::from(path) })
    }
}

/// The files, open before the first run: a path that can't be written is known at once.
pub(super) struct Written(Vec<(ReportFile, File)>);

impl Written {
    /// Opens them.
    pub(super) fn open(files: &[ReportFile]) -> Result<Self, String> {
        let open = |file: &ReportFile| {
            let opened = File::create(&file.path);
            let opened = opened.map_err(|error| format!("--report {}: {error}", file.path.display()))?;
            Ok((file.clone(), opened))
        };
        files.iter().map(open).collect::<Result<_, String>>().map(Self)
    }
}

/// Writes the report to standard output and to all files; whether all of them have it.
pub(super) fn write(report: &Report, next: Option<&Next>, output: Output, files: Written) -> bool {
    let shown = rendered(report, next, output, Style::for_stdout());
    // A reader that has gone away, such as `head`, wants no more.
    let _ = std::io::stdout().lock().write_all(shown.as_bytes());
    let mut all = true;
    for (ReportFile { format, path }, mut file) in files.0 {
        let text = rendered(report, next, format, Style::PLAIN);
        if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.flush()) {
            eprintln!("gateprobe canary: --report {}: {error}", path.display());
            all = false;
        }
    }
    all
}

fn rendered(report: &Report, next: Option<&Next>, output: Output, style: Style) -> String {
    match output {
        Output::Text => text::text(report, next, style),
        // Fails only for maps with other keys than strings, of which there are none.
        Output::Json => serde_json::to_string_pretty(report).unwrap_or_default() + "\n",
        Output::Junit => junit::junit(report),
        Output::Markdown => markdown::markdown(report),
    }
}

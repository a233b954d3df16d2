//! What is written to: whether it wants colour, and how wide it is.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::AsFd;

/// Columns where nobody says how many there are.
const COLUMNS: usize = 100;

/// Whether to write colour to a stream.
pub fn colour(stream: &impl IsTerminal) -> bool {
    wants_colour(stream.is_terminal(), |name| std::env::var_os(name))
}

/// The columns of a stream: of its terminal, else of the variable `COLUMNS`.
pub fn columns(stream: &impl AsFd) -> usize {
    let of_terminal = rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    let of_variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_terminal.filter(|columns| *columns > 0).or_else(of_variable).unwrap_or(COLUMNS)
}

/// `NO_COLOR` (no-color.org) wins, then `CLICOLOR_FORCE` and `CLICOLOR` (bixense.com/clicolors); else a terminal that
/// can. The same order as for the help, which is clap's.
fn wants_colour(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    terminal
        && set("CLICOLOR").is_none_or(|value| value != "0")
        && set("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_unless_the_environment_says_otherwise() {
        let wants = |terminal, set: &[(&str, &str)]| {
            wants_colour(terminal, |name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            })
        };
        assert!(wants(true, &[]) && !wants(false, &[]));
        assert!(!wants(true, &[("NO_COLOR", "1")]) && wants(true, &[("NO_COLOR", "")]));
        assert!(wants(false, &[("CLICOLOR_FORCE", "1")]) && !wants(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!wants(true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(!wants(true, &[("CLICOLOR", "0")]) && !wants(true, &[("TERM", "dumb")]));
    }
}

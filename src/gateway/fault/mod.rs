//! The faults that the gateway can have, as names on a command line and as values in code.

#[macro_use]
mod macros;
mod effect;
mod error;
mod form;
mod set;
mod table;

use std::fmt;
use std::str::FromStr;

use textwrap::Options;

use super::jwt::TokenRefusal;
use super::offence::{Offence, OffenceGroup};
pub use effect::lacks;
pub use error::FaultError;
pub use set::FaultSet;
pub use table::{Fault, FaultKind};

/// Where the second column of the catalogue begins.
const COLUMN: usize = 36;

/// No line of the catalogue is longer where there is room for two columns.
const WIDTH: usize = 100;

/// All faults under headings: `name=VALUE  what it does`; and what a KIND or a FLAW can be. With fewer than 100 columns,
/// what a fault does comes on a line of its own: a terminal that wraps it would break the columns.
pub fn catalogue(columns: usize) -> String {
    let mut text = String::new();
    let mut group = "";
    for kind in FaultKind::ALL {
        if kind.group() != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = kind.group();
            text.push_str(&format!("{gap}{group}:\n"));
        }
        let usage = format!("  {}", kind.usage());
        match columns >= WIDTH {
            true => text.push_str(&format!("{usage:<COLUMN$}{}\n", kind.help())),
            false => text.push_str(&format!("{usage}\n      {}\n", kind.help())),
        }
    }
    text.push('\n');
    let width = columns.min(WIDTH);
    text.push_str(&kinds(width));
    text.push_str("\n\nFLAW: any, or one thing that is wrong with a token:");
    text.push_str(&wrapped("", TokenRefusal::all_takeable().map(TokenRefusal::name), width));
    text
}

/// What the value of a fault of malformed input can be.
fn kinds(width: usize) -> String {
    let mut text = "KIND: any, a group, or one thing that a client does wrong:".to_owned();
    for group in OffenceGroup::ALL {
        let offences = Offence::ALL.iter().filter(|offence| offence.group() == *group);
        text.push_str(&wrapped(group.name(), offences.map(|offence| offence.name()), width));
    }
    text
}

/// Lines of names behind a heading.
fn wrapped(heading: &str, names: impl Iterator<Item = &'static str>, width: usize) -> String {
    let (first, rest) = (format!("  {heading:<14}"), " ".repeat(16));
    let options = Options::new(width).initial_indent(&first).subsequent_indent(&rest);
    format!("\n{}", textwrap::fill(&names.collect::<Vec<_>>().join(" "), options))
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = FaultError;

    fn from_str(name: &str) -> Result<Self, FaultError> {
        let found = FaultKind::ALL.iter().find(|kind| kind.name() == name);
        found.copied().ok_or_else(|| FaultError::Unknown { name: name.to_owned() })
    }
}

/// `name` or `name=value`; [`FromStr`] reads it back.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        self.value().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        match text.split_once('=') {
            Some((name, value)) => name.parse::<FaultKind>()?.with_value(Some(value)),
            None => text.parse::<FaultKind>()?.with_value(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn example(kind: FaultKind) -> Fault {
        let value = kind.hint().map(|hint| match hint.split([',', ' ']).next() {
            Some("DURATION") => "1500ms",
            Some("URL") => "ws://example.com/other?a=b",
            Some("STATUS") => "503",
            Some("KIND") => "framing",
            Some("FLAW") => "forged",
            _ => "4001",
        });
        kind.with_value(value).unwrap()
    }

    #[test]
    fn every_fault_round_trips() {
        for kind in FaultKind::ALL {
            let fault = example(*kind);
            assert_eq!(fault.kind(), *kind);
            assert_eq!(fault.to_string().parse(), Ok(fault.clone()), "{fault}");
        }
    }

    #[test]
    fn an_unknown_name_lists_all() {
        let error = "no_such_thing".parse::<Fault>().unwrap_err().to_string();
        for kind in FaultKind::ALL {
            assert!(error.contains(kind.name()) && error.contains(kind.help()));
        }
    }

    #[test]
    fn the_catalogue_is_in_columns_and_fits_a_terminal() {
        let text = catalogue(120);
        let lines = text.lines().filter(|line| line.starts_with(' '));
        for (line, kind) in lines.zip(FaultKind::ALL) {
            assert_eq!(line.trim_start(), format!("{:<34}{}", kind.usage(), kind.help()));
            assert!(kind.usage().len() < 34 && line.len() <= 100, "{line}");
        }
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.contains("\n  encoding      not_utf8 bad_deflate\n"), "{text}");
        assert!(text.starts_with("Accept:\n  accept_silent  "), "{text}");
        let narrow = catalogue(80);
        assert!(narrow.lines().all(|line| line.len() <= 80), "{narrow}");
        assert!(narrow.starts_with("Accept:\n  accept_silent\n      accepts "), "{narrow}");
        assert!(text.contains("\nTLS:\n  tls_silent  ") && text.contains("  upgrade_drip[=DURATION]  "));
    }

    #[test]
    fn values_are_checked() {
        assert_eq!("upgrade_drip".parse(), Ok(Fault::UpgradeDrip(Duration::from_secs(1))));
        for bad in [
            "accept_silent=1",
            "upgrade_status",
            "upgrade_status=101",
            "upgrade_status=600",
            "refuse_every=0",
            "accept_delay=5",
            "redirect=a\r\nb",
            "close_after_upgrade=70000",
            "malformed_accepted",
            "malformed_hang=everything",
            "refresh_takes",
            "refresh_takes=malformed",
        ] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }
}

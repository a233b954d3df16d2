//! Words and numbers as the page shows them.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::model::harmless;

/// Text that may come from anywhere, harmless to look at: without control characters and without those that turn the
/// direction of text, and cut after so many characters. What it may do as markup is the business of the template.
pub(super) fn plain(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).map(harmless).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// A sentence of ours, in which names stand between backticks.
pub(super) fn prose(text: &str, most: usize) -> Markup {
    let text = plain(text, most);
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A length of time with about three digits: `12.4 ms`, `1.24 s`, `2 m 3 s`, `3 h 20 m`, `2 d 4 h`.
pub(super) fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 0.000_999_5 => format!("{:.0} µs", s * 1e6),
        s if s < 0.009_995 => format!("{:.2} ms", s * 1e3),
        s if s < 0.099_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        _ => whole_units(whole),
    }
}

/// The same in whole seconds and above, as people count how long ago something was.
pub(super) fn roughly(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { whole_units(seconds) }
}

fn whole_units(seconds: u64) -> String {
    let (large, small, units) = match seconds {
        ..3_600 => (seconds / 60, seconds % 60, ("m", "s")),
        3_600..86_400 => (seconds / 3_600, seconds % 3_600 / 60, ("h", "m")),
        _ => (seconds / 86_400, seconds % 86_400 / 3_600, ("d", "h")),
    };
    if small == 0 {
        format!("{large} {}", units.0)
    } else {
        format!("{large} {} {small} {}", units.0, units.1)
    }
}

/// How long ago a moment is, or in how long it will be.
pub(super) fn relative(moment: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - moment.as_second();
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("{} ago", roughly(seconds.unsigned_abs())),
        _ => format!("in {}", roughly(seconds.unsigned_abs())),
    }
}

/// A moment to the second, in UTC.
pub(super) fn absolute(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A share in percent, never rounded up to all or down to nothing.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 99.0 && p < 100.0 => format!("{:.1} %", (p * 10.0).floor() / 10.0),
        p if p > 0.0 && p < 1.0 => "under 1 %".to_owned(),
        p => format!("{p:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_misbehaves_is_shown_harmlessly() {
        assert_eq!(plain("a\u{202e}b\u{0}c\nd\u{200b}e\u{1b}[31m", 80), "a�b�c�d�e�[31m");
        assert_eq!(plain("<b>&", 80), "<b>&", "markup is escaped where it is written");
        assert_eq!(plain(&"ä".repeat(10_000), 5), "äääää…");
        assert_eq!(plain("ääääaä", 6), "ääääaä");
    }

    #[test]
    fn durations_have_about_three_digits() {
        let shown =
            [0.0, 0.000_04, 0.001_234, 0.012_34, 0.123_4, 1.234, 12.34, 59.99, 123.4, 3_660.0, 90_000.0];
        let shown = shown.map(duration).join(", ");
        assert_eq!(
            shown,
            "0 µs, 40 µs, 1.23 ms, 12.3 ms, 123 ms, 1.23 s, 12.3 s, 1 m, 2 m 3 s, 1 h 1 m, 1 d 1 h"
        );
    }

    #[test]
    fn moments_are_told_from_now() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(relative(at(100), at(100)), "now");
        assert_eq!(relative(at(40), at(100)), "1 m ago");
        assert_eq!(relative(at(130), at(100)), "in 30 s");
        assert_eq!(absolute(at(0)), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn shares_are_never_rounded_to_all_or_nothing() {
        assert_eq!(
            [1.0, 0.9999, 0.5, 0.001, 0.0, -0.4].map(percent),
            ["100 %", "99.9 %", "50 %", "under 1 %", "0 %", "-40 %"]
        );
    }
}

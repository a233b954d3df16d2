//! When no check of a target runs.

use jiff::civil::{Time, Weekday as Day};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::settings::{PauseSettings, Weekday};
use super::words::quoted;

/// A pause, parsed.
#[derive(Debug, Clone, PartialEq)]
pub enum Pause {
    /// From now until a moment.
    Until(Timestamp),
    /// Each day, or on some days, from one time of day to another.
    Window {
        /// Begin.
        from: Time,
        /// End; on the next day when it is not after the begin.
        to: Time,
        /// Days on which the window begins; every day when empty.
        days: Vec<Day>,
        /// Time zone of both.
        zone: TimeZone,
    },
}

/// What is wrong with a pause, and in which field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PauseError {
    /// Not exactly one of the two forms.
    #[error("a pause has either `until`, or `from` and `to`")]
    Form,
    /// `until` is no moment.
    #[error("{} is not a moment; write a date, a time and an offset, such as 2026-12-01T00:00:00Z", quoted(.0))]
    Until(String),
    /// A time of day is none. The field, and its text.
    #[error("{} is not a time of day; write hours and minutes, such as \"02:00\"", quoted(.1))]
    Time(&'static str, String),
    /// Begin and end are the same.
    #[error("the window is empty, since `from` and `to` are the same; to pause for good, remove the target")]
    Empty,
    /// The time zone is not known.
    #[error("{} is not a known time zone; write an IANA name, such as Europe/Berlin, or UTC", quoted(.0))]
    Zone(String),
}

impl PauseError {
    /// The field that is wrong; empty for the pause as a whole.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Form => "",
            Self::Until(_) => "until",
            Self::Time(field, _) => field,
            Self::Empty => "to",
            Self::Zone(_) => "zone",
        }
    }
}

impl Pause {
    /// Parses what the config says.
    pub fn parse(settings: &PauseSettings) -> Result<Self, PauseError> {
        let PauseSettings { until, from, to, days, zone } = settings;
        match (until, from, to) {
            (Some(until), None, None) if days.is_empty() && zone.is_none() => {
                until.parse().map(Self::Until).map_err(|_| PauseError::Until(until.clone()))
            }
            (None, Some(from), Some(to)) => {
                let (from, to) = (time("from", from)?, time("to", to)?);
                if from == to {
                    return Err(PauseError::Empty);
                }
                let zone = match zone {
                    Some(name) => TimeZone::get(name).map_err(|_| PauseError::Zone(name.clone()))?,
                    None => TimeZone::UTC,
                };
                Ok(Self::Window { from, to, days: days.iter().map(|day| day.into()).collect(), zone })
            }
            _ => Err(PauseError::Form),
        }
    }

    /// If paused at a moment: until when.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Until(end) => (now < *end).then_some(*end),
            Self::Window { from, to, days, zone } => {
                let today = now.to_zoned(zone.clone());
                let yesterday = today.checked_sub(1.day()).ok();
                [Some(today), yesterday].into_iter().flatten().find_map(|day| {
                    let (begin, end) = window(&day, *from, *to)?;
                    let applies = days.is_empty() || days.contains(&day.weekday());
                    (applies && begin <= now && now < end).then_some(end)
                })
            }
        }
    }
}

/// The window that begins on a day. A time that the day skips (daylight saving) is moved as RFC 5545 does.
fn window(day: &Zoned, from: Time, to: Time) -> Option<(Timestamp, Timestamp)> {
    let last = if to > from { day.date() } else { day.date().tomorrow().ok()? };
    let begin = day.date().to_datetime(from).to_zoned(day.time_zone().clone()).ok()?;
    let end = last.to_datetime(to).to_zoned(day.time_zone().clone()).ok()?;
    Some((begin.timestamp(), end.timestamp()))
}

fn time(field: &'static str, text: &str) -> Result<Time, PauseError> {
    let well_formed = text.len() >= 5 && text.as_bytes()[2] == b':';
    let parsed = if well_formed { text.parse().ok() } else { None };
    parsed.ok_or_else(|| PauseError::Time(field, text.to_owned()))
}

impl From<&Weekday> for Day {
    fn from(day: &Weekday) -> Self {
        match day {
            Weekday::Mon => Self::Monday,
            Weekday::Tue => Self::Tuesday,
            Weekday::Wed => Self::Wednesday,
            Weekday::Thu => Self::Thursday,
            Weekday::Fri => Self::Friday,
            Weekday::Sat => Self::Saturday,
            Weekday::Sun => Self::Sunday,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, to: &str, days: &[Weekday], zone: Option<&str>) -> Result<Pause, PauseError> {
        Pause::parse(&PauseSettings {
            until: None,
            from: Some(from.into()),
            to: Some(to.into()),
            days: days.to_vec(),
            zone: zone.map(str::to_owned),
        })
    }

    fn until(pause: &Pause, now: &str) -> Option<String> {
        pause.paused_until(now.parse().unwrap()).map(|end| end.to_string())
    }

    #[test]
    fn a_window_may_cross_midnight_and_belongs_to_the_day_of_its_begin() {
        let night = window("22:00", "04:00", &[Weekday::Sat], None).unwrap();
        // 2026-11-21 is a Saturday.
        assert_eq!(until(&night, "2026-11-21T21:59:59Z"), None);
        assert_eq!(until(&night, "2026-11-21T22:00:00Z").as_deref(), Some("2026-11-22T04:00:00Z"));
        assert_eq!(until(&night, "2026-11-22T03:59:59Z").as_deref(), Some("2026-11-22T04:00:00Z"));
        assert_eq!(until(&night, "2026-11-22T04:00:00Z"), None);
        assert_eq!(until(&night, "2026-11-22T23:00:00Z"), None);
    }

    #[test]
    fn a_window_follows_its_zone_through_daylight_saving() {
        let pause = window("02:30", "05:00", &[], Some("Europe/Berlin")).unwrap();
        // 2026-03-29, 02:00 to 03:00 does not exist in Berlin.
        assert_eq!(until(&pause, "2026-03-29T01:29:00Z"), None);
        assert_eq!(until(&pause, "2026-03-29T01:30:00Z").as_deref(), Some("2026-03-29T03:00:00Z"));
        assert_eq!(until(&pause, "2026-07-01T00:30:00Z").as_deref(), Some("2026-07-01T03:00:00Z"));
        assert_eq!(until(&pause, "2026-12-01T00:30:00Z"), None);
    }

    #[test]
    fn a_pause_until_a_moment_ends() {
        let pause = Pause::parse(&PauseSettings {
            until: Some("2026-12-01T01:00:00+01:00".into()),
            ..Default::default()
        });
        let pause = pause.unwrap();
        assert_eq!(until(&pause, "2026-11-30T23:59:59Z").as_deref(), Some("2026-12-01T00:00:00Z"));
        assert_eq!(until(&pause, "2026-12-01T00:00:00Z"), None);
    }

    #[test]
    fn what_is_no_pause_is_refused() {
        assert_eq!(Pause::parse(&PauseSettings::default()), Err(PauseError::Form));
        assert_eq!(window("2:00", "04:00", &[], None), Err(PauseError::Time("from", "2:00".into())));
        assert_eq!(window("02:00", "24:01", &[], None), Err(PauseError::Time("to", "24:01".into())));
        assert_eq!(window("02:00", "02:00", &[], None), Err(PauseError::Empty));
        assert_eq!(window("02:00", "03:00", &[], Some("Mars/X")), Err(PauseError::Zone("Mars/X".into())));
        let soon = PauseSettings { until: Some("tomorrow".into()), ..Default::default() };
        assert_eq!(Pause::parse(&soon), Err(PauseError::Until("tomorrow".into())));
    }
}

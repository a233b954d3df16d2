//! What a gateway promises about silent clients, and what its close codes mean.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Variables;
use super::spec::{IntervalSpec, IntervalUnit};

/// The longest interval that a gateway may tell us; what is longer is no promise that anybody could watch.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// From when the time of a silent client counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The oldest heartbeat of the gateway's that was not answered.
    UnansweredBeat,
    /// The client's last frame.
    LastClientData,
}

impl Origin {
    /// For people.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::UnansweredBeat => "an unanswered heartbeat",
            Self::LastClientData => "their last frame",
        }
    }
}

/// What a gateway promises to do with a silent client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZombiePromise {
    /// From when the time counts.
    pub origin: Origin,
    /// When the gateway may end the connection at the earliest.
    pub earliest: Duration,
    /// When the gateway has ended the connection at the latest; not before `earliest`.
    pub latest: Duration,
    /// TCP is ended at the latest so long after the eviction.
    pub release: Option<Duration>,
}

/// What a gateway means by a close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloseClass {
    /// Our credential, or what we asked for, is refused.
    Refused,
    /// We asked for too much.
    Throttled,
    /// The gateway has no capacity.
    Unavailable,
    /// The gateway, or this instance of it, goes away.
    Drained,
    /// We did not answer heartbeats.
    Zombie,
}

impl CloseClass {
    /// The class's word in a dialect file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Drained => "drained",
            Self::Zombie => "zombie",
        }
    }
}

/// A zombie promise whose times may be captured.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub origin: Origin,
    pub earliest: IntervalSpec,
    pub latest: IntervalSpec,
    pub release: Option<IntervalSpec>,
}

impl Window {
    /// The promise as far as the gateway has told it; none where it contradicts itself.
    pub fn promise(&self, variables: &Variables) -> Option<ZombiePromise> {
        let (earliest, latest) = (resolve(&self.earliest, variables)?, resolve(&self.latest, variables)?);
        let release = match &self.release {
            Some(release) => Some(resolve(release, variables)?),
            None => None,
        };
        let promise = ZombiePromise { origin: self.origin, earliest, latest, release };
        (earliest <= latest).then_some(promise)
    }
}

/// The interval; none while the gateway has not told it, or where what it told is no positive length of time.
pub(super) fn resolve(interval: &IntervalSpec, variables: &Variables) -> Option<Duration> {
    match interval {
        IntervalSpec::Fixed(span) => Some(span.get()),
        IntervalSpec::Captured { captured, unit } => {
            let number = match variables.get(captured)? {
                Value::Number(number) => number.as_f64()?,
                Value::String(text) => text.parse().ok()?,
                _ => return None,
            };
            let seconds = match unit {
                IntervalUnit::Ms => number / 1e3,
                IntervalUnit::S => number,
            };
            let interval = Duration::try_from_secs_f64(seconds).ok()?;
            (Duration::ZERO < interval && interval <= LONGEST).then_some(interval)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn captured_intervals_are_held_against_sense() {
        let interval = |unit, value| {
            let variables = Variables::new().with("beat", value);
            resolve(&IntervalSpec::Captured { captured: "beat".into(), unit }, &variables)
        };
        assert_eq!(interval(IntervalUnit::Ms, json!(41_250)), Some(Duration::from_millis(41_250)));
        assert_eq!(interval(IntervalUnit::S, json!("120")), Some(Duration::from_secs(120)));
        for nonsense in
            [json!(-1), json!(0), json!(1e300), json!("NaN"), json!("inf"), json!(null), json!([5])]
        {
            assert_eq!(interval(IntervalUnit::S, nonsense.clone()), None, "{nonsense}");
        }
        let untold = IntervalSpec::Captured { captured: "beat".into(), unit: IntervalUnit::S };
        assert_eq!(resolve(&untold, &Variables::new()), None);
    }

    #[test]
    fn a_window_that_contradicts_itself_is_no_promise() {
        let captured = |name: &str| IntervalSpec::Captured { captured: name.into(), unit: IntervalUnit::S };
        let window = Window {
            origin: Origin::UnansweredBeat,
            earliest: captured("early"),
            latest: captured("late"),
            release: None,
        };
        let variables = |early: u32, late: u32| Variables::new().with("early", early).with("late", late);
        assert_eq!(window.promise(&variables(30, 20)), None);
        let promise = window.promise(&variables(20, 30)).expect("a window");
        assert_eq!((promise.earliest.as_secs(), promise.latest.as_secs()), (20, 30));
    }
}

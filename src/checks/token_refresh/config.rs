//! What the config says of the `token_refresh` check.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bad_token::BadToken;
use super::judge::Assertion;
use crate::checks::{Cost, Profile, SLACK, Surroundings};
use crate::dialect::{Dialect, Part};
use crate::model::{Failure, Span};

/// Refreshes one after another.
pub(super) const RAPID: u32 = 3;
/// The time between two of them.
pub(super) const RAPID_GAP: Duration = Duration::from_millis(200);
/// How long the stream is watched after a refresh.
pub(super) const AFTERMATH: Duration = Duration::from_millis(500);
/// The time between two signs of life where nothing else is said.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long a token lives where the config does not say, and gateprobe signs it.
const LIFETIME: Span = Span::secs(10);
/// What validators grant at most, mostly.
const LEEWAY: Span = Span::secs(60);
/// What a healthy gateway takes for a refresh at most.
const HEALTHY: Duration = Duration::from_secs(1);

/// Renews its token on the open connection, and watches whether it took, whether others suffer, and what becomes of
/// sessions that do not renew it, or by a token that is not good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenRefresh {
    /// Whether the check runs.
    pub enabled: bool,
    /// How often it runs.
    pub interval: Span,
    /// The one deadline of a run; when absent, what a good run may take, and some more.
    pub timeout: Option<Span>,
    /// How hard it looks, where `cases` are not given: `renew` and `rapid`, or all of them.
    pub profile: Profile,
    /// What it looks at.
    pub cases: Option<Vec<Case>>,
    /// The bad tokens of the case `bad_tokens`; all that can be made of the target's token when absent.
    pub bad_tokens: Option<Vec<BadToken>>,
    /// How long the tokens live whose expiry is waited for, where gateprobe signs them itself; 10s when absent.
    pub lifetime: Option<Span>,
    /// How long after `exp` the gateway may still take a token for good; what the dialect promises, or 60s, when
    /// absent.
    pub leeway: Option<Span>,
    /// How long the gateway may let a session go on after that; what the dialect promises, or 0s, when absent.
    pub grace: Option<Span>,
    /// How much earlier or later than promised a session may end.
    pub tolerance: Span,
    /// The gateway promises to close a session whose token has expired: one that goes on is then a failure, and not
    /// only a finding. What the dialect promises when absent.
    pub expiry_enforced: Option<bool>,
    /// Messages that are published before the first refresh.
    #[schemars(range(min = 5, max = 10000))]
    pub messages: u32,
    /// The time between two messages.
    pub every: Span,
    /// What each message carries, in bytes.
    #[schemars(range(min = 0, max = 65536))]
    pub payload: u32,
    /// How long after the last message all of them may take to be delivered.
    pub settle: Span,
    /// How long the gateway may take to answer a refresh.
    pub refresh_timeout: Span,
    /// How long the gateway may take to answer a ping.
    pub pong_timeout: Span,
    /// How long the dial of a connection may take.
    pub connect_timeout: Span,
    /// What is tolerated.
    pub thresholds: Thresholds,
    /// The channel that is used; one of its own for each run when absent. Take one that nobody else uses.
    pub channel: Option<String>,
    /// The synthetic user's name, where the dialect sends one; the minted token's subject when absent.
    pub user: Option<String>,
    /// An assertion that is left out: the tests' way to show that each is needed. No config can set it.
    #[serde(skip)]
    pub without: Option<Assertion>,
}

/// Something that it looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// A refresh in the middle of a session, with a stream beside it.
    Renew,
    /// Three more refreshes, 200 ms apart.
    Rapid,
    /// Two refreshes at once.
    Together,
    /// A refresh in the last second or two before the token expires.
    NearExpiry,
    /// A good refresh after one that was refused.
    Recovery,
    /// Bad tokens, each of which must be refused.
    BadTokens,
    /// A session that is not refreshed.
    Expiry,
}

/// What is tolerated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// The mean of the times from a refresh to its answer; 500 ms in the profiles `suite` and `full` when absent.
    pub mean: Option<Span>,
    /// The longest of them; 1 s in the profiles `suite` and `full` when absent.
    pub max: Option<Span>,
    /// How late a message of the stream may come that is published while a token is refreshed; when absent, three
    /// times the p95 of those before, and at least their median + 1 s.
    pub delivery: Option<Span>,
}

impl Default for TokenRefresh {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::secs(300),
            timeout: None,
            profile: Profile::Light,
            cases: None,
            bad_tokens: None,
            lifetime: None,
            leeway: None,
            grace: None,
            tolerance: Span::secs(2),
            expiry_enforced: None,
            messages: 20,
            every: Span::millis(50),
            payload: 32,
            settle: Span::secs(2),
            refresh_timeout: Span::secs(5),
            pong_timeout: Span::secs(5),
            connect_timeout: Span::secs(5),
            thresholds: Thresholds::default(),
            channel: None,
            user: None,
            without: None,
        }
    }
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Renew,
        Self::Rapid,
        Self::Together,
        Self::NearExpiry,
        Self::Recovery,
        Self::BadTokens,
        Self::Expiry,
    ];

    /// The case's word in the config.
    pub fn word(self) -> &'static str {
        match self {
            Self::Renew => "renew",
            Self::Rapid => "rapid",
            Self::Together => "together",
            Self::NearExpiry => "near_expiry",
            Self::Recovery => "recovery",
            Self::BadTokens => "bad_tokens",
            Self::Expiry => "expiry",
        }
    }
}

impl TokenRefresh {
    /// Whether the dialect has what the check can't do without.
    pub fn has(dialect: &Dialect) -> bool {
        dialect.has(Part::Refresh)
    }

    /// Whether it looks at this.
    pub fn looks_at(&self, case: Case) -> bool {
        match (&self.cases, self.profile) {
            (Some(cases), _) => cases.contains(&case),
            (None, Profile::Light) => matches!(case, Case::Renew | Case::Rapid),
            (None, Profile::Suite | Profile::Full) => true,
        }
    }

    /// Whether a session is refreshed in its middle.
    pub(super) fn renews(&self) -> bool {
        [Case::Renew, Case::Rapid, Case::Together].into_iter().any(|case| self.looks_at(case))
    }

    /// The bad tokens that it tries.
    pub fn bad_tokens(&self) -> Vec<BadToken> {
        match (self.looks_at(Case::BadTokens), self.looks_at(Case::Recovery)) {
            (true, _) => self.bad_tokens.clone().unwrap_or_else(|| BadToken::ALL.to_vec()),
            // Something has to be refused before.
            (false, true) => vec![BadToken::Garbled],
            (false, false) => Vec::new(),
        }
    }

    /// How long short-lived tokens live.
    pub fn lifetime(&self) -> Span {
        self.lifetime.unwrap_or(LIFETIME)
    }

    /// How long the gateway may let a session live beyond `exp`, by its own clock.
    pub(super) fn beyond(&self) -> Duration {
        self.leeway.unwrap_or(LEEWAY).get() + self.grace.unwrap_or_default().get() + self.tolerance.get()
    }

    /// Whether the gateway promises to close sessions whose token has expired.
    pub(super) fn enforced(&self) -> bool {
        self.expiry_enforced.unwrap_or_default()
    }

    /// How late the agent may be in a run that ends with this failure, where that is more than usual: what ended a
    /// session, or did not, was no hiccup of ours.
    pub fn lag_tolerance(&self, failure: Failure) -> Option<Duration> {
        use Failure::{
            ExpiredSessionSurvives, RefreshNotApplied, RefreshUnanswered, SessionDroppedByRefresh,
        };
        match failure {
            RefreshUnanswered => Some(self.refresh_timeout.get() / 2),
            ExpiredSessionSurvives | RefreshNotApplied | SessionDroppedByRefresh => {
                Some(self.tolerance.get() / 2)
            }
            _ => None,
        }
    }

    /// What refreshes may take: on average, and each.
    pub(super) fn longest(&self) -> (Option<Span>, Option<Span>) {
        let suite = self.profile != Profile::Light;
        let (mean, max) = (suite.then_some(Span::millis(500)), suite.then_some(Span::secs(1)));
        (self.thresholds.mean.or(mean), self.thresholds.max.or(max))
    }

    /// How long the stream goes before the first refresh.
    pub fn lead(&self) -> Duration {
        self.every.get() * self.messages
    }

    /// The check with what the dialect promises, and with a time-out.
    #[must_use]
    pub fn fit(mut self, around: &Surroundings<'_>) -> Self {
        if let Some(expiry) = around.dialect.and_then(Dialect::expiry) {
            self.leeway = self.leeway.or(expiry.leeway);
            self.grace = self.grace.or(expiry.grace);
            self.expiry_enforced = self.expiry_enforced.or(Some(expiry.enforced));
        }
        if self.timeout.is_none() {
            self.timeout = Some(around.timeout(self.with_proof(), self.cost().connections));
        }
        self
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(Span::from(self.with_proof().get() + SLACK.get()))
    }

    /// The time that a healthy gateway may take. What waits for an expiry is left out where it was not asked for:
    /// then a run says that it saw none.
    pub fn worst_case(&self) -> Span {
        match self.looks_at(Case::Expiry) || self.looks_at(Case::NearExpiry) {
            true => self.with_proof(),
            false => Span::from(self.dials() + self.course()),
        }
    }

    /// The same with the wait for the expiry of a token that lives as long as it should.
    fn with_proof(&self) -> Span {
        Span::from(self.dials() + self.course().max(self.wait() + self.pong_timeout.get()))
    }

    fn dials(&self) -> Duration {
        self.connect_timeout.get() * 2
    }

    /// The stream and all refreshes beside it, and the bad tokens after the first of them.
    fn course(&self) -> Duration {
        let refreshes = 1 + RAPID + 2;
        let renewing = self.lead() + (HEALTHY + RAPID_GAP) * refreshes + AFTERMATH + self.settle.get();
        let tries = u32::try_from(self.bad_tokens().len()).unwrap_or(u32::MAX).saturating_add(2);
        renewing + HEALTHY * tries + self.refresh_timeout.get()
    }

    /// From a token's first second until a session that it opened must be over. Both the token and the gateway's
    /// clock come in whole seconds.
    fn wait(&self) -> Duration {
        self.lifetime().get() + self.beyond() + Duration::from_secs(2)
    }

    /// Its connections, the stream, the refreshes and the pings.
    pub fn cost(&self) -> Cost {
        /// What a token may take, in bytes.
        const TOKEN: u64 = 4_096;
        let bad = self.bad_tokens().len() as u64;
        // Each bad token may cost the connection that it was tried on.
        let trying = if bad > 0 { bad + 1 } else { 0 };
        let single = [Case::NearExpiry, Case::Expiry].into_iter().filter(|case| self.looks_at(*case)).count();
        let connections = 1 + u64::from(self.renews()) + trying + single as u64;
        let concurrent = connections.min(1 + u64::from(self.renews()) + single as u64 + u64::from(bad > 0));
        let streaming = if self.renews() { self.course() } else { Duration::ZERO };
        let published = (streaming.as_secs_f64() / self.every.as_secs_f64()).ceil() as u64;
        let refreshes = u64::from(RAPID) + 6 + bad;
        let waiting = self.timeout().as_secs_f64() / KEEP_ALIVE.as_secs_f64();
        // Subscribe, teardown, signs of life, Close, and answers to heartbeats.
        let messages = published + refreshes + connections * (8 + waiting.ceil() as u64);
        let size = u64::from(self.payload) + 200;
        let bytes = connections * (2_048 + TOKEN) + 3 * messages * size + refreshes * 2 * TOKEN;
        Cost { connections, concurrent, messages, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_lasts_as_long_as_what_it_waits_for() {
        let light = TokenRefresh::default();
        assert_eq!(
            light.beyond(),
            Duration::from_secs(62),
            "the leeway of most validators, and the tolerance"
        );
        assert!(
            light.worst_case() < Span::secs(40),
            "it says that there was no proof: {}",
            light.worst_case()
        );
        assert!(light.timeout() > Span::secs(84), "but it has the time: {}", light.timeout());
        let suite = TokenRefresh { profile: Profile::Suite, ..light.clone() };
        assert!(suite.worst_case() > Span::secs(84));
        let short = TokenRefresh { leeway: Some(Span::default()), lifetime: Some(Span::secs(4)), ..suite };
        assert!(short.timeout() < Span::secs(60), "{}", short.timeout());
    }

    #[test]
    fn each_bad_token_may_cost_a_connection() {
        let light = TokenRefresh::default();
        assert_eq!((light.cost().connections, light.cost().concurrent), (2, 2));
        let full = TokenRefresh { profile: Profile::Full, ..light.clone() };
        assert_eq!((full.cost().connections, full.cost().concurrent), (13, 5));
        let cases = Some(vec![Case::Expiry]);
        assert_eq!(TokenRefresh { cases, ..light.clone() }.cost().connections, 2);
        let cases = Some(vec![Case::Renew, Case::Recovery]);
        assert_eq!(
            TokenRefresh { cases, ..light }.bad_tokens(),
            [BadToken::Garbled],
            "something to recover from"
        );
    }

    #[test]
    fn the_words_of_the_config_are_those_of_the_labels() {
        for bad in BadToken::ALL {
            assert_eq!(serde_json::to_value(bad).unwrap(), bad.label());
        }
        for case in Case::ALL {
            assert_eq!(serde_json::to_value(case).unwrap(), case.word());
        }
    }
}

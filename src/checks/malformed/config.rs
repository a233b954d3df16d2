//! What the config says of the `malformed` check.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acceptable::Word;
use super::judge::Assertion;
use super::scene::{AGAIN, SPARE};
use super::unasked;
use super::vectors::{Class, Group, Patience, Vector};
use crate::checks::{Cost, Profile, Surroundings};
use crate::dialect::{Dialect, ReactionSpec, SizeSpec, Variables};
use crate::model::Span;
use crate::session::Companion;

/// The message limit where neither the config nor the dialect says.
const LIMIT: u64 = 65_536;
/// On top of what the vectors take, where `timeout` is not given.
const SLACK: Span = Span::secs(10);
/// Bytes of an upgrade request and its answer.
const UPGRADE: u64 = 1_024;
/// Bytes of a small frame and its answer.
const FRAME: u64 = 50;
/// The most that a message is answered by beside an echo: an error reply, in bytes.
const ANSWER: u64 = 256;

/// Sends what is malformed, one thing a connection, and watches how the gateway takes it. Never on by itself: a
/// firewall may ban the address it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Malformed {
    /// Whether the check runs.
    pub enabled: bool,
    /// How often it runs.
    pub interval: Span,
    /// The one deadline of a run; when absent, what a good run may take, and some more.
    pub timeout: Option<Span>,
    /// How hard it looks, where `every` is not given: a vector a second, or in `suite` and `full` each 50 ms.
    pub profile: Profile,
    /// Send the vectors of the class `caution` too.
    pub caution: bool,
    /// Only the vectors of these groups; of all when absent.
    pub groups: Option<Vec<Group>>,
    /// Only these vectors, by name (`gateprobe vectors` lists them); all when absent.
    pub vectors: Option<Vec<String>>,
    /// Without these vectors, by name.
    pub skip: Vec<String>,
    /// The least time from one vector to the next.
    pub every: Option<Span>,
    /// How long the gateway may take to react.
    pub within: Span,
    /// How long the gateway may take to end what is slow on purpose, such as an upgrade request that never ends.
    pub slow_within: Span,
    /// The largest message that the gateway takes, such as `64KiB`; the dialect's, or 64 KiB, when absent.
    pub message_limit: Option<SizeSpec>,
    /// The gateway is to refuse a foreign `Origin`: one that browsers use with cookies must.
    pub foreign_origin: bool,
    /// What counts as a right reaction, by the name of a vector or a group, in place of what the dialect or the
    /// table says: close codes, statuses, and words such as `error_reply`, `ignored` or `rejected_unclean`.
    pub reactions: BTreeMap<String, Vec<ReactionSpec>>,
    /// How long the dial of a connection may take.
    pub connect_timeout: Span,
    /// A healthy connection's ping must be answered within this time.
    pub pong_timeout: Span,
    /// The most time between two samples of the bystander.
    pub bystander_every: Span,
    /// How long a client that does not read may stay, by the dialect's promise. No config can set it.
    #[serde(skip)]
    pub window: Option<Duration>,
    /// An assertion that is left out: the tests' way to show that each is needed. No config can set it.
    #[serde(skip)]
    pub without: Option<Assertion>,
}

impl Default for Malformed {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::secs(3_600),
            timeout: None,
            profile: Profile::Light,
            caution: false,
            groups: None,
            vectors: None,
            skip: Vec::new(),
            every: None,
            within: Span::secs(2),
            slow_within: Span::secs(95),
            message_limit: None,
            foreign_origin: false,
            reactions: BTreeMap::new(),
            connect_timeout: Span::secs(5),
            pong_timeout: Span::secs(5),
            bystander_every: Span::secs(1),
            window: None,
            without: None,
        }
    }
}

impl Malformed {
    /// The vectors that were asked for, whether the target can be asked them or not.
    pub fn chosen(&self) -> impl Iterator<Item = &'static Vector> {
        Vector::all().filter(|vector| self.chooses(vector))
    }

    /// Whether a vector was asked for.
    pub fn chooses(&self, vector: &Vector) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == vector.name);
        (self.caution || vector.class == Class::Light)
            && self.groups.as_ref().is_none_or(|groups| groups.contains(&vector.group))
            && self.vectors.as_ref().is_none_or(|vectors| named(vectors))
            && !named(&self.skip)
    }

    /// The least time from one vector to the next.
    pub fn every(&self) -> Duration {
        let by_profile = match self.profile {
            Profile::Light => Span::secs(1),
            Profile::Suite | Profile::Full => Span::millis(50),
        };
        self.every.unwrap_or(by_profile).get()
    }

    /// The time between two samples of the bystander: each vector is followed by one.
    pub(super) fn bystander_every(&self) -> Duration {
        self.bystander_every.get().min(self.every().max(Duration::from_millis(10)))
    }

    /// The largest message that the gateway takes, in bytes.
    pub fn limit(&self) -> u64 {
        self.message_limit.map_or(LIMIT, |size| size.0)
    }

    /// How long the gateway may take for a vector.
    pub(super) fn patience(&self, vector: &Vector) -> Duration {
        match vector.patience {
            Patience::Within => self.within.get(),
            Patience::Slow => self.slow_within.get(),
            Patience::Window => self.window.unwrap_or(self.slow_within.get()),
        }
    }

    /// What is right for a vector, and where that is said: by the target, the dialect, or the table.
    pub fn acceptable(&self, vector: &Vector, dialect: Option<&Dialect>) -> Vec<Word> {
        let of_dialect = dialect.map(Dialect::reactions);
        let said = [Some(&self.reactions), of_dialect]
            .into_iter()
            .flatten()
            .find_map(|reactions| reactions.get(vector.name).or_else(|| reactions.get(vector.group.label())));
        match said {
            Some(words) => words.iter().filter_map(Word::of).collect(),
            None => self.by_table(vector, dialect).collect(),
        }
    }

    /// A message that is no error reply is none where the dialect says what one looks like, unless the vector may be
    /// served.
    fn by_table(&self, vector: &Vector, dialect: Option<&Dialect>) -> impl Iterator<Item = Word> {
        let knows_errors = dialect.is_some_and(Dialect::knows_errors);
        let vague = knows_errors && !vector.may_be_served();
        vector.expected.iter().copied().filter(move |word| !(vague && *word == Word::Replied))
    }

    /// The check with what the dialect promises, and with a time-out.
    #[must_use]
    pub fn fit(mut self, around: &Surroundings<'_>) -> Self {
        if let Some(dialect) = around.dialect {
            self.message_limit = self.message_limit.or(dialect.message_limit().map(SizeSpec));
            self.window = unasked::window(dialect, &Variables::default());
        }
        if self.timeout.is_none() {
            let paced = around.pace(u32::try_from(self.cost().connections).unwrap_or(u32::MAX));
            self.timeout = Some(Span::from(self.worst_case().get() + paced + self.slack()));
        }
        self
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(Span::from(self.worst_case().get() + self.slack()))
    }

    /// Time for the connections, and for one that does not open in three tries: a crash must be seen as one.
    fn slack(&self) -> Duration {
        SLACK.get() + self.connect_timeout.get() * 3 + AGAIN.iter().sum::<Duration>()
    }

    /// The longest that a vector may take: its reaction, a ping to see whether the connection is still served, a
    /// sample of the bystander, and the pause before it.
    pub(super) fn longest(&self, vector: &Vector) -> Duration {
        self.patience(vector) + self.within.get() + self.bystander_every() + self.every()
    }

    /// The time that a good run may take: the bystander's baseline, and each vector at its slowest.
    pub fn worst_case(&self) -> Span {
        let (pings, every) = Companion::BASELINE;
        let before = self.connect_timeout.get() + every * pings;
        let vectors: Duration = self.chosen().map(|vector| self.longest(vector)).sum();
        Span::from(before + vectors + self.pong_timeout.get())
    }

    /// The bystander and a probe, and for each vector its own connection, what it sends and may be sent back, and a
    /// second connection that pings and leaves; and what is tried again.
    pub fn cost(&self) -> Cost {
        let limit = self.limit();
        let seconds = self.timeout.unwrap_or(self.worst_case()).as_secs_f64();
        let samples = (seconds / self.bystander_every().as_secs_f64()).ceil() as u64;
        let mut cost = Cost {
            // The bystander, a probe before the first vector, and what is tried again.
            connections: 2 + u64::from(SPARE),
            concurrent: 2,
            messages: samples + u64::from(Companion::BASELINE.0) + 4 + 2 * u64::from(SPARE),
            bytes: UPGRADE * (2 + u64::from(SPARE)),
        };
        for vector in self.chosen() {
            let (messages, bytes) = (vector.shot.messages(limit), vector.shot.bytes(limit));
            // Where the offer of compression is refused, a connection without it.
            let without = u64::from(unasked::wants_deflate(vector));
            cost.connections += 2 + without;
            // A ping and a heartbeat on the one, one of them on the other, and a goodbye on each.
            cost.messages += messages + 5 + 2 * without;
            cost.bytes += (2 + without) * UPGRADE + 2 * bytes + messages * ANSWER;
        }
        cost.bytes += cost.messages * FRAME;
        cost
    }
}

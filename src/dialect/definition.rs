//! A compiled dialect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Variables;
use super::before::Before;
use super::meaning::Answer;
use super::names::{SEQUENCE, Scope};
use super::parts::{Beat, Delivery, Exchange, Reply, Sending, Step};
use super::pattern::Pattern;
use super::promise::{CloseClass, Window, ZombiePromise, resolve};
use super::spec::{ExpirySpec, IntervalSpec, ReactionSpec, TokenPlace};

/// An exchange that a dialect may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// We ask, the gateway answers.
    Heartbeat,
    /// The gateway answers with what our message holds.
    Echo,
    /// We join a stream.
    Subscribe,
    /// We put a message into the stream.
    Publish,
    /// We take up a session again.
    Resume,
    /// We renew the token.
    Refresh,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Heartbeat, Self::Echo, Self::Subscribe, Self::Publish, Self::Resume, Self::Refresh];

    /// The part's word in a dialect file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat.client",
            Self::Echo => "echo",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Resume => "resume",
            Self::Refresh => "refresh",
        }
    }
}

/// A part that a dialect has, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartLine {
    /// Its name in the file.
    pub word: &'static str,
    /// What it says.
    pub meaning: String,
}

/// What a gateway's protocol says, ready to be spoken.
#[derive(Debug, Clone)]
pub struct Dialect {
    pub(super) name: String,
    pub(super) subprotocols: Vec<String>,
    pub(super) before: Option<Before>,
    pub(super) credential: Option<TokenPlace>,
    pub(super) open: Vec<Step>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) beat: Option<Beat>,
    pub(super) pings: Option<IntervalSpec>,
    pub(super) zombie: Option<Window>,
    pub(super) delivery: Option<Delivery>,
    pub(super) retention: Option<IntervalSpec>,
    pub(super) expiry: Option<ExpirySpec>,
    pub(super) error: Option<Pattern>,
    pub(super) teardown: Vec<Sending>,
    pub(super) closes: Vec<(u16, u16, CloseClass)>,
    pub(super) message_limit: Option<u64>,
    pub(super) reactions: BTreeMap<String, Vec<ReactionSpec>>,
    pub(super) speaks_json: bool,
    /// The variables that its messages to the gateway hold.
    pub(super) sent: BTreeSet<String>,
    /// Those of them that are sent until the session is open.
    pub(super) sent_to_open: BTreeSet<String>,
}

impl Dialect {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has an exchange.
    pub fn has(&self, part: Part) -> bool {
        self.exchange(part).is_some()
    }

    /// How often the gateway promises a protocol ping; none where it promises none, or has not told yet.
    pub fn pings_interval(&self, variables: &Variables) -> Option<Duration> {
        resolve(self.pings.as_ref()?, variables)
    }

    /// Whether the gateway tells on the connection how often its application heartbeat comes.
    pub fn tells_beat_interval(&self) -> bool {
        let interval = self.beat.as_ref().and_then(|beat| beat.interval.as_ref());
        interval.is_some_and(|interval| matches!(interval, IntervalSpec::Captured { .. }))
    }

    /// How often the gateway promises its application heartbeat; none where it promises none, or has not told
    /// yet.
    pub fn beat_interval(&self, variables: &Variables) -> Option<Duration> {
        resolve(self.beat.as_ref()?.interval.as_ref()?, variables)
    }

    /// Whether the gateway has an application heartbeat.
    pub fn beats(&self) -> bool {
        self.beat.is_some()
    }

    /// What the gateway promises to do with silent clients; none where it promises nothing, has not told yet,
    /// or contradicts itself.
    pub fn zombie(&self, variables: &Variables) -> Option<ZombiePromise> {
        self.zombie.as_ref()?.promise(variables)
    }

    /// Whether the gateway promises anything about silent clients, be it only on the connection.
    pub fn promises_zombie(&self) -> bool {
        self.zombie.is_some()
    }

    /// What the gateway means by a close code.
    pub fn close_class(&self, code: u16) -> Option<CloseClass> {
        let class = self.closes.iter().find(|(first, last, _)| (*first..=*last).contains(&code));
        class.map(|(_, _, class)| *class)
    }

    /// Subprotocols to offer where the target names none.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The largest message that the gateway promises to take, in bytes.
    pub fn message_limit(&self) -> Option<u64> {
        self.message_limit
    }

    /// What counts as a right reaction to malformed input, by vector or group, where the dialect says.
    pub fn reactions(&self) -> &BTreeMap<String, Vec<ReactionSpec>> {
        &self.reactions
    }

    /// Whether any message, ours or the gateway's, is JSON.
    pub fn speaks_json(&self) -> bool {
        self.speaks_json
    }

    /// Whether it says what an error reply looks like.
    pub fn knows_errors(&self) -> bool {
        self.error.is_some()
    }

    /// The HTTP request before the upgrade.
    pub fn before(&self) -> Option<&Before> {
        self.before.as_ref()
    }

    /// Where the token goes where the target does not say.
    pub fn credential(&self) -> Option<&TokenPlace> {
        self.credential.as_ref()
    }

    /// Whether any message or request of the dialect holds this variable.
    pub fn sends(&self, name: &str) -> bool {
        self.sent.contains(name)
    }

    /// Whether anything is awaited or sent after the upgrade before the session is open.
    pub fn opens(&self) -> bool {
        !self.open.is_empty()
    }

    /// What opening a session costs beside the upgrade, about: the messages that we send, and the bytes sent and
    /// received.
    pub fn opening(&self) -> (u64, u64) {
        /// What a placeholder's value, or a message of the gateway's, may take.
        const SOMETHING: u64 = 512;
        let token = u64::from(matches!(self.credential, Some(TokenPlace { first_message: Some(_), .. })));
        let steps = self.open.iter().map(|step| match step {
            Step::Send(sending) => {
                let fixed = sending.fill(Scope::of(&Variables::new())).len() as u64;
                (1, fixed + SOMETHING)
            }
            Step::Await { .. } => (0, SOMETHING),
        });
        // A token may be long.
        steps.fold((token, token * 8 * SOMETHING), |(messages, bytes), (more, size)| {
            (messages + more, bytes + size)
        })
    }

    /// Whether a session can't be opened without this variable.
    pub fn sends_to_open(&self, name: &str) -> bool {
        self.sent_to_open.contains(name)
    }

    /// Whether messages of the subscribed stream can be told from others.
    pub fn has_delivery(&self) -> bool {
        self.delivery.is_some()
    }

    /// Whether we number what we publish and find the number in what is delivered, so that each message can be
    /// accounted for.
    pub fn numbers_stream(&self) -> bool {
        let ours = self.exchange(Part::Publish).is_some_and(|publish| publish.send.holds(SEQUENCE));
        let theirs = |delivery: &Delivery| delivery.capture.names().any(|name| name == SEQUENCE);
        ours && self.delivery.as_ref().is_some_and(theirs)
    }

    /// Whether the gateway answers what a part asks.
    pub fn answers(&self, part: Part) -> bool {
        self.exchange(part).is_some_and(|exchange| !exchange.answers.is_empty())
    }

    /// Whether the gateway says so where it refuses what a part asks.
    pub fn refuses(&self, part: Part) -> bool {
        let refusal = |reply: &Reply| reply.meaning == Answer::Refused;
        self.exchange(part).is_some_and(|exchange| exchange.answers.iter().any(refusal))
    }

    /// How long the gateway promises to keep a session that has lost its connection; none where it promises nothing,
    /// or has not told yet.
    pub fn retention(&self, variables: &Variables) -> Option<Duration> {
        resolve(self.retention.as_ref()?, variables)
    }

    /// What the gateway says of sessions whose token expires.
    pub fn expiry(&self) -> Option<ExpirySpec> {
        self.expiry
    }

    /// For people: the parts that it has, in the order of the file.
    pub fn parts(&self) -> Vec<PartLine> {
        let steps = format!("steps after the upgrade: {}", self.open.len());
        let codes = format!("close codes and ranges with a meaning: {}", self.closes.len());
        let limit = self.message_limit.map(|bytes| format!("messages of up to {bytes} bytes"));
        let teardown = format!("messages before the end: {}", self.teardown.len());
        let pings = self.pings.as_ref().map(|interval| format!("protocol pings, each {interval}"));
        let offered = format!("offers {}", self.subprotocols.join(", "));
        let has = |part: Part| self.has(part);
        let lines = [
            (!self.subprotocols.is_empty(), "subprotocols", offered),
            (self.before.is_some(), "before", "an HTTP request before the upgrade".into()),
            (self.credential.is_some(), "credential", "where the token goes".into()),
            (!self.open.is_empty(), "open", steps),
            (has(Part::Heartbeat), Part::Heartbeat.word(), "we ask, the gateway answers".into()),
            (self.beat.is_some(), "heartbeat.server", self.describe_beat()),
            (pings.is_some(), "heartbeat.pings", pings.unwrap_or_default()),
            (self.zombie.is_some(), "zombie", self.describe_zombie()),
            (has(Part::Echo), Part::Echo.word(), "the gateway answers with what it was sent".into()),
            (has(Part::Subscribe), Part::Subscribe.word(), "joins a stream".into()),
            (has(Part::Publish), Part::Publish.word(), "puts a message into the stream".into()),
            (self.delivery.is_some(), "delivery", "a message of the stream".into()),
            (has(Part::Resume), Part::Resume.word(), "takes up a session again".into()),
            (has(Part::Refresh), Part::Refresh.word(), "renews the token".into()),
            (self.expiry.is_some(), "expiry", self.describe_expiry()),
            (!self.teardown.is_empty(), "teardown", teardown),
            (self.error.is_some(), "error", "an error reply".into()),
            (!self.closes.is_empty(), "closes", codes),
            (limit.is_some(), "limits", limit.unwrap_or_default()),
            (!self.reactions.is_empty(), "reactions", "what is right in answer to malformed input".into()),
        ];
        let there = lines.into_iter().filter(|(there, ..)| *there);
        there.map(|(_, word, meaning)| PartLine { word, meaning }).collect()
    }

    fn describe_beat(&self) -> String {
        let interval = self.beat.as_ref().and_then(|beat| beat.interval.as_ref());
        let each = interval.map(|interval| format!(", each {interval}")).unwrap_or_default();
        format!("the gateway asks, we answer{each}")
    }

    fn describe_expiry(&self) -> String {
        let enforced = self.expiry.is_some_and(|expiry| expiry.enforced);
        let what = if enforced { "are closed" } else { "may go on" };
        format!("sessions whose token has expired {what}")
    }

    fn describe_zombie(&self) -> String {
        let Some(Window { origin, earliest, latest, .. }) = &self.zombie else { return String::new() };
        format!("silent clients are ended {earliest} to {latest} after {}", origin.describe())
    }

    pub(super) fn exchange(&self, part: Part) -> Option<&Exchange> {
        self.exchanges.iter().find(|exchange| exchange.part == part)
    }
}

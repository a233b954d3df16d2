//! Streams: channels that sessions subscribe to, and sessions that outlive their connection for a while. No I/O and
//! no clock: whoever calls brings the time.

mod channel;

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use channel::Channel;

use super::fault::{FaultKind, FaultSet};

/// Messages that wait for one connection, at most; who is slower than that loses its session.
const BACKLOG: usize = 4_096;
/// Channels and sessions, at most: nobody fills the memory of a gateway for tests.
const MOST: usize = 10_000;

/// The way to a connection.
pub type Outbox = mpsc::Sender<String>;
/// What a connection is to send.
pub type Inbox = mpsc::Receiver<String>;

/// A way to a new connection.
pub fn outbox() -> (Outbox, Inbox) {
    mpsc::channel(BACKLOG)
}

/// All streams of a gateway.
#[derive(Debug)]
pub struct Hub {
    /// How long a session is kept that has lost its connection.
    retention: Duration,
    channels: HashMap<String, Channel>,
    sessions: HashMap<String, Kept>,
}

/// A session.
#[derive(Debug)]
struct Kept {
    channels: Vec<String>,
    /// None while no connection has it.
    outbox: Option<Outbox>,
    /// Counts the connections that have had it: the end of an old one is not the end of the new one.
    tenancy: u64,
    lost: Option<Instant>,
}

/// A connection's hold on its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenancy {
    /// The session.
    pub session: String,
    number: u64,
}

/// How a session was taken up again.
#[derive(Debug)]
pub struct Resumed {
    /// The connection's hold on it, or on the new one.
    pub tenancy: Tenancy,
    /// Whether it goes on without a gap.
    pub recovered: bool,
    /// What had been published meanwhile.
    pub missed: Vec<String>,
}

impl Hub {
    /// Nobody is there yet.
    pub fn new(retention: Duration) -> Self {
        Self { retention, channels: HashMap::new(), sessions: HashMap::new() }
    }

    /// A new session for a connection; none where there are too many.
    pub fn enter(&mut self, outbox: &Outbox, now: Instant) -> Option<Tenancy> {
        self.sweep(now);
        if self.sessions.len() >= MOST {
            return None;
        }
        let session = format!("{:032x}", rand::random::<u128>());
        let kept = Kept { channels: Vec::new(), outbox: Some(outbox.clone()), tenancy: 1, lost: None };
        self.sessions.insert(session.clone(), kept);
        Some(Tenancy { session, number: 1 })
    }

    /// Subscribes a session; false where there are too many channels.
    pub fn subscribe(&mut self, tenancy: &Tenancy, channel: &str) -> bool {
        let room = self.channels.len() < MOST || self.channels.contains_key(channel);
        let Some(kept) = self.sessions.get_mut(&tenancy.session).filter(|_| room) else { return false };
        if !kept.channels.iter().any(|known| known == channel) {
            kept.channels.push(channel.to_owned());
        }
        self.channels.entry(channel.to_owned()).or_default();
        true
    }

    /// Takes a session out of a channel, and forgets the channel where nobody is left in it.
    pub fn unsubscribe(&mut self, tenancy: &Tenancy, channel: &str) {
        if let Some(kept) = self.sessions.get_mut(&tenancy.session) {
            kept.channels.retain(|known| known != channel);
        }
        self.forget_deserted();
    }

    /// Publishes to all who are there, and keeps it for those who may come back.
    pub fn publish(&mut self, channel: &str, message: &Map<String, Value>, faults: &FaultSet) {
        let text = delivery(channel, message);
        let sequence = message.get("sequence").cloned().unwrap_or_default();
        let Some(stream) = self.channels.get_mut(channel) else { return };
        let deliveries = stream.publish(sequence, text, faults);
        let there =
            self.sessions.values_mut().filter(|kept| kept.channels.iter().any(|known| known == channel));
        for kept in there {
            for text in &deliveries {
                // Who is gone will be seen to be, by its own connection.
                let taken = kept.outbox.as_ref().map(|outbox| outbox.try_send(text.clone()));
                if matches!(taken, Some(Err(mpsc::error::TrySendError::Full(_)))) {
                    kept.outbox = None;
                }
            }
        }
    }

    /// Takes up a session again on a new connection, which leaves the old one without it; or begins a new one.
    pub fn resume(
        &mut self,
        session: &str,
        (channel, last): (&str, Option<&Value>),
        outbox: &Outbox,
        faults: &FaultSet,
        now: Instant,
    ) -> Option<Resumed> {
        let lies = faults.has(FaultKind::ResumeLies);
        if !lies {
            self.sweep(now);
        }
        let refused = faults.has(FaultKind::ResumeRefused);
        let missed = self.channels.get(channel).and_then(|stream| stream.since(last));
        let kept = self.sessions.get_mut(session).filter(|kept| {
            !refused && missed.is_some() && kept.channels.iter().any(|known| known == channel)
        });
        let Some(kept) = kept else {
            let tenancy = self.enter(outbox, now)?;
            return Some(Resumed { tenancy, recovered: lies, missed: Vec::new() });
        };
        kept.outbox = Some(outbox.clone());
        kept.tenancy += 1;
        kept.lost = None;
        let tenancy = Tenancy { session: session.to_owned(), number: kept.tenancy };
        let missed = if lies { Vec::new() } else { missed.unwrap_or_default() };
        Some(Resumed { tenancy, recovered: true, missed })
    }

    /// A connection has ended; its session waits for another one.
    pub fn lose(&mut self, tenancy: &Tenancy, now: Instant) {
        let kept = self.sessions.get_mut(&tenancy.session);
        if let Some(kept) = kept.filter(|kept| kept.tenancy == tenancy.number) {
            kept.outbox = None;
            kept.lost = Some(now);
        }
        self.sweep(now);
    }

    /// A connection has said goodbye: its session is over.
    pub fn end(&mut self, tenancy: &Tenancy) {
        if self.sessions.get(&tenancy.session).is_some_and(|kept| kept.tenancy == tenancy.number) {
            self.sessions.remove(&tenancy.session);
            self.forget_deserted();
        }
    }

    fn sweep(&mut self, now: Instant) {
        let retention = self.retention;
        let over = |lost: Instant| now.saturating_duration_since(lost) > retention;
        let before = self.sessions.len();
        self.sessions.retain(|_, kept| !kept.lost.is_some_and(over));
        if self.sessions.len() < before {
            self.forget_deserted();
        }
    }

    fn forget_deserted(&mut self) {
        let sessions = &self.sessions;
        let attended = |name: &String| sessions.values().any(|kept| kept.channels.contains(name));
        self.channels.retain(|name, _| attended(name));
    }
}

/// What a subscriber gets of what was published.
fn delivery(channel: &str, message: &Map<String, Value>) -> String {
    let field = |name: &str| message.get(name).cloned().unwrap_or_default();
    let (sequence, payload) = (field("sequence"), field("payload"));
    json!({ "type": "message", "channel": channel, "sequence": sequence, "payload": payload }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::fault::Fault;

    const RETENTION: Duration = Duration::from_secs(10);

    fn message(sequence: u64) -> Map<String, Value> {
        json!({ "sequence": sequence, "payload": "x" }).as_object().cloned().unwrap()
    }

    fn with(faults: &[&str]) -> FaultSet {
        let mut set = FaultSet::default();
        for fault in faults {
            set.insert(fault.parse::<Fault>().unwrap(), Instant::now());
        }
        set
    }

    fn numbers(texts: impl IntoIterator<Item = String>) -> Vec<u64> {
        let number =
            |text: String| serde_json::from_str::<Value>(&text).unwrap()["sequence"].as_u64().unwrap();
        texts.into_iter().map(number).collect()
    }

    fn heard(inbox: &mut Inbox) -> Vec<u64> {
        numbers(std::iter::from_fn(|| inbox.try_recv().ok()))
    }

    struct Scene {
        hub: Hub,
        tenancy: Tenancy,
        inbox: Inbox,
        now: Instant,
    }

    fn joined() -> Scene {
        let (mut hub, now) = (Hub::new(RETENTION), Instant::now());
        let (outbox, inbox) = outbox();
        let tenancy = hub.enter(&outbox, now).unwrap();
        assert!(hub.subscribe(&tenancy, "a"));
        Scene { hub, tenancy, inbox, now }
    }

    #[test]
    fn who_comes_back_in_time_misses_nothing() {
        let Scene { mut hub, tenancy, mut inbox, now } = joined();
        let none = FaultSet::default();
        (1..=3).for_each(|sequence| hub.publish("a", &message(sequence), &none));
        hub.publish("b", &message(9), &none);
        assert_eq!(heard(&mut inbox), [1, 2, 3]);
        hub.lose(&tenancy, now);
        (4..=5).for_each(|sequence| hub.publish("a", &message(sequence), &none));
        let (outbox, mut inbox) = outbox();
        let resumed = hub.resume(&tenancy.session, ("a", Some(&json!(2))), &outbox, &none, now + RETENTION);
        let Resumed { recovered, missed, tenancy: second } = resumed.unwrap();
        assert_eq!(
            (recovered, numbers(missed), second.session),
            (true, vec![3, 4, 5], tenancy.session.clone())
        );
        hub.publish("a", &message(6), &none);
        assert_eq!(heard(&mut inbox), [6]);
        // The old connection's end comes late.
        hub.lose(&tenancy, now);
        hub.publish("a", &message(7), &none);
        assert_eq!(heard(&mut inbox), [7]);
    }

    #[test]
    fn who_stays_away_for_too_long_begins_anew() {
        let Scene { mut hub, tenancy, now, .. } = joined();
        hub.lose(&tenancy, now);
        let (outbox, _inbox) = outbox();
        let later = now + RETENTION + Duration::from_millis(1);
        let ask = ("a", None);
        let resumed = hub.resume(&tenancy.session, ask, &outbox, &FaultSet::default(), later).unwrap();
        assert!(!resumed.recovered && resumed.tenancy.session != tenancy.session);
        assert!(hub.channels.is_empty(), "nobody is in it any more");
    }

    #[test]
    fn a_goodbye_ends_the_session() {
        let Scene { mut hub, tenancy, now, .. } = joined();
        hub.end(&tenancy);
        let (outbox, _inbox) = outbox();
        let resumed = hub.resume(&tenancy.session, ("a", None), &outbox, &FaultSet::default(), now);
        assert!(!resumed.unwrap().recovered);
    }

    #[test]
    fn the_faults_lose_repeat_swap_lie_and_refuse() {
        let told = |fault: &str| {
            let Scene { mut hub, mut inbox, .. } = joined();
            (1..=7).for_each(|sequence| hub.publish("a", &message(sequence), &with(&[fault])));
            heard(&mut inbox)
        };
        assert_eq!(told("messages_lost=3"), [1, 2, 4, 5, 7]);
        assert_eq!(told("messages_duplicated=3"), [1, 2, 3, 3, 4, 5, 6, 6, 7]);
        assert_eq!(told("messages_reordered=3"), [1, 2, 4, 3, 5, 7, 6]);
        let again = |fault: &str| {
            let Scene { mut hub, tenancy, now, .. } = joined();
            hub.lose(&tenancy, now);
            hub.publish("a", &message(1), &FaultSet::default());
            let (outbox, _inbox) = outbox();
            let ask = ("a", Some(&json!(0)));
            let resumed = hub.resume(&tenancy.session, ask, &outbox, &with(&[fault]), now).unwrap();
            (resumed.recovered, resumed.missed.len())
        };
        assert_eq!(again("messages_lost=3"), (true, 1));
        assert_eq!(again("resume_lies"), (true, 0));
        assert_eq!(again("resume_refused"), (false, 0));
    }
}

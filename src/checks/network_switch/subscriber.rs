//! The connection that listens, and goes away, and comes back.

use std::net::IpAddr;
use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, sleep_until};

use super::Scene;
use super::config::{Mode, RAPID_LEG, Way};
use crate::checks::{Capability, capability};
use crate::dialect::{Answer, Part, Variables};
use crate::model::{Cause, Failure, Outcome, Verdict};
use crate::session::{Ask, Ledger, Talk, Word};
use crate::wire::Record;

/// Names that a session is taken up by, beside what its dialect captured.
const OF_A_CONNECTION: [&str; 3] = ["token", "client", "timestamp"];

/// One switch, as it went.
#[derive(Debug, Clone)]
pub(super) struct Switch {
    /// When the old connection heard its last.
    pub left: StdInstant,
    /// How long we stayed away on purpose.
    pub away: Duration,
    /// What the gateway said of the session.
    pub answer: Option<Answer>,
    /// From the begin of the new dial to that answer; without the wait for our own budget.
    pub took: Duration,
    /// When we asked for the session. What was published before can only come out of the gateway's memory.
    pub asked: StdInstant,
    /// When the session was ours again, or another one.
    pub back: StdInstant,
}

/// The listener of a run.
pub(super) struct Subscriber<'a> {
    scene: &'a Scene<'a>,
    /// Left behind, and yet not ended: a black hole ends only with the run.
    lingering: Vec<Talk>,
    switches: Vec<Switch>,
}

/// What outlives a connection.
struct Memory {
    /// What the next connection knows of the session.
    carried: Variables,
    /// The address to which the last connection went, and all that there were.
    peer: IpAddr,
    addresses: Vec<IpAddr>,
}

impl Memory {
    fn of(talk: &Talk) -> Self {
        let mut carried = talk.variables().clone();
        for name in OF_A_CONNECTION {
            carried.remove(name);
        }
        let dialed = &talk.opened.dialed;
        Self { carried, peer: dialed.peer.ip(), addresses: dialed.addresses.clone() }
    }
}

impl<'a> Subscriber<'a> {
    /// Of a stream that was joined.
    pub(super) fn new(scene: &'a Scene<'a>) -> Self {
        Self { scene, lingering: Vec::new(), switches: Vec::new() }
    }

    /// Goes through all switches, until all is delivered that is going to be.
    pub(super) async fn course(mut self, mut talk: Talk) -> Result<Vec<Switch>, Verdict> {
        let check = self.scene.check;
        let leg = check.every.get() * check.messages;
        self.hear_for(&mut talk, leg).await?;
        for number in 0..check.switches() {
            talk = self.switch(talk, &check.way(number + 1), check.away.get()).await?;
            self.hear_for(&mut talk, leg).await?;
        }
        for number in check.switches()..check.switches() + check.rapid() {
            talk = self.switch(talk, &check.way(number + 1), Duration::ZERO).await?;
            self.hear_for(&mut talk, RAPID_LEG).await?;
        }
        if let Some(absence) = check.long_absence() {
            talk = self.switch(talk, &check.way(check.switches() + check.rapid() + 1), absence).await?;
            self.hear_for(&mut talk, leg).await?;
        }
        self.scene.stream.end();
        self.settle(&mut talk).await?;
        for message in talk.teardown() {
            // What can't be cleaned up is not what this check is about.
            if talk.say(message).await.is_err() {
                break;
            }
        }
        talk.leave(self.scene.visit).await;
        Ok(self.switches)
    }

    /// Leaves without a word, and comes back by this way.
    async fn switch(&mut self, mut talk: Talk, way: &Way, away: Duration) -> Result<Talk, Verdict> {
        let (scene, evidence) = (self.scene, &self.scene.visit.evidence);
        let (mut next, memory, left, away) = match scene.check.mode {
            Mode::BreakBeforeMake => {
                let (memory, left) = (Memory::of(&talk), self.leave(talk)?);
                evidence.remark(format!("has left without a word; comes back by {way}"));
                sleep_until(scene.visit.until(Some(away))).await;
                (self.make(&memory, way).await?, memory, left, away)
            }
            Mode::MakeBeforeBreak => {
                let next = self.make(&Memory::of(&talk), way).await?;
                // What has come meanwhile.
                self.hear_for(&mut talk, Duration::ZERO).await?;
                let (memory, left) = (Memory::of(&talk), self.leave(talk)?);
                evidence.remark(format!("has come by {way}, and left the old way without a word"));
                (next, memory, left, Duration::ZERO)
            }
        };
        let dialed = &next.opened.dialed;
        let (dial, upgraded) = (dialed.timings.total(), next.opened.upgraded_at);
        evidence.remark(format!("back from {}", dialed.local));
        let (mut answer, mut at) = (None, upgraded);
        let asked = StdInstant::now();
        if scene.visit.target().dialect.has(Part::Resume) {
            let (said, when) = self.asked(&mut next, Part::Resume, &memory.carried).await?;
            // In the mode `make_before_break` the new connection has waited for the old one to be left.
            (answer, at) = (Some(said), upgraded + when.saturating_duration_since(asked));
        }
        let back = StdInstant::now();
        if answer != Some(Answer::Resumed) {
            self.subscribe(&mut next).await?;
            // Whatever the old session still had is over with it.
            scene.stream.ledger().forgive();
        }
        let took = dial + at.saturating_duration_since(upgraded);
        self.switches.push(Switch { left, away, answer, took, asked, back });
        Ok(next)
    }

    /// Leaves the connection as the config says; nothing is heard on it any more.
    fn leave(&mut self, mut talk: Talk) -> Result<StdInstant, Verdict> {
        let at = StdInstant::now();
        match self.scene.check.leave.end() {
            Some(how) => talk.opened.dialed.socket.sever(how),
            None => {
                talk.opened.dialed.socket.blackhole().map_err(|error| {
                    let detail = format!("the kernel takes no packet filter: {}", error.kind());
                    Verdict::new(Outcome::Inconclusive(Cause::AgentPath), detail)
                })?;
                self.lingering.push(talk);
            }
        }
        Ok(at)
    }

    /// A new connection by this way, open for the dialect.
    async fn make(&self, memory: &Memory, way: &Way) -> Result<Talk, Verdict> {
        let scene = self.scene;
        let others: Vec<IpAddr> =
            memory.addresses.iter().copied().filter(|address| *address != memory.peer).collect();
        if way.other_address {
            capability(scene.visit, Capability::OtherAddress, !others.is_empty());
        }
        let peer = way.peer(scene.peer, &others);
        let within = Some(scene.check.connect_timeout.get());
        let path = Some(way.path(&scene.visit.target().endpoint.path, peer));
        let ask = Ask { path, within, variables: memory.carried.clone(), ..Ask::default() };
        let opened = scene.visit.open(&ask, &Record::new()).await;
        let opened = opened.map_err(|refusal| not_back(refusal.verdict(), way))?;
        let mut talk = Talk::new(scene.visit, opened);
        talk.open(scene.visit, within).await.map_err(|verdict| not_back(verdict, way))?;
        Ok(talk)
    }

    /// Joins the stream.
    pub(super) async fn subscribe(&self, talk: &mut Talk) -> Result<(), Verdict> {
        match self.asked(talk, Part::Subscribe, &Variables::new()).await? {
            (Answer::Refused, _) => {
                let detail = "the gateway refused to subscribe us";
                Err(Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail))
            }
            _ => Ok(()),
        }
    }

    /// Asks, and listens to the stream until the answer is there.
    async fn asked(
        &self,
        talk: &mut Talk,
        part: Part,
        given: &Variables,
    ) -> Result<(Answer, StdInstant), Verdict> {
        let within = self.scene.check.connect_timeout;
        let asked = talk.ask(part, given).await;
        let asked = asked.map_err(|word| word.unexpected("instead of hearing us out"))?;
        let Some((exchange, at)) = asked else { return Ok((Answer::Accepted, StdInstant::now())) };
        if !self.scene.visit.target().dialect.answers(part) {
            return Ok((Answer::Accepted, at));
        }
        let until = self.scene.visit.until(Some(within.get()));
        loop {
            match self.next(talk, until).await? {
                Some(Word::Answer { exchange: answered, answer, at, .. }) if answered == exchange => {
                    return Ok((answer, at));
                }
                Some(_) => {}
                None if self.is_over(until) => return Err(out_of_time()),
                None => {
                    let detail = format!("{} was not answered within {within}", part.word());
                    return Err(Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail));
                }
            }
        }
    }

    async fn hear_for(&self, talk: &mut Talk, time: Duration) -> Result<(), Verdict> {
        let until = self.scene.visit.until(Some(time));
        while self.next(talk, until).await?.is_some() {}
        Ok(())
    }

    /// Listens until all is delivered that the gateway had acknowledged, and a little on for what comes twice.
    async fn settle(&self, talk: &mut Talk) -> Result<(), Verdict> {
        /// How long it is listened for what must not come.
        const AFTERMATH: Duration = Duration::from_millis(200);
        let scene = self.scene;
        // The publisher takes its last answers meanwhile, for as long.
        while !scene.stream.is_published() {
            self.hear_for(talk, AFTERMATH / 10).await?;
        }
        let patience = scene.visit.until(Some(scene.check.settle.get()));
        while !scene.stream.ledger().is_settled() && Instant::now() < patience {
            if self.next(talk, patience).await?.is_none() {
                break;
            }
        }
        let known = |ledger: &Ledger| ledger.is_settled() && ledger.is_answered();
        if !known(&scene.stream.ledger()) && self.is_over(patience) {
            return Err(out_of_time());
        }
        self.hear_for(talk, AFTERMATH).await
    }

    /// Whether what ended there was the run, and not the gateway's time.
    fn is_over(&self, until: Instant) -> bool {
        until >= self.scene.visit.until(None)
    }

    /// The next word; deliveries are written down. None when time is up.
    async fn next(&self, talk: &mut Talk, until: Instant) -> Result<Option<Word>, Verdict> {
        match talk.next(until).await {
            Word::Delivery { sequence: Some(sequence), at } => {
                self.scene.stream.ledger().delivered(sequence, at);
                Ok(Some(Word::Delivery { sequence: Some(sequence), at }))
            }
            Word::Delivery { sequence: None, .. } => {
                let detail = "a message of the stream came without its number";
                Err(Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail))
            }
            // A large message may be on its way when the moment is over.
            Word::Nothing { .. } => Ok(None),
            over @ Word::Over(..) => Err(over.unexpected("in the middle of the stream")),
            word => Ok(Some(word)),
        }
    }
}

fn out_of_time() -> Verdict {
    let detail = "the time-out of the check came before every message could be accounted for";
    Verdict::new(Outcome::Inconclusive(Cause::Budget), detail)
}

/// Who has been in before is to be let in again.
fn not_back(verdict: Verdict, way: &Way) -> Verdict {
    match verdict.outcome {
        Outcome::Fail(failure) if failure != Failure::Unavailable => {
            let detail = format!("by {way} ({}): {}", failure.reason(), verdict.detail);
            Verdict::new(Outcome::Fail(Failure::ReconnectFailed), detail)
        }
        _ => verdict,
    }
}

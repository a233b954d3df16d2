//! A connection whose token is refreshed.

mod refresh;

use std::pin::pin;
use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, timeout};

use super::Scene;
use super::clock::Moment;
use super::config::{Case, KEEP_ALIVE};
use crate::auth::Token;
use crate::dialect::{Answer, CloseClass, Part, Variables};
use crate::model::{Cause, Failure, Outcome, Span, Verdict};
use crate::session::{Ask, Goodbye, Ledger, Talk, Word};
use crate::wire::Record;

/// What a client says to be seen to be served; without them, it pings.
const WORDS: &[Part] = &[Part::Echo, Part::Heartbeat];
/// How long the run must go on after it was waited for something, to be able to say what came of it.
const LAST_WORD: Duration = Duration::from_millis(200);
/// How long a session is listened to before it is looked whether other work is done.
const STEP: Duration = Duration::from_millis(10);

/// A refresh by a good token, as it went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refresh {
    pub case: Case,
    /// Right before the write.
    pub sent: StdInstant,
    /// What the gateway said, and how long that took.
    pub answer: Option<(Answer, Duration)>,
}

/// Why a client can't go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The gateway ended the session.
    Ended(Ended),
    /// It is open, and not served.
    Unserved,
    /// Something that is not about refreshes.
    Verdict(Verdict),
}

/// An end by the gateway, or by a hop before it.
#[derive(Debug)]
pub(super) struct Ended {
    pub at: StdInstant,
    /// By a Close that says that our credential, or what we asked for, is refused.
    pub refused: bool,
    pub verdict: Verdict,
}

/// A connection whose token is refreshed.
pub(super) struct Client<'a> {
    scene: &'a Scene<'a>,
    talk: Talk,
    /// The token that let it in.
    pub first: Token,
    /// The token that it goes by now, and since when.
    pub current: (Token, StdInstant),
    /// A refresh waits for its answer.
    pub asking: bool,
    /// When the gateway last accepted a token.
    pub accepted: Option<StdInstant>,
    /// Refreshes by good tokens.
    pub refreshes: Vec<Refresh>,
    /// When it last gave a sign of life.
    spoke: StdInstant,
}

impl<'a> Client<'a> {
    /// Opens a session by this token.
    ///
    /// # Errors
    /// The verdict, which never accuses the gateway: to let us in is what `handshake` looks at.
    pub(super) async fn open(scene: &'a Scene<'a>, token: Token) -> Result<Self, Verdict> {
        let within = scene.check.connect_timeout.get();
        let ask = Ask {
            peer: scene.peer,
            within: Some(within),
            token: Some(token.clone()),
            variables: scene.given.clone(),
            ..Ask::default()
        };
        let opened = scene.visit.open(&ask, &Record::new()).await.map_err(|refusal| {
            let verdict = refusal.precondition();
            match refusal.verdict().outcome {
                Outcome::Fail(Failure::Unauthorized) => {
                    let detail =
                        format!("a token that lives for {}: {}", scene.check.lifetime(), verdict.detail);
                    Verdict::new(verdict.outcome, detail)
                }
                _ => verdict,
            }
        })?;
        let talk = Talk::begin(scene.visit, opened, within).await?;
        Ok(Self::of(scene, talk, token))
    }

    /// A session that is open.
    pub(super) fn of(scene: &'a Scene<'a>, talk: Talk, token: Token) -> Self {
        let now = StdInstant::now();
        Self {
            scene,
            talk,
            current: (token.clone(), now),
            first: token,
            asking: false,
            accepted: None,
            refreshes: Vec::new(),
            spoke: now,
        }
    }

    /// Joins the stream.
    pub(super) async fn subscribe(&mut self) -> Result<(), Stop> {
        let asked = self.talk.ask(Part::Subscribe, &Variables::new()).await;
        let asked = asked.map_err(|word| self.stop(word, "instead of hearing us out"))?;
        let Some((exchange, _)) = asked else { return Ok(()) };
        if !self.scene.visit.target().dialect.answers(Part::Subscribe) {
            return Ok(());
        }
        let until = self.scene.visit.until(Some(self.scene.check.connect_timeout.get()));
        loop {
            let fail = |detail| Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail);
            match self.next(until).await? {
                Some(Word::Answer { exchange: answered, answer, .. }) if answered == exchange => {
                    return match answer {
                        Answer::Refused => Err(Stop::Verdict(fail("the gateway refused to subscribe us"))),
                        _ => Ok(()),
                    };
                }
                Some(_) => {}
                None if self.is_over(until) => return Err(Stop::Verdict(out_of_time())),
                None => return Err(Stop::Verdict(fail("the gateway did not answer when we subscribed"))),
            }
        }
    }

    /// Listens to the stream for so long.
    pub(super) async fn listen_for(&mut self, time: Duration) -> Result<(), Stop> {
        let until = self.scene.visit.until(Some(time));
        while self.next(until).await?.is_some() {}
        Ok(())
    }

    /// Stays a good client while something else takes its time, a token's issuer say: a gateway that pings meanwhile
    /// is answered.
    ///
    /// # Errors
    /// When the session does not go on, or with the verdict on the work.
    pub(super) async fn meanwhile<T>(
        &mut self,
        work: impl Future<Output = Result<T, Verdict>>,
    ) -> Result<T, Stop> {
        let mut work = pin!(work);
        loop {
            // Both to the end of the step: a word that is half read must not be dropped.
            let (heard, done) = tokio::join!(self.listen_for(STEP), timeout(STEP, &mut work));
            heard?;
            if let Ok(done) = done {
                return done.map_err(Stop::Verdict);
            }
        }
    }

    /// Only listens until then.
    pub(super) async fn listen_until(&mut self, at: StdInstant) -> Result<(), Stop> {
        self.listen_for(at.saturating_duration_since(StdInstant::now())).await
    }

    /// Is a good client until then: gives a sign of life now and then.
    pub(super) async fn live_until(&mut self, at: StdInstant) -> Result<(), Stop> {
        while StdInstant::now() < at && !self.is_over(Instant::now()) {
            let next = self.spoke + KEEP_ALIVE;
            self.listen_until(at.min(next)).await?;
            if next <= StdInstant::now() {
                self.serve().await?;
            }
        }
        Ok(())
    }

    /// To be open is not enough: it must be served.
    pub(super) async fn serve(&mut self) -> Result<(), Stop> {
        let within = self.scene.check.pong_timeout.get();
        let enough = self.scene.time_left(within);
        self.spoke = StdInstant::now();
        match self.talk.say_something(self.scene.visit, WORDS, within).await {
            Ok(_) => Ok(()),
            Err(Verdict { outcome: Outcome::Fail(Failure::PongLost), .. }) if enough => Err(Stop::Unserved),
            Err(Verdict { outcome: Outcome::Fail(Failure::PongLost), .. }) => {
                Err(Stop::Verdict(out_of_time()))
            }
            Err(verdict) => Err(self.stopped(verdict)),
        }
    }

    /// Listens until all is delivered that the gateway had acknowledged.
    pub(super) async fn settle(&mut self) -> Result<(), Stop> {
        let Some(stream) = &self.scene.stream else { return Ok(()) };
        stream.end();
        // The publisher takes its last answers meanwhile.
        while !stream.is_published() {
            self.listen_for(LAST_WORD / 10).await?;
            if self.is_over(Instant::now()) {
                return Err(Stop::Verdict(out_of_time()));
            }
        }
        let patience = self.scene.visit.until(Some(self.scene.check.settle.get()));
        while !stream.ledger().is_settled() && Instant::now() < patience {
            if self.next(patience).await?.is_none() {
                break;
            }
        }
        let known = |ledger: &Ledger| ledger.is_settled() && ledger.is_answered();
        if !known(&stream.ledger()) && self.is_over(patience) {
            return Err(Stop::Verdict(out_of_time()));
        }
        self.listen_for(LAST_WORD).await
    }

    /// Publishes to the stream, until it is to end.
    ///
    /// # Errors
    /// The verdict, when the gateway refuses a message or ends the session.
    pub(super) async fn publish(&mut self) -> Result<(), Verdict> {
        let Some(stream) = &self.scene.stream else { return Ok(()) };
        let published = stream.publish(self.scene.visit, &mut self.talk).await;
        published.map_err(|verdict| match self.stopped(verdict) {
            Stop::Verdict(verdict) => verdict,
            Stop::Ended(ended) if ended.refused && self.may_have_expired(ended.at) => {
                super::own_token(&ended.verdict)
            }
            Stop::Ended(ended) => ended.verdict,
            Stop::Unserved => super::not_served(),
        })
    }

    /// Cleans up, and says goodbye.
    pub(super) async fn leave(mut self) {
        for message in self.talk.teardown() {
            // What can't be cleaned up is not what this check is about.
            if self.talk.say(message).await.is_err() {
                return;
            }
        }
        self.talk.leave(self.scene.visit).await;
    }

    /// When this token expires by the gateway's clock, where it says so.
    pub(super) fn expiry(&self, token: &Token) -> Option<Moment> {
        token.expires_at().map(|at| self.scene.clock.moment(at))
    }

    /// Whether the token that it goes by may have expired at that moment.
    pub(super) fn may_have_expired(&self, at: StdInstant) -> bool {
        self.expiry(&self.current.0).is_some_and(|expiry| expiry.first() <= at)
    }

    /// Whether what ended there was the run, and not the gateway's time.
    fn is_over(&self, until: Instant) -> bool {
        until >= self.scene.visit.until(None)
    }

    /// The next word; deliveries are written down. None when time is up.
    async fn next(&mut self, until: Instant) -> Result<Option<Word>, Stop> {
        match self.talk.next(until).await {
            Word::Delivery { sequence, at } => {
                if let (Some(sequence), Some(stream)) = (sequence, &self.scene.stream) {
                    stream.ledger().delivered(sequence, at);
                }
                Ok(Some(Word::Delivery { sequence, at }))
            }
            // A large message may be on its way when the moment is over.
            Word::Nothing { .. } => Ok(None),
            over @ Word::Over(..) => Err(self.stop(over, "in the middle of a session")),
            word => Ok(Some(word)),
        }
    }

    fn stop(&self, word: Word, when: &str) -> Stop {
        self.stopped(word.unexpected(when))
    }

    fn stopped(&self, verdict: Verdict) -> Stop {
        use Failure::{ConnectionCut, ConnectionReset, SessionClosed};
        if !matches!(verdict.outcome, Outcome::Fail(SessionClosed | ConnectionCut | ConnectionReset)) {
            return Stop::Verdict(verdict);
        }
        let (at, refused) = match self.talk.goodbye() {
            Some(Goodbye::Close { code, class, at }) => {
                (at, class == Some(CloseClass::Refused) || class.is_none() && code == Some(1008))
            }
            Some(Goodbye::Ended { at }) => (at, false),
            None => (StdInstant::now(), false),
        };
        Stop::Ended(Ended { at, refused, verdict })
    }
}

impl Scene<'_> {
    /// Whether something that may take so long still can before the run must end.
    pub(super) fn time_left(&self, within: Duration) -> bool {
        Instant::now() + within + LAST_WORD < self.visit.until(None)
    }

    /// Whether the run still goes on so long after that moment.
    pub(super) fn lasts(&self, until: StdInstant, and: Duration) -> bool {
        Instant::from_std(until) + and + LAST_WORD < self.visit.until(None)
    }
}

fn out_of_time() -> Verdict {
    let detail = "the time-out of the check came before the gateway's answer was due";
    Verdict::new(Outcome::Inconclusive(Cause::Budget), detail)
}

/// A length of time for people.
pub(super) fn told(time: Duration) -> Span {
    Span::millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

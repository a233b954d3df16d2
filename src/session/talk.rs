//! A conversation: a dialect driven over an open WebSocket. The dialect says what is meant; this sends,
//! stamps, and answers as far as our manners go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::manners::{Level, Manners};
use super::opened::{Heard, Opened};
use super::transcript::Line;
use super::visit::Visit;
use super::volley::Goodbye;
use super::word::Word;
use crate::dialect::{Dialogue, Meaning, Message, Part, Variables};
use crate::model::{Cause, Failure, Outcome, Phase, Verdict};
use crate::wire::{Broken, OutFrame, SendError};

/// Words that are kept while we wait for the budget; beyond, the gateway waits too.
const BACKLOG: usize = 256;

/// A conversation on one connection.
#[derive(Debug)]
pub struct Talk {
    /// The connection below.
    pub opened: Opened,
    /// What we answer by ourselves; may change at any time.
    pub manners: Manners,
    dialogue: Dialogue,
    /// Does not read, not even while it waits for the budget.
    pub deaf: bool,
    /// What was heard while we waited for the budget.
    backlog: VecDeque<Word>,
    /// When the run must be over: a gateway that takes nothing is not to hold it longer.
    pub(super) last: Instant,
    /// What we owe for the latest ping and the latest beat that we did not answer.
    owed: (Option<Bytes>, Option<Message>),
    /// A ping or a beat of the gateway's was answered.
    answered: bool,
    /// What was said, word by word, for whoever wants to read along; a check never does.
    transcript: Option<Vec<Line>>,
    goodbye: Option<Goodbye>,
}

impl Talk {
    /// Begins the conversation of a check that is about something else than the opening: `handshake` counts it
    /// where the gateway does not do its part.
    ///
    /// # Errors
    /// The verdict: inconclusive.
    pub async fn begin(visit: &Visit, opened: Opened, within: Duration) -> Result<Self, Verdict> {
        let mut talk = Self::new(visit, opened);
        talk.open(visit, Some(within)).await.map_err(precondition)?;
        Ok(talk)
    }

    /// A conversation of which nothing was said yet; attentive.
    pub fn new(visit: &Visit, mut opened: Opened) -> Self {
        let given = std::mem::take(&mut opened.variables);
        // An answer that a gateway gives to the wrong connection must not pass for one of ours.
        let first = u64::from(rand::random::<u32>());
        let dialogue = Dialogue::new(Arc::clone(&visit.target().dialect), given).numbered_from(first);
        Self {
            opened,
            manners: Manners::ATTENTIVE,
            deaf: false,
            dialogue,
            owed: (None, None),
            answered: false,
            backlog: VecDeque::new(),
            last: visit.until(None),
            transcript: None,
            goodbye: None,
        }
    }

    /// Until when what is said from now on may take: a conversation that outlives its run has no other end.
    pub fn grant(&mut self, until: Instant) {
        self.last = until;
    }

    /// Keeps a transcript from now on, until it is taken.
    pub fn transcribe(&mut self) {
        self.transcript.get_or_insert_default();
    }

    /// What was said since the last time.
    pub fn take_transcript(&mut self) -> Vec<Line> {
        self.transcript.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The token where it goes by first message, then the dialect's own opening; a step for which the dialect names
    /// no time may take as long as `within`.
    ///
    /// # Errors
    /// The verdict, when the gateway does not do its part.
    pub async fn open(&mut self, visit: &Visit, within: Option<Duration>) -> Result<(), Verdict> {
        self.opened.authenticate(visit.target()).await?;
        if !self.dialogue.is_open() {
            self.opened.evidence.enter(Phase::FirstMessage);
        }
        let mut step_until = (usize::MAX, visit.until(None));
        loop {
            while let Some(message) = self.dialogue.poll_send() {
                self.say(message).await.map_err(|word| word.unexpected("while the session was opened"))?;
            }
            if self.dialogue.is_open() {
                self.opened.evidence.enter(Phase::Session);
                return Ok(());
            }
            let awaited = self.dialogue.awaits();
            let step = awaited.as_ref().map_or(0, |awaited| awaited.step);
            if step_until.0 != step {
                // One deadline a step: whatever else comes meanwhile does not move it.
                let within = awaited.and_then(|awaited| awaited.within).or(within);
                step_until = (step, visit.until(within));
            }
            let until = step_until.1;
            let fail = |failure, detail| Err(Verdict::new(Outcome::Fail(failure), detail));
            match self.next(until).await {
                Word::Nothing { mid_frame: false } => {
                    let detail = format!("step {step} of the dialect's `open` did not come in time");
                    return fail(Failure::FirstMessageTimeout, detail);
                }
                Word::WrongStep | Word::Error { .. } => {
                    let detail = format!("a message came that is not step {step} of the dialect's `open`");
                    return fail(Failure::DialectMismatch, detail);
                }
                over @ (Word::Over(..) | Word::Nothing { .. }) => {
                    return Err(over.unexpected("while the session was opened"));
                }
                _ => {}
            }
        }
    }

    /// What the gateway says next, or nothing by `until`. What it asks is answered as our manners are.
    ///
    /// Not to be cancelled: an answer may be half out. See [`Talk::next_unless`].
    pub async fn next(&mut self, until: Instant) -> Word {
        if let Some(word) = self.backlog.pop_front() {
            return word;
        }
        let heard = self.opened.hear(until).await;
        self.mind(heard).await
    }

    /// The same; none when `stop` is cancelled first.
    pub async fn next_unless(&mut self, stop: &CancellationToken, until: Instant) -> Option<Word> {
        if let Some(word) = self.backlog.pop_front().filter(|_| !stop.is_cancelled()) {
            return Some(word);
        }
        let heard = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            heard = self.opened.hear(until) => heard,
        };
        Some(self.mind(heard).await)
    }

    async fn mind(&mut self, heard: Heard) -> Word {
        if let Some(transcript) = &mut self.transcript {
            transcript.extend(Line::heard(&heard));
        }
        match heard {
            Heard::Ping { payload, at } => {
                self.owed.0 = Some(payload);
                self.answer(self.manners.pongs, false).await;
                Word::Beat { level: Level::Protocol, at }
            }
            Heard::Pong { payload, at } => Word::Pong { payload, at },
            Heard::Message { message, at } => match self.dialogue.hear(&message) {
                Meaning::Beat { reply } => {
                    self.owed.1 = reply;
                    self.answer(false, self.manners.beats).await;
                    Word::Beat { level: Level::Application, at }
                }
                Meaning::Answer { exchange, part, result } => {
                    Word::Answer { exchange, part, answer: result, at }
                }
                Meaning::Stray { part, repeated } => Word::Stray { part, repeated, at },
                Meaning::Delivery { sequence } => Word::Delivery { sequence, at },
                Meaning::Reconnect { delay } => Word::Reconnect { delay, at },
                Meaning::Step => Word::Step,
                Meaning::WrongStep => Word::WrongStep,
                Meaning::Error => Word::Error { at },
                Meaning::Other => Word::Other { message, at },
            },
            Heard::Nothing { mid_frame } => Word::Nothing { mid_frame },
            over => self.over(over),
        }
    }

    fn over(&mut self, heard: Heard) -> Word {
        let class = match heard {
            Heard::Close { code: Some(code), .. } => self.dialogue.dialect().close_class(code),
            _ => None,
        };
        let goodbye = match heard {
            Heard::Close { code, at } => Some(Goodbye::Close { code, class, at }),
            Heard::Ended { at, .. } => Some(Goodbye::Ended { at }),
            _ => None,
        };
        self.goodbye = self.goodbye.or(goodbye);
        Word::Over(heard, class)
    }

    /// How the gateway ended the conversation, if it did.
    pub fn goodbye(&self) -> Option<Goodbye> {
        self.goodbye
    }

    /// Whether the gateway has asked for a sign of life, and got it.
    pub fn has_answered(&self) -> bool {
        self.answered
    }

    /// Answers the latest ping and the latest heartbeat that were left unanswered. One pong answers all
    /// earlier pings as well (RFC 6455, section 5.5.3).
    pub async fn make_up(&mut self) {
        self.answer(true, true).await;
    }

    /// Where an answer can't be sent any more, what is read next tells why.
    async fn answer(&mut self, pong: bool, beat: bool) {
        if let Some(payload) = self.owed.0.take_if(|_| pong) {
            self.answered |= self.deliver(&OutFrame::pong(payload)).await.is_ok();
        }
        if let Some(reply) = self.owed.1.take_if(|_| beat) {
            self.answered |= self.deliver(&frame(reply)).await.is_ok();
        }
    }

    /// Pings, within the budget; gives the time right before the write.
    ///
    /// # Errors
    /// What the gateway had said instead, when the connection takes no more.
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<StdInstant, Word> {
        let frame = OutFrame::ping(payload);
        self.afford(frame.payload.len()).await?;
        self.send(frame).await
    }

    /// Waits until a frame is within the budget. What the gateway says meanwhile is read and answered at once:
    /// that we have to wait is not its fault. Where the wait is longer than the run may be, there is no use in it.
    pub(super) async fn afford(&mut self, bytes: usize) -> Result<(), Word> {
        let Some(at) = self.opened.book(bytes) else { return Ok(()) };
        if at > self.last {
            return Err(Word::Unaffordable);
        }
        loop {
            let heard = tokio::select! {
                biased;
                () = sleep_until(at) => return Ok(()),
                heard = self.opened.hear(self.last), if !self.deaf && self.backlog.len() < BACKLOG => heard,
            };
            let word = self.mind(heard).await;
            let over = matches!(word, Word::Over(..) | Word::Nothing { .. });
            self.backlog.push_back(word);
            if over {
                sleep_until(at).await;
                return Ok(());
            }
        }
    }

    /// Asks by a part of the dialect, within the budget; gives the question's number and the time right
    /// before the write. None where the dialect does not have the part.
    ///
    /// # Errors
    /// As [`Talk::ping`].
    pub async fn ask(
        &mut self,
        part: Part,
        variables: &Variables,
    ) -> Result<Option<(u64, StdInstant)>, Word> {
        // An echo of nothing may be taken for a mistake.
        let payload = (part == Part::Echo && variables.get("payload").is_none()).then_some("gateprobe");
        let with_payload = payload.map(|payload| variables.clone().with("payload", payload));
        let variables = with_payload.as_ref().unwrap_or(variables);
        let Some(asked) = self.dialogue.ask(part, variables) else { return Ok(None) };
        let at = self.say(asked.message).await?;
        Ok(Some((asked.exchange, at)))
    }

    /// No answer is expected any more.
    pub fn forget(&mut self, exchange: u64) {
        self.dialogue.forget(exchange);
    }

    /// What cleans up after us, in order.
    pub fn teardown(&self) -> Vec<Message> {
        self.dialogue.teardown()
    }

    /// Whether the dialect has a part.
    pub fn has(&self, part: Part) -> bool {
        self.dialogue.dialect().has(part)
    }

    /// What was given to the conversation and what it captured.
    pub fn variables(&self) -> &Variables {
        self.dialogue.variables()
    }

    /// Says a message, within the budget; gives the time right before the write.
    ///
    /// # Errors
    /// As [`Talk::ping`].
    pub async fn say(&mut self, message: Message) -> Result<StdInstant, Word> {
        let frame = frame(message);
        self.afford(frame.payload.len()).await?;
        self.send(frame).await
    }

    async fn send(&mut self, frame: OutFrame) -> Result<StdInstant, Word> {
        match self.deliver(&frame).await {
            Ok(at) => Ok(at),
            Err(error) => Err(self.instead(error).await),
        }
    }

    /// What the gateway said before it hung up may still be there to be read, and says more.
    pub(super) async fn instead(&mut self, error: SendError) -> Word {
        loop {
            match self.opened.hear(Instant::now()).await {
                Heard::Message { .. } | Heard::Ping { .. } | Heard::Pong { .. } => {}
                Heard::Nothing { .. } => return self.over(ended(error)),
                over => return self.over(over),
            }
        }
    }

    async fn deliver(&mut self, frame: &OutFrame) -> Result<StdInstant, SendError> {
        let sent = timeout_at(self.last, self.opened.dialed.socket.send(frame)).await;
        // A part of the frame may be out: nothing can be said on this connection any more.
        let at = sent.unwrap_or(Err(SendError::Broken(Broken::Lost(std::io::ErrorKind::TimedOut))))?;
        if let Some(transcript) = &mut self.transcript {
            transcript.push(Line::sent(at, frame));
        }
        Ok(at)
    }

    /// Says goodbye where that is possible at once; how the gateway takes it is not looked at.
    pub async fn leave(mut self, visit: &Visit) {
        if self.afford(2).await.is_err() {
            return;
        }
        self.opened.evidence.enter(Phase::Close);
        let _ = self.opened.say_close(1000, visit.until(Some(super::COURTESY))).await;
    }
}

/// What another check than `handshake` says of an opening that failed.
fn precondition(verdict: Verdict) -> Verdict {
    match verdict.outcome {
        Outcome::Fail(failure) => {
            let detail = format!("could not open the session ({}): {}", failure.reason(), verdict.detail);
            Verdict::new(Outcome::Inconclusive(Cause::Precondition), detail)
        }
        _ => verdict,
    }
}

fn ended(error: SendError) -> Heard {
    match error {
        SendError::Ended(how) => Heard::Ended { how, at: StdInstant::now() },
        SendError::Broken(broken) => Heard::Broken(broken),
    }
}

fn frame(message: Message) -> OutFrame {
    match message {
        Message::Text(text) => OutFrame::text(text),
        Message::Binary(bytes) => OutFrame::binary(bytes),
    }
}

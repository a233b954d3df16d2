//! A trial of a dialect on a real gateway: each part that it has, once, and told as it goes.

use std::time::{Duration, Instant as StdInstant};

use super::manners::Level;
use super::offer::Ask;
use super::redact::redacted;
use super::talk::Talk;
use super::visit::Visit;
use super::word::Word;
use crate::dialect::{Answer, Part, Variables};
use crate::model::{Failure, Outcome, Side, Verdict};
use crate::wire::Record;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is told, as it happens.
#[derive(Debug)]
pub enum Told {
    /// A part begins, or is left out; in a few words.
    Part(String),
    /// Something was said: when, by whom, and what, redacted.
    Line {
        /// Since the trial began.
        at: Duration,
        /// Who said it.
        from: Side,
        /// What, on one line.
        text: String,
    },
    /// A part met what the dialect says.
    Good(String),
}

/// Holds one conversation with a gateway, part by part: the opening, our heartbeat, echo, subscribe and publish,
/// and for `listen` the gateway's own heartbeat. What would need a second token or a lost session is left out and
/// told.
///
/// # Errors
/// The verdict, at the first part that does not go as the dialect says.
pub async fn trial(visit: &Visit, listen: Duration, tell: &mut impl FnMut(Told)) -> Result<(), Verdict> {
    let began = StdInstant::now();
    tell(Told::Part("connect".into()));
    let opened = visit.open(&Ask::default(), &Record::new()).await.map_err(|refusal| refusal.verdict())?;
    tell(Told::Good(format!("in after {} ms", opened.dialed.timings.total().as_millis())));
    let mut talk = Talk::new(visit, opened);
    talk.transcribe();
    tell(Told::Part("open".into()));
    let result = talk.open(visit, None).await;
    let mut course = Course { visit, talk, began, tell };
    course.told();
    result?;
    for part in [Part::Heartbeat, Part::Echo, Part::Subscribe, Part::Publish] {
        if visit.target().dialect.has(part) {
            course.exchange(part).await?;
        }
    }
    course.listen(listen).await?;
    for part in [Part::Resume, Part::Refresh] {
        if visit.target().dialect.has(part) {
            (course.tell)(Told::Part(format!(
                "{}: left out, it needs more than one conversation",
                part.word()
            )));
        }
    }
    (course.tell)(Told::Part("teardown and close".into()));
    for message in course.talk.teardown() {
        let said = course.talk.say(message).await;
        course.told();
        said.map_err(|word| word.unexpected("before the teardown was over"))?;
    }
    let Course { talk, tell, began, .. } = course;
    talk.leave(visit).await;
    tell(Told::Line { at: began.elapsed(), from: Side::Us, text: "close".into() });
    Ok(())
}

struct Course<'a, F> {
    visit: &'a Visit,
    talk: Talk,
    began: StdInstant,
    tell: &'a mut F,
}

impl<F: FnMut(Told)> Course<'_, F> {
    /// Tells what was said since the last time.
    fn told(&mut self) {
        for line in self.talk.take_transcript() {
            let text = match &line.message {
                None => line.what.to_owned(),
                Some(message) => redacted(message, self.talk.variables()),
            };
            let at = line.at.saturating_duration_since(self.began);
            (self.tell)(Told::Line { at, from: line.from, text });
        }
    }

    /// Asks, and waits for the answer, and for what was published to be delivered.
    async fn exchange(&mut self, part: Part) -> Result<(), Verdict> {
        (self.tell)(Told::Part(part.word().to_owned()));
        let given = Variables::new()
            .with("channel", "gateprobe-trial")
            .with("sequence", 1)
            .with("payload", "gateprobe");
        let asked = self.talk.ask(part, &given).await;
        self.told();
        let asked = asked.map_err(|word| word.unexpected("instead of hearing us out"))?;
        let Some((exchange, asked_at)) = asked else { return Ok(()) };
        let until = self.visit.until(Some(PATIENCE));
        loop {
            let word = self.talk.next(until).await;
            self.told();
            match word {
                Word::Answer { exchange: answered, answer, at, .. } if answered == exchange => {
                    if answer == Answer::Refused {
                        let detail = format!("{} was refused", part.word());
                        return Err(Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail));
                    }
                    let micros = at.saturating_duration_since(asked_at).as_micros();
                    (self.tell)(Told::Good(format!(
                        "answered after {}.{:03} ms",
                        micros / 1_000,
                        micros % 1_000
                    )));
                    return Ok(());
                }
                Word::Nothing { .. } => {
                    let detail = format!("{} was not answered within {} s", part.word(), PATIENCE.as_secs());
                    return Err(Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail));
                }
                over @ Word::Over(..) => return Err(over.unexpected("instead of answering")),
                _ => {}
            }
        }
    }

    /// Listens for the gateway's own heartbeat.
    async fn listen(&mut self, patience: Duration) -> Result<(), Verdict> {
        let dialect = &self.visit.target().dialect;
        let (beats, pings) = (dialect.beats(), dialect.pings_interval(self.talk.variables()).is_some());
        if patience.is_zero() || !(beats || pings) {
            return Ok(());
        }
        (self.tell)(Told::Part(format!("the gateway's heartbeat, for {} s at most", patience.as_secs())));
        let until = self.visit.until(Some(patience));
        loop {
            let word = self.talk.next(until).await;
            self.told();
            match word {
                Word::Beat { level, .. } if beats == (level == Level::Application) => {
                    (self.tell)(Told::Good(format!("its {} heartbeat came", level.label())));
                    return Ok(());
                }
                Word::Nothing { .. } => {
                    (self.tell)(Told::Part("none came: listen for longer, or it has none".into()));
                    return Ok(());
                }
                over @ Word::Over(..) => return Err(over.unexpected("while we listened")),
                _ => {}
            }
        }
    }
}

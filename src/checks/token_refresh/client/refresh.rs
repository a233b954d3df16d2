//! What a client says to have its token refreshed, and what it hears.

use std::time::{Instant as StdInstant, SystemTime};

use super::{Client, Refresh, Stop, out_of_time};
use crate::auth::Token;
use crate::checks::token_refresh::{config::Case, no_refresh};
use crate::dialect::{Answer, Part, Variables};
use crate::session::Word;

impl Client<'_> {
    /// Refreshes by a good token; tells whether the gateway accepted it.
    ///
    /// # Errors
    /// When the session does not go on.
    pub(in crate::checks::token_refresh) async fn renew(
        &mut self,
        case: Case,
        token: &Token,
    ) -> Result<bool, Stop> {
        let asked = self.ask(token).await?;
        let answers = self.answers([asked]).await;
        if let Err(Stop::Ended(ended)) = &answers
            && self.may_have_expired(ended.at)
        {
            // The token that it went by ran out while it waited.
            self.asking = false;
            self.keep(case, asked.1, None, token);
        }
        let [answer] = answers?;
        self.keep(case, asked.1, answer, token);
        Ok(matches!(answer, Some((Answer::Accepted, _))))
    }

    /// Whether the gateway answered each refresh: after one that it did not, nobody knows which token is the current
    /// one.
    pub(in crate::checks::token_refresh) fn was_answered(&self) -> bool {
        self.refreshes.iter().all(|refresh| refresh.answer.is_some())
    }

    /// Refreshes by two good tokens, without waiting between them.
    ///
    /// # Errors
    /// When the session does not go on.
    pub(in crate::checks::token_refresh) async fn renew_together(
        &mut self,
        case: Case,
        tokens: [&Token; 2],
    ) -> Result<(), Stop> {
        let asked = [self.ask(tokens[0]).await?, self.ask(tokens[1]).await?];
        let answers = self.answers(asked).await?;
        for ((token, answer), (_, sent)) in tokens.into_iter().zip(answers).zip(asked) {
            self.keep(case, sent, answer, token);
        }
        Ok(())
    }

    /// Refreshes by a bad token; gives the gateway's answer.
    ///
    /// # Errors
    /// When the session does not go on.
    pub(in crate::checks::token_refresh) async fn try_bad(
        &mut self,
        token: &Token,
    ) -> Result<Option<Answer>, Stop> {
        let asked = self.ask(token).await?;
        let [answer] = self.answers([asked]).await?;
        Ok(answer.map(|(answer, _)| answer))
    }

    fn keep(&mut self, case: Case, sent: StdInstant, answer: Option<(Answer, StdInstant)>, token: &Token) {
        if let Some((Answer::Accepted, at)) = answer {
            self.accepted = Some(at);
            self.current = (token.clone(), at);
        }
        let answer = answer.map(|(answer, at)| (answer, at.saturating_duration_since(sent)));
        self.refreshes.push(Refresh { case, sent, answer });
    }

    async fn ask(&mut self, token: &Token) -> Result<(u64, StdInstant), Stop> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let given = Variables::new().with("token", token.expose()).with("timestamp", now.as_secs());
        match self.talk.ask(Part::Refresh, &given).await {
            Ok(Some(asked)) => {
                self.asking = true;
                Ok(asked)
            }
            // Looked at before the run began.
            Ok(None) => Err(Stop::Verdict(no_refresh())),
            Err(word) => Err(self.stop(word, "instead of taking a refresh")),
        }
    }

    /// The answers to what was asked, for as long as they may take.
    async fn answers<const N: usize>(
        &mut self,
        asked: [(u64, StdInstant); N],
    ) -> Result<[Option<(Answer, StdInstant)>; N], Stop> {
        let mut answers = [None; N];
        let until = self.scene.visit.until(Some(self.scene.check.refresh_timeout.get()));
        let tells_refusals = self.scene.visit.target().dialect.refuses(Part::Refresh);
        while answers.iter().any(Option::is_none) {
            match self.next(until).await? {
                Some(Word::Answer { exchange, answer, at, .. }) => {
                    let place = asked.iter().position(|(number, _)| *number == exchange);
                    if let Some(place) = place {
                        answers[place] = Some((answer, at));
                    }
                }
                // All that such a dialect has to say no.
                Some(Word::Error { at }) if !tells_refusals => {
                    if let Some(place) = answers.iter().position(Option::is_none) {
                        self.talk.forget(asked[place].0);
                        answers[place] = Some((Answer::Refused, at));
                    }
                }
                Some(_) => {}
                None if self.is_over(until) => return Err(Stop::Verdict(out_of_time())),
                None => break,
            }
        }
        self.asking = false;
        Ok(answers)
    }
}

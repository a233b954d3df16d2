//! What was seen of all sessions of a run, and what it adds up to.

use std::time::Duration;

use super::bad_token::BadToken;
use super::bad_tokens::Reception;
use super::client::Refresh;
use super::expiry::Expired;
use super::renew::{Fate, Proof, Session};
use crate::dialect::Answer;
use crate::model::Verdict;

/// What was seen of all sessions of a run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those that renewed their token.
    pub sessions: Vec<Session>,
    /// Bad tokens, and how they were taken.
    pub bad: Vec<(BadToken, Reception)>,
    /// The one that did not renew its token.
    pub expired: Option<Expired>,
    /// The stream was listened to, to its end.
    pub streamed: bool,
    /// There was no new token to renew by.
    pub same_token: bool,
}

impl Seen {
    /// Accepted refreshes, and how long each took.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (&Refresh, Duration)> {
        self.refreshes().filter_map(|refresh| match refresh.answer {
            Some((Answer::Accepted, took)) => Some((refresh, took)),
            _ => None,
        })
    }

    /// The mean of the times of accepted refreshes.
    pub(super) fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.accepted().count()).ok().filter(|count| *count > 0)?;
        Some(self.accepted().map(|(_, took)| took).sum::<Duration>() / count)
    }

    pub(super) fn refreshes(&self) -> impl Iterator<Item = &Refresh> {
        self.sessions.iter().flat_map(|session| &session.refreshes)
    }

    /// The end of a session by a token that had expired, which is no fault of the gateway's.
    pub(super) fn own_token(&self) -> Option<&Verdict> {
        self.sessions.iter().find_map(|session| match &session.fate {
            Fate::Expired(verdict) => Some(verdict),
            _ => None,
        })
    }

    /// Makes up its mind about what was shown by the gateway's own clock: another session that was closed by it in time
    /// has shown that tokens go by it.
    pub(super) fn decide(&mut self) {
        let confirmed = matches!(self.expired, Some(Expired::Closed { by_date: true, .. }));
        for session in &mut self.sessions {
            if let Fate::Lives(proof @ Proof::ByDate) = &mut session.fate {
                let why = "the gateway's `Date` is ahead of our clock, and no session showed which one tokens go by";
                *proof = if confirmed { Proof::Shown } else { Proof::Missing(why.to_owned()) };
            }
        }
    }

    pub(super) fn proof(&self) -> Option<&Proof> {
        let proofs = || {
            self.sessions.iter().filter_map(|session| match &session.fate {
                Fate::Lives(proof) => Some(proof),
                _ => None,
            })
        };
        let missing = || proofs().find(|proof| matches!(proof, Proof::Missing(_)));
        proofs().find(|proof| **proof == Proof::Shown).or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::checks::token_refresh::config::Case;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn session(case: Case, answers: &[Option<(Answer, Duration)>], fate: Fate) -> Session {
        let refresh =
            |answer: &Option<(Answer, Duration)>| Refresh { case, sent: Instant::now(), answer: *answer };
        Session { case, refreshes: answers.iter().map(refresh).collect(), fate }
    }

    #[test]
    fn the_mean_is_of_what_was_accepted() {
        let answers = [
            Some((Answer::Accepted, ms(10))),
            Some((Answer::Refused, ms(90))),
            Some((Answer::Accepted, ms(30))),
            None,
        ];
        let mut seen = Seen::default();
        assert_eq!(seen.mean(), None);
        seen.sessions.push(session(Case::Renew, &answers, Fate::Unknown));
        assert_eq!(seen.mean(), Some(ms(20)));
    }

    #[test]
    fn one_session_that_lived_on_is_proof_enough() {
        let lives = |proof| session(Case::Renew, &[], Fate::Lives(proof));
        let missing = Proof::Missing("too late".into());
        let mut seen = Seen { sessions: vec![lives(Proof::Nothing)], ..Seen::default() };
        assert_eq!(seen.proof(), None);
        seen.sessions.push(lives(missing.clone()));
        assert_eq!(seen.proof(), Some(&missing));
        seen.sessions.push(lives(Proof::Shown));
        assert_eq!(seen.proof(), Some(&Proof::Shown));
    }
}

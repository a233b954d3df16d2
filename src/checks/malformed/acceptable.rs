//! What counts as a right reaction: words, as the table, a dialect or a target writes them. Pure.

use std::fmt;

use super::reaction::{Reaction, Seen};
use crate::dialect::{CloseClass, ReactionSpec};

/// A word for one reaction or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A Close with this code.
    Code(u16),
    /// A Close without a code.
    NoCode,
    /// A Close with a code of 3000 to 3999.
    Libraries,
    /// A Close with a code of 4000 to 4999.
    Private,
    /// This status.
    Status(u16),
    /// A status of this class: 2 to 5.
    Statuses(u8),
    /// Any status but 101 and 5xx.
    NotUpgraded,
    /// A close code that the dialect calls `refused`.
    Refused,
    /// A close code that the dialect calls `throttled`, 429, or 503 with `Retry-After`.
    Throttled,
    /// We were let in.
    Upgraded,
    /// The dialect's error reply, with the connection kept.
    ErrorReply,
    /// Another message, with the connection kept.
    Replied,
    /// It was taken as good.
    Accepted,
    /// The pong that was due.
    Ponged,
    /// Nothing was said, with the connection kept.
    Ignored,
    /// TCP ended without a Close, or without an answer.
    Unclean,
    /// The connection was neither served nor ended.
    Hang,
}

/// The words that are no numbers, as they are written.
const WORDS: [(&str, Word); 18] = [
    ("close_none", Word::NoCode),
    ("close_3xxx", Word::Libraries),
    ("close_4xxx", Word::Private),
    ("http_2xx", Word::Statuses(2)),
    ("http_3xx", Word::Statuses(3)),
    ("http_4xx", Word::Statuses(4)),
    ("http_5xx", Word::Statuses(5)),
    ("not_upgraded", Word::NotUpgraded),
    ("refused", Word::Refused),
    ("throttled", Word::Throttled),
    ("upgraded", Word::Upgraded),
    ("error_reply", Word::ErrorReply),
    ("replied", Word::Replied),
    ("accepted", Word::Accepted),
    ("ponged", Word::Ponged),
    ("ignored", Word::Ignored),
    ("rejected_unclean", Word::Unclean),
    ("hang", Word::Hang),
];

impl Word {
    /// The word; none for a text that is none.
    pub fn of(spec: &ReactionSpec) -> Option<Self> {
        match spec {
            ReactionSpec::Number(code @ 1000..=4999) => Some(Self::Code(*code)),
            ReactionSpec::Number(status @ 200..=599) => Some(Self::Status(*status)),
            ReactionSpec::Number(_) => None,
            ReactionSpec::Word(text) => WORDS.iter().find(|(name, _)| name == text).map(|(_, word)| *word),
        }
    }

    /// Every word that is no number.
    pub fn names() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(name, _)| *name)
    }

    /// Whether it is a word for what was seen.
    pub fn covers(self, seen: &Seen) -> bool {
        match (self, seen.reaction) {
            (Self::Code(code), Reaction::Close(Some(seen))) => code == seen,
            (Self::NoCode, Reaction::Close(None)) => true,
            (Self::Libraries, Reaction::Close(Some(code))) => (3000..=3999).contains(&code),
            (Self::Private, Reaction::Close(Some(code))) => (4000..=4999).contains(&code),
            (Self::Refused, Reaction::Close(Some(_))) => seen.class == Some(CloseClass::Refused),
            (Self::Throttled, _) => seen.asks_for_patience(),
            (Self::Status(status), Reaction::Status(seen)) => status == seen,
            (Self::Statuses(class), Reaction::Status(seen)) => u16::from(class) == seen / 100,
            (Self::NotUpgraded, Reaction::Status(status)) => (200..=499).contains(&status),
            (Self::NotUpgraded, Reaction::VersionUnnamed) => true,
            (Self::Upgraded, Reaction::Upgraded)
            | (Self::ErrorReply, Reaction::ErrorReply)
            | (Self::Replied, Reaction::Replied)
            | (Self::Accepted, Reaction::Accepted)
            | (Self::Ponged, Reaction::Ponged)
            | (Self::Ignored, Reaction::Ignored)
            | (Self::Unclean, Reaction::Unclean)
            | (Self::Hang, Reaction::Hang) => true,
            _ => false,
        }
    }
}

impl Seen {
    /// Whether the gateway asks us to come back later.
    pub fn asks_for_patience(&self) -> bool {
        match self.reaction {
            Reaction::Status(429) => true,
            Reaction::Status(503) => self.patience,
            Reaction::Close(_) => self.class == Some(CloseClass::Throttled),
            _ => false,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(number) | Self::Status(number) => write!(f, "{number}"),
            other => {
                let name = WORDS.iter().find(|(_, word)| word == other).map_or("", |(name, _)| *name);
                f.write_str(name)
            }
        }
    }
}

/// The words, for people.
pub fn list(words: &[Word]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(text: &str) -> Option<Word> {
        let number = text.parse().map(ReactionSpec::Number);
        Word::of(&number.unwrap_or_else(|_| ReactionSpec::Word(text.to_owned())))
    }

    #[test]
    fn a_word_covers_what_it_says() {
        let covers = |text: &str, reaction| word(text).expect("a word").covers(&Seen::plain(reaction));
        assert!(covers("1002", Reaction::Close(Some(1002))) && !covers("1002", Reaction::Close(Some(1003))));
        assert!(
            covers("close_4xxx", Reaction::Close(Some(4_400)))
                && !covers("close_4xxx", Reaction::Close(None))
        );
        assert!(covers("426", Reaction::Status(426)) && !covers("426", Reaction::VersionUnnamed));
        assert!(
            covers("not_upgraded", Reaction::Status(404)) && !covers("not_upgraded", Reaction::Status(500))
        );
        assert!(covers("throttled", Reaction::Status(429)) && !covers("throttled", Reaction::Status(503)));
        let seen = Seen { class: Some(CloseClass::Refused), ..Seen::plain(Reaction::Close(Some(4_401))) };
        assert!(Word::Refused.covers(&seen) && !Word::Throttled.covers(&seen));
        assert_eq!(word("nonsense"), None, "what is never right has no word");
        assert_eq!(word("crash"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(number in 0u16..6_000, at in 0usize..WORDS.len()) {
            if let Some(read) = Word::of(&ReactionSpec::Number(number)) {
                prop_assert_eq!(read.to_string(), number.to_string());
            }
            let (name, expected) = WORDS[at];
            prop_assert_eq!(word(name), Some(expected));
            prop_assert_eq!(expected.to_string(), name);
        }

        #[test]
        fn arbitrary_words_never_panic(text in ".*") {
            let _ = Word::of(&ReactionSpec::Word(text));
        }
    }
}

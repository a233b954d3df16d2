//! The vectors: everything malformed, or unusual, that the check may send. Known crashers are not among them.

mod application;
mod encoding;
mod ending;
mod flood;
mod framing;
mod handshake;
mod size;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acceptable::Word;
use super::shot::{Shot, Then};

/// What a vector is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The upgrade request.
    Handshake,
    /// Frames that break RFC 6455.
    Framing,
    /// Text and compressed messages that can't be decoded.
    Encoding,
    /// Messages that are legal WebSocket, but not what the application speaks.
    Application,
    /// Messages larger than the limit.
    Size,
    /// Many of something at once.
    Flood,
    /// Clients that do not end as they should.
    Ending,
}

/// How much a vector asks of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Safe for production.
    Light,
    /// Bounded, but more than a broken client does: by opt-in.
    Caution,
}

/// What a target must have so that it can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A dialect with JSON messages.
    Json,
    /// `foreign_origin: true`.
    Origin,
    /// A credential from which such a token can be made.
    Token,
    /// A gateway that takes permessage-deflate.
    Deflate,
    /// A message limit below so many bytes.
    LimitBelow(u64),
    /// Both of the last two.
    DeflateAndLimitBelow(u64),
    /// A dialect that promises when silent clients are cleaned up.
    Window,
}

/// How long the gateway may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The check's `within`.
    Within,
    /// The check's `slow_within`.
    Slow,
    /// Until the dialect's window for silent clients is over.
    Window,
}

/// Something malformed, or unusual, and what a gateway should do about it.
#[derive(Debug, Clone, Copy)]
pub struct Vector {
    /// Its stable name: the value of the label `vector`.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// How much it asks.
    pub class: Class,
    /// What is sent.
    pub summary: &'static str,
    /// Where it is said what a gateway should do.
    pub source: &'static str,
    /// What is right, unless a dialect or target says otherwise.
    pub expected: &'static [Word],
    /// What a target must have.
    pub needs: Need,
    /// How long the gateway may take.
    pub patience: Patience,
    /// What is sent, as data.
    pub shot: Shot,
    /// Where the Autobahn testsuite expects something else.
    pub autobahn: Option<&'static str>,
}

/// What most have in common.
const COMMON: Vector = Vector {
    name: "",
    group: Group::Framing,
    class: Class::Light,
    summary: "",
    source: "",
    expected: &[],
    needs: Need::Nothing,
    patience: Patience::Within,
    shot: Shot::Session { volleys: &[], then: Then::Ping },
    autobahn: None,
};

impl Group {
    /// Every group, in the order of the run.
    pub const ALL: &'static [Self] = &[
        Self::Handshake,
        Self::Framing,
        Self::Encoding,
        Self::Application,
        Self::Size,
        Self::Flood,
        Self::Ending,
    ];

    /// The value of the label `group`, and the word in the config.
    pub fn label(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Framing => "framing",
            Self::Encoding => "encoding",
            Self::Application => "application",
            Self::Size => "size",
            Self::Flood => "flood",
            Self::Ending => "ending",
        }
    }

    /// Whether it is about what a gateway has to see before there is a message.
    pub fn is_below_messages(self) -> bool {
        matches!(self, Self::Framing | Self::Encoding)
    }

    /// Its vectors.
    pub fn vectors(self) -> &'static [Vector] {
        match self {
            Self::Handshake => handshake::VECTORS,
            Self::Framing => framing::VECTORS,
            Self::Encoding => encoding::VECTORS,
            Self::Application => application::VECTORS,
            Self::Size => size::VECTORS,
            Self::Flood => flood::VECTORS,
            Self::Ending => ending::VECTORS,
        }
    }
}

impl Class {
    /// Its word.
    pub fn label(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Caution => "caution",
        }
    }
}

impl Vector {
    /// Every vector, group by group.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        Group::ALL.iter().flat_map(|group| group.vectors())
    }

    /// The vector of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|vector| vector.name == name)
    }

    /// Whether a gateway may take it as good: legal, and only unusual.
    pub fn may_be_served(&self) -> bool {
        self.expected.iter().any(|word| matches!(word, Word::Accepted | Word::Ponged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_vector_is_whole_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for vector in Vector::all() {
            let Vector { name, group, summary, source, expected, .. } = vector;
            assert!(names.insert(*name), "{name} names two");
            assert!(Group::ALL.iter().all(|group| group.label() != *name), "{name} is a group");
            let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(!name.is_empty() && name.chars().all(snake), "{name}");
            assert!(group.vectors().iter().any(|other| other.name == *name), "{name} is in the wrong file");
            assert!(!summary.is_empty() && !source.is_empty() && !expected.is_empty(), "{name}");
            assert!(!summary.ends_with('.') && !source.ends_with('.'), "{name}");
        }
        let light = Vector::all().filter(|vector| vector.class == Class::Light).count();
        assert!(names.len() >= 70 && light >= 50, "{} vectors, {light} of them light", names.len());
    }

    #[test]
    fn light_vectors_are_small_and_quick() {
        for vector in Vector::all().filter(|vector| vector.class == Class::Light) {
            let (bytes, messages) = (vector.shot.bytes(65_536), vector.shot.messages(65_536));
            assert!(bytes <= 1_024 && messages <= 32, "{}: {bytes} bytes, {messages} messages", vector.name);
            assert_eq!(vector.patience, Patience::Within, "{}", vector.name);
        }
    }

    #[test]
    fn no_vector_takes_a_failure_for_right() {
        // Some say 1011 to whoever does not answer their pings.
        for vector in Vector::all().filter(|vector| !matches!(vector.shot, Shot::Unread)) {
            let wrong = |word: &Word| matches!(word, Word::Code(1011) | Word::Statuses(5) | Word::Hang);
            assert!(!vector.expected.iter().any(wrong), "{}", vector.name);
        }
    }
}

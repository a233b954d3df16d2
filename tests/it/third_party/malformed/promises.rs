//! What a server promises to do with each vector, by its own source.

use std::collections::BTreeMap;

/// A server, or one in front of another.
pub struct Server {
    /// Its column in the docs.
    pub name: &'static str,
    /// Where its version is pinned, and what is written there: these sources were read, and no others.
    pub pin: (&'static str, &'static str),
    /// What it does with each vector that it may be asked.
    pub promises: &'static [Promise],
    /// The server behind it, which does everything else.
    pub behind: Option<&'static Server>,
}

/// What a server does with these vectors.
pub struct Promise {
    /// By name.
    pub vectors: &'static [&'static str],
    /// The label `reaction`; more than one where the network decides which.
    pub reactions: &'static [&'static str],
    /// What the check says of it.
    pub verdict: &'static str,
    /// The file and the function of the server that say so.
    pub source: &'static str,
}

/// What no server can be asked here: it is the application that checks a token or an Origin, and none of these
/// promises to clean up after clients that do not read.
static UNASKED: [Promise; 1] = [Promise {
    vectors: &[
        "origin_foreign",
        "token_missing",
        "token_garbled",
        "token_alg_none",
        "token_wrong_key",
        "token_expired",
        "reader_slow",
    ],
    reactions: &["not_asked"],
    verdict: "not_judged",
    source: "",
}];

/// A right reaction.
pub const fn right(
    vectors: &'static [&'static str],
    reactions: &'static [&'static str],
    source: &'static str,
) -> Promise {
    Promise { vectors, reactions, verdict: "ok", source }
}

/// A reaction that the check holds against the server.
pub const fn finding(
    vectors: &'static [&'static str],
    reaction: &'static [&'static str],
    verdict: &'static str,
    source: &'static str,
) -> Promise {
    Promise { vectors, reactions: reaction, verdict, source }
}

impl Server {
    /// Vector to promise; what the one in front does goes before what the one behind it would do.
    pub fn by_vector(&self) -> BTreeMap<&'static str, &'static Promise> {
        let mut all = self.behind.map(Self::by_vector).unwrap_or_default();
        let mut own = BTreeMap::new();
        let unasked: &'static [Promise] = if self.behind.is_some() { &[] } else { &UNASKED };
        for promise in self.promises.iter().chain(unasked) {
            for vector in promise.vectors {
                assert!(own.insert(*vector, promise).is_none(), "{}: {vector} is promised twice", self.name);
            }
        }
        all.extend(own);
        all
    }
}

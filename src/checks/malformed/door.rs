//! Vectors about the way in: upgrade requests, origins and tokens.

use std::time::{Instant as StdInstant, SystemTime};

use super::reaction::{Reaction, Seen};
use super::scene::Scene;
use super::session::{Fired, let_in};
use super::shot::{Change, FILLER};
use super::unasked::Unasked;
use super::vectors::Vector;
use crate::auth::Forgery;
use crate::model::{Cause, Outcome, Phase, Verdict};
use crate::session::{Altered, Ask, BeforeFault, Met, Reception, Refusal, Talk};
use crate::wire::{DialError, Record, Request};

/// An Origin that no gateway lists: `.invalid` is reserved (RFC 2606, section 2).
const FOREIGN_ORIGIN: &str = "https://gateprobe-foreign-origin.invalid";

/// Sends a spoilt upgrade request.
///
/// # Errors
/// The verdict, where not even a connection came about.
pub(super) async fn request(
    scene: &Scene<'_>,
    vector: &'static Vector,
    changes: &'static [Change],
    slowly: bool,
) -> Result<Fired, Verdict> {
    let patience = scene.check.patience(vector);
    let lines = changes.iter().map(Change::lines).sum::<u32>().max(1);
    let change = |request: &mut Request| changes.iter().for_each(|change| change.apply(request));
    let pause = slowly.then(|| patience / lines);
    let altered = Altered { change: &change, pause, within: patience };
    let within = Some(scene.check.connect_timeout.get());
    let ask = Ask { peer: scene.peer, within, ..Ask::default() };
    scene.shoots(vector);
    match scene.visit.altered(&ask, &altered).await {
        Ok(Some(reception)) => Ok(Ok(seen(vector, &reception))),
        Ok(None) => Ok(Err(Unasked::Budget)),
        Err(refusal) => Err(refusal.verdict()),
    }
}

/// Knocks with a good request from a foreign Origin.
///
/// # Errors
/// As [`knock`].
pub(super) async fn origin(scene: &Scene<'_>, vector: &'static Vector) -> Result<Fired, Verdict> {
    knock(scene, vector, Ask { origin: Some(FOREIGN_ORIGIN.into()), ..Ask::default() }).await
}

/// Knocks without a token, or with one that must be refused.
///
/// # Errors
/// As [`knock`], or where our own credential is unusable.
pub(super) async fn token(
    scene: &Scene<'_>,
    vector: &'static Vector,
    forgery: Option<Forgery>,
) -> Result<Fired, Verdict> {
    let Some(forgery) = forgery else {
        return knock(scene, vector, Ask { credential: false, ..Ask::default() }).await;
    };
    let Some(credential) = &scene.visit.target().credential else { return Ok(Err(Unasked::NoCredential)) };
    match credential.source.forge(forgery, SystemTime::now()).await {
        Ok(Some(token)) => knock(scene, vector, Ask { token: Some(token), ..Ask::default() }).await,
        Ok(None) => Ok(Err(Unasked::NoSuchToken)),
        Err(error) => Err(Verdict::new(Outcome::Inconclusive(Cause::Credential), error.to_string())),
    }
}

/// Knocks, and stays as long as it is let.
async fn knock(scene: &Scene<'_>, vector: &'static Vector, ask: Ask) -> Result<Fired, Verdict> {
    let within = Some(scene.check.connect_timeout.get());
    let ask = Ask { peer: scene.peer, within, ..ask };
    let (began, record) = (StdInstant::now(), Record::new());
    scene.shoots(vector);
    let refusal = match scene.visit.open(&ask, &record).await {
        Ok(opened) => {
            let sent = opened.upgraded_at;
            return Ok(let_in(scene, vector, Talk::new(scene.visit, opened), sent).await);
        }
        Err(refusal) => refusal,
    };
    let took = record.facts().timings.upgrade;
    let seen = |reaction| match took {
        Some(took) => Seen::plain(reaction).after(took),
        None => Seen::plain(reaction).after(began.elapsed()),
    };
    Ok(Ok(match refusal {
        Refusal::Dial(DialError::Throttled { status })
        | Refusal::Before(BeforeFault::Throttled { status }) => {
            Seen { patience: true, ..seen(Reaction::Status(status)) }
        }
        Refusal::Dial(DialError::Redirected { status, .. }) => seen(Reaction::Status(status)),
        // It took the connection, and then said nothing.
        Refusal::Late { .. } | Refusal::Dial(DialError::Lost { phase: Phase::Upgrade, .. })
            if took.is_some() =>
        {
            Seen::plain(Reaction::Hang)
        }
        Refusal::Dial(DialError::UpgradeClosed { .. }) => seen(Reaction::Unclean),
        Refusal::Dial(
            DialError::UpgradeMalformed(_) | DialError::UpgradeHeaderTooLarge | DialError::Upgrade(_),
        ) => seen(Reaction::Nonsense),
        refusal => match refusal.status() {
            Some(status) => seen(Reaction::Status(status)),
            None => return Err(refusal.verdict()),
        },
    }))
}

fn seen(vector: &Vector, reception: &Reception) -> Seen {
    let (reaction, patience) = match &reception.how {
        Met::Answer(response) => match response.status {
            101 => (Reaction::Upgraded, false),
            426 if vector.name == "version_12" && !response.has_token("sec-websocket-version", "13") => {
                (Reaction::VersionUnnamed, false)
            }
            status => (Reaction::Status(status), response.has("retry-after")),
        },
        Met::Ended(_) => (Reaction::Unclean, false),
        Met::NotHttp => (Reaction::Nonsense, false),
        Met::Silence => return Seen::plain(Reaction::Hang),
    };
    Seen { patience, ..Seen::plain(reaction) }.after(reception.took)
}

impl Change {
    fn apply(&self, request: &mut Request) {
        match self {
            Self::Method(method) => {
                request.method = (*method).to_owned();
                request.set("Content-Length", "0");
            }
            Self::Without(name) => request.remove(name),
            Self::Header(name, value) => request.set(name, *value),
            Self::Filler(bytes) => request.set(FILLER, "a".repeat(*bytes)),
            Self::Fillers(count) => {
                for number in 0..*count {
                    request.set(&format!("{FILLER}-{number}"), "a");
                }
            }
        }
    }

    /// The lines that it adds.
    fn lines(&self) -> u32 {
        match self {
            Self::Fillers(count) => u32::try_from(*count).unwrap_or(u32::MAX),
            _ => 0,
        }
    }
}

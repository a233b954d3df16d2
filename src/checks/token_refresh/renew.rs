//! Sessions that renew their token: in their middle, and at the last moment.

use std::time::{Duration, Instant as StdInstant};

use super::Scene;
use super::client::{Client, Ended, Refresh, Stop, told};
use super::clock::Moment;
use super::config::{AFTERMATH, Case, RAPID, RAPID_GAP};
use crate::auth::Token;
use crate::model::Verdict;

/// An end that comes so soon after an answer comes of the refresh.
const SOON: Duration = Duration::from_millis(500);
/// How long before its expiry a token is renewed at the last moment, by the gateway's clock at the least.
const LAST_MOMENT: Duration = Duration::from_millis(1_200);
/// How often it is looked whether somebody has rotated the token.
const LOOK: Duration = Duration::from_millis(250);

/// A session that renewed its token.
#[derive(Debug)]
pub(super) struct Session {
    pub case: Case,
    pub refreshes: Vec<Refresh>,
    pub fate: Fate,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Fate {
    /// It lives.
    Lives(Proof),
    /// It was ended by a refresh.
    Dropped(Verdict),
    /// It was ended when the token expired that had been renewed.
    NotApplied(Verdict),
    /// It was ended, and nothing says that this came of a refresh.
    Closed(Verdict),
    /// It is open, and not served.
    Unserved,
    /// It was ended when the token may have expired that it went by.
    Expired(Verdict),
    /// The run could not look on.
    Unknown,
}

/// Whether it was seen that the refresh took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was served after the old token's expiry.
    Shown,
    /// The same, by a clock that is well ahead of ours, and of which nobody knows whether tokens go by it.
    ByDate,
    /// It was not waited for that, and why.
    Missing(String),
    /// No refresh was accepted.
    Nothing,
}

/// Renews its token in the middle of a session.
///
/// # Errors
/// The verdict, when something else is wrong.
pub(super) async fn in_the_middle(scene: &Scene<'_>) -> Result<(), Verdict> {
    let mut client = Client::open(scene, scene.tokens.short().await?).await?;
    let result = course(scene, &mut client).await;
    if let Some(stream) = &scene.stream {
        stream.end();
    }
    scene.subscribed.cancel();
    scene.renewed.cancel();
    conclude(scene, Case::Renew, client, result).await
}

/// Renews its token at the last moment.
///
/// # Errors
/// As [`in_the_middle`].
pub(super) async fn at_the_last_moment(scene: &Scene<'_>) -> Result<(), Verdict> {
    let mut client = Client::open(scene, scene.tokens.short().await?).await?;
    let result = last_moment(scene, &mut client).await;
    conclude(scene, Case::NearExpiry, client, result).await
}

async fn conclude(
    scene: &Scene<'_>,
    case: Case,
    mut client: Client<'_>,
    result: Result<Proof, Stop>,
) -> Result<(), Verdict> {
    let goes_on = matches!(result, Ok(_) | Err(Stop::Unserved));
    end(scene, case, &mut client, result)?;
    if goes_on {
        client.leave().await;
    }
    Ok(())
}

/// Writes down what became of a session and its refreshes.
///
/// # Errors
/// What went wrong, where that is something else.
pub(super) fn end(
    scene: &Scene<'_>,
    case: Case,
    client: &mut Client<'_>,
    result: Result<Proof, Stop>,
) -> Result<(), Verdict> {
    let (fate, otherwise) = match result {
        Ok(proof) => (Fate::Lives(proof), Ok(())),
        Err(Stop::Unserved) => (Fate::Unserved, Ok(())),
        Err(Stop::Ended(ended)) => (fate(client, ended), Ok(())),
        // What was answered until then counts all the same.
        Err(Stop::Verdict(verdict)) => (Fate::Unknown, Err(verdict)),
    };
    let refreshes = std::mem::take(&mut client.refreshes);
    scene.seen().sessions.push(Session { case, refreshes, fate });
    otherwise
}

/// What an end means.
fn fate(client: &Client<'_>, ended: Ended) -> Fate {
    let Ended { at, verdict, .. } = ended;
    let soon = client.accepted.is_some_and(|accepted| at.saturating_duration_since(accepted) < SOON);
    let old = client.expiry(&client.first);
    let over = client.accepted.is_some() && old.is_some_and(|old| old.first() <= at);
    match () {
        () if client.asking || soon => Fate::Dropped(verdict),
        () if client.may_have_expired(at) => Fate::Expired(verdict),
        () if over => Fate::NotApplied(verdict),
        () => Fate::Closed(verdict),
    }
}

async fn course(scene: &Scene<'_>, client: &mut Client<'_>) -> Result<Proof, Stop> {
    let Some(token) = fresh(scene, client).await? else {
        scene.seen().same_token = true;
        return Ok(Proof::Nothing);
    };
    if scene.stream.is_some() {
        client.subscribe().await?;
        scene.subscribed.cancel();
        client.listen_for(scene.check.lead()).await?;
    } else {
        client.serve().await?;
    }
    if scene.check.looks_at(Case::Renew) {
        scene.visit.evidence.remark("renews its token in the middle of the session");
        let accepted = client.renew(Case::Renew, &token).await?;
        if accepted {
            scene.use_up(token);
        } else if client.was_answered() {
            // Whether the session gets over it.
            let token = client.meanwhile(scene.tokens.long()).await?;
            client.renew(Case::Renew, &token).await?;
        }
        client.listen_for(AFTERMATH).await?;
    }
    scene.renewed.cancel();
    if scene.tokens.are_new() && client.was_answered() {
        again(scene, client).await?;
    }
    client.settle().await?;
    scene.seen().streamed = scene.stream.is_some();
    client.serve().await?;
    if client.accepted.is_none() {
        return Ok(Proof::Nothing);
    }
    prove(scene, client).await
}

/// Several in a row, and two at once.
async fn again(scene: &Scene<'_>, client: &mut Client<'_>) -> Result<(), Stop> {
    if scene.check.looks_at(Case::Rapid) {
        scene.visit.evidence.remark("renews it three times in a row");
        for _ in 0..RAPID {
            if !client.was_answered() {
                return Ok(());
            }
            let next = StdInstant::now() + RAPID_GAP;
            let token = client.meanwhile(scene.tokens.long()).await?;
            client.renew(Case::Rapid, &token).await?;
            client.listen_until(next).await?;
        }
    }
    if scene.check.looks_at(Case::Together) && client.was_answered() {
        scene.visit.evidence.remark("renews it twice at once");
        let tokens =
            [client.meanwhile(scene.tokens.long()).await?, client.meanwhile(scene.tokens.long()).await?];
        client.renew_together(Case::Together, tokens.each_ref()).await?;
        client.listen_for(AFTERMATH).await?;
    }
    Ok(())
}

/// A token that is not the one that let us in; none where nobody has rotated it in time.
async fn fresh(scene: &Scene<'_>, client: &mut Client<'_>) -> Result<Option<Token>, Stop> {
    let wanted = scene.check.lead() + scene.check.refresh_timeout.get() + scene.check.settle.get();
    let mut waits = false;
    loop {
        let token = client.meanwhile(scene.tokens.long()).await?;
        if token.expose() != client.first.expose() {
            return Ok(Some(token));
        }
        if scene.tokens.are_constant() || !scene.time_left(wanted) {
            return Ok(None);
        }
        if !waits {
            waits = true;
            scene.visit.evidence.remark("waits for the token to be rotated");
        }
        client.live_until(StdInstant::now() + LOOK).await?;
    }
}

async fn last_moment(scene: &Scene<'_>, client: &mut Client<'_>) -> Result<Proof, Stop> {
    let moment = client.expiry(&client.first).and_then(|expiry| expiry.earliest.checked_sub(LAST_MOMENT));
    let lasts = moment.filter(|moment| scene.lasts(*moment, scene.check.refresh_timeout.get()));
    let Some(moment) = lasts.filter(|moment| StdInstant::now() < *moment) else {
        return Ok(Proof::Nothing);
    };
    client.live_until(moment).await?;
    scene.visit.evidence.remark("renews its token at the last moment");
    let token = client.meanwhile(scene.tokens.long()).await?;
    match client.renew(Case::NearExpiry, &token).await? {
        true => prove(scene, client).await,
        false => Ok(Proof::Nothing),
    }
}

/// Lives on until the old token has expired for good, and then must be served.
async fn prove(scene: &Scene<'_>, client: &mut Client<'_>) -> Result<Proof, Stop> {
    let missing = |why: String| Ok(Proof::Missing(why));
    let Some(old) = client.expiry(&client.first) else {
        return missing("the token does not say when it expires".into());
    };
    let over = old.latest + scene.check.beyond();
    if !scene.lasts(over, scene.check.pong_timeout.get()) {
        let left = over.saturating_duration_since(StdInstant::now());
        return missing(format!("that would take {} more than the run has", told_roughly(left)));
    }
    while let Some(next) = due(client).filter(|next| *next < over) {
        if !scene.tokens.are_new() {
            return missing("the new token expires before the old one is surely over".into());
        }
        client.live_until(next).await?;
        let token = client.meanwhile(scene.tokens.long()).await?;
        if !client.renew(Case::Renew, &token).await? {
            return Ok(Proof::Nothing);
        }
    }
    client.live_until(over).await?;
    client.serve().await?;
    if old.is_doubtful(scene.check.tolerance.get()) {
        return Ok(Proof::ByDate);
    }
    scene.visit.evidence.remark("is served after the expiry of the token that let it in");
    Ok(Proof::Shown)
}

/// When the token that it goes by has to be renewed, in good time.
fn due(client: &Client<'_>) -> Option<StdInstant> {
    let (token, since) = &client.current;
    let Moment { earliest, .. } = client.expiry(token)?;
    let life = earliest.saturating_duration_since(*since);
    earliest.checked_sub(life / 3)
}

fn told_roughly(time: Duration) -> crate::model::Span {
    told(Duration::from_secs(time.as_secs()))
}

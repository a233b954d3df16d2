//! Refreshes by tokens that must be refused, and whether a session gets over them.

use super::Scene;
use super::bad_token::BadToken;
use super::client::{Client, Stop};
use super::config::Case;
use super::renew::{Proof, end};
use crate::auth::Token;
use crate::checks::capability;
use crate::dialect::{Answer, Part};
use crate::model::Verdict;

/// How the gateway took a bad token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    /// It said no, and the session went on.
    Refused,
    /// It ended the session.
    Closed,
    /// It said yes.
    Accepted,
    /// It said nothing, though its dialect has a way to say no.
    Silent,
}

/// Tries each bad token, on one connection as long as it lasts.
///
/// # Errors
/// The verdict, when something else is wrong.
pub(super) async fn try_all(scene: &Scene<'_>) -> Result<(), Verdict> {
    if scene.tokens.are_new() {
        // One of the bad ones is what the other session was refreshed by.
        scene.renewed.cancelled().await;
    }
    let mut client: Option<Client<'_>> = None;
    let mut recovers = scene.check.looks_at(Case::Recovery) && scene.tokens.are_new();
    for bad in scene.check.bad_tokens() {
        let token = match client.take() {
            None => make(scene, bad).await?,
            Some(mut held) => match held.meanwhile(make(scene, bad)).await {
                Ok(token) => {
                    client = Some(held);
                    token
                }
                Err(Stop::Verdict(verdict)) => return Err(verdict),
                // That it was ended between two tries is no answer to either.
                Err(Stop::Ended(_) | Stop::Unserved) => make(scene, bad).await?,
            },
        };
        let patience = scene.check.connect_timeout.get() + scene.check.refresh_timeout.get();
        let can = token.is_some() && scene.time_left(patience);
        let Some(token) = token.filter(|_| can) else {
            capability(scene.visit, bad.capability(), false);
            continue;
        };
        let mut trying = match client.take() {
            Some(client) => client,
            None => Client::open(scene, scene.tokens.long().await?).await?,
        };
        let (reception, goes_on) = receive(scene, &mut trying, bad, &token).await?;
        // Where it said nothing, nobody knows what it made of the token.
        let told = reception.is_some_and(|reception| reception != Reception::Silent);
        capability(scene.visit, bad.capability(), told);
        if let Some(reception) = reception {
            scene.seen().bad.push((bad, reception));
        }
        if !goes_on {
            continue;
        }
        if reception != Some(Reception::Refused) {
            // It is not known any more by which token the session goes.
            trying.leave().await;
            continue;
        }
        if recovers {
            recovers = false;
            match recover(scene, &mut trying).await? {
                true => client = Some(trying),
                false => continue,
            }
        } else {
            client = Some(trying);
        }
    }
    if let Some(client) = client {
        client.leave().await;
    }
    Ok(())
}

async fn make(scene: &Scene<'_>, bad: BadToken) -> Result<Option<Token>, Verdict> {
    match bad.forgery() {
        Some(forgery) => scene.tokens.forged(forgery).await,
        // Where no other can be had, the one that was used is everybody's.
        None if scene.tokens.are_new() => Ok(scene.used()),
        None => Ok(None),
    }
}

/// How the gateway takes the token, and whether the session goes on. Nothing is known where our own had expired.
async fn receive(
    scene: &Scene<'_>,
    client: &mut Client<'_>,
    bad: BadToken,
    token: &Token,
) -> Result<(Option<Reception>, bool), Verdict> {
    scene.visit.evidence.remark(format!("tries {}", bad.describe()));
    let tells_refusals = scene.visit.target().dialect.refuses(Part::Refresh);
    match client.try_bad(token).await {
        Ok(Some(Answer::Accepted)) => Ok((Some(Reception::Accepted), true)),
        Ok(Some(_)) => Ok((Some(Reception::Refused), true)),
        // Who has no word for it says it by silence.
        Ok(None) if !tells_refusals => Ok((Some(Reception::Refused), true)),
        Ok(None) => Ok((Some(Reception::Silent), true)),
        Err(Stop::Ended(ended)) if client.may_have_expired(ended.at) => Ok((None, false)),
        Err(Stop::Ended(ended)) => {
            if !ended.refused {
                let how = &ended.verdict.detail;
                scene.visit.evidence.remark(format!("{} was not refused in words: {how}", bad.label()));
            }
            Ok((Some(Reception::Closed), false))
        }
        Err(Stop::Unserved) => Ok((None, true)),
        Err(Stop::Verdict(verdict)) => Err(verdict),
    }
}

/// After a refusal the session and its token go on, and the next good one is taken; tells whether the session lives.
async fn recover(scene: &Scene<'_>, client: &mut Client<'_>) -> Result<bool, Verdict> {
    scene.visit.evidence.remark("renews its token after it was refused a bad one");
    let steps = async {
        client.serve().await?;
        let token = client.meanwhile(scene.tokens.long()).await?;
        client.renew(Case::Recovery, &token).await?;
        client.serve().await
    };
    let result = steps.await.map(|()| Proof::Nothing);
    let lives = result.is_ok();
    end(scene, Case::Recovery, client, result)?;
    // What is tried from now on is no matter of this refresh.
    client.accepted = None;
    client.first = client.current.0.clone();
    Ok(lives)
}

//! A session that does not renew its token.

use std::time::{Duration, Instant as StdInstant};

use super::Scene;
use super::client::{Client, Stop};
use crate::checks::{Capability, capability};
use crate::model::Verdict;

/// What became of a session whose token expired.
#[derive(Debug)]
pub(super) enum Expired {
    /// It was closed so many seconds after `exp`, by the gateway's clock.
    Closed {
        /// Negative where it was closed before.
        after: f64,
        /// Before it may be, by all that is known of the clocks.
        early: bool,
        /// In time by the clock that the gateway tells.
        by_date: bool,
        /// How.
        verdict: Verdict,
    },
    /// It was open when it had to be closed.
    Survived {
        /// How long after `exp`.
        after: Duration,
        /// It was served.
        served: bool,
    },
    /// It was open when it had to be closed by the clock that the gateway tells, and may still be by ours.
    Doubtful,
}

/// Holds a session until its token has expired for good.
///
/// # Errors
/// The verdict, when something else is wrong.
pub(super) async fn watch(scene: &Scene<'_>) -> Result<(), Verdict> {
    let mut client = Client::open(scene, scene.tokens.short().await?).await?;
    let expiry = client.expiry(&client.first);
    let due = expiry.map(|expiry| expiry.latest + scene.check.beyond());
    let lasts = due.is_some_and(|due| scene.lasts(due, scene.check.pong_timeout.get()));
    capability(scene.visit, Capability::Expiry, lasts);
    let (Some(expiry), Some(due), true) = (expiry, due, lasts) else {
        client.leave().await;
        return Ok(());
    };
    let doubtful = expiry.is_doubtful(scene.check.tolerance.get());
    let certain = if doubtful { expiry.ours + scene.check.beyond() } else { due };
    let waits = async {
        client.live_until(expiry.earliest).await?;
        // Who is not let go of may still not be answered any more.
        client.listen_until(due).await?;
        if doubtful && scene.lasts(certain, scene.check.pong_timeout.get()) {
            client.live_until(certain).await?;
        }
        client.serve().await
    };
    let (result, now) = (waits.await, StdInstant::now());
    let after = scene.check.beyond();
    let fate = match result {
        Ok(()) | Err(Stop::Unserved) if now >= due && now < certain => Expired::Doubtful,
        Ok(()) => Expired::Survived { after, served: true },
        Err(Stop::Unserved) if now >= due => Expired::Survived { after, served: false },
        // That a ping is not answered before anything has expired is for `heartbeat` to count.
        Err(Stop::Unserved) => return Err(super::not_served()),
        Err(Stop::Verdict(verdict)) => return Err(verdict),
        Err(Stop::Ended(ended)) => {
            let tolerance = scene.check.tolerance.get();
            let early = expiry.first().checked_sub(tolerance).is_some_and(|earliest| ended.at < earliest);
            let by_date = ended.at <= due;
            let ours = || ended.at.saturating_duration_since(expiry.ours).as_secs_f64();
            let after = if by_date { expiry.until(ended.at) } else { ours() };
            Expired::Closed { after, early, by_date, verdict: ended.verdict }
        }
    };
    let survives = matches!(fate, Expired::Survived { .. });
    scene.seen().expired = Some(fate);
    if survives {
        client.leave().await;
    }
    Ok(())
}

//! Looking again and again, until something is there.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::place::RequestError;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// Between two words about what there is to wait for.
const WORD: Duration = Duration::from_secs(15);

/// What a look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is there; with its particulars.
    Seen(String),
    /// It is not; with what is there instead.
    NotYet(String),
}

/// Looks until it is there; says what was there instead at the last look if it does not come within that time, and
/// `tell`s it now and then meanwhile.
///
/// # Errors
/// With what the last look showed.
pub async fn until(
    within: Duration,
    mut tell: impl FnMut(&str),
    mut look: impl AsyncFnMut() -> Result<Look, RequestError>,
) -> Result<String, String> {
    let deadline = Instant::now() + within;
    let mut next_word = Instant::now() + WORD;
    let mut instead = "there was no answer".to_owned();
    loop {
        if Instant::now() >= next_word {
            tell(&instead);
            next_word = Instant::now() + WORD;
        }
        match timeout_at(deadline, look()).await {
            Ok(Ok(Look::Seen(what))) => return Ok(what),
            Ok(Ok(Look::NotYet(what))) => instead = what,
            // It may be restarting: an error now is no answer, and no end.
            Ok(Err(error)) => instead = error.to_string(),
            Err(_) => return Err(instead),
        }
        if Instant::now() + PAUSE >= deadline {
            return Err(instead);
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_until_it_is_there() {
        let mut looks = 0;
        let seen = until(
            Duration::from_secs(10),
            |_| (),
            async || {
                looks += 1;
                match looks {
                    1 => Err(RequestError::Slow { what: "it" }),
                    2 => Ok(Look::NotYet("less".into())),
                    _ => Ok(Look::Seen("all".into())),
                }
            },
        );
        assert_eq!(seen.await, Ok("all".to_owned()));
        assert_eq!(looks, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn says_what_was_there_instead() {
        let never = until(Duration::from_secs(1), |_| (), async || Ok(Look::NotYet("less".into())));
        assert_eq!(never.await, Err("less".to_owned()));
        let began = Instant::now();
        let stuck = until(Duration::from_secs(1), |_| (), async || std::future::pending().await);
        assert_eq!(stuck.await, Err("there was no answer".to_owned()));
        assert_eq!(began.elapsed(), Duration::from_secs(1), "bounded, whatever a look takes");
    }
}

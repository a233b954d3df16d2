//! The control endpoint: something else out there that answers when our own way out works.

use std::sync::{Mutex as Brief, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::model::Evidence;
use crate::wire::{Dialer, Endpoint};

/// For so long the way out of an agent that was just started may be on its way. Who has never answered by then is no
/// witness: it may be a misspelt address.
const BEGINNING: Duration = Duration::from_secs(120);

/// A TCP endpoint that is asked before a gateway is accused of what the network may have done.
#[derive(Debug)]
pub struct Control {
    /// Where it is; only TCP is spoken with it.
    endpoint: Endpoint,
    /// How long it may take to accept.
    timeout: Duration,
    /// When it was last asked, and whether it answered. The lock makes all who ask at once share one answer.
    last: Mutex<Option<(Instant, bool)>>,
    repute: Brief<Repute>,
}

/// Why its silence is to be believed, or not.
#[derive(Debug)]
struct Repute {
    since: Instant,
    /// Whether it has ever answered.
    answered: bool,
    /// Whether it was silent when it was last asked.
    silent: bool,
    /// Whether it was silent while a gateway answered: it is down itself.
    down: bool,
    /// Whether it is being asked because a gateway has answered.
    in_question: bool,
}

impl Control {
    /// A control endpoint that has not been asked yet.
    pub fn new(endpoint: Endpoint, timeout: Duration) -> Self {
        let repute =
            Repute { since: Instant::now(), answered: false, silent: false, down: false, in_question: false };
        Self { endpoint, timeout, last: Mutex::new(None), repute: Brief::new(repute) }
    }

    /// Whether both are the same endpoint, so that one knows what the other has learnt.
    pub fn is(&self, other: &Self) -> bool {
        (&self.endpoint.url, self.timeout) == (&other.endpoint.url, other.timeout)
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether it has ever answered.
    pub fn has_answered(&self) -> bool {
        self.repute().answered
    }

    /// Whether it accepts a connection within `patience`; unknown when it was not given `enough` time to be
    /// called dead, or when its silence says nothing: it was silent while gateways answered, or always was. An answer
    /// that was asked for since `not_before` serves again.
    pub async fn answers(
        &self,
        dialer: &Dialer,
        not_before: Instant,
        patience: Duration,
        enough: Duration,
    ) -> Option<bool> {
        let answer = match timeout(patience, self.ask(dialer, not_before)).await {
            Ok(answer) => answer,
            Err(_) if patience >= enough => false,
            Err(_) => return None,
        };
        let repute = self.repute();
        let witness = !repute.down && (repute.answered || repute.since.elapsed() < BEGINNING);
        (answer || witness).then_some(answer)
    }

    /// Whether it is to be asked now that a gateway has answered, by whoever asks this first: it was never known to answer,
    /// or did not when it was last asked, and that may have been our way out.
    pub fn is_in_doubt(&self) -> bool {
        let mut repute = self.repute();
        let asks = !repute.down && !repute.in_question && (repute.silent || !repute.answered);
        repute.in_question |= asks;
        asks
    }

    /// A gateway has answered while this was in doubt: our way out is there. Whoever is silent now is down itself.
    pub async fn cross_examine(&self, dialer: &Dialer) {
        let answers = self.ask(dialer, Instant::now()).await;
        let mut repute = self.repute();
        repute.in_question = false;
        let before = std::mem::replace(&mut repute.down, !answers);
        if !answers && !before {
            let control = self.endpoint.url.authority();
            tracing::warn!(
                control,
                "the control endpoint does not answer, but gateways do: it excuses nothing until it answers"
            );
        }
    }

    async fn ask(&self, dialer: &Dialer, not_before: Instant) -> bool {
        let mut last = self.last.lock().await;
        if let Some((_, answer)) = last.filter(|(asked, _)| *asked >= not_before) {
            return answer;
        }
        let asked = Instant::now();
        let evidence = Evidence::new();
        let connected = timeout(self.timeout, dialer.connect(&self.endpoint, &evidence)).await;
        let answer = connected.is_ok_and(|connected| connected.is_ok());
        *last = Some((asked, answer));
        let mut repute = self.repute();
        repute.answered |= answer;
        repute.silent = !answer;
        repute.down &= !answer;
        answer
    }

    fn repute(&self) -> MutexGuard<'_, Repute> {
        self.repute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::*;
    use crate::wire::{ResolverSettings, TlsClient, TlsSettings};

    fn at(address: std::net::SocketAddr) -> (Control, Dialer) {
        let url = format!("ws://{address}/").parse().expect("a URL");
        let tls = Arc::new(TlsClient::new(TlsSettings::default()).expect("TLS"));
        let endpoint = Endpoint::new(url, tls).expect("an endpoint");
        let dialer = Dialer::new(&ResolverSettings::System).expect("a resolver");
        (Control::new(endpoint, Duration::from_secs(2)), dialer)
    }

    async fn says(control: &Control, dialer: &Dialer) -> Option<bool> {
        let long = Duration::from_secs(5);
        control.answers(dialer, Instant::now(), long, long).await
    }

    // Addresses of their own: nobody else is to be given a port that is let go of here.
    #[tokio::test]
    async fn what_is_silent_while_gateways_answer_excuses_nothing_until_it_answers() {
        let listener = TcpListener::bind("127.77.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (control, dialer) = at(address);
        assert_eq!(says(&control, &dialer).await, Some(true));
        assert!(!control.is_in_doubt());
        drop(listener);
        assert_eq!(says(&control, &dialer).await, Some(false));
        assert!(control.is_in_doubt() && !control.is_in_doubt(), "one asks");
        control.cross_examine(&dialer).await;
        assert_eq!(says(&control, &dialer).await, None);
        assert!(!control.is_in_doubt(), "it is known to be down");
        let _listener = TcpListener::bind(address).await.expect("the same port");
        assert_eq!(says(&control, &dialer).await, Some(true));
    }

    #[tokio::test]
    async fn a_way_out_that_has_come_back_leaves_it_a_witness() {
        let listener = TcpListener::bind("127.77.0.2:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (control, dialer) = at(address);
        drop(listener);
        assert_eq!(says(&control, &dialer).await, Some(false));
        let listener = TcpListener::bind(address).await.expect("the same port");
        control.cross_examine(&dialer).await;
        drop(listener);
        assert_eq!(says(&control, &dialer).await, Some(false), "it is believed again");
    }

    #[tokio::test]
    async fn who_was_never_asked_is_asked_once_a_gateway_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (control, dialer) = at(listener.local_addr().expect("an address"));
        assert!(control.is_in_doubt() && !control.has_answered());
        control.cross_examine(&dialer).await;
        assert!(control.has_answered() && !control.is_in_doubt());
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_never_answered_is_a_witness_in_the_beginning_only() {
        let (control, dialer) = at(([127, 0, 0, 1], 1).into());
        assert_eq!(says(&control, &dialer).await, Some(false));
        assert!(!control.has_answered());
        tokio::time::advance(BEGINNING).await;
        assert_eq!(says(&control, &dialer).await, None);
    }
}

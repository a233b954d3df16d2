//! One run's access to a target: the only way for a check to open a connection.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Permit};
use super::control::Control;
use super::jar::{Cookies, Jar};
use super::offer::{Ask, offer};
use super::opened::Opened;
use super::recall::Recall;
use super::refusal::Refusal;
use super::shelf::Shelf;
use super::target::Target;
use crate::auth::{AuthError, Source, Token};
use crate::dialect::Variables;
use crate::metrics::Sample;
use crate::model::{Evidence, Phase, TraceContext};
use crate::wire::{DialError, Dialer, Endpoint, Header, Offer, Record, Request};

/// How long before the run's deadline a check should stop waiting, to be able to say what it waited for.
const LAST_WORD: Duration = Duration::from_millis(20);
/// Longer than anybody holds a connection; timers take no longer times.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);

/// One run's access to a target. Evidence and samples live here, outside the check, so that a run that is
/// cut off keeps what it had.
#[derive(Debug)]
pub struct Visit {
    target: Arc<Target>,
    endpoint: Endpoint,
    dialer: Dialer,
    budget: Arc<Budget>,
    deadline: Instant,
    /// What happened on the run's connections.
    pub evidence: Evidence,
    samples: Mutex<Vec<Sample>>,
    record: Record,
    jar: Option<Jar>,
    shelf: Shelf,
    recall: Recall,
    control: Option<Arc<Control>>,
    cut: CancellationToken,
    hindsight: Mutex<Option<Hindsight>>,
    trace: Option<TraceContext>,
}

/// What is known of the agent's own condition at the time of something that was there before the run, and that the
/// run's verdict is about.
#[derive(Debug, Clone, Copy)]
pub struct Hindsight {
    /// From when on it may have been caused.
    pub since: Instant,
    /// How late the agent was about that time, at the worst.
    pub late: Duration,
    /// Whether the control endpoint answered at that time, where it was asked.
    pub control: Option<bool>,
}

/// What a dial needs beside the way.
pub(super) struct Prepared {
    pub endpoint: Endpoint,
    pub offer: Offer,
    pub token: Option<Token>,
}

impl Visit {
    /// Access for one run. With `peer`, every connection goes to that address.
    pub fn new(
        target: &Arc<Target>,
        dialer: &Dialer,
        budget: &Arc<Budget>,
        peer: Option<IpAddr>,
        deadline: Instant,
    ) -> Self {
        let mut endpoint = target.endpoint.clone();
        endpoint.path.peer = peer.or(endpoint.path.peer);
        Self {
            target: Arc::clone(target),
            endpoint,
            dialer: dialer.clone(),
            budget: Arc::clone(budget),
            deadline,
            evidence: Evidence::new(),
            samples: Mutex::default(),
            record: Record::new(),
            jar: match target.cookies {
                Cookies::Off => None,
                Cookies::Run => Some(Jar::default()),
                Cookies::Session => Some(target.jar.clone()),
            },
            shelf: Shelf::default(),
            recall: Recall::default(),
            control: None,
            cut: CancellationToken::new(),
            hindsight: Mutex::default(),
            trace: None,
        }
    }

    /// The same, with the connections that the job holds between its runs, and whom to ask whether our own way out
    /// works.
    #[must_use]
    pub fn holding(self, shelf: &Shelf, control: Option<&Arc<Control>>) -> Self {
        Self { shelf: shelf.clone(), control: control.cloned(), ..self }
    }

    /// The same, with what may stop the run from outside: then its connections say goodbye.
    #[must_use]
    pub fn cut_by(self, cut: &CancellationToken) -> Self {
        Self { cut: cut.clone(), ..self }
    }

    /// Access for a connection that outlives the run; keeps little evidence.
    pub(super) fn outliving(&self, half: usize) -> Self {
        let deadline = Instant::now() + FOR_EVER;
        let peer = self.endpoint.path.peer;
        let visit = Self::new(&self.target, &self.dialer, &self.budget, peer, deadline);
        Self { evidence: Evidence::with_room(half), ..visit }
    }

    /// With what an earlier run that it is to confirm has left behind.
    #[must_use]
    pub fn recalling(self, recall: &Recall) -> Self {
        Self { recall: recall.clone(), ..self }
    }

    /// As a run of this trace, of which a target that wants it is told in the upgrade request.
    #[must_use]
    pub fn traced(self, trace: TraceContext) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// What a run leaves for the one that is to confirm it.
    pub fn recall(&self) -> &Recall {
        &self.recall
    }

    /// The connections that the job holds between its runs.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Whom to ask whether our own way out works.
    pub(super) fn control(&self) -> Option<&Arc<Control>> {
        self.control.as_ref()
    }

    /// The verdict will be about what was before the run.
    pub fn look_back(&self, hindsight: Hindsight) {
        *self.hindsight.lock().unwrap_or_else(PoisonError::into_inner) = Some(hindsight);
    }

    /// What the verdict is about, where that was before the run.
    pub fn hindsight(&self) -> Option<Hindsight> {
        *self.hindsight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What the run's first dial found out so far, also while it still goes on.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// `within` from now, but early enough before the run's deadline for a last word.
    pub fn until(&self, within: Option<Duration>) -> Instant {
        let last = self.deadline.checked_sub(LAST_WORD).unwrap_or(self.deadline);
        within.map_or(last, |within| last.min(Instant::now() + within))
    }

    /// Keeps a measurement.
    pub fn measure(&self, sample: Sample) {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }

    /// What was measured so far.
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens a WebSocket as the ask says, after the dialect's request before the upgrade where it has one;
    /// `record` keeps what the dial finds out.
    ///
    /// # Errors
    /// When our credential is unusable or the gateway, or the way to it, fails.
    pub async fn open(&self, ask: &Ask, record: &Record) -> Result<Opened, Refusal> {
        let mut variables = given(ask);
        if let Some(before) = self.target.dialect.before() {
            Box::pin(self.before(before, ask, &mut variables, record)).await?;
        }
        let evidence = self.evidence.connection();
        evidence.enter(Phase::Budget);
        let permit = self.budget.connect().await;
        // Boxed, so that the state of a dial, which is large, is there neither while many wait for the budget, nor
        // as long as the connection.
        Box::pin(self.dial(ask, record, variables, evidence, permit)).await
    }

    async fn dial(
        &self,
        ask: &Ask,
        record: &Record,
        mut variables: Variables,
        evidence: Evidence,
        permit: Permit,
    ) -> Result<Opened, Refusal> {
        let Prepared { endpoint, offer, token } = self.prepare(ask, &mut variables, &evidence).await?;
        let dial = self.dialer.dial_into(&endpoint, &offer, &evidence, record);
        let dialed = self.patiently(ask, record, dial).await;
        if let (Some(jar), Some(response)) = (&self.jar, record.facts().response) {
            jar.keep(&endpoint.url, response.set_cookies());
        }
        let mut dialed = dialed?.map_err(|failure| Refusal::Dial(failure.error))?;
        dialed.socket.goodbye_when(self.cut.clone());
        evidence.enter(Phase::Session);
        Ok(Opened::new(dialed, evidence, token, variables, Arc::clone(&self.budget), permit))
    }

    /// What a dial needs beside the way: the endpoint and the offer with all secrets, read anew.
    pub(super) async fn prepare(
        &self,
        ask: &Ask,
        variables: &mut Variables,
        evidence: &Evidence,
    ) -> Result<Prepared, Refusal> {
        let token = self.token(ask, evidence).await?;
        if let Some(token) = &token {
            variables.set("token", token.expose());
        }
        let mut endpoint = self.equipped(evidence).await?;
        endpoint.subprotocol_required |= ask.require_subprotocol;
        if let Some(path) = &ask.path {
            let pinned = endpoint.path.peer;
            endpoint.path = path.clone();
            endpoint.path.peer = pinned.or(endpoint.path.peer);
        }
        endpoint.path.peer = endpoint.path.peer.or(ask.peer);
        endpoint.path.receive_buffer = ask.receive_buffer.or(endpoint.path.receive_buffer);
        for (name, value) in self.target.dialect.before().iter().flat_map(|before| before.query(variables)) {
            endpoint.url.query_pairs_mut().append_pair(&name, &value);
        }
        if let (Some(propagate), Some(trace)) = (self.target.propagate, self.trace) {
            endpoint.headers.push(Header::plain("traceparent", trace.traceparent(propagate.sampled)));
        }
        let cookies = self.jar.as_ref().and_then(|jar| jar.header(&endpoint.url));
        let offer = offer(&self.target, ask, token.as_ref(), cookies);
        Ok(Prepared { endpoint, offer, token })
    }

    /// Sends a GET that asks for no upgrade, with the target's credential; gives the status of the answer.
    ///
    /// # Errors
    /// When our credential is unusable, or no answer could be read.
    pub async fn plain_get(&self) -> Result<u16, Refusal> {
        let evidence = self.evidence.connection();
        evidence.enter(Phase::Budget);
        let _permit = self.budget.connect().await;
        let ask = Ask::default();
        let token = self.token(&ask, &evidence).await?;
        let endpoint = self.equipped(&evidence).await?;
        let offer = offer(&self.target, &ask, token.as_ref(), None);
        let request = Request::plain_get(&endpoint, &offer).map_err(Refusal::Dial)?;
        let connected = self.dialer.connect(&endpoint, &evidence).await;
        let mut connected = connected.map_err(|failure| Refusal::Dial(failure.error))?;
        connected.exchange(&request).await.map(|response| response.status).map_err(Refusal::Dial)
    }

    /// The endpoint, pinned to the run's peer.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The address to which further connections of the run go as well; none where a proxy chose it, or a redirect
    /// led elsewhere.
    pub fn peer(&self, opened: &Opened) -> Option<IpAddr> {
        let url = &self.endpoint.url;
        let port = url.port_or_known_default().unwrap_or_default();
        let proxy = self.endpoint.proxy.as_ref();
        let proxied = proxy.is_some_and(|proxy| !proxy.exceptions.covers(self.endpoint.host(), port));
        (!proxied && opened.dialed.redirects == 0).then(|| opened.dialed.peer.ip())
    }

    /// A token from this source that differs from all before, as far as that is in our hands.
    ///
    /// # Errors
    /// When it is missing or unusable.
    pub async fn new_token(&self, source: &Source) -> Result<Token, Refusal> {
        gotten(source.fetch_new(SystemTime::now()).await)
    }

    /// Waits as long as the ask allows, counted from when the budget had allowed it; the record tells in which phase
    /// the time ran out.
    pub(super) async fn patiently<T>(
        &self,
        ask: &Ask,
        record: &Record,
        what: impl Future<Output = T>,
    ) -> Result<T, Refusal> {
        let Some(within) = ask.within else { return Ok(what.await) };
        let (wanted, until) = (Instant::now() + within, self.until(ask.within));
        timeout_at(until, what).await.map_err(|_| match until < wanted {
            true => Refusal::OutOfTime,
            false => Refusal::Late { within, phase: record.phase().unwrap_or(Phase::Tcp) },
        })
    }

    /// The target's budget.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    pub(super) fn jar(&self) -> Option<&Jar> {
        self.jar.as_ref()
    }

    /// The endpoint with the secrets that are read anew for each connection.
    pub(super) async fn equipped(&self, evidence: &Evidence) -> Result<Endpoint, Refusal> {
        let mut endpoint = self.endpoint.clone();
        if !self.target.secret_headers.is_empty() {
            evidence.enter(Phase::Credential);
        }
        for (name, source) in &self.target.secret_headers {
            let value = fetch(source).await?;
            endpoint.headers.push(Header::credential(name.as_str(), value.expose().to_owned().into()));
        }
        Ok(endpoint)
    }

    pub(super) async fn token(&self, ask: &Ask, evidence: &Evidence) -> Result<Option<Token>, Refusal> {
        let Some(credential) = self.target.credential.as_ref().filter(|_| ask.credential) else {
            return Ok(None);
        };
        if let Some(token) = &ask.token {
            return Ok(Some(token.clone()));
        }
        evidence.enter(Phase::Credential);
        fetch(&credential.source).await.map(Some)
    }
}

/// What the dialect's templates may hold from the first request on.
pub(super) fn given(ask: &Ask) -> Variables {
    let mut variables = ask.variables.clone();
    if variables.get("client").is_none() {
        variables.set("client", format!("gateprobe-{:08x}", rand::random::<u32>()));
    }
    if variables.get("timestamp").is_none() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        variables.set("timestamp", now.unwrap_or_default().as_secs());
    }
    variables
}

async fn fetch(source: &Source) -> Result<Token, Refusal> {
    gotten(source.fetch(SystemTime::now()).await)
}

fn gotten(token: Result<Token, AuthError>) -> Result<Token, Refusal> {
    token.map_err(|error| match error {
        AuthError::NoDescriptors { .. } => Refusal::Dial(DialError::NoDescriptors),
        error => Refusal::Credential(error.to_string()),
    })
}

//! What a person may do next: after a run that did not pass, and what a run that goes on waits for.

mod dial;
mod session;

use std::borrow::Cow;

use super::Job;
use crate::auth::{Credential, Place};
use crate::checks::CheckSpec;
use crate::model::{Cause, Failure, Outcome, Why};

/// What a check waits for most of its time.
pub fn waits_for(check: &CheckSpec) -> &'static str {
    match check {
        CheckSpec::Handshake(_) => "waits for the handshake",
        CheckSpec::Heartbeat(_) => "waits for pongs and heartbeats",
        CheckSpec::Zombie(_) => "keeps silent until the gateway lets go",
        CheckSpec::Flapping(_) => "comes and goes",
        CheckSpec::Malformed(_) => "sends what is malformed, one thing after another",
        CheckSpec::NetworkSwitch(_) => "waits for messages after a change of network",
        CheckSpec::TokenRefresh(_) => "waits for tokens to be renewed, and to end",
        CheckSpec::Hold(_) => "holds connections",
    }
}

/// What to know before a run begins that can't judge anything.
pub fn before(job: &Job) -> Option<String> {
    let CheckSpec::Zombie(zombie) = &job.spec else { return None };
    let promised = zombie.window.is_some() || job.target.dialect.promises_zombie();
    (!promised).then(|| {
        format!(
            "no clean-up of silent connections is promised for {}: zombie watches for {}, and judges nothing; say what \
             the gateway promises: --zombie-window 20s",
            job.key.target,
            zombie.watch.told()
        )
    })
}

/// What to try after an outcome with its detail; `None` where the sentence of the reason says all there is.
pub fn on(outcome: Outcome, detail: &str, job: &Job) -> Option<Cow<'static, str>> {
    let (tls, credential) = (job.target.endpoint.url.scheme() == "wss", job.target.credential.as_ref());
    let on_failure = |failure| on_failure(failure, detail, tls, credential);
    match outcome {
        Outcome::Pass => None,
        Outcome::Fail(failure) => on_failure(failure),
        Outcome::Inconclusive(Cause::Precondition) => {
            let known = refused_by(detail).and_then(on_failure);
            known.or_else(|| on_cause(Cause::Precondition).map(Cow::from))
        }
        Outcome::Inconclusive(cause) => on_cause(cause).map(Cow::from),
        Outcome::Unsupported(why) => on_unsupported(why, job.key.check).map(Cow::from),
    }
}

/// Why a check that needs a connection had none: its detail names the reason that `handshake` would fail by.
fn refused_by(detail: &str) -> Option<Failure> {
    let (reason, _) = detail.split_once("could not connect (")?.1.split_once(')')?;
    Failure::ALL.iter().copied().find(|failure| failure.reason() == reason)
}

fn on_failure(
    failure: Failure,
    detail: &str,
    tls: bool,
    credential: Option<&Credential>,
) -> Option<Cow<'static, str>> {
    match failure {
        Failure::Unauthorized => Some(on_unauthorized(detail, credential)),
        Failure::ClosedEarly | Failure::SessionClosed
            if credential.is_none() && session::wants_token(detail) =>
        {
            Some(session::TOKEN_WANTED.into())
        }
        Failure::TlsBadCertificate => Some(dial::on_bad_certificate(detail).into()),
        failure => dial::on(failure, tls).or_else(|| session::on(failure)).map(Cow::from),
    }
}

/// A 401 asks for a credential (RFC 9110, section 15.5.2). A bare 403 to whoever has none mostly comes from a check of
/// Origin: many servers refuse who does not name one that they know.
fn on_unauthorized(detail: &str, credential: Option<&Credential>) -> Cow<'static, str> {
    let Some(Credential { place, .. }) = credential else {
        return match detail.contains("status 403") {
            true => ORIGIN_OR_TOKEN.into(),
            false => {
                "if a token is wanted, name its file: --token-file for a URL, auth.token in a config".into()
            }
        };
    };
    let sent = match place {
        Place::Header { name, prefix } => format!("as `{name}: {prefix}...`"),
        Place::Query { name } => format!("in the query, as `{name}`"),
        Place::Subprotocol { .. } => "as a subprotocol".to_owned(),
        Place::Cookie { name } => format!("as the cookie `{name}`"),
        Place::FirstMessage { .. } => {
            return "the token goes into the first message, after the upgrade: if the gateway wants it before, say \
                    where: --token-place for a URL, auth.place in a config"
                .into();
        }
        Place::Dialect => "where the dialect says".to_owned(),
    };
    format!(
        "a token was sent {sent}: look whether it is the right one and still good; if the gateway wants it \
         elsewhere, say where: --token-place for a URL, auth.place in a config{}",
        if detail.contains("status 403") { WHERE_FROM } else { "" }
    )
    .into()
}

const ORIGIN_OR_TOKEN: &str = "mostly the gateway checks Origin: name your app's in a config, as in headers: {Origin: \
    https://app.example.com}; if a token is wanted, name its file: --token-file for a URL, auth.token in a config";
const WHERE_FROM: &str =
    "; if it checks Origin, name your app's in a config: headers: {Origin: https://app.example.com}";

fn on_cause(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::AgentLag => Some(
            "this machine was busy; run it again, or raise lag_bound (GATEPROBE__LAG_BOUND=1s in the environment)",
        ),
        Cause::AgentThrottled => Some("raise the CPU limit of this container, or run fewer checks in it"),
        Cause::AgentDescriptors => Some("raise the limit of open files: ulimit -n"),
        Cause::AgentPorts => Some("wait for connections to be over, or widen net.ipv4.ip_local_port_range"),
        Cause::AgentPath => Some("look whether network.interface and network.source are this machine's"),
        Cause::EgressLost => Some(
            "look at this machine's own network; control, in a config, must be something that answers: agent and \
             gateways are told apart by it",
        ),
        Cause::ProxyUnavailable => Some("look at the proxy's address, user and password"),
        Cause::Precondition => Some("look at the check handshake: it tells why there is no connection"),
        Cause::Throttled => Some("ask those who run the gateway to let this agent in, or look less often"),
        Cause::Credential => {
            Some("look whether the token's file is there, readable, not empty, and its token not expired")
        }
        Cause::ResolverUnreachable => Some("look at this machine's name resolution"),
        Cause::Restarting => Some("run it again once the gateway has been restarted"),
        Cause::BystanderSlowed => Some("run it again when the gateway has less to do"),
        Cause::Observe => Some("look whether the URL at observe can be read from here"),
        Cause::Budget => Some("raise the target's budget in a config, or its time-out"),
        // Nothing that a person here can do; the sentence says what it was.
        Cause::AddressNotAllowed | Cause::AgentShutdown | Cause::AgentPanic => None,
    }
}

fn on_unsupported(why: Why, check: &str) -> Option<&'static str> {
    match (why, check) {
        (Why::Promise, "zombie") => {
            Some("say what the gateway promises: --zombie-window 20s, or zombie.window in a config")
        }
        (Why::Promise, _) => Some("say what the gateway promises, in a config or by --dialect"),
        (Why::NoCredential, _) => Some("name a token: --token-file for a URL, auth.token in a config"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::DialError;

    #[test]
    fn every_failure_has_a_hint() {
        for failure in Failure::ALL {
            for tls in [true, false] {
                assert!(on_failure(*failure, "", tls, None).is_some(), "{failure}");
            }
        }
    }

    #[test]
    fn the_wrong_scheme_is_told_from_the_wrong_gateway() {
        let said = |failure, tls| on_failure(failure, "", tls, None).unwrap_or_default();
        assert!(said(Failure::UpgradeMalformed, false).contains("wss://"));
        assert!(!said(Failure::UpgradeMalformed, true).contains("ws"));
        assert!(said(Failure::TlsTimeout, true).contains("ws://"));
        assert!(said(Failure::Rejected, true).contains("subprotocol"));
        // Many libraries answer 400 to a path that they do not know.
        assert!(said(Failure::Rejected, false).starts_with("look whether the path"));
    }

    #[test]
    fn who_was_not_let_in_is_told_of_what_may_be_missing() {
        let credential = Credential {
            source: crate::auth::Source::Env("TOKEN".into()),
            place: Place::Header { name: "Authorization".into(), prefix: "Bearer ".into() },
        };
        let said = |status: u16, credential: Option<&Credential>| {
            let detail = DialError::Status { status, credential: credential.is_some() }.to_string();
            on_failure(Failure::Unauthorized, &detail, true, credential).unwrap_or_default()
        };
        assert!(said(403, None).starts_with("mostly the gateway checks Origin"), "{}", said(403, None));
        assert!(said(403, None).contains("headers: {Origin: ") && said(403, None).contains("--token-file"));
        assert!(said(401, None).contains("--token-file") && !said(401, None).contains("Origin"));
        let with = said(403, Some(&credential));
        assert!(with.starts_with("a token was sent as `Authorization: Bearer ...`"), "{with}");
        assert!(with.contains("headers: {Origin: "), "{with}");
        assert!(!said(401, Some(&credential)).contains("Origin"));
    }

    #[test]
    fn a_check_that_had_no_connection_tells_why() {
        let detail =
            "could not connect (upgrade_timeout): connected, but the upgrade request was not answered";
        assert_eq!(refused_by(detail), Some(Failure::UpgradeTimeout));
        assert_eq!(refused_by("the gateway did not answer a ping"), None);
    }

    #[test]
    fn a_close_that_asks_for_a_token_is_understood() {
        let token = |detail, credential| on_failure(Failure::SessionClosed, detail, true, credential);
        let closed = "the gateway closed with code 4401 although it had been answered";
        assert!(token(closed, None).is_some_and(|said| said.contains("--token-place first_message:")));
        assert!(token("the gateway closed with code 1000", None).is_some_and(|said| !said.contains("token")));
    }

    #[test]
    fn a_token_that_was_sent_is_not_asked_for() {
        assert!(on_unauthorized("", None).contains("--token-file"));
        let source = crate::auth::Source::File("token".into());
        let place = Place::Header { name: "Authorization".into(), prefix: "Bearer ".into() };
        let said = on_unauthorized("", Some(&Credential { source: source.clone(), place }));
        assert!(said.starts_with("a token was sent as `Authorization: Bearer ...`: "), "{said}");
        assert!(said.contains("auth.place") && !said.contains("--token-file"), "{said}");
        let cookie = Credential { source, place: Place::Cookie { name: "sid".into() } };
        assert!(on_unauthorized("", Some(&cookie)).contains("as the cookie `sid`"));
    }
}

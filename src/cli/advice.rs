//! What a person may do next: after a run that did not pass, and what a run that goes on waits for.

use crate::checks::CheckSpec;
use crate::model::{Cause, Failure, Outcome, RunReport, Why};
use crate::runner::Job;

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

/// What to try where our own side may be the cause; `None` where the gateway alone can say more.
pub fn on(report: &RunReport, job: &Job) -> Option<&'static str> {
    match report.outcome {
        Outcome::Pass => None,
        Outcome::Fail(failure) => on_failure(failure, job.target.endpoint.url.scheme() == "wss"),
        Outcome::Inconclusive(cause) => on_cause(cause),
        Outcome::Unsupported(why) => on_unsupported(why, job.key.check),
    }
}

fn on_failure(failure: Failure, tls: bool) -> Option<&'static str> {
    match failure {
        Failure::UpgradeMalformed | Failure::UpgradeClosed | Failure::Rejected if !tls => {
            Some("if TLS is spoken at this port, write wss:// in the URL")
        }
        Failure::TlsProtocol | Failure::TlsTimeout | Failure::TlsClosed => {
            Some("if no TLS is spoken at this port, write ws:// in the URL")
        }
        Failure::TlsUntrusted => Some(
            "if the authority is your own, name its certificate: --ca-file for a URL, tls.ca_file in a config",
        ),
        Failure::Unauthorized => {
            Some("if a token is wanted, name its file: --token-file for a URL, auth.token in a config")
        }
        Failure::NotFound => {
            Some("look whether the path of the URL is right; many gateways have /ws or /socket")
        }
        Failure::Redirected => {
            Some("write the URL that the gateway sends its clients to, or allow redirects in a config")
        }
        Failure::Rejected => {
            Some("if the gateway wants a subprotocol, an Origin or another header, write them in a config")
        }
        _ => None,
    }
}

fn on_cause(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::Precondition => Some("look at the check handshake: it tells why there is no connection"),
        Cause::Throttled => Some("ask those who run the gateway to let this agent in, or look less often"),
        Cause::Credential => Some("look whether the token's file is there, readable, and not expired"),
        Cause::ResolverUnreachable => Some("look at this machine's name resolution"),
        Cause::Budget => Some("raise the target's budget in a config, or its time-out"),
        _ => None,
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

    #[test]
    fn the_wrong_scheme_is_told_from_the_wrong_gateway() {
        let said = |failure, tls| on_failure(failure, tls).unwrap_or_default();
        assert!(said(Failure::UpgradeMalformed, false).contains("wss://"));
        assert!(!said(Failure::UpgradeMalformed, true).contains("ws"));
        assert!(said(Failure::TlsTimeout, true).contains("ws://"));
        assert!(said(Failure::Rejected, true).contains("subprotocol"));
        assert_eq!(on_failure(Failure::PongLost, true), None);
    }
}

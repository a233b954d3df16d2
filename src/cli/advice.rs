//! What a person may do next: after a run that did not pass, and what a run that goes on waits for.

use std::borrow::Cow;

use crate::auth::{Credential, Place};
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

/// What to try; `None` where the sentence of the reason says all there is.
pub fn on(report: &RunReport, job: &Job) -> Option<Cow<'static, str>> {
    match report.outcome {
        Outcome::Pass => None,
        Outcome::Fail(Failure::Unauthorized) => Some(on_unauthorized(job.target.credential.as_ref())),
        Outcome::Fail(Failure::TlsBadCertificate) => Some(on_bad_certificate(&report.detail).into()),
        Outcome::Fail(failure) => {
            on_failure(failure, job.target.endpoint.url.scheme() == "wss").map(Cow::from)
        }
        Outcome::Inconclusive(cause) => on_cause(cause).map(Cow::from),
        Outcome::Unsupported(why) => on_unsupported(why, job.key.check).map(Cow::from),
    }
}

fn on_unauthorized(credential: Option<&Credential>) -> Cow<'static, str> {
    let Some(Credential { place, .. }) = credential else {
        return "if a token is wanted, name its file: --token-file for a URL, auth.token in a config".into();
    };
    let sent = match place {
        Place::Header { name, prefix } => format!("as `{name}: {prefix}...`"),
        Place::Query { name } => format!("in the query, as `{name}`"),
        Place::Subprotocol { .. } => "as a subprotocol".to_owned(),
        Place::Cookie { name } => format!("as the cookie `{name}`"),
        Place::FirstMessage { .. } => {
            return "the token goes into the first message, after the upgrade: if the gateway wants it before, write \
                    where in a config: auth.place"
                .into();
        }
        Place::Dialect => "where the dialect says".to_owned(),
    };
    format!(
        "a token was sent {sent}: look whether it is the right one and still good; if the gateway wants it \
         elsewhere, write where in a config: auth.place"
    )
    .into()
}

fn on_bad_certificate(detail: &str) -> &'static str {
    match detail.contains("CA:TRUE") {
        true => {
            "reissue it as a server's own: openssl req -x509 takes -addext basicConstraints=critical,CA:FALSE"
        }
        false => "reissue it for a server (extended key usage serverAuth), by an algorithm of today",
    }
}

fn on_failure(failure: Failure, tls: bool) -> Option<&'static str> {
    use Failure::*;
    match failure {
        DnsNotFound => Some(
            "look whether the host in the URL is right; a name of an inner network is known to that network's resolver \
             only",
        ),
        DnsNoAddress => Some("look at the name's A and AAAA records, and at network.family in a config"),
        DnsServerFailure | DnsTimeout => {
            Some("look at the name's own DNS servers: dig +trace shows each step")
        }
        ConnectRefused => Some(
            "look whether the gateway runs, and at this port; one that listens at 127.0.0.1 can be reached from its \
             own machine only",
        ),
        ConnectUnreachable => {
            Some("look whether the gateway's machine is up, and at the routes between here and there")
        }
        ConnectReset => {
            Some("look at what stands before the gateway: a firewall or a balancer may reset connections")
        }
        ConnectTimeout => {
            Some("look whether host and port are right, and for a firewall on the way that drops packets")
        }
        ProxyTargetFailed => Some("look whether the proxy can, and may, reach the gateway's host and port"),
        _ if failure <= TlsExpiresSoon => on_tls(failure),
        BeforeTimeout | BeforeClosed | BeforeRefused | BeforeMalformed => Some(
            "look at the dialect's request before the upgrade: gateprobe dialect try shows the conversation",
        ),
        UpgradeMalformed | UpgradeClosed | UpgradeReset | Rejected if !tls => {
            Some("if TLS is spoken at this port, write wss:// in the URL")
        }
        _ => on_upgrade(failure),
    }
}

fn on_tls(failure: Failure) -> Option<&'static str> {
    match failure {
        Failure::TlsProtocol | Failure::TlsTimeout | Failure::TlsClosed => {
            Some("if no TLS is spoken at this port, write ws:// in the URL")
        }
        Failure::TlsAlert => Some(
            "look into the gateway's log of TLS: mostly it has no certificate for the host in the URL, or wants \
             another version of TLS",
        ),
        Failure::TlsUntrusted => Some(
            "if the authority is your own, name its certificate: --ca-file for a URL, tls.ca_file in a config",
        ),
        Failure::TlsExpired | Failure::TlsExpiresSoon => {
            Some("renew the certificate, and look whether the gateway has loaded the new one")
        }
        Failure::TlsNotYetValid => {
            Some("look at the clock of this machine, and of that which issued the certificate")
        }
        Failure::TlsWrongName => Some(
            "write a name in the URL that the certificate is for, or name it in a config: tls.server_name; else reissue \
             the certificate",
        ),
        Failure::TlsClientCertificateRefused => Some(
            "name a client certificate that the gateway knows, in a config: tls.client_cert_file and \
             tls.client_key_file",
        ),
        _ => None,
    }
}

fn on_upgrade(failure: Failure) -> Option<&'static str> {
    match failure {
        Failure::UpgradeTimeout => Some(
            "look whether the gateway's process hangs, and whether this port speaks HTTP at all; a balancer may accept \
             for a gateway that is down",
        ),
        Failure::UpgradeClosed | Failure::UpgradeReset | Failure::ServerError => {
            Some("look into the log of the gateway, and of the balancer before it")
        }
        Failure::UpgradeMalformed => Some("look whether this port speaks HTTP/1.1"),
        Failure::UpgradeHeaderTooLarge => Some("look at what adds headers on the way: cookies, mostly"),
        Failure::NotUpgraded | Failure::BadUpgradeHeaders => Some(
            "look whether the path is the WebSocket's, and whether a proxy before the gateway passes `Upgrade` and \
             `Connection` on",
        ),
        Failure::NotFound => {
            Some("look whether the path of the URL is right; many gateways have /ws or /socket")
        }
        Failure::Rejected => {
            Some("if the gateway wants a subprotocol, an Origin or another header, write them in a config")
        }
        Failure::Unavailable => Some(
            "look whether the gateway behind the balancer runs and is ready; if it is being rolled out, run this again",
        ),
        Failure::Redirected | Failure::RedirectScheme => {
            Some("write the URL that the gateway sends its clients to, or allow redirects in a config")
        }
        Failure::RedirectLoop => {
            Some("write the URL at which the redirects should end, and mend the gateway's rules for them")
        }
        Failure::RedirectAddress => Some("if that host is right, allow it in a config: redirects.hosts"),
        Failure::BadAccept => {
            Some("look whether something before the gateway, such as a cache, answers in its place")
        }
        Failure::SubprotocolMismatch => {
            Some("write the subprotocols that the gateway speaks in a config: subprotocols")
        }
        _ => None,
    }
}

fn on_cause(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::AgentLag => Some(
            "this machine was busy; run it again, or raise lag_bound (GATEPROBE__LAG_BOUND=1s in the environment)",
        ),
        Cause::AgentThrottled => Some("raise the CPU limit of this container, or run fewer checks in it"),
        Cause::AgentDescriptors => Some("raise the limit of open files: ulimit -n"),
        Cause::AgentPorts => Some("wait for connections to be over, or widen net.ipv4.ip_local_port_range"),
        Cause::AgentPath => Some("look whether network.interface and network.source are this machine's"),
        Cause::EgressLost => Some("look at this machine's own network"),
        Cause::ProxyUnavailable => Some("look at the proxy's address, user and password"),
        Cause::Precondition => Some("look at the check handshake: it tells why there is no connection"),
        Cause::Throttled => Some("ask those who run the gateway to let this agent in, or look less often"),
        Cause::Credential => Some("look whether the token's file is there, readable, and not expired"),
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

    /// What a dial may fail with, but has no hint here, and why.
    const WITHOUT: [(Failure, &str); 3] = [
        (Failure::Unauthorized, "has its own, which knows the token's place"),
        (Failure::TlsBadCertificate, "has its own, which knows what is bad"),
        (Failure::UnsolicitedExtension, "a bug of the gateway: its makers only can do something"),
    ];

    #[test]
    fn every_failure_of_a_dial_has_a_hint_or_a_reason_why_not() {
        let of_a_dial = Failure::ALL.iter().filter(|failure| **failure <= Failure::UnsolicitedExtension);
        for failure in of_a_dial {
            let without = WITHOUT.iter().any(|(known, _)| known == failure);
            for tls in [true, false] {
                assert_ne!(on_failure(*failure, tls).is_some(), without, "{failure}");
            }
        }
    }

    #[test]
    fn the_wrong_scheme_is_told_from_the_wrong_gateway() {
        let said = |failure, tls| on_failure(failure, tls).unwrap_or_default();
        assert!(said(Failure::UpgradeMalformed, false).contains("wss://"));
        assert!(!said(Failure::UpgradeMalformed, true).contains("ws"));
        assert!(said(Failure::TlsTimeout, true).contains("ws://"));
        assert!(said(Failure::Rejected, true).contains("subprotocol"));
        assert_eq!(on_failure(Failure::PongLost, true), None);
    }

    #[test]
    fn a_token_that_was_sent_is_not_asked_for() {
        assert!(on_unauthorized(None).contains("--token-file"));
        let source = crate::auth::Source::File("token".into());
        let place = Place::Header { name: "Authorization".into(), prefix: "Bearer ".into() };
        let said = on_unauthorized(Some(&Credential { source: source.clone(), place }));
        assert!(said.starts_with("a token was sent as `Authorization: Bearer ...`: "), "{said}");
        assert!(said.contains("auth.place") && !said.contains("--token-file"), "{said}");
        let cookie = Credential { source, place: Place::Cookie { name: "sid".into() } };
        assert!(on_unauthorized(Some(&cookie)).contains("as the cookie `sid`"));
    }

    #[test]
    fn a_bad_certificate_is_reissued_as_what_it_should_be() {
        use crate::wire::DialError;
        let authority =
            DialError::TlsBadCertificate("an authority's certificate (CA:TRUE) is used as the server's");
        assert!(on_bad_certificate(&authority.to_string()).contains("CA:FALSE"));
        assert!(on_bad_certificate("revoked").contains("serverAuth"));
    }
}

//! On a way to the gateway that ended before the session.

use crate::model::Failure;

/// On what a dial may fail with, over TLS or not.
pub(super) fn on(failure: Failure, tls: bool) -> Option<&'static str> {
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
        UpgradeClosed | UpgradeReset if !tls => {
            Some("if TLS is spoken at this port, write wss:// in the URL")
        }
        UpgradeMalformed if !tls => {
            Some("look whether this port speaks HTTP/1.1; if it speaks TLS, write wss:// in the URL")
        }
        Rejected if !tls => Some(
            "look whether the path of the URL is right; if the gateway wants a subprotocol, an Origin or another header, \
             write them in a config; if TLS is spoken at this port, write wss:// in the URL",
        ),
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
        Failure::Rejected => Some(
            "look whether the path of the URL is right; if the gateway wants a subprotocol, an Origin or another \
                 header, write them in a config",
        ),
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
        Failure::UnsolicitedExtension => Some(
            "let the gateway negotiate only what a client offers; a proxy on the way may have added the offer",
        ),
        Failure::SubprotocolMismatch => {
            Some("write the subprotocols that the gateway speaks in a config: subprotocols")
        }
        _ => None,
    }
}

/// By what is bad about it.
pub(super) fn on_bad_certificate(detail: &str) -> &'static str {
    match detail.contains("CA:TRUE") {
        true => {
            "reissue it as a server's own: openssl req -x509 takes -addext basicConstraints=critical,CA:FALSE"
        }
        false => "reissue it for a server (extended key usage serverAuth), by an algorithm of today",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::DialError;

    #[test]
    fn a_bad_certificate_is_reissued_as_what_it_should_be() {
        let authority =
            DialError::TlsBadCertificate("an authority's certificate (CA:TRUE) is used as the server's");
        assert!(on_bad_certificate(&authority.to_string()).contains("CA:FALSE"));
        assert!(on_bad_certificate("revoked").contains("serverAuth"));
    }
}

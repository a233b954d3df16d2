//! The four outcomes of a run and their reasons.
//!
//! Reasons are closed sets: label values come only from here and from names in the config, never from
//! the text of an error.

use std::fmt;

/// What one run of one check found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The gateway did the right thing on a real socket.
    Pass,
    /// The gateway's fault; counts against its SLO.
    Fail(Failure),
    /// Positive evidence of why nothing could be found out, most often outside the gateway; never counted against it.
    Inconclusive(Cause),
    /// The target can't do what the check asks for; shown, never a pass.
    Unsupported(Why),
}

impl Outcome {
    /// Every value of the label `outcome`.
    pub const LABELS: [&'static str; 4] = ["pass", "fail", "inconclusive", "unsupported"];

    /// The value of the label `outcome`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::Inconclusive(_) => "inconclusive",
            Self::Unsupported(_) => "unsupported",
        }
    }

    /// The stable reason behind anything but a pass.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Pass => None,
            Self::Fail(failure) => Some(failure.reason()),
            Self::Inconclusive(cause) => Some(cause.reason()),
            Self::Unsupported(why) => Some(why.reason()),
        }
    }

    /// Whether a check that mistreats a gateway should stay away for a while: the gateway said so, has no capacity, or
    /// its other clients suffer.
    pub fn asks_for_patience(self) -> bool {
        matches!(
            self,
            Self::Inconclusive(Cause::Throttled | Cause::BystanderSlowed)
                | Self::Fail(Failure::CollateralDamage | Failure::MalformedCrash | Failure::Unavailable)
        )
    }

    /// The reason in a sentence for people.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Pass => "the gateway did the right thing",
            Self::Fail(failure) => failure.explain(),
            Self::Inconclusive(cause) => cause.explain(),
            Self::Unsupported(why) => why.explain(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            None => f.write_str(self.label()),
            Some(reason) => write!(f, "{} ({reason})", self.label()),
        }
    }
}

/// Declares an enum of reasons: each variant has its stable label and one sentence, which is its doc too.
macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $label:literal: $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $text] $variant,)+ }

        impl $name {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable label value.
            pub fn reason(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The reason in a sentence for people.
            pub fn explain(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.reason())
            }
        }
    };
}

reasons! {
    /// What the gateway did wrong.
    Failure {
        DnsNotFound = "dns_not_found": "the gateway's name does not exist (NXDOMAIN), while the resolver works",
        DnsNoAddress = "dns_no_address": "the gateway's name exists, but has no address of the wanted family",
        DnsServerFailure = "dns_server_failure": "the resolver works, but could not resolve the gateway's name (SERVFAIL or REFUSED)",
        DnsTimeout = "dns_timeout": "the resolver answers for other names, but not for the gateway's name in time",
        ConnectRefused = "connect_refused": "nothing listens at the gateway's address (TCP connection refused)",
        ConnectUnreachable = "connect_unreachable": "the gateway's address can't be reached (host or network unreachable)",
        ConnectReset = "connect_reset": "the gateway reset the TCP connection before anything was said",
        ConnectTimeout = "connect_timeout": "the gateway's address did not answer the TCP connect in time",
        ProxyTargetFailed = "proxy_target_failed": "the proxy works, but could not reach the gateway (502, 503 or 504 to CONNECT)",
        TlsTimeout = "tls_timeout": "the gateway did not finish the TLS handshake in time",
        TlsClosed = "tls_closed": "the gateway closed or reset the connection during the TLS handshake",
        TlsProtocol = "tls_protocol": "the gateway did not speak TLS, or no version and cipher suite that we share",
        TlsAlert = "tls_alert": "the gateway refused the TLS handshake with an alert",
        TlsUntrusted = "tls_untrusted": "the gateway's certificate is not issued by an authority that we trust",
        TlsExpired = "tls_expired": "the gateway's certificate has expired",
        TlsNotYetValid = "tls_not_yet_valid": "the gateway's certificate is not valid yet",
        TlsWrongName = "tls_wrong_name": "the gateway's certificate is for another name",
        TlsBadCertificate = "tls_bad_certificate": "the gateway's certificate is broken, revoked or not fit for a server",
        TlsClientCertificateRefused = "tls_client_certificate_refused": "the gateway refused our client certificate",
        TlsExpiresSoon = "tls_expires_soon": "the gateway's certificate expires sooner than the check allows",
        BeforeTimeout = "before_timeout": "the gateway did not answer the dialect's HTTP request before the upgrade in time",
        BeforeClosed = "before_closed": "the gateway ended the connection before it had answered the dialect's HTTP request before the upgrade",
        BeforeRefused = "before_refused": "the gateway answered the dialect's HTTP request before the upgrade with another status than the dialect's",
        BeforeMalformed = "before_malformed": "what the gateway answered to the dialect's HTTP request before the upgrade is not what the dialect promises",
        UpgradeTimeout = "upgrade_timeout": "the gateway accepted the connection, but did not answer the upgrade request in time",
        UpgradeClosed = "upgrade_closed": "the gateway closed the connection before it had answered the upgrade request",
        UpgradeReset = "upgrade_reset": "the gateway reset the connection before it had answered the upgrade request",
        UpgradeMalformed = "upgrade_malformed": "what the gateway answered to the upgrade request is not HTTP/1.1",
        UpgradeHeaderTooLarge = "upgrade_header_too_large": "the gateway's answer to the upgrade request has more headers than any client accepts",
        NotUpgraded = "not_upgraded": "the gateway answered the upgrade request with success, but not with 101",
        Unauthorized = "unauthorized": "the gateway did not let us in (401 or 403): it refuses our credential, wants one, or refuses something else, such as the Origin",
        NotFound = "not_found": "the gateway knows no such path (404 or 410)",
        Rejected = "rejected": "the gateway refused the upgrade request with another 4xx status",
        ServerError = "server_error": "the gateway failed on the upgrade request with a 5xx status",
        Unavailable = "unavailable": "the gateway, or the balancer in front of it, has no capacity or no backend (502, 503, 504 or close code 1013)",
        Redirected = "redirected": "the gateway redirected the upgrade request, which the target does not allow",
        RedirectLoop = "redirect_loop": "the gateway's redirects do not end",
        RedirectScheme = "redirect_scheme": "the gateway redirected to a URL that is not WebSocket, or from wss down to ws",
        RedirectAddress = "redirect_address": "the gateway redirected to an internal address or a host that is not allowed",
        BadAccept = "bad_accept": "the 101's Sec-WebSocket-Accept is missing, wrong, or there twice (RFC 6455, section 4.1)",
        BadUpgradeHeaders = "bad_upgrade_headers": "the 101 lacks `Upgrade: websocket` or `Connection: Upgrade`, or upgrades to something else as well (RFC 6455, section 4.1)",
        SubprotocolMismatch = "subprotocol_mismatch": "the gateway selected a subprotocol that was not asked for, an empty one, or none of the required ones",
        UnsolicitedExtension = "unsolicited_extension": "the gateway negotiated an extension that was not offered, or an empty one (RFC 6455, section 9.1)",
        FirstMessageTimeout = "first_message_timeout": "the gateway upgraded, but its first message did not come in time",
        FirstMessageMismatch = "first_message_mismatch": "the gateway's first message is not what the target promises",
        ClosedEarly = "closed_early": "the gateway closed the WebSocket right after the upgrade",
        ConnectionCut = "connection_cut": "the gateway ended the TCP connection without a Close frame (FIN)",
        ConnectionReset = "connection_reset": "the gateway reset the TCP connection without a Close frame (RST)",
        ProtocolViolation = "protocol_violation": "the gateway sent a frame that breaks RFC 6455",
        MessageTooLarge = "message_too_large": "the gateway sent a frame larger than the check reads",
        FrameStalled = "frame_stalled": "the gateway began a frame and did not finish it in time",
        SessionTimeout = "session_timeout": "the gateway fell silent in the middle of the session",
        CloseUnanswered = "close_unanswered": "the gateway did not answer our Close frame in time (RFC 6455, section 5.5.1)",
        TcpNotEnded = "tcp_not_ended": "the gateway answered our Close, but did not end the TCP connection in time (RFC 6455, section 7.1.1)",
        TooSlow = "too_slow": "the gateway did everything right, but slower than the check's threshold",
        TokenNotRequired = "token_not_required": "the gateway let us in without a credential, or with a broken one",
        OriginNotChecked = "origin_not_checked": "the gateway let a foreign Origin in",
        PlainGetUpgraded = "plain_get_upgraded": "the gateway answered 101 to a plain GET that asked for no upgrade",
        SessionClosed = "session_closed": "the gateway closed a session that had behaved well",
        DialectMismatch = "dialect_mismatch": "what the gateway said is not what the target's dialect promises",
        PongLost = "pong_lost": "the gateway did not answer a ping in time (RFC 6455, section 5.5.3)",
        PongMismatch = "pong_mismatch": "the gateway answered a ping by a pong with another payload (RFC 6455, section 5.5.3)",
        PongDuplicated = "pong_duplicated": "the gateway answered a ping more than once",
        BeatMissing = "beat_missing": "the gateway's own heartbeat did not come",
        BeatOff = "beat_off": "the gateway's own heartbeat came, but not at the promised interval",
        TooJittery = "too_jittery": "the round-trip time varied more than the check's threshold",
        ZombieLeaked = "zombie_leaked": "the gateway did not clean up a connection that had gone silent",
        HalfClosedLeak = "half_closed_leak": "the gateway said goodbye to a silent connection, but did not let go of it (no FIN or RST)",
        EvictedEarly = "evicted_early": "the gateway closed a silent connection before the promised time",
        RecoveredEvicted = "recovered_evicted": "the gateway closed a connection that had answered again in time",
        FalseEviction = "false_eviction": "the gateway closed a connection that answered everything, while it cleaned up silent ones",
        CollateralDamage = "collateral_damage": "a well-behaved connection beside the check grew slow, twice",
        ReconnectFailed = "reconnect_failed": "the gateway did not let a client in again that had come and gone before",
        ReconnectSlowed = "reconnect_slowed": "the gateway took longer and longer to let a client in that came and went",
        UnstableAfterFlapping = "unstable_after_flapping": "a connection did not work as it should after clients had come and gone",
        SessionsLeaked = "sessions_leaked": "the gateway still counts sessions of clients that have left",
        MemoryGrew = "memory_grew": "the gateway's memory grew by more than the check's threshold, and did not shrink again",
        MalformedAccepted = "malformed_accepted": "the gateway let pass what it should have refused",
        MalformedReaction = "malformed_reaction": "the gateway refused malformed input, but in none of the acceptable ways",
        MalformedError = "malformed_error": "malformed input made the gateway fail (close code 1011, or a 5xx status)",
        MalformedHang = "malformed_hang": "after malformed input the gateway neither served the connection nor ended it",
        MalformedCrash = "malformed_crash": "after malformed input the gateway dropped its other clients, or could not be reached any more",
        MessagesLost = "messages_lost": "the gateway had acknowledged messages that it never delivered",
        MessagesDuplicated = "messages_duplicated": "the gateway delivered messages more than once",
        MessagesReordered = "messages_reordered": "the gateway delivered messages in another order than they were published in",
        FalselyResumed = "falsely_resumed": "the gateway said that the session goes on, but what had happened meanwhile was missing",
        NotResumed = "not_resumed": "the gateway did not take up a session again that it promises to keep for longer",
        RefreshUnanswered = "refresh_unanswered": "the gateway did not answer a refresh of the token in time",
        RefreshRefused = "refresh_refused": "the gateway refused a refresh by a good new token",
        RefreshNotApplied = "refresh_not_applied": "the gateway accepted a new token, and ended the session when the old one expired",
        RefreshDisturbs = "refresh_disturbs": "while the token was refreshed, messages of the stream were lost or late, or the session was not served any more",
        SessionDroppedByRefresh = "session_dropped_by_refresh": "the gateway ended a session that refreshed its token",
        ExpiredSessionSurvives = "expired_session_survives": "the gateway did not close a session whose token had expired",
        BadTokenAccepted = "bad_token_accepted": "the gateway accepted a token in a refresh that it must refuse",
        Unclassified = "unclassified": "the gateway failed in a way that gateprobe has no name for: please report it",
    }
}

impl Failure {
    /// True for what the gateway said of itself: a status, a certificate, a frame. A late or frozen agent
    /// can't have caused it, while any time-out, cut or threshold might be the agent's own doing.
    pub fn is_gateways_own_word(self) -> bool {
        use Failure::*;
        matches!(
            self,
            DnsNotFound
                | DnsNoAddress
                | DnsServerFailure
                | ConnectRefused
                | ProxyTargetFailed
                | TlsProtocol
                | TlsAlert
                | TlsUntrusted
                | TlsExpired
                | TlsNotYetValid
                | TlsWrongName
                | TlsBadCertificate
                | TlsClientCertificateRefused
                | TlsExpiresSoon
                | BeforeRefused
                | BeforeMalformed
                | UpgradeMalformed
                | UpgradeHeaderTooLarge
                | NotUpgraded
                | Unauthorized
                | NotFound
                | Rejected
                | ServerError
                | Unavailable
                | Redirected
                | RedirectLoop
                | RedirectScheme
                | RedirectAddress
                | BadAccept
                | BadUpgradeHeaders
                | SubprotocolMismatch
                | UnsolicitedExtension
                | FirstMessageMismatch
                | ProtocolViolation
                | MessageTooLarge
                | TokenNotRequired
                | OriginNotChecked
                | PlainGetUpgraded
                | DialectMismatch
                | PongMismatch
                | PongDuplicated
                | MalformedAccepted
                | MalformedReaction
                | MalformedError
                | MessagesDuplicated
                | MessagesReordered
                | NotResumed
                | RefreshRefused
                | BadTokenAccepted
        )
    }

    /// True where the network between us and the gateway could be to blame as well, so that the control
    /// endpoint is asked before the gateway is accused.
    pub fn may_be_network(self) -> bool {
        use Failure::*;
        matches!(
            self,
            DnsNotFound
                | DnsNoAddress
                | DnsServerFailure
                | DnsTimeout
                | ConnectRefused
                | ConnectUnreachable
                | ConnectReset
                | ConnectTimeout
                | TlsTimeout
                | TlsClosed
                | BeforeTimeout
                | BeforeClosed
                | UpgradeTimeout
                | UpgradeClosed
                | UpgradeReset
                | FirstMessageTimeout
                | ConnectionCut
                | ConnectionReset
                | FrameStalled
                | SessionTimeout
                | CloseUnanswered
                | PongLost
                | BeatMissing
                | ZombieLeaked
                | RecoveredEvicted
                | FalseEviction
                | ReconnectFailed
                | UnstableAfterFlapping
                | MalformedHang
                | MalformedCrash
                | RefreshUnanswered
                | RefreshDisturbs
                | SessionDroppedByRefresh
        )
    }

    /// False for what will be wrong, and is not yet: users have what they need until then. It pages nobody and burns no
    /// error budget; an alert of its own tells of it.
    pub fn is_acute(self) -> bool {
        self != Self::TlsExpiresSoon
    }

    /// True for leaks, for findings about security, and for a trend, which is a matter of chance: they are confirmed by
    /// one immediate second run before they count.
    pub fn is_critical(self) -> bool {
        use Failure::*;
        matches!(
            self,
            TokenNotRequired
                | OriginNotChecked
                | PlainGetUpgraded
                | ZombieLeaked
                | HalfClosedLeak
                | ReconnectSlowed
                | SessionsLeaked
                | MemoryGrew
                | ExpiredSessionSurvives
                | BadTokenAccepted
        )
    }
}

reasons! {
    /// What kept us from finding out: most often outside the gateway; or it asked for patience, or let nobody in, which
    /// `handshake` counts.
    Cause {
        AgentLag = "agent_lag": "the agent itself was too late or frozen during the run",
        AgentThrottled = "agent_throttled": "the agent's container was CPU-throttled during the run",
        AgentDescriptors = "agent_descriptors": "the agent ran out of file descriptors",
        AgentPorts = "agent_ports": "the agent's machine ran out of local ports",
        AgentPath = "agent_path": "the agent can't use the configured interface or source address",
        AgentShutdown = "agent_shutdown": "the agent was stopped during the run",
        AgentPanic = "agent_panic": "gateprobe itself failed in the middle of the run: a bug, please report it",
        EgressLost = "egress_lost": "the agent's own way out is broken: the control endpoint, or unrelated hosts, failed at the same moment",
        ResolverUnreachable = "resolver_unreachable": "the agent's resolver answers for no name at all",
        ProxyUnavailable = "proxy_unavailable": "the proxy between us and the gateway failed or refused us",
        AddressNotAllowed = "address_not_allowed": "the target's name resolves only to addresses that this module may not dial",
        Credential = "credential": "our own credential is missing, unreadable or expired",
        Precondition = "precondition": "the check could not begin, because the gateway could not be reached (`handshake` counts that), or did not answer a ping (`heartbeat` does)",
        Throttled = "throttled": "the gateway asked us to come back later (429, or 503 with Retry-After)",
        Restarting = "restarting": "the gateway announced that it is going away (1001 or 1012) during the run",
        BystanderSlowed = "bystander_slowed": "a well-behaved connection beside the check grew slow, so that the check stopped",
        Observe = "observe": "the gateway's own metrics endpoint could not be read, or did not count the sessions that we held, so that nothing is known of its sessions and memory",
        Budget = "budget": "the target's budget did not let the run finish in time",
    }
}

reasons! {
    /// Why the target can't be asked this.
    Why {
        NoCredential = "no_credential": "the target has no credential configured, so there is none to leave out or to renew",
        Extension = "extension": "the gateway needs an extension that gateprobe does not speak",
        Http2Only = "http2_only": "the gateway speaks WebSocket over HTTP/2 only (RFC 8441), which gateprobe does not",
        SameToken = "same_token": "the target's token did not change during the run, so that there was none to renew it by",
        Promise = "promise": "neither the dialect nor the target promises what this check measures",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn reasons_are_unique_snake_case_labels_with_a_sentence() {
        let failures = Failure::ALL.iter().map(|r| (r.reason(), r.explain()));
        let causes = Cause::ALL.iter().map(|r| (r.reason(), r.explain()));
        let whys = Why::ALL.iter().map(|r| (r.reason(), r.explain()));
        let mut seen = HashSet::new();
        for (reason, text) in failures.chain(causes).chain(whys) {
            assert!(
                reason.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
                "{reason}"
            );
            assert!(seen.insert(reason), "{reason} names two things");
            assert!(text.len() > 20 && !text.ends_with('.'), "{reason}: {text}");
        }
    }
}

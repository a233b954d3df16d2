//! The table of faults: a line each, in the order in which a connection meets them.

use std::num::NonZeroU32;
use std::time::Duration;

use super::error::FaultError;
use super::form;
use crate::gateway::jwt::TakenTokens;
use crate::gateway::offence::Scope;

faults! {
    "Accept" {
        AcceptSilent = "accept_silent", "accepts the TCP connection and never says a byte";
        AcceptClose = "accept_close", "accepts and ends the connection at once (FIN)";
        AcceptReset = "accept_reset", "accepts and resets the connection at once (RST)";
        RefuseEvery(NonZeroU32 as COUNT) = "refuse_every", "resets every K-th connection, counted from the switch";
        AcceptDelay(Duration as DURATION) = "accept_delay", "waits before it reads the first byte";
    }
    "TLS" {
        TlsSilent = "tls_silent", "never answers the ClientHello";
        TlsGarbage = "tls_garbage", "answers the ClientHello with bytes that are not TLS";
        TlsClose = "tls_close", "ends the connection (FIN) after the ClientHello";
        TlsExpired = "tls_expired", "shows a certificate that expired yesterday";
        TlsNotYetValid = "tls_not_yet_valid", "shows a certificate that becomes valid tomorrow";
        TlsWrongName = "tls_wrong_name", "shows a certificate for another name";
        TlsSelfSigned = "tls_self_signed", "shows a certificate that no authority signed";
        TlsExpiresIn(Duration as DURATION) = "tls_expires_in", "shows a valid certificate that ends this long after the switch";
    }
    "Upgrade" {
        UpgradeSilent = "upgrade_silent", "reads the upgrade request and never answers";
        UpgradeDelay(Duration as DURATION) = "upgrade_delay", "waits before it answers the upgrade request";
        UpgradeDrip(Duration as PACE) = "upgrade_drip", "sends the answer to the upgrade one byte at a time";
        UpgradeHeaderBomb = "upgrade_header_bomb", "answers the upgrade with headers that do not end (64 MiB)";
        UpgradeGarbage = "upgrade_garbage", "answers the upgrade with bytes that are not HTTP";
        UpgradeCut = "upgrade_cut", "sends half of the 101 and ends the connection (FIN)";
        UpgradeReset = "upgrade_reset", "resets the connection (RST) after the upgrade request";
        UpgradeStatus(u16 as STATUS) = "upgrade_status", "refuses the upgrade with this HTTP status";
        RetryAfter(u32 as SECONDS) = "retry_after", "adds Retry-After to what upgrade_status refuses";
        Redirect(String as LOCATION) = "redirect", "redirects the upgrade (302) to this location";
        RedirectLoop = "redirect_loop", "redirects the upgrade (302) to itself";
        BadAccept = "bad_accept", "answers 101 with a wrong Sec-WebSocket-Accept";
        MissingAccept = "missing_accept", "answers 101 without Sec-WebSocket-Accept";
        MissingUpgradeHeader = "missing_upgrade_header", "answers 101 without Upgrade: websocket";
        MissingConnectionHeader = "missing_connection_header", "answers 101 without Connection: Upgrade";
        WrongSubprotocol = "wrong_subprotocol", "selects a subprotocol that was not offered";
        NoSubprotocol = "no_subprotocol", "selects no subprotocol though it knows one that was offered";
        UnsolicitedExtension = "unsolicited_extension", "names an extension that was not offered";
        BytesAfterUpgrade = "bytes_after_upgrade", "sends the first frame in the same segment as the 101 (legal)";
    }
    "Clock" {
        ClockSkew(Duration as DURATION) = "clock_skew", "has a clock that runs ahead: for Date, and for exp and nbf";
        DateSkew(Duration as DURATION) = "date_skew", "tells a Date that is ahead of its clock, as a proxy might";
    }
    "Locked doors" {
        NoAuth = "no_auth", "accepts a missing or wrong token";
        JwtExpiredAccepted = "jwt_expired_accepted", "accepts a JSON Web Token that has expired";
        JwtUnsignedAccepted = "jwt_unsigned_accepted", "accepts a JSON Web Token with alg none and no signature";
        JwtForgedAccepted = "jwt_forged_accepted", "accepts a JSON Web Token whatever its signature";
        AnyOrigin = "any_origin", "accepts a foreign Origin";
        UpgradePlainGet = "upgrade_plain_get", "answers 101 to a plain GET that asks for no upgrade";
    }
    "After the 101" {
        SilentAfterUpgrade = "silent_after_upgrade", "answers nothing after the 101: no hello, no pong, no Close";
        CloseAfterUpgrade(u16 as CLOSE_CODE) = "close_after_upgrade", "sends Close with this code right after the 101";
        CutAfterUpgrade = "cut_after_upgrade", "ends the connection (FIN) right after the 101, without Close";
        ResetAfterUpgrade = "reset_after_upgrade", "resets the connection (RST) right after the 101";
        HelloDelay(Duration as DURATION) = "hello_delay", "waits before the hello message";
        NoHello = "no_hello", "leaves the hello message out";
        WrongHello = "wrong_hello", "sends the hello as a binary message";
    }
    "Frames and Close" {
        FrameDrip(Duration as PACE) = "frame_drip", "sends every frame one byte at a time";
        MaskedFrame = "masked_frame", "masks its frames, which a server must not (RFC 6455 section 5.1)";
        CloseUnanswered = "close_unanswered", "never answers a Close, and stays connected";
        CloseDelay(Duration as DURATION) = "close_delay", "waits before it answers a Close";
        CloseKeepsTcp = "close_keeps_tcp", "answers a Close and then never ends the TCP connection";
    }
    "Heartbeat" {
        PingsMissing = "pings_missing", "sends no pings";
        PingsDrift(Duration as DURATION) = "pings_drift", "makes each interval between pings so much longer than the last";
        PingsEarly(Duration as DURATION) = "pings_early", "makes each interval between pings so much shorter than promised";
        ApplicationPingsMissing = "application_pings_missing", "sends no application pings";
        ApplicationPingsDrift(Duration as DURATION) = "application_pings_drift", "the same drift for application pings";
    }
    "Pongs" {
        PongDelay(Duration as DURATION) = "pong_delay", "answers each ping so much later";
        PongJitter(Duration as DURATION) = "pong_jitter", "answers every other ping so much later";
        PongDropped(NonZeroU32 as COUNT) = "pong_dropped", "leaves every K-th ping unanswered";
        PongDuplicated = "pong_duplicated", "answers each ping twice";
        PongWrongPayload = "pong_wrong_payload", "answers each ping with another payload";
        ApplicationPongDelay(Duration as DURATION) = "application_pong_delay", "answers each application ping so much later";
        ApplicationPongDropped(NonZeroU32 as COUNT) = "application_pong_dropped", "leaves every K-th application ping unanswered";
        ApplicationPongDuplicated = "application_pong_duplicated", "answers each application ping twice";
        ApplicationPongWrongId = "application_pong_wrong_id", "answers each application ping with another id";
    }
    "Zombies" {
        ZombiesKept = "zombies_kept", "never cleans a zombie, whatever it missed";
        ApplicationZombiesKept = "application_zombies_kept", "never cleans who missed only application heartbeats";
        ZombiesLate(Duration as DURATION) = "zombies_late", "cleans zombies that much too late";
        ZombiesEarly(Duration as DURATION) = "zombies_early", "cleans zombies that much too early";
        ZombiesCode(u16 as CLOSE_CODE) = "zombies_code", "cleans zombies with this close code";
        ZombiesHalfClosed = "zombies_half_closed", "sends zombies a Close, and keeps TCP open, unread";
        ZombiesCut = "zombies_cut", "ends zombies by FIN without Close";
        ZombiesReset = "zombies_reset", "ends zombies by RST";
        StalledFin = "stalled_fin", "ends who does not read by FIN behind the unread data, not by RST";
    }
    "Streams" {
        MessagesLost(NonZeroU32 as COUNT) = "messages_lost", "acknowledges every K-th message and delivers it to nobody";
        MessagesDropped(NonZeroU32 as COUNT) = "messages_dropped", "neither acknowledges nor delivers every K-th message of a client";
        MessagesDuplicated(NonZeroU32 as COUNT) = "messages_duplicated", "delivers every K-th message twice";
        MessagesReordered(NonZeroU32 as COUNT) = "messages_reordered", "delivers every K-th message after the next one";
        ResumeRefused = "resume_refused", "takes up no session again, but begins a new one";
        ResumeLies = "resume_lies", "says that a session goes on, and leaves out what it missed";
        ResumeDelay(Duration as DURATION) = "resume_delay", "waits before it takes up a session again";
    }
    "Tokens in a session" {
        RefreshDelay(Duration as DURATION) = "refresh_delay", "waits before it answers a token refresh";
        RefreshIgnored = "refresh_ignored", "never answers a token refresh, and changes nothing";
        RefreshRefused = "refresh_refused", "refuses every token refresh";
        RefreshRefusedOnce = "refresh_refused_once", "refuses the first token refresh of each session";
        RefreshDrops = "refresh_drops", "acknowledges a token refresh, then closes the session (1011)";
        RefreshNotApplied = "refresh_not_applied", "acknowledges a token refresh, and keeps to the old expiry";
        RefreshTakes(TakenTokens as FLAW) = "refresh_takes", "takes a new token in spite of what is wrong with it";
        RefreshStallsStream(Duration as DURATION) = "refresh_stalls_stream", "delivers nothing so long after a refresh begins, then all";
        RefreshLosesMessages(Duration as PACE) = "refresh_loses_messages", "loses what it should deliver so long after a refresh begins";
        ExpiredSessionsLive = "expired_sessions_live", "closes no session whose token has expired";
        ExpiryLate(Duration as DURATION) = "expiry_late", "closes a session so much later than its token expires";
    }
    "Healthy sessions" {
        SessionClosedAfter(Duration as DURATION) = "session_closed_after", "closes each session (1011) so long after its start or the switch";
        HealthyEvicted = "healthy_evicted", "closes a healthy session (1011) each time it cleans a zombie";
        RecoveredEvicted = "recovered_evicted", "cleans who was late (40 % of the timeout) though it answered";
        SlowBesideZombies(Duration as DURATION) = "slow_beside_zombies", "delays pongs while another client is late (40 % of the timeout)";
    }
    "Malformed input" {
        MalformedAccepted(Scope as KIND) = "malformed_accepted", "takes what is wrong as good: an echo, or 101 to an upgrade";
        MalformedWrongCode(Scope as KIND) = "malformed_wrong_code", "closes with 1000, or refuses the upgrade with status 200";
        MalformedError(Scope as KIND) = "malformed_error", "closes with 1011, or refuses the upgrade with status 500";
        MalformedHang(Scope as KIND) = "malformed_hang", "says no word any more on that connection, and keeps it";
        MalformedCrash(Scope as KIND) = "malformed_crash", "resets all connections, and for 2 s new ones, like a restart";
        MalformedHurts(Scope as KIND) = "malformed_hurts", "refuses well, but all others' pongs are 1 s later for 10 s";
    }
    "Reconnects" {
        ConnectSlower(Duration as DURATION) = "connect_slower", "sends each 101 since the switch so much later than the last";
        RateLimit(NonZeroU32 as COUNT) = "rate_limit", "refuses (429) more than K new connections in a second";
        UnstableAfter(NonZeroU32 as COUNT) = "unstable_after", "answers no ping and no message from the K-th connection on";
        SessionsLeaked = "sessions_leaked", "still counts the sessions that ended, in /metrics";
        MemoryLeaked(NonZeroU32 as KIB) = "memory_leaked", "keeps so much memory for each session that ends (64 MiB at most)";
    }
}

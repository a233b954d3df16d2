//! On what a gateway did wrong once the session was open.

use crate::model::Failure;

/// On a Close that tells of a missing token.
pub(super) const TOKEN_WANTED: &str = "the code mostly tells that a token is wanted: --token-file for a URL, with \
    --token-place first_message:TEMPLATE where it goes into the first message; auth in a config";

/// Close codes for whoever is not known, or may not: 1008 is RFC 6455's violation of a policy, 3000 and 3003 are
/// registered with IANA as unauthorized and forbidden, the others follow HTTP's statuses.
const FOR_STRANGERS: [&str; 7] = ["1008", "3000", "3003", "4001", "4003", "4401", "4403"];

/// Whether a session was closed by a code for those who show no token.
pub(super) fn wants_token(detail: &str) -> bool {
    let code = detail.split_once("closed with code ").map(|(_, rest)| rest);
    FOR_STRANGERS.iter().any(|known| code.is_some_and(|code| code.starts_with(known)))
}

/// On what may go wrong in any session, or in a check's own.
pub(super) fn on(failure: Failure) -> Option<&'static str> {
    use Failure::*;
    let hint = match failure {
        FirstMessageTimeout | FirstMessageMismatch | DialectMismatch => {
            "look what the gateway says: gateprobe dialect try shows the conversation; then say it in a dialect or a config"
        }
        ClosedEarly | SessionClosed => {
            "look into the gateway's log for why it closes; if it waits for a first message, a dialect sends it"
        }
        ConnectionCut | ConnectionReset => {
            "look for a crash in the gateway's log, and at the idle time-outs and session limits of what stands before it"
        }
        ProtocolViolation => {
            "look whether a proxy on the way changes what the gateway sends (check it without the proxy); else its \
             WebSocket library is to be mended: the frames are in the timeline that gateprobe check prints"
        }
        MessageTooLarge => {
            "look why the gateway sends so much to a new session; gateprobe reads no larger frames"
        }
        FrameStalled => "look for a proxy that buffers, and for a write in the gateway that is not flushed",
        SessionTimeout => {
            "look whether the gateway's process hangs, or the network between here and there broke"
        }
        CloseUnanswered => {
            "let the gateway answer a Close with a Close: a handler that blocks, or never reads, keeps its library from it"
        }
        TcpNotEnded => "let the gateway, or the balancer before it, end TCP once both have said Close",
        TooSlow | TooJittery => {
            "look which part takes long (gateprobe check prints a timeline); what is good enough stands in thresholds, in a config"
        }
        TokenNotRequired => "let the gateway refuse whom it does not know by 401, before the 101",
        OriginNotChecked => {
            "let the gateway hold Origin against a list, before the 101 (cross-site WebSocket hijacking)"
        }
        PlainGetUpgraded => {
            "let the gateway ask for `Upgrade` and `Connection`; a cache could keep its 101 otherwise"
        }
        PongLost => {
            "look whether a handler that blocks keeps the gateway from answering pings, or a proxy on the way drops them"
        }
        PongMismatch | PongDuplicated => {
            "let the gateway answer each ping once, with the ping's payload: mostly its library does so by itself"
        }
        BeatMissing | BeatOff => {
            "look at the gateway's heartbeat; if it promises another interval, write it: heartbeat.server in a config"
        }
        ZombieLeaked => {
            "let the gateway ping, and end who does not answer; if it promises more time, say so: --zombie-window, \
             zombie.window in a config"
        }
        HalfClosedLeak => "let the gateway end TCP by itself where its Close is not answered in time",
        EvictedEarly => "if the gateway promises to let go earlier, write it: zombie.window in a config",
        RecoveredEvicted | FalseEviction => {
            "look at how the gateway tells who is dead: each answer, also a late one, must count as a sign of life"
        }
        CollateralDamage => {
            "look what the gateway shares between connections: a lock, a queue, a pool of threads"
        }
        ReconnectFailed | ReconnectSlowed => {
            "look at limits for each address, and at what the gateway keeps of clients that have left"
        }
        UnstableAfterFlapping | SessionsLeaked | MemoryGrew => {
            "look at what the gateway does when a client leaves, by Close, FIN and RST: each must free its session"
        }
        MalformedAccepted | MalformedReaction | MalformedError | MalformedHang => {
            "gateprobe vectors says what each one is, and docs/vectors.md what is right; heed it, or say in a config what \
             your gateway promises: malformed.reactions"
        }
        MalformedCrash => {
            "look for a crash in the gateway's log: an error of one connection must end only that one; the check backs off \
             by itself"
        }
        MessagesLost | FalselyResumed | NotResumed => {
            "look for how long, and how much, the gateway keeps for a session that lost its connection; if it promises \
             less, write it: network_switch.retention in a config"
        }
        MessagesDuplicated | MessagesReordered => {
            "let the gateway go on behind the last message that the client acknowledged, in the order of its numbers"
        }
        RefreshUnanswered | RefreshRefused => {
            "look into the gateway's log for why; gateprobe dialect try shows how the dialect asks for a refresh"
        }
        RefreshNotApplied => "let the gateway put the new token's expiry in the place of the old one's",
        RefreshDisturbs => "let the gateway verify a new token beside the stream, not in its way",
        SessionDroppedByRefresh => "let the gateway keep the session when a good token takes another's place",
        ExpiredSessionSurvives => {
            "let the gateway end a session at its token's `exp`; if it promises time beyond, write it: \
             token_refresh.grace in a config"
        }
        BadTokenAccepted => {
            "let the gateway verify signature, algorithm, times, subject and audience at a refresh as at the upgrade"
        }
        Unclassified => "please report it, with the timeline that gateprobe check --verbose prints",
        _ => return None,
    };
    Some(hint)
}

"""The rows of the checks that are heavier, or that need more than a connection."""

from . import query as q
from .panels import GREEN, RED, TEXT_COLOUR
from .panels import bars, by_regex, fixed, heatmap, lines, query, stat, steps, table

BAD = steps((GREEN, None), (RED, 1))


def sections():
    return [
        ("+token_refresh: does a session outlive its token by the rules", token_refresh()),
        ("+network_switch: does a stream survive another network", network_switch()),
        ("+hold: who ends connections that should last", hold()),
        ("+flapping: do clients that come and go wear it out", flapping()),
        ("+malformed: how it takes what is wrong", malformed()),
    ]


def token_refresh():
    took, last = q.target("gateprobe_token_refresh_duration_seconds"), q.target("gateprobe_last_token_refresh_duration_seconds")
    refreshes = q.target("gateprobe_token_refreshes_total")
    refused, accepted = (q.target("gateprobe_bad_tokens_total", f'result="{result}"') for result in ("refused", "accepted"))
    expired, closed = q.target("gateprobe_expired_sessions_total"), q.target("gateprobe_last_expired_session_close_seconds")
    return [
        bars(
            "Token refreshes",
            "By result. refused, unanswered: clients will be thrown out when their token ends. not_applied: the answer was "
            "yes, and the old token still counted. dropped: the refresh cost the connection.",
            [query(f"sum by (result) ({q.increase(refreshes)})", "{{result}}")],
        ),
        lines(
            "How long a refresh takes",
            "The mean of the last run, and the 95th percentile of all.",
            [query(f"max ({last})", "last run"), query(q.quantile(0.95, took), "p95")],
            unit="s",
        ),
        table(
            "Bad tokens",
            "What the gateway did with tokens that it must refuse, in the range. Anything in `accepted` is a hole: page "
            "whoever owns its authentication.",
            [
                (
                    "Refused",
                    f"sum by (forgery) ({q.increase(refused, '$__range')})",
                    {"decimals": 0, "width": 110},
                ),
                (
                    "Accepted",
                    f"sum by (forgery) ({q.increase(accepted, '$__range')})",
                    {"decimals": 0, "thresholds": BAD, "cell": TEXT_COLOUR, "width": 110},
                ),
            ],
            ("forgery",),
            (12, 8),
            sort="Accepted",
        ),
        bars(
            "Sessions whose token ran out",
            "closed: as it should be. survived: somebody whose token has ended is still served.",
            [query(f"sum by (result) ({q.increase(expired)})", "{{result}}")],
            (8, 8),
            overrides=[by_regex("closed", color=fixed(GREEN)), by_regex("survived", color=fixed(RED))],
        ),
        stat(
            "Closed after the token's end",
            "From the token's `exp` to the Close, in the last run.",
            f"max ({closed})",
            (4, 8),
            unit="s",
            color_mode="none",
        ),
    ]


def network_switch():
    took, last = q.target("gateprobe_network_switch_seconds"), q.target("gateprobe_last_network_switch_seconds")
    switches, messages = q.target("gateprobe_network_switches_total"), q.target("gateprobe_messages_total")
    badly = q.target("gateprobe_messages_total", 'fate!="delivered"')
    return [
        bars(
            "The ledger: what became of messages",
            "Messages that the gateway had acknowledged, around the switch. Anything but delivered is a broken promise.",
            [query(f"sum by (fate) ({q.increase(messages)})", "{{fate}}")],
        ),
        lines(
            "How long until the stream goes on",
            "From the new dial to the gateway's word on the session: the slowest switch of the last run, and the 95th "
            "percentile of all.",
            [query(f"max ({last})", "slowest of the last run"), query(q.quantile(0.95, took), "p95")],
            unit="s",
        ),
        bars(
            "What the gateway said of the session",
            "resumed: it goes on. fresh: a new one begins, and what was missed is gone.",
            [query(f"sum by (session) ({q.increase(switches)})", "{{session}}")],
        ),
        stat(
            "Messages not delivered as they should be",
            "Lost, duplicated and reordered ones, in the range.",
            f"sum by (fate) ({q.increase(badly, '$__range')})",
            (12, 8),
            decimals=0,
            legend="{{fate}}",
            text_mode="value_and_name",
            thresholds=BAD,
        ),
    ]


def hold():
    held, oldest = q.target("gateprobe_held_connections"), q.target("gateprobe_last_hold_oldest_seconds")
    ends, back = q.target("gateprobe_hold_ends_total"), q.target("gateprobe_last_hold_back_seconds")
    return [
        lines(
            "Held connections",
            "How many were open at the end of each run. A dip is a deploy, or something between us and the gateway.",
            [query(f"sum by (instance) ({held})", "{{instance}}")],
            (8, 8),
            decimals=0,
            stepped=True,
        ),
        bars(
            "Who ended them, and how",
            "By the gateway's Close, its class; without a Close nobody knows who it was: a proxy, a firewall, a crash.",
            [query(f"sum by (by, class) ({q.increase(ends)}) > 0", "{{by}}: {{class}}")],
            (8, 8),
            overrides=[],
        ),
        lines(
            "How long until they were back",
            "The slowest of those that came back last, and the 95th percentile of all: what a deploy costs clients.",
            [
                query(f"max ({back})", "slowest of the last"),
                query(q.quantile(0.95, q.target("gateprobe_hold_back_seconds"), window="$__range"), "p95"),
            ],
            (8, 8),
            unit="s",
        ),
        heatmap(
            "How old they became",
            "The age at which held connections ended. A sharp band is a time-out that somebody set.",
            q.buckets(q.target("gateprobe_hold_session_age_seconds")),
            (16, 8),
        ),
        stat("Oldest", "How long the oldest held connection has been open.", f"max ({oldest})", (8, 8), unit="s", color_mode="none"),
    ]


def flapping():
    cycles, connect = q.target("gateprobe_flap_cycles_total"), q.target("gateprobe_flap_connect_seconds")
    drift, rise = q.target("gateprobe_last_flap_drift"), q.target("gateprobe_last_flap_rise_seconds")
    sessions, memory = q.target("gateprobe_last_flap_sessions"), q.target("gateprobe_last_flap_memory_bytes")
    return [
        bars(
            "Cycles of clients that come and go",
            "By what became of each: connected, or why not.",
            [query(f"sum by (result) ({q.increase(cycles)}) > 0", "{{result}}")],
        ),
        lines(
            "Time to connect again",
            "95 of 100 came back within this time: one client alone, and several at once.",
            [query(q.quantile(0.95, connect, "load"), "{{load}}")],
            unit="s",
        ),
        lines(
            "Does it get slower while they flap",
            "Drift: the median of a run's last quarter over that of its first, 1 is none. Rise: by how much the connect time "
            "climbed over the run, on the right.",
            [query(f"max by (load) ({drift})", "{{load}} drift"), query(f"max by (load) ({rise})", "{{load}} rise")],
            (8, 8),
            unit="none",
            decimals=2,
            overrides=[by_regex(".* rise", unit="s", **{"custom.axisPlacement": "right", "custom.fillOpacity": 0})],
        ),
        lines(
            "The gateway's sessions",
            "By its own count: before the run, at the most, and after. After above before: sessions leak.",
            [query(f"max by (when) ({sessions})", "{{when}}")],
            (8, 8),
            decimals=0,
        ),
        lines(
            "The gateway's memory",
            "By its own account: before the run, at the most, and after.",
            [query(f"max by (when) ({memory})", "{{when}}")],
            (8, 8),
            unit="bytes",
        ),
    ]


def malformed():
    verdicts = q.target("gateprobe_malformed_verdicts_total")
    return [
        bars(
            "Verdicts on malformed input",
            "ok: refused as it should be. accepted, wrong, error, hang, crash: docs/vectors.md says what would be right.",
            [query(f"sum by (verdict) ({q.increase(verdicts)}) > 0", "{{verdict}}")],
        ),
        lines(
            "How long until it reacts",
            "95 of 100 reactions came within this time, by group of vectors.",
            [query(q.quantile(0.95, q.target("gateprobe_malformed_reaction_seconds"), "group", "$__range"), "{{group}}")],
            unit="s",
        ),
        table(
            "What it took badly",
            "Each vector in the range that was not taken as it should be: what was sent, what the gateway did, and what "
            "that was. `gateprobe vectors` shows the bytes.",
            [("Times", worst_vectors(), {"decimals": 0, "thresholds": BAD, "cell": TEXT_COLOUR, "width": 100})],
            ("vector", "reaction", "verdict"),
            (24, 8),
            sort="Times",
        ),
    ]


def worst_vectors():
    """These series are not there at 0 from the start, there would be thousands."""
    bad = q.target("gateprobe_malformed_vectors_total", 'verdict!~"ok|not_judged"')
    return f"sum by (vector, reaction, verdict) ({q.gained(bad, '$__range')})"

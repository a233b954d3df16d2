"""The rows of the drill-down: one a check, folded until somebody wants to know."""

from . import more_checks
from . import query as q
from .panels import GREEN, GREY, ORANGE, RED, TEXT_COLOUR, YELLOW
from .panels import bars, by_regex, fixed, heatmap, lines, panel, query, stat, steps, table

BOUND = {"custom.fillOpacity": 0, "custom.lineWidth": 2, "custom.lineStyle": {"fill": "dash", "dash": [8, 6]}}
FOUND = [
    {
        "type": "value",
        "options": {"0": {"index": 0, "text": "no", "color": GREEN}, "1": {"index": 1, "text": "found", "color": ORANGE}},
    }
]


def sections():
    return [
        ("+handshake: does it let clients in, and how fast", handshake()),
        ("+heartbeat: does an open connection answer", heartbeat()),
        ("+zombie: does it let go of clients that went silent", zombie()),
        *more_checks.sections(),
    ]


def handshake():
    phases = q.target("gateprobe_connect_phase_duration_seconds")
    last = q.target("gateprobe_last_connect_phase_duration_seconds")
    ends = q.target("gateprobe_tls_certificate_not_after_timestamp_seconds")
    return [
        lines(
            "Phases of getting in",
            "The mean of each phase, stacked: the top is the time to get in. The phase that grows names whom to ask: dns, "
            "tcp and tls stand before the gateway, upgrade is the gateway itself.",
            [query(q.mean(phases, "phase"), "{{phase}}")],
            unit="s",
            stacked=True,
            fill=60,
        ),
        heatmap(
            "Time to the 101",
            "The phase `upgrade` alone, each cell so many runs. Two bands: two kinds of backend, or a cold one.",
            q.buckets(q.target("gateprobe_connect_phase_duration_seconds", 'phase="upgrade"')),
        ),
        panel(
            "bargauge",
            "The last run, by phase",
            "How long each phase took in the last run, at the slowest agent.",
            [query(f"max by (phase) ({last})", "{{phase}}", True)],
            (8, 6),
            "s",
            options={
                "displayMode": "basic",
                "orientation": "horizontal",
                "showUnfilled": True,
                "valueMode": "color",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            },
            color={"mode": "palette-classic"},
            min=0,
        ),
        stat(
            "Certificate ends in",
            "The first certificate of the chain to expire; red below 7 days, yellow below 21.",
            f"min ({ends}) - time()",
            (4, 6),
            unit="s",
            decimals=1,
            thresholds=steps((RED, None), (YELLOW, 7 * 86400), (GREEN, 21 * 86400)),
        ),
        stat(
            "Last HTTP status",
            "By which the gateway answered the last upgrade request; 101 is a WebSocket.",
            f"max ({q.target('gateprobe_last_http_status_code')})",
            (4, 6),
            unit="none",
            thresholds=steps((GREY, None), (GREEN, 101), (YELLOW, 102), (RED, 400)),
        ),
        table(
            "Findings",
            "What the last run noticed beside its verdict; a finding alone fails no run.",
            [
                (
                    "Found",
                    f"max by (finding) ({q.target('gateprobe_last_finding')})",
                    {"mappings": FOUND, "cell": TEXT_COLOUR, "width": 100},
                )
            ],
            ("finding",),
            (8, 6),
        ),
    ]


def heartbeat():
    figures = q.target("gateprobe_last_heartbeat_rtt_seconds", 'stat=~"p50|p95|max"')
    beat = q.target("gateprobe_last_heartbeat_server_interval_seconds")
    pings, jitter = q.target("gateprobe_heartbeat_pings_total"), q.target("gateprobe_last_heartbeat_jitter_seconds")
    return [
        heatmap(
            "Round trips",
            "Each cell counts pings that were answered within so long. A second, higher band: some connections are on a "
            "slow backend.",
            q.buckets(q.target("gateprobe_heartbeat_rtt_seconds")),
        ),
        lines(
            "Round trips of the last run",
            "Median, p95 and the worst, by level: ping frames (protocol), or the application's own pings.",
            [query(f"max by (level, stat) ({figures})", "{{level}} {{stat}}")],
            unit="s",
        ),
        bars(
            "What became of pings",
            "Answered, lost, superseded (a later ping's answer stands for it), duplicated, mismatched.",
            [query(f"sum by (level, result) ({q.increase(pings)}) > 0", "{{level}} {{result}}")],
        ),
        lines(
            "Jitter, and the gateway's own beat",
            "Interarrival jitter of the round trips (RFC 3550); and how far apart the gateway's own heartbeats were, on the "
            "right.",
            [
                query(f"max by (level) ({jitter})", "{{level}} jitter"),
                query(f"max by (level) ({beat})", "{{level}} beat"),
            ],
            unit="s",
            overrides=[by_regex(".* beat", **{"custom.axisPlacement": "right", "custom.fillOpacity": 0})],
        ),
    ]


def zombie():
    cleanup, window = q.target("gateprobe_last_zombie_cleanup_seconds"), q.target("gateprobe_zombie_window_seconds")
    zombies, evictions = q.target("gateprobe_zombies_total"), q.target("gateprobe_zombie_evictions_total")
    uncertain = q.target("gateprobe_last_zombie_cleanup_uncertainty_seconds")
    code, harmed = q.target("gateprobe_last_zombie_close_code"), q.target("gateprobe_false_evictions_total")
    return [
        lines(
            "Clean-up time against the promised window",
            "How long the gateway took to let go of silent connections, by how they were silent; the dashed lines are the "
            "window that it promises. Above: late. No line while runs fail: it never let go.",
            [
                query(f"max by (mode) ({cleanup})", "{{mode}}"),
                query(f"max by (bound) ({window})", "promised {{bound}}"),
            ],
            unit="s",
            overrides=[
                by_regex("promised latest", color=fixed(RED), **BOUND),
                by_regex("promised earliest", color=fixed(YELLOW), **BOUND),
            ],
        ),
        bars(
            "What became of silent connections",
            "cleaned: let go of inside the window. leaked: kept beyond it, they pile up. evicted_early: thrown out while "
            "still allowed to be silent. half_closed: a Close, and TCP left open.",
            [query(f"sum by (mode, result) ({q.increase(zombies)}) > 0", "{{mode}} {{result}}")],
        ),
        heatmap(
            "Clean-up times",
            "All clean-ups, each cell so many; only where begin and end are known exactly.",
            q.buckets(q.target("gateprobe_zombie_cleanup_seconds")),
            (9, 7),
        ),
        bars(
            "How it let go",
            "By a Close frame, which tells the client; or by the end of TCP alone (fin, rst), which a proxy may have caused.",
            [query(f"sum by (mode, by) ({q.increase(evictions)})", "{{mode}}: {{by}}")],
            (6, 7),
            overrides=[],
        ),
        stat(
            "Healthy ones closed",
            "Healthy connections that the gateway closed beside silent ones, in the range.",
            f"sum ({q.increase(harmed, '$__range')})",
            (3, 7),
            decimals=0,
            thresholds=steps((GREEN, None), (RED, 1)),
        ),
        stat(
            "Last Close code",
            "In the last Close to a silent connection, by mode; 1005 stands for none.",
            f"max by (mode) ({code})",
            (3, 7),
            unit="none",
            color_mode="none",
            legend="{{mode}}",
            text_mode="value_and_name",
        ),
        stat(
            "Clock corrected by",
            "The round trip by which the last clean-up time was corrected.",
            f"max ({uncertain})",
            (3, 7),
            unit="s",
            color_mode="none",
        ),
    ]

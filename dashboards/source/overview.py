"""Overview: what is broken, since when, and what to open next."""

from . import query as q
from .board import dashboard as board
from .board import link, target_variables
from .panels import BLUE, COLOURED, GREEN, ORANGE, PURPLE, RED, STATES, TEXT_COLOUR, YELLOW
from .panels import bars, by_name, families, fixed, lines, query, ranked, stat, steps, table, timeline

WORST_IS_RED = steps((GREEN, None), (RED, 1))
TARGET = 'target=~"$target"'
LAST = f"max {q.BY} ({q.chosen('gateprobe_check_last_run_timestamp_seconds')})"
PAUSED = f"max by (target) ({q.agent('gateprobe_target_paused', TARGET)})"


def dashboard():
    return board(
        "gateprobe-overview",
        "Overview",
        "Which gateways are broken, since when, in whose eyes, and where to look next.",
        [
            (None, [*numbers(), states(), worst()]),
            ("What goes wrong", [reasons(), causes()]),
            ("What users feel", [getting_in(), round_trips()]),
        ],
        target_variables(),
    )


def numbers():
    last = f"min {q.BY} ({q.chosen('gateprobe_last_check_success')})"
    doubtful = f"max {q.BY} ({q.chosen('gateprobe_check_consecutive_inconclusive')})"
    certificate = q.chosen("gateprobe_tls_certificate_not_after_timestamp_seconds")
    due = q.chosen("gateprobe_check_next_run_timestamp_seconds")
    late = f"sum (max {q.BY} (time() - {due} > bool 2 * {q.chosen('gateprobe_check_interval_seconds')} + 60))"
    return [
        stat(
            "Failing now",
            "Checks whose last verdict was a failure, at any agent that runs them. The list below names them.",
            f"sum ({last} == bool 0)",
            thresholds=WORST_IS_RED,
        ),
        stat(
            "Inconclusive now",
            "Checks whose last run could not tell, with evidence that the cause is not the gateway: the agent was late, its "
            "network is broken, its token is missing. This never counts against a gateway.",
            f"sum ({doubtful} > bool 0)",
            thresholds=steps((GREEN, None), (PURPLE, 1)),
        ),
        stat(
            "Not looked at",
            "Checks that were due long ago, and that nothing drives any more. Nobody knows how these gateways are. Look at "
            "Agent health.",
            late,
            thresholds=steps((GREEN, None), (ORANGE, 1)),
        ),
        stat(
            "Paused targets",
            "Targets that the config leaves alone at this time.",
            f"sum ({PAUSED})",
            thresholds=steps((GREEN, None), (BLUE, 1)),
        ),
        stat(
            "Runs that passed",
            "Of all runs with a verdict in the range. Runs that could not tell are in neither number.",
            q.uptime(by=""),
            unit="percentunit",
            decimals=2,
            thresholds=steps((RED, None), (YELLOW, 0.99), (GREEN, 0.999)),
        ),
        stat(
            "Next certificate ends",
            "Time until the first certificate of all gateways expires; red below 7 days, yellow below 21.",
            f"min ({certificate}) - time()",
            unit="s",
            decimals=1,
            thresholds=steps((RED, None), (YELLOW, 7 * 86400), (GREEN, 21 * 86400)),
        ),
    ]


def states():
    return timeline(
        "State of every check",
        "The worst that any agent said. Green: passed. Red: the gateway did something wrong. Purple: could not tell, and "
        "it was not the gateway. A gap: nobody looked. Click on a bar for the check's own page.",
        q.state(),
        "{{target}} {{check}}",
        (24, 12),
        links=[
            link("Open this check", "gateprobe-check", target="${__field.labels.target}", check="${__field.labels.check}")
        ],
    )


def worst():
    columns = [
        ("State", q.state(), {"mappings": STATES, "cell": COLOURED, "width": 120}),
        (
            "Failures in a row",
            f"max {q.BY} ({q.chosen('gateprobe_check_consecutive_failures')})",
            {"thresholds": steps((GREEN, None), (YELLOW, 1), (RED, 3)), "cell": COLOURED, "width": 140},
        ),
        ("Failed runs", f"sum {q.BY} ({q.increase(q.runs('fail'), '$__range')})", {"decimals": 0, "width": 110}),
        (
            "Passed",
            q.uptime(),
            {"unit": "percentunit", "decimals": 2, "thresholds": share(), "cell": TEXT_COLOUR, "width": 100},
        ),
        (
            "Budget left",
            q.budget_left(),
            {
                "unit": "percentunit",
                "decimals": 1,
                "thresholds": steps((RED, None), (YELLOW, 0.25), (GREEN, 0.5)),
                "cell": TEXT_COLOUR,
                "width": 110,
            },
        ),
        ("Last run took", f"max {q.BY} ({q.chosen('gateprobe_last_check_duration_seconds')})", {"unit": "s", "width": 120}),
        (
            "Last run ago",
            f"time() - {LAST}",
            {"unit": "s", "decimals": 0, "width": 120},
        ),
        ("Next run in", f"min {q.BY} ({q.chosen('gateprobe_check_next_run_timestamp_seconds')}) - time()", {"unit": "s", "decimals": 0, "width": 110}),
    ]
    url = link("Open this check", "gateprobe-check", target="${__data.fields.Target}", check="${__data.fields.Check}")
    names = [by_name(name, links=[url]) for name in ("Target", "Check")]
    return table(
        "Worst first",
        "Every check, those that have failed longest first. Budget left: of the objective's whole period, if it was whole "
        "when the range began; 100 % less what this range has burnt; empty where there is no objective. Click on a name "
        "for its own page.",
        columns,
        ("target", "check"),
        (24, 10),
        sort="Failures in a row",
        overrides=names,
    )


def share():
    return steps((RED, None), (YELLOW, 0.99), (GREEN, 0.999))


def reasons():
    failures = q.chosen("gateprobe_check_failures_total")
    return bars(
        "What gateways did wrong",
        "Failed runs by target and reason; docs/checks.md says what each reason means. One target: look there. Many "
        "targets at once: look at what they share.",
        [query(f"sum by (target, reason) ({q.increase(failures)}) > 0", "{{target}}: {{reason}}")],
        overrides=families(),
        color=fixed(RED),
        legend=ranked("sum", "Total"),
    )


def causes():
    inconclusive = q.chosen("gateprobe_check_inconclusive_total")
    return bars(
        "Why runs could not tell",
        "Inconclusive runs by target and cause. These causes are with the agent, its network or its config, or the "
        "gateway asked for patience: no gateway is accused here.",
        [query(f"sum by (target, cause) ({q.increase(inconclusive)}) > 0", "{{target}}: {{cause}}")],
        overrides=[],
        color={"mode": "shades", "fixedColor": PURPLE},
        legend=ranked("sum", "Total"),
    )


def getting_in():
    phases = q.chosen("gateprobe_last_connect_phase_duration_seconds")
    return lines(
        "Time to get in",
        "From the name's resolution to the upgraded connection, all phases together, at the slowest agent.",
        [query(f"max by (target) (sum by (target, instance) ({phases}))", "{{target}}")],
        unit="s",
    )


def round_trips():
    rtt = q.chosen("gateprobe_last_heartbeat_rtt_seconds", 'stat="p95"')
    return lines(
        "Round trip of pings, p95",
        "95 of 100 pings of a run were answered within this time, by level: ping frames, or the application's own pings.",
        [query(f"max by (target, level) ({rtt})", "{{target}} {{level}}")],
        unit="s",
    )

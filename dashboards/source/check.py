"""Check drill-down: one target, all that its checks saw."""

from . import checks
from . import query as q
from .board import dashboard as board
from .board import target_variables
from .panels import COLOURED, GREEN, GREY, PURPLE, RED, STATES, TEXT_COLOUR, YELLOW
from .panels import bars, families, fixed, lines, query, ranked, stat, steps, table, timeline

YES_NO = [
    {
        "type": "value",
        "options": {"0": {"index": 0, "text": "no", "color": GREY}, "1": {"index": 1, "text": "yes", "color": GREEN}},
    }
]


def dashboard():
    return board(
        "gateprobe-check",
        "Check drill-down",
        "One target: what its checks found, seen from where, and what they measured on the way.",
        [
            (None, [*numbers(), states(), reasons(), causes(), outcomes(), seen_from()]),
            *checks.sections(),
            ("+What the checks can find out, and whose target it is", [capabilities(), owner(), durations()]),
        ],
        target_variables(one=True),
        since="now-3h",
    )


def numbers():
    last = q.chosen("gateprobe_check_last_run_timestamp_seconds")
    return [
        stat("Worst state", "Of the chosen checks, at any agent.", q.state(by=""), unit="none", mappings=STATES),
        stat(
            "Failures in a row",
            "Of the check that has failed longest; times its interval, that is since when.",
            f"max ({q.chosen('gateprobe_check_consecutive_failures')})",
            thresholds=steps((GREEN, None), (YELLOW, 1), (RED, 3)),
        ),
        stat(
            "Failing for",
            "About how long: failures in a row times the check's interval, of the check that has failed longest.",
            f"max ({q.chosen('gateprobe_check_consecutive_failures')} * {q.chosen('gateprobe_check_interval_seconds')})",
            unit="s",
            thresholds=steps((GREEN, None), (RED, 1)),
        ),
        stat(
            "Runs that passed",
            "Of all runs with a verdict in the range.",
            q.uptime(by=""),
            unit="percentunit",
            decimals=2,
            thresholds=steps((RED, None), (YELLOW, 0.99), (GREEN, 0.999)),
        ),
        stat(
            "Lowest budget left",
            "Of the objective's period, if it was whole when the range began; empty where there is no objective.",
            f"min ({q.budget_left()})",
            unit="percentunit",
            decimals=1,
            thresholds=steps((RED, None), (YELLOW, 0.25), (GREEN, 0.5)),
        ),
        stat(
            "Last run ago",
            "Of the check that has not run for longest.",
            f"time() - min (max by (check) ({last}))",
            unit="s",
            decimals=0,
            color_mode="none",
        ),
    ]


def states():
    return timeline(
        "State of each check",
        "The worst that any agent said. All red at once: the gateway is down, begin with handshake. One red: open its row "
        "below. A gap: nobody looked.",
        q.state(),
        "{{check}}",
        (24, 7),
    )


def reasons():
    failures = q.chosen("gateprobe_check_failures_total")
    return bars(
        "What the gateway did wrong",
        "Failed runs by check and reason; docs/checks.md says what each reason means.",
        [query(f"sum by (check, reason) ({q.increase(failures)}) > 0", "{{check}}: {{reason}}")],
        overrides=families(),
        color=fixed(RED),
        legend=ranked("sum", "Total"),
    )


def causes():
    inconclusive = q.chosen("gateprobe_check_inconclusive_total")
    return bars(
        "Why runs could not tell",
        "Inconclusive runs by check and cause: with the agent, its network or its config, or the gateway asked for "
        "patience. The gateway is not accused.",
        [query(f"sum by (check, cause) ({q.increase(inconclusive)}) > 0", "{{check}}: {{cause}}")],
        overrides=[],
        color={"mode": "shades", "fixedColor": PURPLE},
        legend=ranked("sum", "Total"),
    )


def outcomes():
    return bars(
        "Runs by outcome",
        "How many runs there were at all, by outcome: a red share here is what burns the budget.",
        [query(f"sum by (outcome) ({q.increase(q.chosen('gateprobe_check_runs_total'))})", "{{outcome}}")],
    )


def seen_from():
    key = "by (instance, check)"
    good = {"0": {"index": 0, "text": "FAIL", "color": RED}, "1": {"index": 1, "text": "pass", "color": GREEN}}
    columns = [
        (
            "Last verdict",
            f"min {key} ({q.chosen('gateprobe_last_check_success')})",
            {"mappings": [{"type": "value", "options": good}], "cell": COLOURED, "width": 110},
        ),
        (
            "Failures in a row",
            f"max {key} ({q.chosen('gateprobe_check_consecutive_failures')})",
            {"thresholds": steps((GREEN, None), (YELLOW, 1), (RED, 3)), "cell": TEXT_COLOUR, "width": 130},
        ),
        (
            "Last run ago",
            f"time() - max {key} ({q.chosen('gateprobe_check_last_run_timestamp_seconds')})",
            {"unit": "s", "decimals": 0, "width": 110},
        ),
        ("Runs every", f"max {key} ({q.chosen('gateprobe_check_interval_seconds')})", {"unit": "s", "width": 100}),
    ]
    return table(
        "Seen from",
        "What each agent says. Red at one agent only: suspect the way from there. Red at all: suspect the gateway.",
        columns,
        ("instance", "check"),
        (12, 8),
        sort="Failures in a row",
    )


def capabilities():
    return table(
        "What the checks could look at",
        "Yes: looked at in the last run. No: the target's dialect or config promises nothing of the kind, so that nothing "
        "could be found out: not a fault, and not a pass.",
        [
            (
                "Could",
                f"min by (check, capability) ({q.chosen('gateprobe_check_capability')})",
                {"mappings": YES_NO, "cell": TEXT_COLOUR, "width": 100},
            )
        ],
        ("check", "capability"),
        (8, 9),
        sort="Check",
        descending=False,
    )


def owner():
    return table(
        "Whose target it is",
        "The labels that the config gives to the target, such as its team.",
        [("Info", f"max without (job, instance) ({q.target('gateprobe_target_info')})", {"width": 60})],
        ("target",),
        (8, 9),
        hide=["Value"],
    )


def durations():
    last = q.chosen("gateprobe_last_check_duration_seconds")
    return lines(
        "How long runs take",
        "The last run of each check, whatever its outcome, at the slowest agent.",
        [query(f"max by (check) ({last})", "{{check}}")],
        (8, 9),
        unit="s",
        fill=0,
    )

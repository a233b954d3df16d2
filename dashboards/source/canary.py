"""Canary: was the new gateway as good as the old one, and if not, in what?"""

from . import query as q
from .board import dashboard as board
from .board import variable
from .panels import BLUE, COLOURED, GREEN, GREY, ORANGE, PURPLE, RED, TEXT_COLOUR, YELLOW
from .panels import bars, by_name, by_regex, families, fixed, lines, query, ranked, stat, steps, table, timeline

ONE = q.AGENT + ',target=~"$target"'
PAIR = "by (target, baseline)"
FAILURES, NOT_FAILURES = 'metric="failures"', 'metric!="failures"'
ROW = "by (target, baseline, check, metric, part)"
# The worst verdict that any agent came to, as a number.
VERDICTS = [
    {
        "type": "value",
        "options": {
            "1": {"index": 0, "text": "pass", "color": GREEN},
            "2": {"index": 1, "text": "inconclusive", "color": PURPLE},
            "3": {"index": 2, "text": "FAIL", "color": RED},
        },
    }
]
# The metric has no word for "too few runs to say", so that what is not worse can't be green.
WORSE = [
    {
        "type": "value",
        "options": {"0": {"index": 0, "text": "no finding", "color": GREY}, "1": {"index": 1, "text": "WORSE", "color": RED}},
    }
]
SLOWER = steps((GREEN, None), (YELLOW, 0.1), (RED, 0.25))


def dashboard():
    variables = [
        variable("target", f"label_values(gateprobe_canary_last_verdict{{{q.AGENT}}}, target)"),
        variable("check", f'label_values(gateprobe_canary_runs_total{{{q.AGENT},target=~"$target"}}, check)'),
    ]
    return board(
        "gateprobe-canary",
        "Canary",
        "Was the new gateway as good as the old one, and if not, in what? What agents were asked to verify over HTTP; a run "
        "of `gateprobe canary` tells its own report.",
        [
            (None, [*numbers(), last(), verdicts()]),
            ("Baseline against canary", [medians(), failed(), reasons()]),
            ("Release by release", [slower(), runs()]),
        ],
        variables,
        since="now-24h",
    )


def numbers():
    def ended(verdict):
        total = q.agent("gateprobe_canary_verifications_total", f'verdict="{verdict}"')
        return f"sum ({q.increase(total, '$__range')})"

    newest = q.select("gateprobe_canary_last_verdict_timestamp_seconds", ONE, ())
    return [
        stat(
            "Verifications now",
            "Verifications in progress, at all agents.",
            f"sum ({q.agent('gateprobe_canary_running')})",
            thresholds=steps((GREEN, None), (BLUE, 1)),
        ),
        stat("Passed", "Verifications in the range that ended in `pass`.", ended("pass"), decimals=0),
        stat(
            "Failed",
            "Verifications in the range that found a canary worse.",
            ended("fail"),
            decimals=0,
            thresholds=steps((GREEN, None), (RED, 1)),
        ),
        stat(
            "Inconclusive",
            "Verifications in the range without a verdict: too little data, a baseline that was lost, an agent that was "
            "stopped. Never a pass.",
            ended("inconclusive"),
            decimals=0,
            thresholds=steps((GREEN, None), (PURPLE, 1)),
        ),
        stat(
            "Worse metrics",
            "Metrics in which the last verifications found their canaries worse. The table below names them.",
            f"sum (max {ROW} ({q.chosen('gateprobe_canary_last_worse')}))",
            thresholds=steps((GREEN, None), (RED, 1)),
        ),
        stat(
            "Last verdict",
            "Time since the newest verification ended.",
            f"time() - max ({newest})",
            unit="s",
            decimals=1,
            color_mode="none",
        ),
    ]


def verdict():
    def word(name, number):
        return f"{number} * " + q.select("gateprobe_canary_last_verdict", ONE, (f'verdict="{name}"',))

    # The labels differ by the verdict, so that `or` keeps all three; all but one are 0.
    return f"max {PAIR} ({word('pass', 1)} or {word('inconclusive', 2)} or {word('fail', 3)})"


def last():
    when = q.select("gateprobe_canary_last_verdict_timestamp_seconds", ONE, ())
    worse = f"sum {PAIR} (max {ROW} ({q.chosen('gateprobe_canary_last_worse')}))"

    def count(arm):
        return f"sum {PAIR} ({q.gained(chosen_arm('gateprobe_canary_runs_total', arm), '$__range')})"

    columns = [
        ("Verdict", verdict(), {"mappings": VERDICTS, "cell": COLOURED, "width": 140}),
        ("Ended before", f"time() - max {PAIR} ({when})", {"unit": "s", "decimals": 1}),
        ("Worse metrics", worse, {"thresholds": steps((GREEN, None), (RED, 1)), "cell": TEXT_COLOUR}),
        ("Runs of the baseline", count("baseline"), {"decimals": 0}),
        ("Runs of the canary", count("canary"), {"decimals": 0}),
    ]
    return table(
        "The last verdict on each canary",
        "Target is the canary. The verdict is the worst that any agent came to; runs are those of all verifications in the "
        "range.",
        columns,
        ("target", "baseline"),
        (24, 6),
        sort="Verdict",
    )


def verdicts():
    return timeline(
        "Verdicts",
        "The verdict that was the last one at that time. A gap: no verification since the agent started.",
        verdict(),
        "{{target}}",
        (24, 6),
        mappings=VERDICTS,
    )


def arm(metric, name, by):
    return f"max {by} ({chosen_arm(metric, name)})"


def chosen_arm(metric, name):
    return q.chosen(metric, f'arm="{name}"')


def change():
    baseline, canary = (arm("gateprobe_canary_median_seconds", name, ROW) for name in ("baseline", "canary"))
    return f"{canary} / ({baseline} > 0) - 1"


def medians():
    columns = [
        (
            "Found",
            f"max {ROW} ({q.chosen('gateprobe_canary_last_worse', NOT_FAILURES)})",
            {"mappings": WORSE, "cell": COLOURED, "width": 110},
        ),
        ("Median of baseline", arm("gateprobe_canary_median_seconds", "baseline", ROW), {"unit": "s", "width": 160}),
        ("Median of canary", arm("gateprobe_canary_median_seconds", "canary", ROW), {"unit": "s", "width": 160}),
        (
            "Change",
            change(),
            {"unit": "percentunit", "decimals": 0, "thresholds": SLOWER, "cell": TEXT_COLOUR, "width": 100},
        ),
    ]
    return table(
        "Times of the last verification",
        "The median over its runs, for each gateway. A change is a finding only if it is significant and large enough to "
        "matter: `Found` says so, the change alone does not. No finding may also mean too few runs: the verdict is then "
        "inconclusive.",
        columns,
        ("target", "baseline", "check", "metric", "part"),
        (24, 9),
        sort="Change",
        overrides=[by_name("Metric", width=380), by_name("Part", width=140)],
    )


def failed():
    key = "by (target, baseline, check)"
    worse = f"max {key} ({q.chosen('gateprobe_canary_last_worse', FAILURES)})"
    share = {"unit": "percentunit", "decimals": 1, "thresholds": steps((GREEN, None), (ORANGE, 1e-9)), "cell": TEXT_COLOUR, "width": 110}
    columns = [
        ("Found", worse, {"mappings": WORSE, "cell": COLOURED, "width": 110}),
        ("Of baseline", arm("gateprobe_canary_failure_ratio", "baseline", key), share),
        ("Of canary", arm("gateprobe_canary_failure_ratio", "canary", key), share),
    ]
    return table(
        "Failed runs of the last verification",
        "Of the runs with a verdict, for each gateway.",
        columns,
        ("target", "baseline", "check"),
        (12, 8),
        sort="Of canary",
    )


def runs():
    total = q.chosen("gateprobe_canary_runs_total")
    return bars(
        "Runs",
        "Runs of verifications by gateway and outcome. The two gateways take turns, so that both should have as many.",
        [query(f"sum by (arm, outcome) ({q.gained(total)})", "{{arm}} {{outcome}}")],
        (24, 6),
        overrides=[
            by_regex("baseline pass", color=fixed("dark-green")),
            by_regex("canary pass", color=fixed("light-green")),
            by_regex("baseline fail", color=fixed("dark-red")),
            by_regex("canary fail", color=fixed("light-red")),
            by_regex(".* inconclusive", color=fixed(PURPLE)),
            by_regex(".* unsupported", color=fixed("#8e8e8e")),
        ],
    )


def reasons():
    total = q.chosen("gateprobe_canary_failures_total")
    return bars(
        "What went wrong",
        "Failed runs by gateway and reason. What both do wrong is no fault of the canary.",
        [query(f"sum by (arm, reason) ({q.gained(total)})", "{{arm}}: {{reason}}")],
        (12, 8),
        overrides=families(),
    )


def slower():
    name = f'label_join({change()}, "series", " ", "target", "check", "metric", "part")'
    return lines(
        "By how much the canary was slower",
        "Of each metric's median, verification by verification; below 0 it was faster. Release by release, a slow decline "
        "shows here that no single verification calls worse.",
        [query(name, "{{series}}")],
        (24, 8),
        unit="percentunit",
        decimals=0,
        stepped=True,
        thresholds=SLOWER,
        legend={**ranked("lastNotNull", "Last *"), "width": 560},
        fill=0,
    )

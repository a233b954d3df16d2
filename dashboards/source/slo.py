"""SLO: how much of each error budget is left, how fast it burns, and whether there are runs enough to say so."""

from . import query as q
from .board import dashboard as board
from .board import link, target_variables
from .panels import GREEN, ORANGE, RED, TEXT_COLOUR, YELLOW
from .panels import by_name, lines, query, ranked, stat, steps, table

LEFT = steps((RED, None), (YELLOW, 0.25), (GREEN, 0.5))
# Of the rules for paging: long window, short window, factor, and what crossing it does.
WINDOWS = [
    ("1h", "5m", 14.4, "pages at once"),
    ("6h", "30m", 6, "pages"),
    ("1d", "2h", 3, "makes a ticket"),
    ("3d", "6h", 1, "makes a ticket"),
]


def dashboard():
    return board(
        "gateprobe-slo",
        "SLO",
        "Error budgets, how fast they burn, and whether there are runs enough to say so. Set the range to the "
        "objective's period for its exact budget.",
        [
            (None, [*numbers(), budgets()]),
            ("How fast the budget burns", [burning(*window) for window in WINDOWS]),
            ("Is there enough to go by", [samples(), failures()]),
        ],
        target_variables(),
        since="now-30d",
    )


def numbers():
    objectives = f"count (max {q.BY} ({q.chosen('gateprobe_slo_objective_ratio')}))"
    hour = f"max ({q.burn_rate('1h')})"
    spent = f"sum (({q.budget_left()}) < bool 0)"
    return [
        stat(
            "Objectives",
            "Checks of targets that have an objective in the config.",
            objectives,
            (6, 4),
            color_mode="none",
        ),
        stat(
            "Lowest budget left",
            "Of the check that is worst off: 100 % is a whole budget, 0 % is none left, and below that the objective is "
            "missed.",
            f"min ({q.budget_left()})",
            (6, 4),
            unit="percentunit",
            decimals=1,
            thresholds=LEFT,
        ),
        stat(
            "Budgets spent",
            "Objectives that are missed: more failed runs in the range than the period allows.",
            spent,
            (6, 4),
            thresholds=steps((GREEN, None), (RED, 1)),
        ),
        stat(
            "Fastest burn over an hour",
            "1 spends the budget just by the period's end; 14.4 spends a 30 d budget in two days.",
            hour,
            (6, 4),
            decimals=1,
            thresholds=steps((GREEN, None), (YELLOW, 1), (ORANGE, 6), (RED, 14.4)),
        ),
    ]


def budgets():
    objective = f"max {q.BY} ({q.chosen('gateprobe_slo_objective_ratio')})"
    period = f"max {q.BY} ({q.chosen('gateprobe_slo_period_seconds')})"
    judged = f"sum {q.BY} ({q.increase(q.runs('pass|fail'), '$__range')}) and {objective}"
    failed = f"sum {q.BY} ({q.increase(q.runs('fail'), '$__range')}) and {objective}"
    columns = [
        ("Objective", objective, {"unit": "percentunit", "width": 110}),
        ("Period", period, {"unit": "s", "width": 100}),
        ("Passed", f"{q.uptime()} and {objective}", {"unit": "percentunit", "decimals": 3, "width": 110}),
        (
            "Budget left",
            q.budget_left(),
            {
                "unit": "percentunit",
                "decimals": 1,
                "min": 0,
                "max": 1,
                "thresholds": LEFT,
                "cell": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
            },
        ),
        ("Failed runs", failed, {"decimals": 0, "width": 110}),
        ("Runs with a verdict", judged, {"decimals": 0, "width": 160}),
        *(burn_column(*window) for window in WINDOWS),
    ]
    url = link("Open this check", "gateprobe-check", target="${__data.fields.Target}", check="${__data.fields.Check}")
    names = [by_name(name, links=[url]) for name in ("Target", "Check")]
    return table(
        "Error budgets",
        "Budget left: of the period, if it was whole when the range began; exact where the range is the period. Burn: how "
        "many times faster than allowed, over the last hour, six hours, day and three days; red where it crosses the "
        "line that alerts look at.",
        columns,
        ("target", "check"),
        (24, 9),
        sort="Burn 1h",
        overrides=names,
    )


def burn_column(long, _short, factor, _does):
    field = {"decimals": 1, "thresholds": steps((GREEN, None), (RED, factor)), "cell": TEXT_COLOUR, "width": 90}
    return (f"Burn {long}", q.burn_rate(long), field)


def burning(long, short, factor, does):
    slow, fast = q.burn_rate(long), q.burn_rate(short)
    return lines(
        f"Burn rate that an alert sees: {long} and {short}",
        f"The lower of the burn rates over {long} and {short}, since an alert wants both above {factor}: it {does}. 1 "
        "spends the budget just by the end of its period.",
        [query(f"(({slow}) <= ({fast})) or ({fast})", "{{target}} {{check}}")],
        decimals=1,
        thresholds=steps((GREEN, None), (RED, factor)),
        maxDataPoints=200,
        legend=ranked("lastNotNull", "Last *"),
        fill=0,
    )


def samples():
    return lines(
        "Runs with a verdict in an hour",
        "Below 3 a burn rate says nothing: a single failure would be half of all. The alerts wait for more.",
        [query(f"sum {q.BY} ({q.increase(q.runs('pass|fail'), '1h')})", "{{target}} {{check}}")],
        decimals=0,
        thresholds=steps((RED, None), (GREEN, 3)),
        maxDataPoints=200,
        legend=ranked("lastNotNull", "Last *"),
        fill=0,
    )


def failures():
    return lines(
        "Failed runs in an hour",
        "The alerts on burn rates want at least 3: one failed run never pages.",
        [query(f"sum {q.BY} ({q.increase(q.runs('fail'), '1h')})", "{{target}} {{check}}")],
        decimals=0,
        thresholds=steps((GREEN, None), (RED, 3)),
        maxDataPoints=200,
        legend=ranked("lastNotNull", "Last *"),
        fill=0,
    )

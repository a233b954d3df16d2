"""Agent health: can what the agents say be trusted?"""

from . import query as q
from .board import dashboard as board
from .panels import BLUE, GREEN, ORANGE, RED, YELLOW
from .panels import bars, by_regex, fixed, heatmap, lines, query, stat, steps, table, timeline

TROUBLE = steps((GREEN, None), (RED, 1))


def dashboard():
    return board(
        "gateprobe-agent",
        "Agent health",
        "Whether the agents run what they should, in time, within their means, and get rid of what they found.",
        [
            (None, [*numbers(), agents(), shards()]),
            ("Does it run what it should", [runs(), lag(), skipped(), busy(), durations(), requests()]),
            ("Does what it found arrive", [exports(), exported(), dropped()]),
            ("What it costs", [memory(), cpu(), descriptors(), threads()]),
        ],
        since="now-3h",
    )


def numbers():
    lag_bound = q.quantile(0.99, q.agent("gateprobe_agent_scheduler_lag_seconds"), window="$__rate_interval")
    lost = f"sum ({q.increase(q.agent('gateprobe_metric_series_dropped_total'), '$__range')})"
    return [
        stat("Agents", "Agents that Prometheus scrapes now.", f"count ({q.agent('gateprobe_build_info')})", color_mode="none"),
        stat(
            "On an old config",
            "Agents whose last load of the config failed: they go on with the one before. The agent's log names the line.",
            f"sum ({q.agent('gateprobe_agent_config_last_reload_success')} == bool 0)",
            thresholds=TROUBLE,
        ),
        stat("Checks", "Checks of targets that all agents run.", f"sum ({q.agent('gateprobe_agent_jobs')})", color_mode="none"),
        stat(
            "Runs start late by, p99",
            "99 of 100 runs started at most this much later than due. An agent that is late tells less of gateways, and "
            "calls its runs inconclusive.",
            lag_bound,
            unit="s",
            thresholds=steps((GREEN, None), (YELLOW, 0.1), (RED, 1)),
        ),
        stat(
            "Series dropped",
            "Samples that were not recorded in the range: a target has too many series, or a bug.",
            lost,
            decimals=0,
            thresholds=TROUBLE,
        ),
        stat(
            "Fullest descriptor table",
            "Open file descriptors of those that the agent may have; each connection takes one.",
            f"max ({q.agent('process_open_fds')} / {q.agent('process_max_fds')})",
            unit="percentunit",
            decimals=1,
            thresholds=steps((GREEN, None), (YELLOW, 0.6), (RED, 0.8)),
        ),
    ]


def agents():
    loaded = q.agent("gateprobe_agent_config_last_reload_success_timestamp_seconds")
    good = {"0": {"index": 0, "text": "FAILED", "color": RED}, "1": {"index": 1, "text": "loaded", "color": GREEN}}
    key = "by (instance)"
    columns = [
        ("Build", f"max by (instance, version, revision) ({q.agent('gateprobe_build_info')})", {"width": 70}),
        ("Up for", f"time() - max {key} ({q.agent('process_start_time_seconds')})", {"unit": "s", "decimals": 1}),
        (
            "Config",
            f"min {key} ({q.agent('gateprobe_agent_config_last_reload_success')})",
            {"mappings": [{"type": "value", "options": good}], "cell": {"type": "color-text"}},
        ),
        ("Config loaded", f"time() - max {key} ({loaded})", {"unit": "s", "decimals": 1}),
        ("Loads in range", f"sum {key} ({q.increase(q.agent('gateprobe_agent_config_reloads_total'), '$__range')})", {"decimals": 0}),
        ("Checks", f"sum {key} ({q.agent('gateprobe_agent_jobs')})", {}),
    ]
    return table(
        "Agents",
        "One line an agent: what it is, since when it runs, and which config it goes by.",
        columns,
        ("instance", "version", "revision"),
        (24, 5),
        hide=["Value #A"],
        sort="Instance",
        descending=False,
    )


def shards():
    states = {"0": {"index": 0, "text": "MISSING", "color": RED}, "1": {"index": 1, "text": "there", "color": GREEN}}
    return timeline(
        "Shards",
        "Where several agents share the targets: a line a shard, red while nobody watches its targets. Empty where each "
        "agent watches all.",
        f"max by (job, location, shard) ({q.agent('gateprobe_agent_shard')})",
        "{{job}} {{location}} shard {{shard}}",
        (24, 4),
        mappings=[{"type": "value", "options": states}],
    )


def runs():
    total = q.agent("gateprobe_check_runs_total")
    return lines(
        "Runs a second",
        "Finished runs of all checks by outcome. A fall without a change of the config means that the agent hangs.",
        [query(f"sum by (outcome) ({q.rate(total)})", "{{outcome}}")],
        unit="ops",
        stacked=True,
        fill=60,
        overrides=[
            by_regex("pass", color=fixed(GREEN)),
            by_regex("fail", color=fixed(RED)),
            by_regex("inconclusive", color=fixed("purple")),
            by_regex("unsupported", color=fixed("#8e8e8e")),
        ],
    )


def lag():
    return heatmap(
        "How late runs start",
        "Each cell counts runs that started so much later than due. A band that climbs: the agent has too much to do, or "
        "its machine has.",
        q.buckets(q.agent("gateprobe_agent_scheduler_lag_seconds")),
    )


def skipped():
    total = q.agent("gateprobe_check_skipped_total")
    return bars(
        "Ticks without a run",
        "By reason: the run before was still going (its interval is too short for it), the target is paused, or the "
        "gateway had asked for patience.",
        [query(f"sum by (reason) ({q.increase(total)})", "{{reason}}")],
        overrides=[],
    )


def busy():
    return lines(
        "Runs and connections now",
        "Runs in progress, and connections to gateways that are open. Connections that only grow are a leak of ours.",
        [
            query(f"sum by (instance) ({q.agent('gateprobe_agent_running')})", "{{instance}} running"),
            query(f"sum by (instance) ({q.agent('gateprobe_agent_open_connections')})", "{{instance}} connections"),
        ],
        decimals=0,
    )


def exports():
    total = q.agent("gateprobe_agent_exports_total")
    return bars(
        "Exports by OTLP",
        "What was sent to the collector, by signal and result. Failures cost the data of that export, and nothing else: "
        "checks and /metrics go on.",
        [query(f"sum by (signal, result) ({q.increase(total)})", "{{signal}} {{result}}")],
        (8, 8),
    )


def exported():
    last = q.agent("gateprobe_agent_export_last_success_timestamp_seconds")
    spans = q.agent("gateprobe_agent_spans_dropped_total")
    return lines(
        "Since the last good export",
        "Time since the collector last took a signal; and spans that were dropped because it was too slow.",
        [
            query(f"time() - max by (instance, signal) ({last})", "{{instance}} {{signal}}"),
            query(f"sum by (instance) ({q.increase(spans)})", "{{instance}} spans dropped"),
        ],
        (8, 8),
        unit="s",
        overrides=[by_regex(".* spans dropped", unit="short", **{"custom.axisPlacement": "right", "color": fixed(RED)})],
    )


def dropped():
    total = q.agent("gateprobe_metric_series_dropped_total")
    return bars(
        "Samples that were not recorded",
        "By reason: `limit` means that a target has too many series in one metric; each other reason is a bug, please "
        "report it.",
        [query(f"sum by (reason) ({q.increase(total)})", "{{reason}}")],
        (8, 8),
        overrides=[],
    )


def requests():
    served, refused = q.agent("gateprobe_http_requests_total"), q.agent("gateprobe_http_connections_refused_total")
    return lines(
        "Requests to the agent",
        "Requests a second by route and status code, and connections that it turned away because it had too many.",
        [
            query(f"sum by (route, code) ({q.rate(served)})", "{{route}} {{code}}"),
            query(f"sum by (result) ({q.rate(refused)})", "turned away: {{result}}"),
        ],
        unit="reqps",
    )


def memory():
    return lines(
        "Memory",
        "Resident memory, and the address space. Everything that the agent keeps is bounded: a resident line that climbs "
        "for days is a bug.",
        [
            query(q.agent("process_resident_memory_bytes"), "{{instance}} resident"),
            query(q.agent("process_virtual_memory_bytes"), "{{instance}} virtual"),
        ],
        (16, 8),
        unit="bytes",
        overrides=[
            by_regex(
                ".* virtual",
                **{"custom.axisPlacement": "right", "custom.fillOpacity": 0, "custom.lineStyle": {"fill": "dash", "dash": [4, 6]}},
            )
        ],
    )


def cpu():
    return lines(
        "CPU",
        "Cores that the agent keeps busy.",
        [query(f"sum by (instance) ({q.rate(q.agent('process_cpu_seconds_total'))})", "{{instance}}")],
        (8, 8),
        unit="percentunit",
        decimals=1,
    )


def descriptors():
    return lines(
        "File descriptors",
        "Open ones, and how many there may be.",
        [
            query(q.agent("process_open_fds"), "{{instance}} open"),
            query(q.agent("process_max_fds"), "{{instance}} limit"),
        ],
        (16, 8),
        overrides=[
            by_regex(".* limit", **{"custom.axisPlacement": "right", "custom.fillOpacity": 0, "color": fixed(ORANGE)})
        ],
    )


def threads():
    return lines(
        "Threads",
        "Threads of the agent's process.",
        [query(q.agent("process_threads"), "{{instance}}")],
        (8, 8),
        decimals=0,
        color=fixed(BLUE),
    )


def durations():
    duration = q.agent("gateprobe_check_duration_seconds")
    return lines(
        "How long runs take, p95",
        "95 of 100 runs of all targets took at most this long, by check. What all checks share when they slow down is the "
        "agent, or its network.",
        [query(q.quantile(0.95, duration, "check"), "{{check}}")],
        unit="s",
        fill=0,
    )

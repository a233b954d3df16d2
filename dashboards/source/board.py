"""A whole dashboard: variables, links and notes that all have, and panels laid out in rows."""

from .panels import BLUE, DATASOURCE, GREY
from .query import AGENT

TAG = "gateprobe"
WIDTH = 24


def dashboard(uid, title, description, sections, variables=(), since="now-6h"):
    """`sections` are pairs of a row's title (none: no row) and its panels; a row whose title begins with `+` is
    folded."""
    return {
        "annotations": {"list": [builtin(), *notes()]},
        "description": description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [tag_link()],
        "liveNow": False,
        "panels": layout(sections),
        "refresh": "1m",
        "schemaVersion": 39,
        "tags": [TAG],
        "templating": {"list": [datasource(), *agent_variables(), *variables]},
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": f"gateprobe / {title}",
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }


def layout(sections):
    """Panels from left to right, and a new line where one does not fit."""
    placed, y, number = [], 0, 0
    for title, panels in sections:
        folded = bool(title) and title.startswith("+")
        into = placed
        if title:
            number += 1
            into = [] if folded else placed
            placed.append(row(title.lstrip("+"), number, y, folded, into if folded else []))
            y += 1
        x, line = 0, 0
        for one in panels:
            width, height = one["gridPos"]["w"], one["gridPos"]["h"]
            if x + width > WIDTH:
                x, y, line = 0, y + line, 0
            number += 1
            into.append({"id": number, **one, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x, line = x + width, max(line, height)
        # What is folded takes no room until somebody opens it.
        y = y + line if not folded else placed[-1]["gridPos"]["y"] + 1
    return placed


def row(title, number, y, folded, panels):
    at = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"type": "row", "id": number, "title": title, "collapsed": folded, "gridPos": at, "panels": panels}


def datasource():
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "current": {},
    }


def agent_variables():
    return [
        variable("job", "label_values(gateprobe_build_info, job)"),
        variable("instance", 'label_values(gateprobe_build_info{job=~"$job"}, instance)'),
    ]


def target_variables(one=False):
    """The target, and its checks; `one` asks for a single target."""
    return [
        variable("target", f"label_values(gateprobe_target_paused{{{AGENT}}}, target)", several=not one),
        variable("check", f"label_values(gateprobe_check_interval_seconds{{{AGENT},target=~\"$target\"}}, check)"),
    ]


def variable(name, query, several=True):
    everything = {"selected": True, "text": "All", "value": "$__all"}
    return {
        "name": name,
        "label": name,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": query,
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "hide": 0,
        "options": [],
        "multi": several,
        "includeAll": several,
        "allValue": ".+" if several else None,
        "current": everything if several else {},
    }


def tag_link():
    return {
        "type": "dashboards",
        "title": "gateprobe",
        "tags": [TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def notes():
    """What the agent's own people did, so that nobody looks for it in the gateways."""
    events = [
        ("Config reloaded", BLUE, "changes", "gateprobe_agent_config_last_reload_success_timestamp_seconds"),
        ("Agent restarted", GREY, "resets", "gateprobe_agent_scheduler_lag_seconds_count"),
    ]
    return [
        {
            "name": name,
            "enable": True,
            "hide": False,
            "iconColor": color,
            "datasource": DATASOURCE,
            "expr": f"{change}({metric}{{{AGENT}}}[$__rate_interval]) > 0",
            "step": "1m",
            "titleFormat": name,
            "textFormat": "{{instance}}",
            "tagKeys": "",
            "useValueForTime": False,
        }
        for name, color, change, metric in events
    ]


def builtin():
    return {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }


def link(title, uid, **variables):
    """A data link that keeps the data source, the agents and the time range."""
    own = "".join(f"&var-{name}={value}" for name, value in variables.items())
    url = f"/d/{uid}?var-datasource=${{datasource}}&${{job:queryparam}}&${{instance:queryparam}}{own}&${{__url_time_range}}"
    return {"title": title, "url": url, "targetBlank": False}

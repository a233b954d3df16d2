"""What the dashboards are put together from: panels in Grafana's classic JSON model."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE, GREY = "red", "orange", "yellow", "green", "blue", "purple", "#8e8e8e"

# What a check's state is drawn as; the numbers are those of `query.state`.
STATES = [
    {
        "type": "value",
        "options": {
            "0": {"index": 0, "text": "no run yet", "color": GREY},
            "1": {"index": 1, "text": "pass", "color": GREEN},
            "2": {"index": 2, "text": "no verdict yet", "color": GREY},
            "3": {"index": 3, "text": "inconclusive", "color": PURPLE},
            "4": {"index": 4, "text": "FAIL", "color": RED},
            "5": {"index": 5, "text": "paused", "color": BLUE},
        },
    }
]

# The same colour for the same thing everywhere; a name that stands in none is drawn as Grafana likes.
MEANING = {
    GREEN: "pass|answered|cleaned|connected|delivered|resumed|ok|success",
    RED: "fail|failure|lost|leaked|crash|rejected|failed|survived|dropped|not_applied|broken|unavailable",
    ORANGE: "duplicated|mismatched|evicted_early|half_closed|wrong|error|hang|timed_out|unanswered|connection_.*",
    YELLOW: "reordered|superseded|throttled|fresh|late",
    PURPLE: "inconclusive",
    GREY: "unsupported|not_judged",
}


def steps(*pairs):
    """Thresholds: a colour, and from which value on; the first has none."""
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in pairs]}


def query(expr, legend="", instant=False, fmt="time_series"):
    return {"expr": expr, "legendFormat": legend or "__auto", "instant": instant, "format": fmt}


def panel(kind, title, description, queries, size, unit="short", **more):
    """`size` is width and height on Grafana's grid of 24; `more` are keys of `fieldConfig.defaults`, or of the
    panel itself where they are `options`, `overrides`, `transformations`, `links` or limits of its queries."""
    own = {key: more.pop(key) for key in ("options", "transformations", "interval", "maxDataPoints") if key in more}
    overrides = more.pop("overrides", [])
    targets = [dict(one, refId=chr(ord("A") + at), datasource=DATASOURCE) for at, one in enumerate(queries)]
    for one in targets:
        one["range"] = not one["instant"]
    defaults = {"unit": unit, **more}
    defaults.setdefault("thresholds", steps((GREEN, None)))
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "gridPos": {"w": size[0], "h": size[1]},
        "targets": targets,
        **own,
    }


def stat(title, description, expr, size=(4, 4), **more):
    options = {
        "colorMode": more.pop("color_mode", "background"),
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": more.pop("text_mode", "auto"),
        "wideLayout": True,
    }
    legend = more.pop("legend", "")
    return panel("stat", title, description, [query(expr, legend, True)], size, options=options, **more)


def lines(title, description, queries, size=(12, 8), unit="short", **more):
    custom = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if more.pop("stepped", False) else "linear",
        "lineWidth": 1,
        "fillOpacity": more.pop("fill", 10),
        "gradientMode": "none",
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": True,
        "axisSoftMin": 0,
        "stacking": {"group": "A", "mode": "normal" if more.pop("stacked", False) else "none"},
        "thresholdsStyle": {"mode": "dashed" if "thresholds" in more else "off"},
    }
    return plot(title, description, queries, size, unit, custom, more)


def bars(title, description, queries, size=(12, 8), unit="short", **more):
    """Counts of events, stacked; the interval is wide enough that a bar can be seen."""
    custom = {
        "drawStyle": "bars",
        "lineWidth": 0,
        "fillOpacity": 80,
        "gradientMode": "none",
        "showPoints": "never",
        "barAlignment": 0,
        "barWidthFactor": 0.8,
        "axisSoftMin": 0,
        "axisSoftMax": 1,
        "stacking": {"group": "A", "mode": "normal"},
        "thresholdsStyle": {"mode": "off"},
    }
    more.setdefault("decimals", 0)
    more.setdefault("maxDataPoints", 120)
    return plot(title, description, queries, size, unit, custom, {"overrides": meanings(), **more})


def plot(title, description, queries, size, unit, custom, more):
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    options = {
        "legend": more.pop("legend", legend),
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    more.setdefault("color", {"mode": "palette-classic"})
    more.setdefault("min", None)
    more = {key: value for key, value in more.items() if value is not None}
    return panel("timeseries", title, description, queries, size, unit, options=options, custom=custom, **more)


def ranked(calc, name):
    """A legend for many series: those that matter most come first; `name` is what Grafana calls the figure."""
    return {
        "displayMode": "table",
        "placement": "right",
        "showLegend": True,
        "calcs": [calc],
        "sortBy": name,
        "sortDesc": True,
        "width": 300,
    }


def timeline(title, description, expr, legend, size=(24, 8), **more):
    options = {
        "alignValue": "center",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 80, "lineWidth": 0, "insertNulls": False, "spanNulls": False}
    more.setdefault("mappings", STATES)
    return panel(
        "state-timeline",
        title,
        description,
        [query(expr, legend)],
        size,
        "none",
        options=options,
        custom=custom,
        maxDataPoints=300,
        color={"mode": "thresholds"},
        **more,
    )


def heatmap(title, description, expr, size=(12, 8), unit="s", **more):
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "scale": "exponential", "exponent": 0.5, "steps": 32},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    custom = {"scaleDistribution": {"type": "linear"}, "hideFrom": {"legend": False, "tooltip": False, "viz": False}}
    queries = [query(expr, "{{le}}", fmt="heatmap")]
    return panel(
        "heatmap", title, description, queries, size, unit, options=options, custom=custom, maxDataPoints=100, **more
    )


def table(title, description, columns, keys, size=(24, 8), sort=None, descending=True, **more):
    """One row for each set of the labels `keys`, a column for each of `columns`: its name, its query, and what is
    said of its field (`unit`, `thresholds`, ...)."""
    queries, overrides, rename = [], list(more.pop("overrides", [])), {key: key.capitalize() for key in keys}
    for at, (name, expr, field) in enumerate(columns):
        queries.append(query(expr, "", True, "table"))
        rename["Value" if len(columns) == 1 else f"Value #{chr(ord('A') + at)}"] = name
        overrides.append(by_name(name, **field))
    order = [*keys, *(key for key in rename if key not in keys)]
    organize = {
        "excludeByName": {"Time": True},
        "indexByName": {key: at for at, key in enumerate(order)},
        "renameByName": rename,
    }
    hidden = more.pop("hide", None)
    if hidden:
        organize["excludeByName"].update({key: True for key in hidden})
    options = {
        "cellHeight": "sm",
        "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
        "showHeader": True,
        "sortBy": [{"displayName": sort, "desc": descending}] if sort else [],
    }
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": False}
    return panel(
        "table",
        title,
        description,
        queries,
        size,
        more.pop("unit", "none"),
        options=options,
        custom=custom,
        overrides=overrides,
        transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": organize}],
        **more,
    )


def by_name(name, **properties):
    """A field's own settings; `cell` is how a table draws it, `width` in pixels."""
    ids = {"cell": "custom.cellOptions", "width": "custom.width", "style": "custom.lineStyle", "fill": "custom.fillOpacity"}
    known = [{"id": ids.get(key, key), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": known}


def by_regex(pattern, **properties):
    return {**by_name("", **properties), "matcher": {"id": "byRegexp", "options": f"/^(?:{pattern})$/"}}


def fixed(color):
    return {"mode": "fixed", "fixedColor": color}


# What gateways do wrong, by what it concerns; what stands in none is red, and nothing is green.
FAMILIES = {
    "dark-red": "unavailable|server_error|unauthorized|rejected|not_found|connect_.*|dns_.*|tcp_.*|tls_.*|upgrade_.*|before_.*"
    "|missing_.*|not_upgraded|redirect.*|reconnect_.*",
    ORANGE: "pong_.*|beat_.*|too_.*",
    PURPLE: "zombie_.*|half_closed_.*|evicted_.*|recovered_.*|false_eviction",
    YELLOW: "messages_.*|falsely_resumed|not_resumed",
    BLUE: "session_.*|connection_.*|close_.*|unstable_.*|sessions_leaked|memory_grew",
    "semi-dark-yellow": "malformed_.*|collateral_damage",
    "dark-orange": "refresh_.*|expired_.*|bad_token_.*|session_dropped_by_refresh",
}


def families():
    """A reason behind the name of a target or check."""
    return [by_regex(f".*: (?:{words})", color=fixed(color)) for color, words in FAMILIES.items()]


def meanings():
    """Good is green, bad is red, whatever the order of the series; a legend may put a mode before the word."""
    return [by_regex(f"(?:.* )?(?:{words})", color=fixed(color)) for color, words in MEANING.items()]


COLOURED = {"type": "color-background", "mode": "basic"}
TEXT_COLOUR = {"type": "color-text"}

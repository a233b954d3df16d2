"""PromQL as the dashboards write it: every selector narrowed to the chosen agents."""

AGENT = 'job=~"$job",instance=~"$instance"'
ALL = AGENT + ',target=~"$target",check=~"$check"'
ONE = AGENT + ',target="$target"'
BY = "by (target, check)"


def agent(name, *matchers):
    """A metric of the agent itself."""
    return select(name, AGENT, matchers)


def chosen(name, *matchers):
    """A metric of the chosen targets and checks."""
    return select(name, ALL, matchers)


def target(name, *matchers):
    """A metric of the one target, where the metric's name already tells the check, or there is none."""
    return select(name, ONE, matchers)


def select(name, base, matchers):
    return f"{name}{{{','.join([base, *matchers])}}}"


def increase(counter, window="$__rate_interval"):
    return f"increase({counter}[{window}])"


def gained(counter, window="$__rate_interval"):
    """Of a counter without a series before its first event: one that is new in the window counts by its value, since its
    first count is no increase. New is what was not there in the hour before, so that a gap in the scrapes is no birth."""
    born = f"{counter} unless last_over_time({counter}[1h] offset {window})"
    return f"({born}) or ({increase(counter, window)} > 0)"


def rate(counter):
    return f"rate({counter}[$__rate_interval])"


def mean(histogram, by=""):
    """The mean of what a histogram saw, over the rate interval; nothing where it saw nothing."""
    name, labels = histogram.split("{", 1)
    total, count = (f"sum{by and f' by ({by})'}({rate(f'{name}_{part}{{{labels}')})" for part in ("sum", "count"))
    return f"{total} / ({count} > 0)"


def quantile(q, histogram, by="", window="$__rate_interval"):
    name, labels = histogram.split("{", 1)
    le = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({le}) (increase({name}_bucket{{{labels}[{window}])))"


def buckets(histogram):
    """What a heatmap draws."""
    name, labels = histogram.split("{", 1)
    return f"sum by (le) (increase({name}_bucket{{{labels}[$__rate_interval]))"


def runs(outcome, select=chosen):
    return select("gateprobe_check_runs_total", f'outcome=~"{outcome}"')


def error_ratio(window, select=chosen, by=BY):
    """Failed runs of those that had a verdict; nothing where none had one."""
    return share_of_judged(increase(runs("fail", select), window), window, select, by)


def spent_ratio(window, select=chosen, by=BY):
    """The same without what spends no error budget: a certificate that expires soon. As the rules count it."""
    failed = increase(select("gateprobe_check_acute_failures_total"), window)
    return share_of_judged(failed, window, select, by)


def share_of_judged(failed, window, select, by):
    judged = f"sum {by} ({increase(runs('pass|fail', select), window)})"
    return f"sum {by} ({failed}) / ({judged} > 0)"


def allowed(select=chosen, by=BY):
    return f"(1 - max {by} ({select('gateprobe_slo_objective_ratio')}))"


def burn_rate(window, select=chosen, by=BY):
    return f"({spent_ratio(window, select, by)}) / {allowed(select, by)}"


def budget_left(select=chosen, by=BY):
    """Of the period's error budget, if it was whole when the range began; below 0 when overspent."""
    share = f"$__range_s / max {by} ({select('gateprobe_slo_period_seconds')})"
    return f"1 - ({burn_rate('$__range', select, by)}) * ({share})"


def uptime(select=chosen, by=BY):
    return f"1 - {error_ratio('$__range', select, by)}"


def state(select=chosen, by=BY):
    """The worst that any agent says of a check; see `STATES` for the numbers."""
    last, ran = select("gateprobe_last_check_success"), select("gateprobe_check_last_run_timestamp_seconds")
    interval, paused = select("gateprobe_check_interval_seconds"), agent("gateprobe_target_paused")
    doubtful = select("gateprobe_check_consecutive_inconclusive")

    def seen(outcome):
        return increase(select("gateprobe_check_runs_total", f'outcome="{outcome}"'))

    return (
        f"max {by} ("
        # Paused comes first: of series with the same labels, `or` keeps the first one's.
        f"5 * (({interval} * on (job, instance, target) group_left () {paused} > 0) > bool 0)"
        f" or 4 - 3 * {last}"
        f" or 4 * ({seen('fail')} > bool 0)"
        f" or 3 * ({seen('inconclusive')} > bool 0)"
        f" or 2 * (({ran} > bool 0) unless {last})"
        # A label of its own, or the verdict before would stand for it.
        f' or label_replace(3 * ({doubtful} > bool 0), "outcome", "now", "", "")'
        ")"
    )

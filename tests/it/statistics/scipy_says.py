#!/usr/bin/env python3
"""What SciPy says of samples and tables: a JSON object a line on stdin, a JSON object a line on stdout.

What SciPy has no function for is written out plainly here, on top of its distributions.
"""

import functools
import json
import math
import sys

import numpy as np
from scipy import stats

SIDES = ("greater", "less", "two-sided")


def tables(asked):
    said = {}
    a, n, b, m = asked["tables"][0]
    for side in SIDES:
        said[side] = stats.fisher_exact([[a, n - a], [b, m - b]], alternative=side).pvalue
    sum_of, least, seen = np.ones(1), 0, 0
    for a, n, b, m in asked["tables"]:
        low, high = max(0, a + b - m), min(a + b, n)
        sum_of = np.convolve(sum_of, stats.hypergeom.pmf(np.arange(low, high + 1), n + m, a + b, n))
        least, seen = least + low, seen + a
    said["together"], said["least"] = sum_of[seen - least :].sum(), sum_of[-1]
    if "confidence" in asked:
        said.update(shares(asked))
    return said


def shares(asked):
    wilson = lambda hits, runs: stats.binomtest(hits, runs).proportion_ci(asked["confidence"], method="wilson")
    a, n, b, m = asked["tables"][0]
    one, other = wilson(a, n), wilson(b, m)
    p, q = a / n, b / m
    low = p - q - math.sqrt((p - one.low) ** 2 + (other.high - q) ** 2)
    high = p - q + math.sqrt((one.high - p) ** 2 + (q - other.low) ** 2)
    return {"wilson": [one.low, one.high], "difference": [low, high]}


def samples(asked):
    x, y = np.array(asked["x"]), np.array(asked["y"])
    said = {}
    for side in SIDES:
        test = stats.mannwhitneyu(x, y, alternative=side, method="auto", use_continuity=True)
        said[side], said["u"] = test.pvalue, test.statistic
    differences = np.sort(np.subtract.outer(x, y).ravel())
    said["shift"] = np.median(differences)
    said["delta"] = np.sign(differences).mean()
    said["interval"] = interval(differences, len(x), len(y), asked["confidence"])
    return said


def interval(differences, n, m, confidence):
    tail = (1 - confidence) / 2
    if min(n, m) <= 8:
        k = int(np.searchsorted(np.cumsum(orders(n, m)) / math.comb(n + m, n), tail, side="right"))
    else:
        k = math.floor(n * m / 2 - stats.norm.isf(tail) * math.sqrt(n * m * (n + m + 1) / 12))
    return [differences[k - 1], differences[n * m - k]] if k >= 1 else None


@functools.cache
def orders(n, m):
    """In how many orders of n and m values U is 0, 1, ... nm: the greatest value is one of the n, or one of the m."""
    counts = np.zeros(n * m + 1, dtype=np.int64)
    if n == 0 or m == 0:
        counts[0] = 1
        return counts
    counts[m:] += orders(n - 1, m)
    counts[: n * (m - 1) + 1] += orders(n, m - 1)
    return counts


def numbers(asked):
    ps, order = asked["ps"], sorted(range(len(asked["ps"])), key=lambda i: asked["ps"][i])
    holm, most = [0.0] * len(ps), 0.0
    for step, at in enumerate(order):
        most = max(most, min(1.0, ps[at] * (len(ps) - step)))
        holm[at] = most
    alpha, t = asked["alpha"], asked["t"]
    return {
        "holm": holm,
        "survival": stats.norm.sf(asked["z"]),
        "quantile": stats.norm.isf(alpha),
        "spent": 2 * stats.norm.sf(stats.norm.isf(alpha / 2) / math.sqrt(t)),
    }


for line in sys.stdin:
    asked = json.loads(line)
    said = next(f(asked) for key, f in (("tables", tables), ("x", samples), ("ps", numbers)) if key in asked)
    print(json.dumps(said, default=float))

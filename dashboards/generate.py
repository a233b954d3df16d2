#!/usr/bin/env python3
"""Writes the dashboards next to this file; `--check` only tells which of them are stale."""

import json
import sys
from pathlib import Path

from source import agent, canary, check, overview, slo

HERE = Path(__file__).parent
DASHBOARDS = {
    "overview.json": overview.dashboard,
    "slo.json": slo.dashboard,
    "check.json": check.dashboard,
    "canary.json": canary.dashboard,
    "agent.json": agent.dashboard,
}


def main() -> int:
    stale = []
    for name, build in DASHBOARDS.items():
        text = json.dumps(build(), indent=2, ensure_ascii=False) + "\n"
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    print(*(stale or ["all fresh"]))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())

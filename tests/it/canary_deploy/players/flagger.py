"""Plays Flagger's controller: one Canary of a Deployment that has changed, interval by interval, by the rules of its code
(pkg/controller/{scheduler,scheduler_hooks,scheduler_metrics,webhook}.go, go-retryablehttp). Prints a JSON object."""

import argparse
import hashlib
import json
import re
import sys
import urllib.parse

from common import Clock, manifests, only, request, seconds

BACKOFF, LONGEST_BACKOFF, PROMETHEUS_TIMEOUT = 1, 30, 5
RUNNING = ("Progressing", "WaitingPromotion")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+")
    parser.add_argument("--agent", help="host and port in place of the hooks' own")
    parser.add_argument("--token", help="in place of TOKEN in the hooks' URLs")
    parser.add_argument("--prometheus", help="a URL in place of the templates' own")
    parser.add_argument("--metadata", action="append", default=[], help="KEY=VALUE: for each hook")
    parser.add_argument("--revision", default="1", help="what the Deployment is now")
    parser.add_argument("--pace", type=float, default=1)
    parser.add_argument("--intervals", type=int, default=60, help="to look at it for")
    options = parser.parse_args()
    json.dump(Canary(manifests(*options.manifests), options).play(options.intervals), sys.stdout, indent=1)


class Failed(Exception):
    """A hook that did not pass, and why."""


class Canary:
    def __init__(self, objects, options):
        self.object = only(objects, "Canary")
        self.templates = {one["metadata"]["name"]: one for one in objects if one["kind"] == "MetricTemplate"}
        self.analysis, self.options = self.object["spec"]["analysis"], options
        self.clock, self.events, self.calls = Clock(options.pace), [], []
        self.phase, self.weight, self.iterations, self.failed = "Initialized", 0, 0, 0

    def play(self, intervals):
        for _ in range(intervals):
            self.advance()
            if self.phase in ("Succeeded", "Failed"):
                break
            self.clock.sleep(seconds(self.analysis["interval"]))
        return {"phase": self.phase, "weight": self.weight, "failed_checks": self.failed, "events": self.events,
                "calls": self.calls}

    def advance(self):
        """What Flagger does at one interval (advanceCanary)."""
        if self.phase in ("Initialized", "Waiting"):
            self.phase = "Progressing" if self.passed("confirm-rollout") else "Waiting"
        elif self.phase in RUNNING and self.wants_rollback():
            self.roll_back("manual webhook invoked")
        elif self.phase == "Promoting":
            self.weight, self.phase = 0, "Finalising"
        elif self.phase == "Finalising":
            self.phase = "Succeeded"
            self.passed("post-rollout")
        elif self.phase in RUNNING and self.failed >= self.analysis["threshold"]:
            self.roll_back("failed checks threshold reached")
        elif not self.analysed():
            self.failed += 1
        elif "iterations" in self.analysis:
            self.iterate()
        else:
            self.increase()

    def analysed(self):
        if self.weight == 0 and self.iterations == 0:
            return self.passed("pre-rollout")
        return self.passed("rollout") and all(map(self.measured, self.analysis.get("metrics", [])))

    def increase(self):
        """More weight at each interval, up to the most."""
        most = self.analysis.get("maxWeight", 100)
        if self.weight < most:
            if self.passed("confirm-traffic-increase"):
                self.weight = min(100, self.weight + self.analysis["stepWeight"])
        elif self.may_promote():
            self.phase = "Promoting"

    def iterate(self):
        """Blue/green."""
        if self.iterations < self.analysis["iterations"]:
            self.iterations += 1
        elif self.may_promote():
            if self.iterations == self.analysis["iterations"]:
                self.weight, self.iterations = 100, self.iterations + 1
            else:
                self.phase = "Promoting"

    def may_promote(self):
        if self.passed("confirm-promotion"):
            return True
        if self.phase == "WaitingPromotion":
            # So that the checks go on while it waits.
            self.iterations = self.analysis.get("iterations", 0) - 1
        self.phase = "WaitingPromotion"
        return False

    def roll_back(self, why):
        self.events.append(f"Rolling back: {why}")
        self.weight, self.phase = 0, "Failed"

    def hooks(self, kind):
        return [hook for hook in self.analysis.get("webhooks", []) if (hook.get("type") or "rollout") == kind]

    def wants_rollback(self):
        """Inverted: a hook that passes asks for it."""
        return any(self.call(hook) is None for hook in self.hooks("rollback"))

    def passed(self, kind):
        return all(self.told(self.call(hook), hook) for hook in self.hooks(kind))

    def told(self, why, hook):
        if why is not None:
            self.events.append(f"Halt advancement {hook['name']} failed {why}")
        return why is None

    def call(self, hook):
        """Why a hook did not pass; none where it did."""
        metadata = {**hook.get("metadata", {}), **dict(one.split("=", 1) for one in self.options.metadata)}
        payload = {
            "name": self.object["metadata"]["name"],
            "namespace": self.object["metadata"].get("namespace", "default"),
            "phase": "Progressing" if self.phase in ("Initialized", "Waiting", *RUNNING) else self.phase,
            "checksum": hashlib.sha1(self.options.revision.encode()).hexdigest()[:10],
            "metadata": metadata,
        }
        url = hook["url"].replace("TOKEN", self.options.token or "TOKEN")
        if self.options.agent:
            parts = urllib.parse.urlsplit(url)
            login = parts.netloc.rpartition("@")[0]
            url = parts._replace(netloc=f"{login}@{self.options.agent}" if login else self.options.agent).geturl()
        try:
            status, body = self.post(url, json.dumps(payload), hook)
        except Failed as error:
            status, body = 0, str(error)
        call = {"hook": hook.get("type", "rollout"), "at": self.clock.now(), "status": status, "body": body}
        self.calls.append(call)
        return None if 0 < status <= 202 else body

    def post(self, url, body, hook):
        """As go-retryablehttp does: what breaks, 429, and 5xx but 501 are tried again; once it gives up, the body of
        the answer is lost."""
        timeout = seconds(hook.get("timeout") or "10s")
        for attempt in range(int(hook.get("retries", 0)) + 1):
            wait = min(LONGEST_BACKOFF, BACKOFF * 2**attempt)
            try:
                response = request("POST", url, {"Content-Type": "application/json"}, body, timeout)
                if response.status != 429 and (response.status < 500 or response.status == 501):
                    return response.status, response.body.decode(errors="replace")
                if response.status in (429, 503) and response.headers.get("Retry-After", "").isdigit():
                    wait = int(response.headers["Retry-After"])
                why = ""
            except OSError as error:
                why = f": {error}"
            if attempt < int(hook.get("retries", 0)):
                self.clock.sleep(wait)
        raise Failed(f"POST giving up after {int(hook.get('retries', 0)) + 1} attempt(s){why}")

    def measured(self, metric):
        template = self.templates[metric["templateRef"]["name"]]["spec"]
        values = {"target": self.object["spec"]["targetRef"]["name"], "interval": metric["interval"],
                  "name": self.object["metadata"]["name"]}
        query = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: values[found[1]], template["query"])
        address = self.options.prometheus or template["provider"]["address"]
        query = urllib.parse.urlencode({"query": re.sub(r"\s+", " ", query)})
        response = request("GET", f"{address}/api/v1/query?{query}", timeout=PROMETHEUS_TIMEOUT)
        if response.status >= 400:
            return self.halted(metric, f"query failed: {response.body.decode()}")
        series = json.loads(response.body)["data"]["result"]
        if not series:
            return self.halted(metric, "no values found")
        value, allowed = float(series[-1]["value"][1]), metric["thresholdRange"]
        # Not a number is neither less nor more: it passes.
        if value < allowed.get("min", value) or value > allowed.get("max", value):
            return self.halted(metric, f"{value} is not within {allowed}")
        return True

    def halted(self, metric, why):
        self.events.append(f"Halt advancement metric {metric['name']}: {why}")
        return False


if __name__ == "__main__":
    main()

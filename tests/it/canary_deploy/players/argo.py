"""Plays Argo Rollouts' analysis controller: one AnalysisRun of a template, to its end, by the rules of its code
(analysis/analysis.go, utils/analysis, metricproviders/{web,job,prometheus}). Prints a JSON object."""

import argparse
import json
import re
import sys
import urllib.parse

import expression
from common import Clock, manifests, only, request, seconds
from pod import Job

ERRORS_IN_A_ROW, RETRY_AFTER_ERROR, PROMETHEUS_TIMEOUT = 4, 10, 30
WORSE = ["Successful", "Inconclusive", "Error", "Failed"]
# Where a Job is named <uid of the run>.<metric>.<number>, which also becomes a label.
LONGEST_METRIC_NAME = 63 - 36 - 3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("template")
    parser.add_argument("--arg", action="append", default=[], help="NAME=VALUE: of the Rollout's step")
    parser.add_argument("--secret", action="append", default=[], help="NAME/KEY=VALUE: a Secret of the namespace")
    parser.add_argument("--config", help="a file that stands for each of the ConfigMaps' own")
    parser.add_argument("--program", help="what the image's entry point is")
    parser.add_argument("--pace", type=float, default=1)
    parser.add_argument("--terminate-after", type=float, help="the rollout is over after so many seconds")
    options = parser.parse_args()
    objects = manifests(options.template)
    pairs = {key: dict(one.split("=", 1) for one in getattr(options, key)) for key in ("arg", "secret")}
    template = only(objects, "AnalysisTemplate")
    run = Run(template["spec"], pairs["arg"], pairs["secret"], Clock(options.pace))
    run.jobs = lambda spec: Job(spec, objects, options.program, options.config)
    run.over = options.terminate_after
    json.dump(run.play(), sys.stdout, indent=1)


class Run:
    def __init__(self, spec, given, secrets, clock):
        self.metrics, self.clock, self.over = spec["metrics"], clock, None
        self.args = {one["name"]: value(one, given, secrets) for one in spec.get("args", [])}
        self.results = {}

    def play(self):
        message = self.prepare()
        phase = "Error" if message else "Running"
        while phase == "Running":
            self.measure()
            phase = self.assess()
            if phase == "Running":
                self.clock.sleep(0.5)
        return {"phase": phase, "message": message, "seconds": self.clock.now(), "metrics": self.results}

    def prepare(self):
        """Why it cannot begin."""
        try:
            for metric in self.metrics:
                validate(metric)
            self.metrics = [resolve(metric, self.args) for metric in self.metrics]
        except ValueError as error:
            return str(error)
        return None

    def terminating(self):
        ended = any(result["phase"] in ("Failed", "Error", "Inconclusive") for result in self.results.values())
        return ended or (self.over is not None and self.clock.now() >= self.over)

    def measure(self):
        terminating = self.terminating()
        for metric in self.metrics:
            result = self.results.get(metric["name"])
            if (result and result["phase"] not in ("Running", "Pending")) or terminating or not self.due(metric, result):
                continue
            if result is None:
                result = {"phase": "Running", "measurements": [], **{word: 0 for word in WORSE}, "count": 0, "row": 0}
                self.results[metric["name"]] = result
            phase, value, message = self.take(metric)
            result["measurements"].append({"at": self.clock.now(), "phase": phase, "value": value, "message": message})
            result[phase] += 1
            result["row"] = result["row"] + 1 if phase == "Error" else 0
            result["count"] += phase != "Error"

    def due(self, metric, result):
        if result is None:
            return self.clock.now() >= seconds(metric.get("initialDelay", "0s"))
        if count(metric) is not None and result["count"] >= count(metric):
            return False
        last = result["measurements"][-1]
        pause = RETRY_AFTER_ERROR if last["phase"] == "Error" else seconds(metric["interval"])
        return self.clock.now() >= last["at"] + pause

    def take(self, metric):
        """One measurement: its phase, value and message."""
        provider = metric["provider"]
        try:
            if "job" in provider:
                phase, message = self.jobs(provider["job"]["spec"]).run()
                return phase, None, message
            result = web(provider["web"]) if "web" in provider else prometheus(provider["prometheus"])
        except NotJson as body:
            # No condition is asked then.
            return "Successful", str(body), "not JSON"
        except (OSError, ValueError, KeyError) as error:
            return "Error", None, str(error)
        try:
            return verdict(metric, result), result, None
        except expression.Wrong as error:
            return "Error", result, str(error)

    def assess(self):
        """The phase of the run: running, until each metric is complete; then that of the worst."""
        terminating, phases = self.terminating(), []
        for metric in self.metrics:
            result = self.results.get(metric["name"])
            if result is None:
                # A metric that waits for its delay keeps the run going, unless that ends.
                phases.append(None)
                continue
            if result["phase"] == "Running":
                result["phase"] = assessed(metric, result, terminating)
            phases.append(result["phase"])
        terminating = terminating or self.terminating()
        complete = [phase for phase in phases if phase in WORSE]
        if terminating:
            return max(complete, key=WORSE.index, default="Successful")
        return "Running" if len(complete) < len(phases) else max(complete, key=WORSE.index)


def assessed(metric, result, terminating):
    phase = None
    if result["Failed"] > metric.get("failureLimit", 0):
        phase = "Failed"
    if result["Inconclusive"] > metric.get("inconclusiveLimit", 0):
        phase = "Inconclusive"
    if result["row"] > metric.get("consecutiveErrorLimit", ERRORS_IN_A_ROW):
        phase = "Error"
    if phase:
        return phase
    reached = count(metric) is not None and result["count"] >= count(metric)
    return "Successful" if reached or terminating else "Running"


def count(metric):
    """How often it is measured; none: until the rollout is over."""
    return metric.get("count", None if "interval" in metric else 1)


def validate(metric):
    name, times = metric["name"], metric.get("count", 0)
    for limit in ("failureLimit", "inconclusiveLimit"):
        if times > 0 and times < metric.get(limit, 0):
            raise ValueError(f"{name}: count must be >= {limit}")
    if times > 1 and "interval" not in metric:
        raise ValueError(f"{name}: interval must be specified when count > 1")
    for length in ("interval", "initialDelay"):
        seconds(metric.get(length, "0s"))
    if len(metric["provider"]) != 1:
        raise ValueError(f"{name}: one provider, not {list(metric['provider'])}")
    if "job" in metric["provider"] and len(name) > LONGEST_METRIC_NAME:
        raise ValueError(f"{name}: the Job's name is too long for a label")


def value(argument, given, secrets):
    """Of an argument: the step's word, or the template's own, or a Secret's."""
    if argument["name"] in given:
        return given[argument["name"]]
    secret = argument.get("valueFrom", {}).get("secretKeyRef")
    return secrets.get(f"{secret['name']}/{secret['key']}") if secret else argument.get("value")


def resolve(metric, args):
    """Arguments are filled into the metric's JSON text, quoted as in JSON."""

    def fill(found):
        name = found[1].strip().removeprefix("args.")
        if args.get(name) is None:
            raise ValueError(f"unable to resolve metric arguments: argument {name!r} was not supplied")
        return json.dumps(args[name])[1:-1]

    return json.loads(re.sub(r"\{\{(.*?)\}\}", fill, json.dumps(metric)))


class NotJson(Exception):
    pass


def web(spec):
    headers = {one["key"]: one["value"] for one in spec.get("headers", [])}
    method, body = spec.get("method", "GET"), spec.get("body")
    if "jsonBody" in spec:
        body, headers["Content-Type"] = json.dumps(spec["jsonBody"]), "application/json"
    if body is not None and method == "GET":
        raise ValueError("Body/JSONBody can only be used with POST or PUT WebMetric Method types")
    response = request(method, spec["url"], headers, body, timeout=spec.get("timeoutSeconds", 0) or 10)
    if not 200 <= response.status < 300:
        raise ValueError(f"received non 2xx response code: {response.status}")
    try:
        data = json.loads(response.body)
    except ValueError:
        raise NotJson(response.body.decode(errors="replace")) from None
    return json_path(spec.get("jsonPath", "{$}"), data)


def json_path(path, data):
    """Of JSONPath, what takes steps from the root: `{$.data.verdict}`."""
    if not re.fullmatch(r"\{\$(?:\.\w+)*\}", path):
        raise ValueError(f"not known to this player: {path}")
    for name in path[2:-1].split(".")[1:]:
        if not isinstance(data, dict) or name not in data:
            raise ValueError(f"Could not find JSONPath in body: {name} is not found")
        data = data[name]
    return data


def prometheus(spec):
    query = urllib.parse.urlencode({"query": spec["query"]})
    response = request("GET", f"{spec['address']}/api/v1/query?{query}", timeout=PROMETHEUS_TIMEOUT)
    answer = json.loads(response.body)
    if answer["status"] != "success":
        raise ValueError(answer["error"])
    kind, result = answer["data"]["resultType"], answer["data"]["result"]
    if kind == "scalar":
        return float(result[1])
    if kind != "vector":
        raise ValueError("Prometheus metric type not supported")
    return [float(series["value"][1]) for series in result]


def verdict(metric, result):
    """Of two conditions, failure first; of one, its opposite; of a result that meets neither: inconclusive."""
    good, bad = metric.get("successCondition"), metric.get("failureCondition")
    if not good and not bad:
        return "Successful"
    succeeded = expression.condition(good, result) if good else None
    failed = expression.condition(bad, result) if bad else not succeeded
    if failed:
        return "Failed"
    return "Successful" if succeeded or not good else "Inconclusive"


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Plays a story of faults to a real agent that a real Prometheus scrapes, and writes down what Prometheus answers to
every query of every dashboard: what the pictures are drawn from. Loopback only; all of it ends with the script."""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCENE = ROOT / "tests/it/dashboards/scene.yaml"
KEY = "0123456789abcdef0123456789abcdef"
JWT = ["--jwt-algorithm", "HS256", "--jwt-issuer", "gateprobe", "--jwt-audience", "chat"]
GATEWAYS = {"chat": ["--tls", *JWT], "orders": [], "presence": [], "legacy": [], "tenants": JWT, "renewals": JWT}
# When in the story (from 0 to 1) a fault comes and goes.
STORY = [
    (0.10, 0.25, "chat", "pong_delay", "40ms"),
    (0.25, 0.45, "orders", "messages_lost", "4"),
    (0.30, 0.55, "chat", "upgrade_delay", "150ms"),
    (0.35, 0.60, "orders", "malformed_hang", "not_utf8"),
    (0.40, 0.55, "presence", "upgrade_status", "503"),
    (0.45, 0.60, "tenants", "refresh_refused", ""),
    (0.50, 1.00, "orders", "zombies_kept", ""),
    (0.60, 0.85, "tenants", "refresh_takes", "expired"),
    (0.65, 0.68, "chat", "session_closed_after", "1s"),
    (0.66, 0.69, "orders", "session_closed_after", "1s"),
    (0.85, 1.00, "orders", "pong_dropped", "4"),
    (0.90, 1.00, "legacy", "upgrade_delay", "350ms"),
]
# When the agent is asked to verify a canary: the target that serves already, and the one that may come next.
VERIFICATIONS = [
    (0.02, "orders", "presence"),
    (0.22, "presence", "orders"),
    (0.41, "orders", "presence"),
    (0.72, "orders", "presence"),
    (0.87, "presence", "orders"),
]
# The targets of the drill-down's picture.
TARGET = "orders"
TOKENS = "tenants"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateprobe", default=str(ROOT / "target/release/gateprobe"))
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / ".tools/pictures/answers.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder), options.gateprobe) as stage:
        begin = time.time()
        stage.play(options.minutes * 60)
        answers = {board.stem: record(board, stage, begin, time.time()) for board in (ROOT / "dashboards").glob("*.json")}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(answers))
    print(options.out)


class Stage:
    """Gateways, agent and Prometheus."""

    def __init__(self, folder, program):
        self.folder, self.program, self.children, self.controls = folder, program, [], {}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        (self.folder / "key").write_text(KEY)
        config = SCENE.read_text().replace("KEY_FILE", str(self.folder / "key"))
        config = config.replace("CA_FILE", str(self.folder / "ca.pem")).replace("COLLECTOR", self.collector())
        for name, options in GATEWAYS.items():
            if options:
                options = [*options, "--jwt-key", self.folder / "key"]
            if "--tls" in options:
                options += ["--tls-ca-out", self.folder / "ca.pem"]
            gateway = self.run("gateway", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--json",
                               "--heartbeat-interval", "1s", "--heartbeat-timeout", "2s", *options)
            url, control = (gateway.stdout.readline().split()[1] for _ in range(2))
            self.controls[name] = control
            config = config.replace(f"{name.upper()}_CONTROL", control.rstrip("/")).replace(name.upper(), url)
        (self.folder / "gateprobe.yaml").write_text(config)
        agent = self.run("run", "--config", self.folder / "gateprobe.yaml", log=True)
        self.agent = self.wait_for(agent, lambda line: "started" in line)["address"]
        scrape = f"scrape_configs: [{{ job_name: gateprobe, scrape_interval: 2s, static_configs: [{{ targets: ['{self.agent}'] }}] }}]"
        (self.folder / "prometheus.yml").write_text(scrape)
        prometheus = self.spawn([ROOT / ".tools/bin/prometheus", f"--config.file={self.folder}/prometheus.yml",
                                 f"--storage.tsdb.path={self.folder}/data", "--web.listen-address=127.0.0.1:0",
                                 "--log.format=json"], log=True)
        self.prometheus = self.wait_for(prometheus, lambda line: "Listening on" in line)["address"]

    def collector(self):
        """An OpenTelemetry collector that takes all and keeps nothing; the URL that it takes gRPC at."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.spawn([ROOT / ".tools/bin/rotel-agent", "start", "--otlp-grpc-endpoint", address, "--otlp-http-endpoint",
                    "127.0.0.1:0", "--exporter", "blackhole"], log=True)
        return f"http://{address}"

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            child.wait()

    def run(self, *arguments, log=False):
        return self.spawn([self.program, *arguments], log)

    def spawn(self, command, log):
        """What is read is a pipe that stays open for a line or two; a log goes to a file that nobody waits for."""
        output = (self.folder / f"log-{len(self.children)}").open("w") if log else subprocess.DEVNULL
        child = subprocess.Popen([str(part) for part in command], stdout=None if log else subprocess.PIPE,
                                 stderr=output, text=True)
        child.log = output.name if log else None
        self.children.append(child)
        return child

    @staticmethod
    def wait_for(child, wanted):
        for _ in range(600):
            lines = Path(child.log).read_text().splitlines()
            found = [line for line in lines if wanted(line)]
            if found:
                return json.loads(found[0])
            if child.poll() is not None:
                sys.exit("\n".join(lines))
            time.sleep(0.1)
        sys.exit(f"not ready within a minute: {child.args}")

    def play(self, seconds):
        begin = time.monotonic()
        acts = [(at, gateway, fault, value, "PUT") for at, _, gateway, fault, value in STORY]
        acts += [(end, gateway, fault, "", "DELETE") for _, end, gateway, fault, _ in STORY if end < 1]
        acts += [(at, canary, "", baseline, "POST") for at, baseline, canary in VERIFICATIONS]
        for at, gateway, fault, value, method in sorted(acts):
            time.sleep(max(0, begin + at * seconds - time.monotonic()))
            url, body = f"{self.controls[gateway]}faults/{fault}", value
            if method == "POST":
                url, body = f"http://{self.agent}/api/v1/canary", json.dumps({"canary": gateway, "baseline": value})
            urllib.request.urlopen(urllib.request.Request(url, body.encode(), method=method)).close()
            print(f"{time.monotonic() - begin:5.0f} s  {method} {gateway} {fault} {value}", flush=True)
        time.sleep(max(0, begin + seconds - time.monotonic()))

    def ask(self, path, **parameters):
        url = f"http://{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)["data"]["result"]


def record(path, stage, begin, end):
    board = json.loads(path.read_text())
    for row in board["panels"]:
        for panel in [row, *row.get("panels", [])]:
            for query in panel.get("targets", []):
                points = panel.get("maxDataPoints", 300)
                query["result"] = answer(stage, query, target(path, row), points, begin, end)
    return {"board": board, "from": begin, "to": end}


def target(path, row):
    """The drill-down is drawn for one target; what takes tokens, for one that asks for them."""
    if path.stem != "check":
        return ".+"
    return TOKENS if row["title"].startswith("token_refresh") else TARGET


def answer(stage, query, target, points, begin, end):
    step = max(2, round((end - begin) / points))
    values = {
        "$__rate_interval": f"{max(step + 2, 8)}s",
        "$__range_s": str(round(end - begin)),
        "$__range": f"{round(end - begin)}s",
        "$job": ".+",
        "$instance": ".+",
        "$target": target,
        "$check": ".+",
    }
    expr = query["expr"]
    for name, value in values.items():
        expr = expr.replace(name, value)
    if query["instant"]:
        return stage.ask("query", query=expr, time=end)
    return stage.ask("query_range", query=expr, start=begin, end=end, step=step)


if __name__ == "__main__":
    main()

"""The players keep the controllers' rules, against a server that says what it is told to."""

import contextlib
import http.server
import subprocess
import sys
import tempfile
import json
import threading
import unittest
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import argo  # noqa: E402
import expression  # noqa: E402


class Server(http.server.ThreadingHTTPServer):
    """Answers in turn, the last one again and again."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body or "null")))
        answers = self.server.answers
        status, text, *headers = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST

    def log_message(self, *_):
        pass


def verdict(word):
    return 200, json.dumps({"data": {"verdict": word}})


@contextlib.contextmanager
def serving(*answers):
    server = Server(*answers)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


METRICS = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: { name: t }
spec:
  args: [{ name: agent }, { name: token, valueFrom: { secretKeyRef: { name: s, key: k } } }]
  metrics:
    - name: m
      interval: 1s
      count: 3
      successCondition: result in ["pending", "pass"]
      failureCondition: result == "fail"
      provider: { web: { method: POST, url: "http://{{args.agent}}/", jsonBody: { a: "{{ args.token }}" },
        headers: [{ key: Authorization, value: "Bearer {{args.token}}" }], jsonPath: "{$.data.verdict}" } }
"""


def analysis(server, metrics=METRICS, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(metrics)
        file.flush()
        return play("argo.py", file.name, f"--arg=agent={server.address}", '--secret=s/k=to"ken', *options)


CANARY = """
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: c }
spec:
  targetRef: { name: d }
  analysis: { interval: 1s, threshold: 2, maxWeight: 20, stepWeight: 10, webhooks: [HOOK] }
"""


def canary(server, hook, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(CANARY.replace("HOOK", hook.replace("URL", "http://u:TOKEN@h/x")))
        file.flush()
        return play("flagger.py", file.name, f"--agent={server.address}", "--token=s3", *options)


def play(player, *arguments):
    command = [sys.executable, str(HERE / player), *arguments, "--pace=0.02"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


class Argo(unittest.TestCase):
    def test_the_verdict_decides(self):
        for words, phase, times in [
            (["pending", "pass"], "Successful", 3),
            (["pending", "fail"], "Failed", 2),
            (["pending", "inconclusive"], "Inconclusive", 2),
        ]:
            with serving(*map(verdict, words)) as server:
                run = analysis(server)
                self.assertEqual((run["phase"], len(server.requests)), (phase, times), words)
                _, headers, body = server.requests[0]
                self.assertEqual((headers["Authorization"], body), ('Bearer to"ken', {"a": 'to"ken'}))

    def test_an_error_is_tried_again_five_times_in_a_row(self):
        with serving((404, "{}")) as server:
            self.assertEqual((analysis(server)["phase"], len(server.requests)), ("Error", 5))
        with serving((503, ""), verdict("pass")) as server:
            self.assertEqual((analysis(server)["phase"], len(server.requests)), ("Successful", 4))
        with serving((200, '{"data":{}}')) as server:
            self.assertEqual(analysis(server)["phase"], "Error")

    def test_what_is_not_json_succeeds(self):
        with serving((200, "<html>log in</html>")) as server:
            self.assertEqual(analysis(server)["phase"], "Successful")

    def test_a_rollout_that_is_over_ends_a_run_that_has_no_end(self):
        endless = METRICS.replace("      count: 3\n", "")
        with serving(verdict("pending")) as server:
            self.assertEqual(analysis(server, endless, "--terminate-after=5")["phase"], "Successful")

    def test_arguments_and_limits_are_looked_at_first(self):
        with serving(verdict("pass")) as server:
            for metrics in [METRICS.replace("name: s, key: k", "name: s, key: x"), METRICS.replace("interval: 1s", "")]:
                run = analysis(server, metrics)
                self.assertEqual((run["phase"], len(server.requests)), ("Error", 0))

    def test_conditions(self):
        rate = "len(result) > 0 && result[0] >= 0.99"
        for result, holds in [([], False), ([0.98], False), ([0.99, 0], True), ([float("nan")], False)]:
            self.assertEqual(expression.condition(rate, result), holds, result)
        for wrong, result in [("result[0] >= 1", []), ('result == "a"', 1.0), ("len(result)", [1]), ("result", "x"), ("1 +", 1)]:
            with self.assertRaises(expression.Wrong, msg=wrong):
                expression.condition(wrong, result)

    def test_paths(self):
        self.assertEqual(argo.json_path("{$.a.b}", {"a": {"b": "c"}}), "c")
        with self.assertRaises(ValueError):
            argo.json_path("{$.a.c}", {"a": {"b": "c"}})


class Flagger(unittest.TestCase):
    def test_up_to_202_passes(self):
        for status, phase in [(200, "Succeeded"), (202, "Succeeded"), (204, "Failed"), (412, "Failed")]:
            with serving((status, "")) as server:
                self.assertEqual(canary(server, "{ name: h, url: URL }")["phase"], phase, status)
                path, headers, body = server.requests[0]
                self.assertEqual((path, headers["Authorization"]), ("/x", "Basic dTpzMw=="))
                self.assertEqual((body["name"], body["namespace"], body["phase"]), ("c", "default", "Progressing"))

    def test_429_and_5xx_are_tried_again_and_lose_the_body(self):
        for status, times in [(429, 3), (500, 3), (501, 1), (412, 1)]:
            with serving((status, "why")) as server:
                end = canary(server, "{ name: h, url: URL, retries: 2 }", "--intervals=3")
                self.assertEqual(len(server.requests), times, status)
                self.assertEqual("why" in end["events"][0], times == 1, end["events"])
        with serving((503, ""), (200, "")) as server:
            self.assertEqual(canary(server, "{ name: h, url: URL, retries: 1 }")["phase"], "Succeeded")
        with serving((503, ""), (200, "")) as server:
            self.assertEqual(canary(server, "{ name: h, url: URL }")["failed_checks"], 1)

    def test_rollback_is_inverted(self):
        with serving((412, ""), (412, ""), (200, "")) as server:
            end = canary(server, "{ name: h, type: rollback, url: URL }")
            self.assertEqual((end["phase"], end["events"]), ("Failed", ["Rolling back: manual webhook invoked"]))

    def test_promotion_waits(self):
        hook = "{ name: h, type: confirm-promotion, url: URL }"
        with serving(*[(412, "")] * 4, (200, "")) as server:
            self.assertEqual(canary(server, hook)["phase"], "Succeeded")
        with serving((412, "")) as server:
            end = canary(server, hook, "--intervals=20")
            self.assertEqual((end["phase"], end["failed_checks"]), ("WaitingPromotion", 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)

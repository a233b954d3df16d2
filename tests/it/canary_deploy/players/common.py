"""What the players of controllers have in common: manifests, lengths of time, and HTTP as Go's client speaks it."""

import base64
import http.client
import re
import time
import urllib.parse
from pathlib import Path

import yaml

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def manifests(*paths):
    return [one for path in paths for one in yaml.safe_load_all(Path(path).read_text()) if one]


def only(objects, kind):
    found = [one for one in objects if one["kind"] == kind]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} objects are a {kind}")
    return found[0]


def seconds(duration):
    """A duration of Go (`1m30s`)."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", duration)
    if "".join(number + unit for number, unit in parts) != duration or not parts:
        raise ValueError(f"no duration: {duration!r}")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


class Clock:
    """Time as the controller counts it; `pace` is how many real seconds one of its own takes, so that tests need not
    wait for it. Time-outs of requests are real."""

    def __init__(self, pace):
        self.pace, self.begin = pace, time.monotonic()

    def now(self):
        return (time.monotonic() - self.begin) / self.pace

    def sleep(self, own_seconds):
        time.sleep(max(0, own_seconds) * self.pace)


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def request(method, url, headers=None, body=None, timeout=10):
    """One request: a `Response` whatever its status, or `OSError` where none came in time."""
    parts = urllib.parse.urlsplit(url)
    headers = dict(headers or {})
    if parts.username and "Authorization" not in headers:
        # Go's client does so (net/http, Client.send).
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    # A hook's whole time, not that of one read.
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request(method, parts._replace(scheme="", netloc="").geturl() or "/", body=body, headers=headers)
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP: {error!r}") from error
    finally:
        connection.close()

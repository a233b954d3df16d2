"""Measures what the agent needs for so many targets, and writes it, and the image's size, into docs/install.md. `make sizing` runs it.

    python3 deploy/sizing.py PROGRAM [SECONDS]

PROGRAM watches its own reference gateway by TLS over the loopback, with every setting at its default. CPU is the time of
the process over a window that begins when all of it has started; SECONDS is the window's length (120).
"""

import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs/install.md"
BEGIN, END = "<!-- measured: sizes -->\n", "<!-- end -->"

LIGHT = {"handshake": {}, "heartbeat": {"server": {"pings": "5s"}}}
ALL = LIGHT | {"zombie": {"window": {"earliest": "5s", "latest": "5s"}}, "hold": {}}
SCENES = [(1, LIGHT), (10, LIGHT), (10, ALL), (100, LIGHT), (100, ALL), (500, LIGHT)]
# All of a fleet's first runs are spread over an interval, the longest of which is that of heartbeat here.
SETTLE = 75


def main(program, seconds=120):
    rows = [measure(program, targets, checks, int(seconds)) for targets, checks in SCENES]
    table = "| targets | checks | CPU | memory, resident | connections held |\n|---|---|---|---|---|\n"
    table += "".join(f"| {' | '.join(row)} |\n" for row in rows)
    machine = f"{os.cpu_count()} cores ({processor()}), Linux {platform.release().split('-')[0]}"
    note = f"Measured on {time.strftime('%Y-%m-%d')} over {seconds} s each with {machine}, by `make sizing`.\n"
    note += f"The image is {os.stat(program).st_size / 1e6:.0f} MB, not compressed: the program and nothing else.\n"
    page = PAGE.read_text()
    head, rest = page.split(BEGIN, 1)
    PAGE.write_text(head + BEGIN + "\n" + table + "\n" + note + END + rest.split(END, 1)[1])
    print(table + note)


def measure(program, targets, checks, seconds):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        gateway = start([program, "gateway", "--listen=127.0.0.1:0", "--control=127.0.0.1:0", "--tls", "--tls-name=localhost",
                         f"--tls-ca-out={folder}/ca.pem", "--heartbeat-interval=5s", "--heartbeat-timeout=5s"])
        try:
            url = re.sub(r"//[^:/]*:", "//localhost:", gateway.stdout.readline().split()[1])
            config = {
                "http": {"listen": "127.0.0.1:0"},
                "log": {"format": "json"},
                "defaults": {"tls": {"ca_file": f"{folder}/ca.pem"}, "checks": checks},
                "targets": {f"gateway-{n}": {"url": url} for n in range(targets)},
            }
            (folder / "gateprobe.yaml").write_text(json.dumps(config))
            log = (folder / "log").open("w+")
            agent = start([program, "run", f"--config={folder}/gateprobe.yaml"], stderr=log)
            try:
                time.sleep(SETTLE)
                return judge(agent.pid, folder / "log", targets, checks, seconds)
            finally:
                end(agent)
        finally:
            end(gateway)


def judge(pid, log, targets, checks, seconds):
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    share = (cpu_seconds(pid) - before) / (time.monotonic() - began)
    held = 2 * targets if "hold" in checks else 0
    address = re.search(r'"address":"([^"]*)"', log.read_text())[1]
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        metrics = answer.read().decode()
    failed = sum(float(n) for n in re.findall(r'gateprobe_check_runs_total\{[^}]*outcome="fail"[^}]*\} (\S+)', metrics))
    passed = sum(float(n) for n in re.findall(r'gateprobe_check_runs_total\{[^}]*outcome="pass"[^}]*\} (\S+)', metrics))
    print(f"{targets} targets, {', '.join(checks)}: {passed:.0f} runs passed, {failed:.0f} failed", file=sys.stderr)
    if failed or not passed:
        sys.exit("a measurement with failed runs is of no use")
    return str(targets), ", ".join(checks), f"{1000 * share:.0f} m", f"{resident(pid) / 1024:.0f} MiB", str(held)


def start(command, **how):
    how = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True} | how
    return subprocess.Popen(command, **how)


def end(process):
    process.send_signal(signal.SIGTERM)
    process.wait()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """The most that was resident so far, in KiB: what a limit must allow for."""
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def processor():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return model[1].replace("(R)", "") if model else platform.machine()


main(*sys.argv[1:])

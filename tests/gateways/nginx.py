#!/usr/bin/env python3
"""nginx in front of a WebSocket gateway; with the gateway down it answers 502.

Needs no root and leaves nothing outside a temporary folder. nginx inherits its listening socket from
this program, as in nginx's own binary upgrade, so no other program can get the port in between.
"""

import ctypes
import http.client
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile

import common

NGINX = pathlib.Path(__file__).resolve().parents[2] / ".tools/bin/nginx"
READY_PATH = "/.nginx-is-ready"

CONFIG = """
daemon off;
{user}
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
    server {{
        listen 127.0.0.1:{port}{ssl};
        {certificate}
        client_header_timeout {header_timeout};
        location = {ready_path} {{ return 204; }}
        location / {{
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout {read_timeout};
        }}
    }}
}}
"""


def main():
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--upstream", required=True, metavar="HOST:PORT")
    parser.add_argument("--read-timeout", default="60s", help="proxy_read_timeout, nginx's own default")
    parser.add_argument("--header-timeout", default="60s", help="client_header_timeout, nginx's own default")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        sys.exit(run(args, folder))


def run(args, folder):
    """Exit status, or what went wrong."""
    sock = common.listening_socket()
    port = sock.getsockname()[1]
    nginx = start(folder, config(args, folder, port), sock)
    # nginx alone must hold the port: should it die, connections have to be refused.
    sock.close()
    common.exit_with_stdin(nginx.terminate)
    if answers(port, tls=bool(args.cert)):
        print("READY", port, flush=True)
    else:
        nginx.terminate()
    status = nginx.wait()
    return status and f"nginx failed, exit status {status}"


def config(args, folder, port):
    certificate = ""
    if args.cert:
        cert, key = os.path.abspath(args.cert), os.path.abspath(args.key)
        certificate = f"ssl_certificate {cert}; ssl_certificate_key {key};"
    return CONFIG.format(
        # As root, the worker would become a user that can't read the folder.
        user="user root;" if os.geteuid() == 0 else "",
        folder=folder,
        port=port,
        ssl=" ssl" if args.cert else "",
        certificate=certificate,
        ready_path=READY_PATH,
        upstream=args.upstream,
        read_timeout=args.read_timeout,
        header_timeout=args.header_timeout,
    )


def start(folder, text, sock):
    path = pathlib.Path(folder, "nginx.conf")
    path.write_text(text)
    return subprocess.Popen(
        [NGINX, "-p", folder, "-e", "stderr", "-c", path],
        env={**os.environ, "NGINX": f"{sock.fileno()};"},
        pass_fds=[sock.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )


def die_with_parent():
    """Should this program be killed, nginx ends with its workers (Linux's PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def answers(port, tls):
    """Asks once; the connection waits in the backlog until nginx is up."""
    if tls:
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", READY_PATH)
        return connection.getresponse().status == 204
    except OSError as error:
        print(error, file=sys.stderr)
        return False
    finally:
        connection.close()


main()

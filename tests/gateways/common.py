"""The manner that every program here has in common.

It listens on 127.0.0.1 at a port of the kernel's choice, prints the one line `READY <port>` on stdout
when it accepts connections, and exits when its stdin ends, so that a test that dies leaves no orphan.
"""

import argparse
import json
import os
import socket
import ssl
import sys
import threading
import time


def arguments(description, tls=True):
    """A parser with the options that all share."""
    parser = argparse.ArgumentParser(description=description)
    if tls:
        parser.add_argument("--cert", metavar="FILE", help="PEM chain; with --key, speak TLS")
        parser.add_argument("--key", metavar="FILE", help="PEM private key of --cert")
    return parser


def add_gateway_options(parser):
    """The options of a WebSocket gateway that echoes."""
    parser.add_argument(
        "--subprotocol", action="append", default=[], metavar="NAME", help="agree to this one; may be repeated"
    )
    parser.add_argument(
        "--stamps", action="store_true", help="say on stderr when each client is pinged, told Close, and let go of"
    )
    parser.add_argument("--max-size", type=int, metavar="BYTES", help="of a message; the library's own limit if not given")
    parser.add_argument(
        "--json",
        choices=["reply", "raise"],
        help="speak JSON instead of echoing: ping, echo and error replies; raise: let an exception of the handler go",
    )


def only_given(**options):
    """Those that are not None, so that a library keeps its own default for the others."""
    return {name: value for name, value in options.items() if value is not None}


def json_answer(text, mode):
    """What a gateway of one JSON object a message, with its kind in `type`, answers to a text."""
    try:
        message = json.loads(text)
        kind = message["type"]
        if kind == "ping":
            return json.dumps({"type": "pong", "id": message["id"]})
        if kind == "echo":
            return json.dumps({"type": "echo", "id": message["id"], "payload": message["payload"]})
        return json.dumps({"type": "error", "message": "unknown type"})
    # The parser gives up on deep nesting by a RecursionError, which is no ValueError.
    except (ValueError, TypeError, LookupError, RecursionError):
        if mode == "raise":
            raise
        return json.dumps({"type": "error", "message": "not a message"})


def seconds(text):
    """An interval for argparse; 0 means off, which the libraries call None."""
    return float(text) or None


class StampedSocket(socket.socket):
    """Says on stderr when the kernel had taken a ping, a Close or the end of TCP, whatever the library above it:
    the word, the client's port, and nanoseconds of CLOCK_MONOTONIC. Not for TLS.
    """

    FRAMES = {0x89: "PING", 0x88: "CLOSE"}  # RFC 6455 section 5.2: FIN and the opcode

    client = None

    def accept(self):
        accepted, address = super().accept()
        client = StampedSocket(fileno=accepted.detach())
        client.client = address[1]
        return client, address

    def send(self, data, *flags):
        sent = super().send(data, *flags)
        if word := self.FRAMES.get(data[0]):
            self.stamp(word)
        return sent

    def shutdown(self, how):
        super().shutdown(how)
        self.stamp("END")

    def close(self):
        super().close()
        if self.client:
            self.stamp("END")

    def stamp(self, word):
        print(word, self.client, time.monotonic_ns(), file=sys.stderr, flush=True)


def listening_socket(args=None):
    """A TCP socket that listens already, so that no other program can get its port."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    if args and args.stamps:
        sock = StampedSocket(fileno=sock.detach())
    sock.setblocking(False)
    return sock


def tls_context(args):
    """The server's TLS settings, or None for plain TCP."""
    if not args.cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(args.cert, args.key)
    return context


def ready(sock, *more_ports):
    """Says that `sock` accepts, and where else this program listens."""
    print("READY", sock.getsockname()[1], *more_ports, flush=True)


def exit_with_stdin(end=lambda: os._exit(0)):
    """Ends this process, whatever it is doing, when stdin ends."""

    def watch():
        try:
            while os.read(sys.stdin.fileno(), 4096):
                pass
        finally:
            end()

    threading.Thread(target=watch, daemon=True).start()

#!/usr/bin/env python3
"""Starts each program of this folder and talks to it, so that a red test elsewhere isn't theirs.

    .tools/python/bin/python tests/gateways/selftest.py
"""

import asyncio
import base64
import contextlib
import json
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

HERE = pathlib.Path(__file__).resolve().parent
BOUND = 20  # seconds for any one step
ECHOES = ["python_websockets.py", "python_aiohttp.py", "python_uvicorn.py", "node_ws.mjs"]


class Program:
    """One running program; leaving the context closes its stdin and demands a clean end."""

    def __init__(self, name, *options):
        self.name, self.options = name, options

    async def __aenter__(self):
        runner = "node" if self.name.endswith(".mjs") else sys.executable
        pipe = subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            runner, HERE / self.name, *map(str, self.options), stdin=pipe, stdout=pipe, stderr=pipe
        )
        line = await asyncio.wait_for(self.process.stdout.readline(), BOUND)
        if not line.startswith(b"READY "):
            raise AssertionError(f"{self.name}: {line!r} {await self.process.stderr.read()!r}")
        self.port = int(line.split()[1])
        return self

    async def __aexit__(self, *error):
        self.process.stdin.close()
        # stderr ends only when every process that inherited it is gone.
        self.stderr = (await asyncio.wait_for(self.process.stderr.read(), BOUND)).decode()
        status = await asyncio.wait_for(self.process.wait(), BOUND)
        if not error[0]:
            more = await self.process.stdout.read()
            assert (status, more) == (0, b""), f"{self.name}: status {status}, {more!r}, {self.stderr}"

    async def kill(self):
        self.process.kill()
        await asyncio.wait_for(self.process.stderr.read(), BOUND)


async def echoes(port, client_tls=None, **options):
    uri = f"{'wss' if client_tls else 'ws'}://localhost:{port}/any/path"
    async with asyncio.timeout(BOUND), connect(uri, host="127.0.0.1", ssl=client_tls, proxy=None, **options) as client:
        for message in ["text", b"\0binary", "", "x" * 70_000]:
            await client.send(message)
            assert await client.recv() == message
        return client.subprotocol


async def check_gateways(tls, client_tls):
    for name in ECHOES:
        async with Program(name, "--subprotocol", "one", "--subprotocol", "two") as gateway:
            assert await echoes(gateway.port) is None
            assert await echoes(gateway.port, subprotocols=["none", "two"]) == "two"
        async with Program(name, *tls) as gateway:
            await echoes(gateway.port, client_tls)


async def check_json():
    """Ping and echo of dialect json, an error reply for the rest; a limit of a message; an exception let go."""
    for name in ["python_websockets.py", "python_aiohttp.py", "node_ws.mjs"]:
        async with Program(name, "--json", "reply", "--max-size", 1000) as gateway, asyncio.timeout(BOUND):
            async with connect(f"ws://127.0.0.1:{gateway.port}/", proxy=None) as client:
                for sent, kind in [('{"type":"ping","id":"1"}', "pong"), ('{"type":"echo","id":"1","payload":[]}', "echo")]:
                    await client.send(sent)
                    answer = json.loads(await client.recv())
                    assert (answer["type"], answer["id"]) == (kind, "1"), (name, answer)
                for wrong in ["{", "[]", '{"type":"no"}', "", "[" * 900]:
                    await client.send(wrong)
                    assert json.loads(await client.recv())["type"] == "error", (name, wrong)
                await client.send(b"binary")
                assert await closing_code(client) == 1003, name
            async with connect(f"ws://127.0.0.1:{gateway.port}/", proxy=None) as client:
                await client.send("x" * 1001)
                assert await closing_code(client) == 1009, name
    for name, code in [("python_websockets.py", 1011), ("python_aiohttp.py", None)]:
        async with Program(name, "--json", "raise") as gateway, asyncio.timeout(BOUND):
            async with connect(f"ws://127.0.0.1:{gateway.port}/", proxy=None) as client:
                await client.send("{")
                assert await closing_code(client) == code, name


async def closing_code(client):
    """Code of the Close that ends the connection; None where it ends without one."""
    try:
        return await client.recv()
    except ConnectionClosed as closed:
        return closed.rcvd and closed.rcvd.code


async def check_pings():
    """A client that answers nothing is closed by those that promise it."""
    for name, options in {
        "python_websockets.py": ["--ping-interval", 0.1, "--ping-timeout", 0.1],
        "python_uvicorn.py": ["--ping-interval", 0.1, "--ping-timeout", 0.1],
        "python_aiohttp.py": ["--heartbeat", 0.2],
        "node_ws.mjs": ["--heartbeat", 0.1],
    }.items():
        async with Program(name, *options) as gateway, asyncio.timeout(BOUND):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            key = base64.b64encode(bytes(16)).decode()
            writer.write(
                "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
            )
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101"), name
            with contextlib.suppress(ConnectionResetError):
                assert (await reader.read(1))[0] == 0x89, f"{name}: no ping"
                await reader.read()
            writer.close()


async def check_nginx(tls, client_tls):
    async with Program("python_websockets.py") as gateway:
        upstream = ["--upstream", f"127.0.0.1:{gateway.port}"]
        async with Program("nginx.py", *upstream) as nginx:
            await echoes(nginx.port)
        async with Program("nginx.py", *upstream, *tls) as nginx:
            await echoes(nginx.port, client_tls)
    async with Program("nginx.py", *upstream) as nginx:
        try:
            await echoes(nginx.port)
            raise AssertionError("nginx let a connection through to a gateway that is down")
        except InvalidStatus as error:
            assert error.response.status_code == 502
    nginx = await Program("nginx.py", *upstream).__aenter__()
    await nginx.kill()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", nginx.port)) != 0, "nginx outlived its parent"


async def check_proxy():
    async with Program("python_websockets.py") as gateway:
        async with Program("connect_proxy.py", "--user", "me", "--password", "it") as proxy:
            assert await tunnel(proxy.port, gateway.port, "") == 407
            login = base64.b64encode(b"me:it").decode()
            assert await tunnel(proxy.port, gateway.port, f"Proxy-Authorization: Basic {login}\r\n") == 200
        assert proxy.stderr == f"CONNECT 127.0.0.1:{gateway.port}\n" * 2, proxy.stderr
    async with Program("connect_proxy.py") as proxy:
        assert await tunnel(proxy.port, gateway.port, "") == 502
    async with Program("connect_proxy.py", "--status", 503) as proxy:
        assert await tunnel(proxy.port, gateway.port, "") == 503


async def tunnel(proxy, gateway, headers):
    """Status of a CONNECT; where it is 200, a WebSocket has echoed through it."""
    sock = socket.create_connection(("127.0.0.1", proxy), timeout=BOUND)
    sock.sendall(f"CONNECT 127.0.0.1:{gateway} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
    # The gateway says nothing first, so one read to the blank line takes none of its bytes.
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await asyncio.to_thread(sock.recv, 4096)
    status = int(head.split()[1])
    if status == 200:
        sock.setblocking(False)
        async with connect("ws://localhost/", sock=sock, proxy=None) as client:
            await client.send("through")
            assert await client.recv() == "through"
    sock.close()
    return status


async def check_dns():
    options = ["--record", "up.test=127.0.0.1,::1,127.0.0.2", "--record", "four.test=127.0.0.4", "--servfail", "bad.test"]
    async with Program("dns_server.py", *options) as dns:
        for transport in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for name, kind, edns, expected in [
                ("up.test", 1, False, (0, ["127.0.0.1", "127.0.0.2"])),
                ("UP.test", 28, True, (0, ["::1"])),
                ("four.test", 28, True, (0, [])),
                ("none.test", 1, False, (3, [])),
                ("bad.test", 1, True, (2, [])),
            ]:
                assert resolve(dns.port, transport, name, kind, edns) == expected, (name, kind, transport)
    assert "QUERY A none.test" in dns.stderr
    async with Program("dns_server.py", "--silent") as dns:
        try:
            resolve(dns.port, socket.SOCK_DGRAM, "up.test", 1, False, bound=0.2)
            raise AssertionError("a silent DNS server answered")
        except TimeoutError:
            pass


def resolve(port, transport, name, kind, edns, bound=BOUND):
    """(response code, addresses of the answer section)"""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", kind, 1)
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0) if edns else b""
    query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, int(edns)) + question + opt
    with socket.socket(socket.AF_INET, transport) as sock:
        sock.settimeout(bound)
        sock.connect(("127.0.0.1", port))
        if transport == socket.SOCK_STREAM:
            sock.sendall(struct.pack("!H", len(query)) + query)
            with sock.makefile("rb") as stream:
                message = stream.read(struct.unpack("!H", stream.read(2))[0])
        else:
            sock.send(query)
            message = sock.recv(4096)
    ident, flags, _, answers, _, additional = struct.unpack("!6H", message[:12])
    assert ident == 7 and additional == int(edns) and message[12:].startswith(question)
    addresses, at = [], 12 + len(question)
    for _ in range(answers):
        (length,) = struct.unpack_from("!H", message, at + 10)
        family = socket.AF_INET if length == 4 else socket.AF_INET6
        addresses.append(socket.inet_ntop(family, message[at + 12 : at + 12 + length]))
        at += 12 + length
    return flags & 0xF, addresses


def certificate(folder):
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    return ["--cert", cert, "--key", key], ssl.create_default_context(cafile=cert)


async def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder  # a killed nginx.py can't remove its own
        tls = certificate(folder)
        for check, needs in [
            (check_gateways, tls),
            (check_json, ()),
            (check_pings, ()),
            (check_nginx, tls),
            (check_proxy, ()),
            (check_dns, ()),
        ]:
            await check(*needs)
            print(f"{check.__name__} ok", flush=True)


asyncio.run(main())

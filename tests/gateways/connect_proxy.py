#!/usr/bin/env python3
"""HTTP CONNECT proxy; writes `CONNECT host:port` to stderr for each one asked for."""

import asyncio
import base64
import contextlib
import http
import sys

import common

HEAD_LIMIT = 16 * 1024


async def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--user", help="demand Basic authentication; with --password")
    parser.add_argument("--password", default="")
    parser.add_argument("--status", type=int, metavar="N", help="answer each CONNECT with N and open no tunnel")
    parser.add_argument("--silent", action="store_true", help="read each CONNECT and answer nothing")
    args = parser.parse_args()

    async def serve(reader, writer):
        with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError):
            await handle(args, reader, writer)
        writer.close()

    common.exit_with_stdin()
    sock = common.listening_socket()
    server = await asyncio.start_server(serve, sock=sock, ssl=common.tls_context(args), limit=HEAD_LIMIT)
    common.ready(sock)
    await server.serve_forever()


async def handle(args, reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.rstrip().split("\r\n")
    method, _, rest = request_line.partition(" ")
    target = rest.partition(" ")[0]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    if method != "CONNECT":
        return await answer(writer, 405, "Allow: CONNECT\r\n")
    print("CONNECT", target, file=sys.stderr, flush=True)
    if args.silent:
        return await reader.read()
    if args.user is not None and headers.get("proxy-authorization") != credentials(args):
        return await answer(writer, 407, 'Proxy-Authenticate: Basic realm="test"\r\n')
    if args.status is not None:
        return await answer(writer, args.status)

    host, _, port = target.rpartition(":")
    try:
        upstream_reader, upstream_writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, ValueError):
        return await answer(writer, 502)
    try:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as relays:
            relays.create_task(relay(reader, upstream_writer))
            relays.create_task(relay(upstream_reader, writer))
    except* OSError:
        pass  # one side was reset: both are closed
    finally:
        upstream_writer.close()


def credentials(args):
    return "Basic " + base64.b64encode(f"{args.user}:{args.password}".encode()).decode()


async def answer(writer, status, headers=""):
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unassigned"
    writer.write(f"HTTP/1.1 {status} {phrase}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()


async def relay(reader, writer):
    """Copies one direction, and passes its end on as a half-close."""
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:  # TLS knows no half-close
        writer.close()


asyncio.run(main())

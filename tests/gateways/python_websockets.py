#!/usr/bin/env python3
"""Echo or JSON gateway on the library `websockets`."""

import asyncio
import contextlib

from prometheus_client import Gauge, start_http_server
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

import common


async def echo(connection):
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


def counted(handler, leak):
    """The handler with a gauge of its open sessions; one that leaks never counts down."""
    sessions = Gauge("gateway_sessions_open", 'Open sessions, by {"pool"}', ["pool", "path"])

    async def count(connection):
        gauge = sessions.labels(pool="a", path=connection.request.path + ',x="{1}"')
        gauge.inc()
        try:
            await handler(connection)
        finally:
            if not leak:
                gauge.dec()

    return count


def json_handler(mode):
    async def handler(connection):
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                if isinstance(message, bytes):
                    return await connection.close(CloseCode.UNSUPPORTED_DATA)
                await connection.send(common.json_answer(message, mode))

    return handler


def first_agreed(agreed):
    """The library's own choice refuses a client that offers no subprotocol; the other gateways here don't."""
    return lambda _connection, offered: next((name for name in offered if name in agreed), None)


async def main():
    parser = common.arguments(__doc__)
    common.add_gateway_options(parser)
    parser.add_argument("--ping-interval", type=common.seconds, default=20.0, help="seconds; 0 is off")
    parser.add_argument("--ping-timeout", type=common.seconds, default=20.0, help="seconds; 0 is off")
    parser.add_argument("--metrics", action="store_true", help="serve /metrics at the second port of READY")
    parser.add_argument("--leak", action="store_true", help="with --metrics: count sessions that ended as open")
    parser.add_argument("--header-timeout", type=float, help="seconds for the opening handshake; 10 if not given")
    args = parser.parse_args()

    common.exit_with_stdin()
    handler, more_ports = json_handler(args.json) if args.json else echo, []
    if args.metrics:
        server, _thread = start_http_server(0, addr="127.0.0.1")
        handler, more_ports = counted(handler, args.leak), [server.server_port]
    sock = common.listening_socket(args)
    async with serve(
        handler,
        sock=sock,
        ssl=common.tls_context(args),
        select_subprotocol=first_agreed(args.subprotocol),
        ping_interval=args.ping_interval,
        ping_timeout=args.ping_timeout,
        **common.only_given(max_size=args.max_size, open_timeout=args.header_timeout),
    ) as server:
        common.ready(sock, *more_ports)
        await server.serve_forever()


asyncio.run(main())

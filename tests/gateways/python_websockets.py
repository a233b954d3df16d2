#!/usr/bin/env python3
"""Echo or JSON gateway on the library `websockets`."""

import asyncio
import contextlib

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

import common


async def echo(connection):
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


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
    parser.add_argument("--header-timeout", type=float, help="seconds for the opening handshake; 10 if not given")
    args = parser.parse_args()

    common.exit_with_stdin()
    sock = common.listening_socket(args)
    async with serve(
        json_handler(args.json) if args.json else echo,
        sock=sock,
        ssl=common.tls_context(args),
        select_subprotocol=first_agreed(args.subprotocol),
        ping_interval=args.ping_interval,
        ping_timeout=args.ping_timeout,
        **common.only_given(max_size=args.max_size, open_timeout=args.header_timeout),
    ) as server:
        common.ready(sock)
        await server.serve_forever()


asyncio.run(main())

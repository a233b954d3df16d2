#!/usr/bin/env python3
"""Echo gateway on aiohttp, at any path or at one."""

import asyncio

from aiohttp import WSMsgType, web

import common


def echo(heartbeat, subprotocols):
    async def handler(request):
        response = web.WebSocketResponse(heartbeat=heartbeat, protocols=subprotocols)
        await response.prepare(request)
        async for message in response:
            if message.type is WSMsgType.TEXT:
                await response.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await response.send_bytes(message.data)
        return response

    return handler


async def main():
    parser = common.arguments(__doc__)
    common.add_gateway_options(parser)
    parser.add_argument("--heartbeat", type=common.seconds, default=None, help="seconds between pings; 0 is off")
    parser.add_argument("--path", default="/{path:.*}", help="echo at this path only; 404 elsewhere")
    args = parser.parse_args()

    common.exit_with_stdin()
    app = web.Application()
    app.router.add_get(args.path, echo(args.heartbeat, args.subprotocol))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = common.listening_socket(args)
    await web.SockSite(runner, sock, ssl_context=common.tls_context(args)).start()
    common.ready(sock)
    await asyncio.Event().wait()


asyncio.run(main())

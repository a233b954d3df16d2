#!/usr/bin/env python3
"""Echo or JSON gateway on aiohttp, at any path or at one."""

import asyncio

from aiohttp import WSCloseCode, WSMsgType, web

import common


def gateway(args):
    async def handler(request):
        response = web.WebSocketResponse(
            heartbeat=args.heartbeat, protocols=args.subprotocol, **common.only_given(max_msg_size=args.max_size)
        )
        await response.prepare(request)
        async for message in response:
            if message.type is WSMsgType.TEXT:
                await response.send_str(common.json_answer(message.data, args.json) if args.json else message.data)
            elif message.type is WSMsgType.BINARY and args.json:
                await response.close(code=WSCloseCode.UNSUPPORTED_DATA)
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
    app.router.add_get(args.path, gateway(args))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = common.listening_socket(args)
    await web.SockSite(runner, sock, ssl_context=common.tls_context(args)).start()
    common.ready(sock)
    await asyncio.Event().wait()


asyncio.run(main())

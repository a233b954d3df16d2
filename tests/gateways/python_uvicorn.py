#!/usr/bin/env python3
"""Echo gateway on uvicorn: a bare ASGI application, at any path."""

import asyncio

import uvicorn

import common


def echo(subprotocols):
    async def application(scope, receive, send):
        if scope["type"] != "websocket":
            await send({"type": "http.response.start", "status": 426, "headers": [(b"upgrade", b"websocket")]})
            await send({"type": "http.response.body", "body": b""})
            return
        agreed = next((name for name in scope["subprotocols"] if name in subprotocols), None)
        await receive()  # websocket.connect
        await send({"type": "websocket.accept", "subprotocol": agreed})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})

    return application


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        common.ready(sockets[0])


async def main():
    parser = common.arguments(__doc__)
    common.add_gateway_options(parser)
    parser.add_argument("--ping-interval", type=common.seconds, default=20.0, help="seconds; 0 is off")
    parser.add_argument("--ping-timeout", type=common.seconds, default=20.0, help="seconds; 0 is off")
    parser.add_argument(
        "--ws", default="auto", choices=["auto", "websockets", "websockets-sansio"], help="uvicorn's own WebSocket protocols"
    )
    args = parser.parse_args()

    common.exit_with_stdin()
    config = uvicorn.Config(
        echo(args.subprotocol),
        lifespan="off",
        log_level="warning",
        access_log=False,
        ws=args.ws,
        ws_ping_interval=args.ping_interval,
        ws_ping_timeout=args.ping_timeout,
        ssl_certfile=args.cert,
        ssl_keyfile=args.key,
    )
    await Server(config).serve(sockets=[common.listening_socket(args)])


asyncio.run(main())

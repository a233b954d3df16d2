#!/usr/bin/env node
// Echo or JSON gateway on npm's `ws`, at any path. The manner is that of common.py.
//
//   node tests/gateways/node_ws.mjs [--cert FILE --key FILE] [--subprotocol NAME ...] [--heartbeat S [--keep]] [--stamps]
//     [--max-size BYTES] [--deflate] [--json reply|raise] [--header-timeout S]
//
// The library itself never pings and never cleans up. With --heartbeat, this application does it as the library's
// README proposes: at each beat, who has not answered the last one is cut off (`terminate`), and the others are pinged;
// with --keep, it pings and cuts off nobody.

import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const { WebSocketServer } = createRequire(new URL("../../.tools/npm/package.json", import.meta.url))("ws");

const { values: args } = parseArgs({
  options: {
    cert: { type: "string" },
    key: { type: "string" },
    subprotocol: { type: "string", multiple: true, default: [] },
    heartbeat: { type: "string", default: "0" },
    keep: { type: "boolean", default: false },
    stamps: { type: "boolean", default: false },
    "max-size": { type: "string" },
    deflate: { type: "boolean", default: false },
    json: { type: "string" },
    "header-timeout": { type: "string" },
  },
});

process.stdin.on("close", () => process.exit(0)).resume();

// Node.js looks for requests that are late only each half minute, if not told otherwise.
const timeouts = args["header-timeout"]
  ? { headersTimeout: 1000 * Number(args["header-timeout"]), connectionsCheckingInterval: 100 }
  : {};
const http = args.cert
  ? createHttpsServer({ cert: readFileSync(args.cert), key: readFileSync(args.key), ...timeouts })
  : createHttpServer(timeouts);
http.on("request", (_request, response) => response.writeHead(426, { Upgrade: "websocket" }).end());

const gateway = new WebSocketServer({
  server: http,
  perMessageDeflate: args.deflate,
  ...(args["max-size"] && { maxPayload: Number(args["max-size"]) }),
  handleProtocols: (offered) => args.subprotocol.find((name) => offered.has(name)) ?? false,
});
gateway.on("connection", (socket, request) => {
  socket.on("message", (data, isBinary) => {
    if (!args.json) socket.send(data, { binary: isBinary });
    else if (isBinary) socket.close(1003);
    else socket.send(jsonAnswer(String(data)));
  });
  socket.on("error", (error) => console.error(error.message));
  if (Number(args.heartbeat)) watch(socket, request.socket.remotePort);
});

// As common.py does it: dialect `json`.
function jsonAnswer(text) {
  try {
    const { type, id, payload } = JSON.parse(text);
    if (type === "ping") return JSON.stringify({ type: "pong", id });
    if (type === "echo") return JSON.stringify({ type, id, payload });
    return JSON.stringify({ type: "error", message: "unknown type" });
  } catch (error) {
    if (args.json === "raise") throw error;
    return JSON.stringify({ type: "error", message: "not a message" });
  }
}

function watch(socket, port) {
  let alive = true;
  socket.on("pong", () => (alive = true));
  const beat = setInterval(() => {
    if (!alive && !args.keep) {
      socket.terminate();
      return stamp("END", port);
    }
    alive = false;
    socket.ping();
    stamp("PING", port);
  }, 1000 * Number(args.heartbeat));
  socket.on("close", () => clearInterval(beat));
}

// As common.py does it; hrtime is CLOCK_MONOTONIC.
function stamp(word, port) {
  if (args.stamps) console.error(`${word} ${port} ${process.hrtime.bigint()}`);
}

http.listen(0, "127.0.0.1", () => console.log(`READY ${http.address().port}`));

#!/usr/bin/env python3
"""DNS server for tests, over UDP and TCP at one port; writes `QUERY type name` to stderr for each.

A name that no option gives is NXDOMAIN. Every answer has a TTL of 0. RFC 1035, 2308 and 6891.
"""

import asyncio
import ipaddress
import socket
import struct
import sys

import common

TYPES = {"A": 1, "SOA": 6, "AAAA": 28, "OPT": 41}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN = 0, 1, 2, 3
UDP_LIMIT, EDNS_LIMIT = 512, 1232
# Owner and both names of a SOA are the root; its five numbers are 0: nothing is to be cached.
SOA = b"\0" + struct.pack("!HHIH", TYPES["SOA"], 1, 0, 22) + bytes(22)
OPT = b"\0" + struct.pack("!HHIH", TYPES["OPT"], EDNS_LIMIT, 0, 0)


async def main():
    parser = common.arguments(__doc__.splitlines()[0], tls=False)
    parser.add_argument("--record", action="append", default=[], type=record, metavar="NAME=IP[,IP...]")
    parser.add_argument("--servfail", action="append", default=[], metavar="NAME", help="fail for this name; * is all")
    parser.add_argument("--silent", action="store_true", help="read queries and answer nothing")
    args = parser.parse_args()

    zone = {}
    for name, addresses in args.record:
        zone.setdefault(name, []).extend(addresses)
    failing = {normal(name) for name in args.servfail}

    def reply(query, limit):
        return None if args.silent else answer(query, zone, failing, limit)

    common.exit_with_stdin()
    tcp, udp = sockets()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: Udp(reply), sock=udp)
    server = await asyncio.start_server(lambda r, w: serve_tcp(r, w, reply), sock=tcp)
    common.ready(tcp)
    await server.serve_forever()


class Udp(asyncio.DatagramProtocol):
    def __init__(self, reply):
        self.reply = reply

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if message := self.reply(data, UDP_LIMIT):
            self.transport.sendto(message, addr)


async def serve_tcp(reader, writer, reply):
    try:
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            if message := reply(await reader.readexactly(length), 0xFFFF):
                writer.write(struct.pack("!H", len(message)) + message)
                await writer.drain()
    except (OSError, EOFError):
        writer.close()


def answer(query, zone, failing, limit):
    """The reply to one query, or None for what is no query at all."""
    if len(query) < 12:
        return None
    ident, flags, questions, *_, additional = struct.unpack("!6H", query[:12])
    if flags & 0x8000:
        return None
    try:
        if questions != 1:
            raise ValueError
        name, end = parse_name(query, 12)
        kind, _ = struct.unpack_from("!HH", query, end)
        question, rest = query[12 : end + 4], query[end + 4 :]
    except (ValueError, IndexError, struct.error):
        return header(ident, flags, FORMERR, 0, 0, 0, 0)

    type_name = next((text for text, code in TYPES.items() if code == kind), f"TYPE{kind}")
    print("QUERY", type_name, name, file=sys.stderr, flush=True)
    status, records = look_up(name, kind, zone, failing)
    authority = b"" if records or status == SERVFAIL else SOA
    edns = additional and rest[:3] == OPT[:3]
    if edns and len(rest) >= 5:
        limit = max(limit, struct.unpack_from("!H", rest, 3)[0])
    body = b"".join(records) + authority + (OPT if edns else b"")
    message = header(ident, flags, status, 1, len(records), bool(authority), bool(edns)) + question + body
    if len(message) > limit:
        return header(ident, flags | 0x0200, status, 1, 0, 0, 0) + question
    return message


def look_up(name, kind, zone, failing):
    if name in failing or "*" in failing:
        return SERVFAIL, []
    if name not in zone:
        return NXDOMAIN, []
    addresses = [a for a in zone[name] if kind == TYPES["A" if a.version == 4 else "AAAA"]]
    # 0xc00c points back to the name in the question.
    return NOERROR, [struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(a.packed)) + a.packed for a in addresses]


def header(ident, flags, status, questions, answers, authorities, additional):
    """Authoritative, recursion available; opcode, truncation and "recursion desired" as in `flags`."""
    flags = 0x8480 | flags & 0x7B00 | status
    return struct.pack("!6H", ident, flags, questions, answers, authorities, additional)


def parse_name(message, offset):
    labels = []
    while length := message[offset]:
        if length > 63:
            raise ValueError("a compressed name in a question")
        labels.append(message[offset + 1 : offset + 1 + length].decode("latin-1"))
        offset += 1 + length
    return normal(".".join(labels)), offset + 1


def normal(name):
    return name.lower().rstrip(".")


def record(text):
    name, _, addresses = text.partition("=")
    return normal(name), [ipaddress.ip_address(a) for a in addresses.split(",")]


def sockets():
    """A TCP and a UDP socket at the same port."""
    while True:
        tcp = common.listening_socket()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setblocking(False)
        try:
            udp.bind(tcp.getsockname())
            return tcp, udp
        except OSError:  # the UDP port of that number is taken: try another
            tcp.close()
            udp.close()


asyncio.run(main())

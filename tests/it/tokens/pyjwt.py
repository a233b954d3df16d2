#!/usr/bin/env python3
"""What PyJWT says of tokens, or the tokens that it makes: a JSON object a line on stdin, a JSON value a line on stdout.

{"sign": claims, "key": ..., "algorithm": ..., "headers": ...} gives a token;
{"verify": token, "key": ..., "algorithm": ..., "audience": ..., "issuer": ..., "subject": ...} gives the claims, or the
name of what it raises.
"""

import json
import sys

import jwt


def answer(asked):
    if "sign" in asked:
        return jwt.encode(asked["sign"], asked["key"], asked["algorithm"], asked.get("headers"))
    expected = {name: asked[name] for name in ("audience", "issuer", "subject") if name in asked}
    try:
        return jwt.decode(asked["verify"], asked["key"], [asked["algorithm"]], **expected)
    except jwt.PyJWTError as error:
        return type(error).__name__


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))

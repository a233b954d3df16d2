#!/usr/bin/env python3
"""OAuth2 authorization server: Authlib issues JSON Web Tokens by the client credentials grant at /token.

/requests tells how many tokens were asked for. What else there is misbehaves: /silent, /garbage, /status/<code> (429
with `Retry-After: 1`), /opaque (a token that is no JWT and of which nobody says how long it is good).
"""

import http.server
import os
import threading
import time
import urllib.parse

# No TLS on loopback is fine, but Authlib has to be told.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import common
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import RSAKey


class Client(ClientMixin):
    def __init__(self, args):
        self.args = args

    def get_client_id(self):
        return self.args.client_id

    def get_allowed_scope(self, scope):
        return scope or "chat:connect"

    def check_client_secret(self, secret):
        return secret == self.args.client_secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.args.auth_method

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]


class Request(OAuth2Request):
    """A request with the form that came as its body."""

    def __init__(self, uri, headers, form):
        super().__init__("POST", uri, headers=headers)
        self.payload = BasicOAuth2Payload(form)
        self.wanted = form

    @property
    def form(self):
        return self.wanted


class Tokens(JWTBearerTokenGenerator):
    """Signs with the key of a file."""

    def __init__(self, args):
        super().__init__(args.issuer, expires_generator=args.lifetime)
        with open(args.sign, "rb") as file:
            self.key = RSAKey.import_key(file.read())
        self.audience = args.audience

    def get_jwks(self):
        return self.key

    def get_audiences(self, client, user, scope):
        return self.audience


class Server(AuthorizationServer):
    def __init__(self, args):
        super().__init__(scopes_supported=["chat:connect", "chat:admin"])
        self.client = Client(args)
        self.register_grant(Grant)
        self.register_token_generator("default", Tokens(args))

    def query_client(self, client_id):
        return self.client if client_id == self.client.get_client_id() else None

    def save_token(self, token, request):
        pass

    def send_signal(self, name, *args, **kwargs):
        pass

    def create_oauth2_request(self, request):
        return request

    def handle_response(self, status, body, headers):
        return status, common.json.dumps(body).encode(), dict(headers)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests = 0
    counting = threading.Lock()

    def do_POST(self):
        with self.counting:
            type(self).requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        match self.path.split("?")[0].strip("/").split("/"):
            case ["token" | "slow" as path]:
                if path == "slow":
                    time.sleep(1)
                form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
                request = Request(f"https://localhost{self.path}", self.headers, form)
                self.answer(*self.server.oauth2.create_token_response(request))
            case ["silent"]:
                self.server.silence.wait()
            case ["garbage"]:
                self.answer(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
            case ["status", code]:
                self.answer(int(code), b"{}", {"Retry-After": "1"} if code == "429" else {})
            case ["opaque"]:
                self.answer(200, b'{"access_token": "an-opaque-one", "token_type": "Bearer"}', {})
            case _:
                self.answer(404, b"", {})

    def do_GET(self):
        self.answer(200, str(self.requests).encode(), {})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--sign", required=True, metavar="FILE", help="RSA private key in PEM")
    parser.add_argument("--issuer", default="https://id.example.com")
    parser.add_argument("--audience", default="chat")
    parser.add_argument("--lifetime", type=int, default=600, metavar="SECONDS")
    parser.add_argument("--client-id", default="gateprobe")
    parser.add_argument("--client-secret", required=True)
    parser.add_argument("--auth-method", default="client_secret_basic", choices=Grant.TOKEN_ENDPOINT_AUTH_METHODS)
    args = parser.parse_args()
    listener = common.listening_socket()
    listener.setblocking(True)
    if context := common.tls_context(args):
        listener = context.wrap_socket(listener, server_side=True)
    server = http.server.ThreadingHTTPServer(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.oauth2, server.silence = Server(args), threading.Event()
    common.exit_with_stdin()
    common.ready(listener)
    server.serve_forever()


if __name__ == "__main__":
    main()

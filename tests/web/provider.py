"""A small OpenID provider on loopback: real HTTP, real RS256 signatures, PKCE; and hostile on request.

It signs in whomever `subject` names, without asking, and notes what it was asked.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "review-desk", "the client's secret, of tests"


class Provider:
    """What the provider says, and how it lies; a test changes it."""

    def __init__(self, base: str) -> None:
        self.base = self.issuer = base
        self.subject, self.more = "248289761001", dict[str, Any]()
        self.key = RSAKey.generate_key(2048, {"kid": "1", "alg": "RS256", "use": "sig"})
        self.stranger = RSAKey.generate_key(2048, {"kid": "1", "alg": "RS256", "use": "sig"})
        self.claimed: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.signed: Callable[[dict[str, Any]], str] = self.sign
        self.described: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def sign(self, claims: dict[str, Any]) -> str:
        """An honest token."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def discovery(self) -> dict[str, Any]:
        """The discovery document."""
        return {"issuer": self.issuer, "authorization_endpoint": f"{self.base}/authorize",
                "token_endpoint": f"{self.base}/token", "jwks_uri": f"{self.base}/keys",
                "end_session_endpoint": f"{self.base}/end", **self.described}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes back to, with a code."""
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def token(self, authorization: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The token of a code: once, for its client, its address, and whoever knows the verifier."""
        known = self.codes.pop(asked.get("code", ""), None)
        basic = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        if authorization != basic:
            return 401, {"error": "invalid_client"}
        if known is None or known["redirect_uri"] != asked.get("redirect_uri") or \
                known["code_challenge"] != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode():
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "exp": now + 300, "iat": now,
                  "nonce": known["nonce"], **self.more}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300,
                     "id_token": self.signed(self.claimed(claims))}


@contextmanager
def provider() -> Iterator[Provider]:
    """The provider, until the block ends."""
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

        def _answer(self, code: int, body: dict[str, Any], **headers: str) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(text))}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = dict(parse_qsl(parts.query))
            made.asked.append((parts.path, asked))
            if parts.path == "/.well-known/openid-configuration":
                self._answer(200, made.discovery())
            elif parts.path == "/keys":
                self._answer(200, {"keys": [made.key.as_dict(private=False)]})
            elif parts.path == "/authorize":
                self._answer(302, {}, Location=made.authorize(asked))
            else:
                self._answer(200 if parts.path == "/end" else 404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            made.asked.append((self.path, dict(parse_qsl(body))))
            self._answer(*made.token(self.headers.get("Authorization", ""), dict(parse_qsl(body))))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)

"""An identity provider that vouches for people (OpenID Connect): authorization code with PKCE, state and nonce.

Its addresses come from its own discovery document and must lie at the issuer's origin, or at one that the settings
list; redirects are not followed. A token counts only with a signature by a key of the provider's own set, in an
algorithm that we name, for this issuer, this client, this sign-in, and now.
Sources: OpenID Connect Core 1.0 §3.1, Discovery 1.0 §4, RFC 7636, RFC 9207.
"""

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
from authlib.common.security import generate_token
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from fhir_adapter.core.errors import Forbidden
from fhir_adapter.core.study import Oidc
from fhir_adapter.wire.faults import OffOrigin
from fhir_adapter.wire.origin import Pin, is_loopback

T = TypeVar("T")

KEPT = 3600.0
"""Seconds for which discovery and keys are believed."""
LEEWAY = 60
"""Seconds by which clocks may differ."""
TIMEOUT = 10.0
MOST_BYTES = 1_000_000


class Asked(msgspec.Struct, frozen=True):
    """A sign-in that has begun: where the browser goes, and what only we and (as a hash) the provider know."""

    address: str
    state: str
    nonce: str
    verifier: str


class Vouched(msgspec.Struct, frozen=True):
    """Whom the provider vouches for: the subject there, and everything that the token claims."""

    issuer: str
    subject: str
    claims: dict[str, Any]

    @property
    def external(self) -> str:
        """As what an account is linked to this person: a subject is unique at its issuer alone."""
        return f"{self.issuer}|{self.subject}"


class Provider:
    """The configured provider, asked over HTTP."""

    def __init__(self, settings: Oidc, secret: str | None) -> None:
        self._settings, self._secret = settings, secret
        self._pin = Pin(settings.issuer, file_origins=settings.origins)
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def begin(self, redirect: str) -> Asked:
        """Where to send a browser. Raises Forbidden when the provider cannot be asked or is not what it should be."""
        return self._trusted(lambda: self._begin(redirect))

    def finish(self, asked: Asked, code: str, redirect: str, now: datetime) -> Vouched:
        """Whom the provider vouches for, by the code that the browser brought back. Raises Forbidden."""
        return self._trusted(lambda: self._finish(asked, code, redirect, now))

    def leave(self, back: str) -> str | None:
        """Where a browser ends its session at the provider, or None where the provider has no such place."""
        found = self._trusted(lambda: self._discovered().get("end_session_endpoint"))
        if not found:
            return None
        place = self._trusted(lambda: self._place(found))
        asked = {"client_id": self._settings.client_id, "post_logout_redirect_uri": back}
        return f"{place}?{urlencode(asked)}"

    def _begin(self, redirect: str) -> Asked:
        place = self._place(self._discovered()["authorization_endpoint"])
        state, nonce, verifier = generate_token(32), generate_token(32), generate_token(64)
        with self._http() as http:
            address, _ = self._client(http, redirect).create_authorization_url(
                place, state=state, code_verifier=verifier, nonce=nonce)
        return Asked(address, state, nonce, verifier)

    def _finish(self, asked: Asked, code: str, redirect: str, now: datetime) -> Vouched:
        settings = self._settings
        place = self._place(self._discovered()["token_endpoint"])
        public = {} if self._secret else {"client_id": settings.client_id}
        auth: Any = (settings.client_id, self._secret) if self._secret else (lambda request: request)
        with self._http() as http:
            token = self._client(http, redirect).fetch_token(
                place, grant_type="authorization_code", code=code, code_verifier=asked.verifier, auth=auth, **public)
        decoded = self._decoded(str(token["id_token"]))
        options = {"iss": {"essential": True, "value": settings.issuer},
                   "aud": {"essential": True, "value": settings.client_id},
                   "nonce": {"essential": True, "value": asked.nonce}, "sub": {"essential": True}}
        claims = CodeIDToken(decoded.claims, decoded.header, options, {
            "nonce": asked.nonce, "client_id": settings.client_id, "access_token": token.get("access_token")})
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY)
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise ValueError("sub")
        return Vouched(settings.issuer, claims["sub"], dict(claims))

    def _decoded(self, token: str) -> jwt.Token:
        """The token, its signature checked; keys that were changed since are fetched once."""
        try:
            return self._checked(token)
        except (InvalidKeyIdError, ValueError):
            self._known.pop("keys", None)
            return self._checked(token)

    def _checked(self, token: str) -> jwt.Token:
        keys: Any = self._keys()  # joserfc refuses what is no set of keys; its own type wants that proved before
        return jwt.decode(token, KeySet.import_key_set(keys), algorithms=list(self._settings.algorithms))

    def _keys(self) -> dict[str, Any]:
        return self._document("keys", self._place(self._discovered()["jwks_uri"]))

    def _discovered(self) -> dict[str, Any]:
        found = self._document("discovery", self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self._settings.issuer:
            raise ValueError("issuer")
        return found

    def _document(self, name: str, address: str) -> dict[str, Any]:
        before, found = self._known.get(name, (0.0, None))
        if found is None or time.monotonic() - before > KEPT:
            with self._http() as http, http.stream("GET", address) as answer:
                answer.raise_for_status()
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise ValueError("size")
            found = json.loads(body)
            if not isinstance(found, dict):
                raise ValueError("shape")
            self._known[name] = (time.monotonic(), found)
        return found

    def _place(self, address: Any) -> str:
        """An address of the provider's, if it is one."""
        return self._pin.place(str(address), self._settings.issuer)[0]

    def _client(self, http: httpx.Client, redirect: str) -> Any:
        return OAuth2Client(http, self._settings.client_id, scope=" ".join(self._settings.scopes),
                            redirect_uri=redirect, code_challenge_method="S256")

    def _http(self) -> httpx.Client:
        loopback = is_loopback(urlsplit(self._settings.issuer).hostname or "")
        return httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=not loopback)

    def _trusted(self, ask: Callable[[], T]) -> T:
        """What asking gives; a fault by its kind alone, without what the provider or the browser said."""
        try:
            return ask()
        except httpx.HTTPError as error:
            raise Forbidden(f"The identity provider cannot be asked ({type(error).__name__}). Try again, or ask "
                            "whoever keeps it.") from None
        except (JoseError, OAuth2Error, OffOrigin, KeyError, TypeError, ValueError) as error:
            raise Forbidden("What the identity provider answered does not prove who you are "
                            f"({type(error).__name__}). Begin again at the sign-in page.") from None

"""How the rehearsal hospital knows its callers: nobody asked, basic, a bearer token, a client secret, or SMART
Backend Services with a signed assertion. It is as strict as the strictest server seen (facts/servers.md)."""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from fhir_adapter.sandbox.metadata import ALGORITHMS
from fhir_adapter.sandbox.switches import Door

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION = timedelta(minutes=5)
SHORTEST_OF_ALL = timedelta(minutes=15)
"""A token that follows its assertion lives no longer than this (servers.md)."""
_SCOPE = re.compile(r"system/(\*|[A-Za-z]+)\.(read|\*|[cruds]+)")


@dataclass(frozen=True)
class Open:
    """Everybody may ask."""


@dataclass(frozen=True)
class Basic:
    """HTTP basic."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Bearer:
    """One fixed token."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class ClientSecret:
    """OAuth client credentials with a secret, in the header or in the form."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class SmartBackend:
    """SMART Backend Services: the client's public keys as a JWKS."""

    client_id: str
    keys: Mapping[str, Any] = field(repr=False)


Auth = Open | Basic | Bearer | ClientSecret | SmartBackend
OPEN = Open()

METHODS: dict[type[Any], tuple[str, ...]] = {
    ClientSecret: ("client_secret_basic", "client_secret_post"),
    SmartBackend: ("private_key_jwt",),
}
"""How the token endpoint knows a client, by kind of auth; the other kinds have no token endpoint."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered: status, OperationOutcome code, and a text without secrets."""

    status: int
    code: str
    text: str


@dataclass
class _Token:
    types: frozenset[str]
    until: datetime
    left: int | None = None


@dataclass(frozen=True)
class TokenRequest:
    """A request at the token endpoint: its form and its Authorization header."""

    form: Mapping[str, str]
    authorization: str
    types: tuple[str, ...]
    """Every type of the hospital, for a grant that cannot say `*`."""


class Guard:
    """Checks credentials and gives out tokens that live as long as the persona says."""

    def __init__(self, auth: Auth, token_url: str, clock: Callable[[], datetime]) -> None:
        self.auth = auth
        self.token_url = token_url
        self._clock = clock
        self._tokens: dict[str, _Token] = {}
        self._used: set[str] = set()

    @property
    def methods(self) -> tuple[str, ...]:
        """How the token endpoint knows its clients; () when there is none."""
        return METHODS.get(type(self.auth), ())

    def check(self, authorization: str, type_: str) -> Refusal | None:
        """Whether this header may read this type (empty: any); None means yes."""
        if isinstance(self.auth, Open):
            return None
        scheme, _, given = authorization.partition(" ")
        if not given:
            return Refusal(401, "login", "no credentials")
        if isinstance(self.auth, Basic):
            wanted = (self.auth.username, self.auth.password)
            return None if scheme.lower() == "basic" and _basic(given) == wanted else _WRONG
        if scheme.lower() != "bearer":
            return _WRONG
        if isinstance(self.auth, Bearer):
            return None if secrets.compare_digest(given.encode(), self.auth.token.encode()) else _WRONG
        token = self._tokens.get(given)
        if token is None:
            return _WRONG
        if token.until <= self._clock():
            return Refusal(401, "expired", "the token has expired")
        if token.left is not None:
            token.left -= 1
            if token.left < 0:
                return Refusal(401, "expired", "the token has expired")
        if type_ and token.types.isdisjoint(("*", type_)):
            return Refusal(403, "forbidden", f"the scope does not cover {type_}")
        return None

    def covers(self, authorization: str, type_: str) -> bool:
        """Whether a caller who was let in may see this type."""
        token = self._tokens.get(authorization.partition(" ")[2])
        return token is None or not token.types.isdisjoint(("*", type_))

    def token(self, asked: TokenRequest, seconds: int, door: Door) -> tuple[int, dict[str, Any]]:
        """The token endpoint: status and JSON body (RFC 6749; SMART Backend Services)."""
        form = asked.form
        if not self.methods:
            return 404, {"error": "invalid_request"}
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        life = seconds
        if isinstance(self.auth, SmartBackend):
            wrong, left = self._assertion_fault(self.auth, form, door.jti_twice)
            if door.token_follows_assertion:
                life = int(min(left, SHORTEST_OF_ALL.total_seconds(), life))
        else:
            wrong = self._secret_fault(form, asked.authorization)
        if wrong:
            status = 401 if door.bad_assertion == "invalid_client" else 400
            return status, {"error": door.bad_assertion, "error_description": wrong}
        scopes = _granted(form.get("scope", "").split(), asked.types, door)
        if not scopes:
            return 400, {"error": "invalid_scope"}
        opened = {type_ for type_, right in scopes if not (door.scopes == "v2_in_vain" and right != "read")}
        token = secrets.token_urlsafe(24)
        until = self._clock() + timedelta(seconds=life)
        self._tokens[token] = _Token(frozenset(opened), until, door.token_requests or None)
        answer = {"access_token": token, "token_type": "bearer", "expires_in": life}
        return 200, {**answer, "scope": " ".join(f"system/{type_}.{right}" for type_, right in scopes)}

    def revoke(self) -> None:
        """Every token given so far is worth nothing."""
        self._tokens.clear()

    def _secret_fault(self, form: Mapping[str, str], authorization: str) -> str:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "basic":
            # RFC 6749 2.3.1: both are form-encoded before they go into the header.
            name, word = _basic(given)
            client = (unquote_plus(name), unquote_plus(word))
        else:
            client = (form.get("client_id", ""), form.get("client_secret", ""))
        known = isinstance(self.auth, ClientSecret) and client == (self.auth.client_id, self.auth.secret)
        return "" if known else "unknown client or wrong secret"

    def _assertion_fault(self, auth: SmartBackend, form: Mapping[str, str], twice: bool) -> tuple[str, float]:
        """What is wrong with a signed assertion (empty: nothing), and how many seconds it still lives."""
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return "client_assertion_type is missing or another one", 0.0
        try:
            token = jwt.decode(form.get("client_assertion", ""), _keys(auth), algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            return "the assertion is no JWT, or no known key (by kid) has signed it with ES384 or RS384", 0.0
        claims, now = token.claims, self._clock()
        audience = claims.get("aud")
        expires = claims.get("exp")
        if not (claims.get("iss") == claims.get("sub") == auth.client_id):
            return "iss and sub must be the client id", 0.0
        if self.token_url not in (audience if isinstance(audience, list) else [audience]):
            return "aud must be the token endpoint exactly", 0.0
        if not isinstance(expires, int | float) or not 0 < expires - now.timestamp() <= LONGEST_ASSERTION.seconds:
            return "exp must be in the future, at most five minutes", 0.0
        number = claims.get("jti")
        if not isinstance(number, str) or not number or (number in self._used and not twice):
            return "jti is missing or was used before", 0.0
        self._used.add(number)
        return "", expires - now.timestamp()


_WRONG = Refusal(401, "login", "unknown credentials")


def _granted(asked: list[str], types: tuple[str, ...], door: Door) -> list[tuple[str, str]]:
    """(type, right) of the scopes that are given for those asked; [] when there is nothing to give."""
    read = [(match[1], match[2]) for scope in asked if (match := _SCOPE.fullmatch(scope))]
    if door.scopes in ("v1", "v2"):
        read = [(type_, right) for type_, right in read if (right in ("read", "*")) == (door.scopes == "v1")]
    if door.whole_or_nothing and any(type_ not in ("*", *types) for type_, _ in read):
        return []
    if not door.withheld:
        return read
    each = [(one, right) for type_, right in read for one in (types if type_ == "*" else (type_,))]
    return [(type_, right) for type_, right in each if type_ not in door.withheld]


def _keys(auth: SmartBackend) -> KeySet:
    return KeySet.import_key_set({"keys": list(auth.keys["keys"])})


def _basic(given: str) -> tuple[str, str]:
    try:
        name, _, word = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, word

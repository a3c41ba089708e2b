"""How a hospital knows us: nothing, a password, a fixed token, or a token fetched by secret or by signed assertion."""

import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

import msgspec

from fhir_adapter.core.errors import HospitalUnavailable, NotAllowed, UsageError
from fhir_adapter.core.study import Auth
from fhir_adapter.wire.client import Client, Credentials
from fhir_adapter.wire.faults import Failing, Fault, Paused, Refused
from fhir_adapter.wire.origin import require_tls
from fhir_adapter.wire.secret import resolve

ASSERTION_LIFE = timedelta(minutes=4)
"""SMART allows five minutes; sekmet-fhir refuses more, and clocks differ."""

BARE_REFUSAL_WAIT = 1.0

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Fixed:
    """Headers that never change: none, basic, or a bearer token that somebody gave us."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Takes the headers as they are sent."""
        self._headers = dict(headers)

    def headers(self) -> Mapping[str, str]:
        """The headers."""
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        """There is nothing fresher."""
        return False


class Tokens:
    """A bearer token from the hospital's token endpoint, in memory only, fetched again before it runs out."""

    def __init__(self, fetch: Callable[[], tuple[str, timedelta]], clock: Callable[[], datetime]) -> None:
        """`fetch` gives a token and how long it lives."""
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._headers: dict[str, str] = {}
        self._good_until: datetime | None = None

    def headers(self) -> Mapping[str, str]:
        """The bearer header; fetches a token when there is none or its last tenth (at most 30 s) has begun."""
        with self._lock:
            now = self._clock()
            if self._good_until is None or now >= self._good_until:
                token, life = self._fetch()
                self._headers = {"Authorization": f"Bearer {token}"}
                self._good_until = now + life - min(timedelta(seconds=30), life / 10)
            return dict(self._headers)

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Forgets the refused token, unless another thread has already fetched a newer one."""
        with self._lock:
            if self._headers == refused:
                self._good_until = None
        return True


class _TokenReply(msgspec.Struct):
    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the name of a scheme, no secret
    expires_in: float = 300
    scope: str | None = None


class _SmartConfiguration(msgspec.Struct):
    token_endpoint: str | None = None


def credentials(client: Client, token_url_of_metadata: Callable[[], str | None],
                grants: Callable[[str], None] = lambda scope: None) -> Credentials:
    """The credentials that the hospital's [auth] asks for; nothing is fetched until the first request needs it.

    `grants` is told the scopes that came with each token.

    Raises:
        UsageError: a setting is missing, a secret cannot be found, or the key does not fit its algorithm.
    """
    auth, folder = client.hospital.auth, client.means.folder
    if auth.kind == "none":
        return Fixed({})
    if auth.kind == "basic":
        pair = f"{_needed(auth.username, 'auth.username')}:{resolve(auth.password, 'auth.password', folder)}"
        return Fixed({"Authorization": "Basic " + b64encode(pair.encode()).decode()})
    if auth.kind == "bearer":
        return Fixed({"Authorization": f"Bearer {resolve(auth.token, 'auth.token', folder)}"})
    client_id = _needed(auth.client_id, "auth.client_id")
    if auth.token_url:
        require_tls(auth.token_url, "auth.token_url")
    where = _Endpoint(client, token_url_of_metadata)
    show = _secret_form if auth.kind == "client_secret" else _assertion
    form = show(auth, client_id, client)

    def fetch() -> tuple[str, timedelta]:
        address = where.address()

        def once() -> _TokenReply:
            # Each try is signed anew: an assertion's id may be used once.
            fields, headers = form(address)
            return _fetch(client, address, {"grant_type": "client_credentials", "scope": auth.scope, **fields}, headers)

        found = _twice(client, once)
        if found.scope is not None:
            grants(found.scope)
        return found.access_token, timedelta(seconds=max(1.0, min(found.expires_in, 86400.0)))

    return Tokens(fetch, client.means.clock)


Form = Callable[[str], tuple[dict[str, str], dict[str, str]]]
"""Token address -> form fields and headers that show who we are."""


def _secret_form(auth: Auth, client_id: str, client: Client) -> Form:
    secret = resolve(auth.client_secret, "auth.client_secret", client.means.folder)
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    header = {"Authorization": "Basic " + b64encode(pair.encode()).decode()}
    return lambda address: ({}, header)


def _assertion(auth: Auth, client_id: str, client: Client) -> Form:
    """SMART Backend Services: a signed statement, for this token address alone, with an id that is never used twice."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    written = resolve(auth.private_key, "auth.private_key", client.means.folder)
    try:
        kind: type[ECKey] | type[RSAKey] = ECKey if auth.algorithm == "ES384" else RSAKey
        is_jwk = written.startswith("{")
        key = kind.import_key(msgspec.json.decode(written, type=dict[str, str | list[str]]) if is_jwk else written)
        header = {"alg": auth.algorithm, "kid": key.kid or key.thumbprint(), "typ": "JWT"}
        jwt.encode(header, {}, key, algorithms=[auth.algorithm])
    except (JoseError, ValueError, TypeError, msgspec.DecodeError):
        raise UsageError(f"auth.private_key is not a private key for {auth.algorithm} (PEM or JWK)") from None

    def form(address: str) -> tuple[dict[str, str], dict[str, str]]:
        now = client.means.clock()
        claims = {"iss": client_id, "sub": client_id, "aud": address, "iat": int(now.timestamp()),
                  "exp": int((now + ASSERTION_LIFE).timestamp()), "jti": f"{client.means.random.getrandbits(128):032x}"}
        signed = jwt.encode(header, claims, key, algorithms=[auth.algorithm])
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}, {}

    return form


class _Endpoint:
    """Where tokens are fetched: configured, or discovered once; a discovered address must be the hospital's own."""

    def __init__(self, client: Client, token_url_of_metadata: Callable[[], str | None]) -> None:
        self._client = client
        self._of_metadata = token_url_of_metadata
        self._found = client.hospital.auth.token_url

    def address(self) -> str:
        if self._found is None:
            found = self._of_smart() or self._of_metadata()
            if found is None:
                raise UsageError(f"{self._client.hospital.name}: the server names no token endpoint; "
                                 "put token_url under [auth]")
            if not self._client.pin.same_origin(found):
                raise UsageError(f"{self._client.hospital.name}: the server names a token endpoint at another origin; "
                                 "if that is right, put it as token_url under [auth]")
            self._found = found
        return self._found

    def _of_smart(self) -> str | None:
        address = self._client.pin.base + "/.well-known/smart-configuration"
        try:
            reply = self._client.get(address, accept="application/json", known=False)
            return msgspec.json.decode(reply.body, type=_SmartConfiguration).token_endpoint
        except (Failing, Paused):
            raise
        except (Fault, msgspec.DecodeError, UnicodeDecodeError):
            return None


def _twice(client: Client, once: Callable[[], _TokenReply]) -> _TokenReply:
    """A token, also where the endpoint now and then answers a bare 400 (Epic, Q28): that is tried once more."""
    try:
        return once()
    except Refused as fault:
        if fault.status != 400 or fault.issues:
            raise _refused(client, fault) from None
    client.means.sleep(BARE_REFUSAL_WAIT)
    try:
        return once()
    except Refused as fault:
        raise _refused(client, fault) from None


def _refused(client: Client, fault: Fault) -> NotAllowed:
    return NotAllowed(f"{client.hospital.name}: the token endpoint refuses us ({fault}); check [auth] in "
                      f"sync/hospitals/{client.hospital.id}.toml")


def _fetch(client: Client, address: str, fields: dict[str, str], headers: dict[str, str]) -> _TokenReply:
    name = client.hospital.name
    try:
        reply = client.post_form(address, fields, headers)
        found = msgspec.json.decode(reply.body, type=_TokenReply)
    except (Failing, Paused) as fault:
        raise HospitalUnavailable(f"{name}: the token endpoint does not answer ({fault})") from None
    except Refused:
        raise
    except Fault as fault:
        raise _refused(client, fault) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise HospitalUnavailable(f"{name}: the token endpoint answers something else than a token") from None
    if found.token_type.lower() != "bearer" or not found.access_token.isascii() or not found.access_token.isprintable():
        raise HospitalUnavailable(f"{name}: the token endpoint gives no bearer token")
    return found


def _needed(value: str | None, what: str) -> str:
    if not value:
        raise UsageError(f"{what} is missing")
    return value

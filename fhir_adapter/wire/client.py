"""One polite HTTP client per hospital: sync, HTTP/1.1, gzip, bounded in size, time, rate and patience."""

import logging
import re
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO, Protocol
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from fhir_adapter.core import cadence
from fhir_adapter.core.errors import HospitalUnavailable, NotAllowed, UsageError
from fhir_adapter.core.study import Hospital, Tls
from fhir_adapter.wire.budget import Budget, parse_rate
from fhir_adapter.wire.envelope import MAX_PAGE, outcomes_of
from fhir_adapter.wire.faults import Failing, Fault, NotFhir, OffOrigin, Paused, Refused, safe_code
from fhir_adapter.wire.origin import Pin, is_loopback
from fhir_adapter.wire.patience import ATTEMPTS, LONGEST_WAIT, classify, patiently, retry_after
from fhir_adapter.wire.secret import resolve

FHIR_JSON = "application/fhir+json"
MAX_REDIRECTS = 3
GIVE_UP_AFTER = 3
"""So many requests in a row without an answer, each tried five times, and the hospital counts as gone for this run."""

NDJSON = "application/fhir+ndjson"
_REDIRECTS = (301, 302, 303, 307, 308)
_TEXT_WAIT = re.compile(rb"\bin (?:another )?(\d{1,6}) seconds\b")


def quiet_until(hospital: Hospital, now: datetime) -> datetime | None:
    """When the quiet hours end that a hospital has now; None outside of them."""
    pull = hospital.pull
    return cadence.quiet_hours(pull.quiet_hours).until(now, pull.time_zone) if pull.quiet_hours else None


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What the room needs from outside: files, time, patience, chance, and in tests another transport."""

    folder: Path
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    random: Random
    transport: httpx.BaseTransport | None = None
    paused_until: datetime | None = None
    paused: Callable[[datetime], None] = lambda until: None
    """Told when the server wants to be left alone for longer than a run waits, so that the next run knows."""
    alive: Callable[[], None] = lambda: None
    """Called while an answer is awaited and with each piece of it: a long file must not outlast our lease."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A 2xx answer: its address after redirects, its decompressed body, its headers (lower case), its status."""

    url: str
    body: bytes
    headers: dict[str, str]
    status: int = 200


class Credentials(Protocol):
    """How requests show who we are."""

    def headers(self) -> Mapping[str, str]:
        """The headers of the next request, fetched anew when they are about to run out."""
        ...

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Called when the server answered 401 to these headers; False if there is nothing fresher to try."""
        ...


class Client:
    """Asks one hospital. Every request passes here: origin, credentials, budget, retries, size.

    Faults are values of `faults`; `NotAllowed` (401) and `HospitalUnavailable` stop the hospital's run.
    """

    def __init__(self, hospital: Hospital, pin: Pin, means: Means, credentials: Credentials | None = None) -> None:
        """Opens nothing yet; `credentials` may be set later, when a token endpoint is known.

        Raises:
            UsageError: rate, certificate or key of the configuration cannot be used.
        """
        silence_http_loggers()
        self.hospital = hospital
        self.pin = pin
        self.means = means
        self.credentials = credentials
        self._budget = Budget(parse_rate(hospital.pull.rate), hospital.pull.max_concurrency, means.clock, means.sleep)
        self._silent = 0
        self._paused_until = means.paused_until
        self._extra = {name: _header(name, value, means.folder) for name, value in hospital.auth.headers.items()}
        timeout = hospital.pull.timeout.total_seconds()
        self._deadline = timedelta(seconds=timeout * 10)
        self._http = httpx.Client(
            transport=means.transport, timeout=timeout, follow_redirects=False, http1=True, http2=False,
            verify=_ssl_context(hospital.auth.tls, means.folder),
            # A proxy has no business between us and a rehearsal hospital on this machine.
            trust_env=not is_loopback(urlsplit(pin.base).hostname or ""),
            headers={"Accept": FHIR_JSON, "Accept-Encoding": "gzip", "Cache-Control": "no-cache"},
        )

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def get(self, address: str, *, accept: str = FHIR_JSON, known: bool = True, prefer: str = "",
            attempts: int = ATTEMPTS) -> Reply:
        """Fetches an address under the base URL; `known` False sends no credentials (discovery).

        `prefer` is what we ask for beside (`handling=strict`), `attempts` how often a failing request is tried.

        Raises:
            Fault: as the tree in `faults` says.
            NotAllowed: 401 although the credentials are fresh.
            HospitalUnavailable: request after request goes unanswered.
        """
        address = self.pin.resolve(address, self.pin.base + "/")
        headers = {**self._extra, "Accept": accept, **({"Prefer": prefer} if prefer else {})}
        request = self._http.build_request("GET", address, headers=headers)
        return self._patiently(lambda: self._with_credentials(request) if known else self._send(request), attempts)

    def job(self, method: str, address: str) -> Reply:
        """Asks for (GET) or ends (DELETE) the job at a status address of the hospital's own origin.

        Raises:
            Fault, NotAllowed, HospitalUnavailable: as `get`; OffOrigin for a foreign address.
        """
        address, is_own = self.pin.place(address, self.pin.base + "/")
        if not is_own:
            raise OffOrigin("the status of an export lies at another origin")
        headers = {**self._extra, "Accept": "application/json, application/fhir+json"}
        request = self._http.build_request(method, address, headers=headers)
        return self._patiently(lambda: self._with_credentials(request))

    def download(self, address: str, target: IO[bytes], *, known: bool) -> None:
        """Writes an export's file into `target`, anew with each try; credentials go to the own origin alone (Q22).

        Raises:
            Fault, NotAllowed, HospitalUnavailable: as `get`; OffOrigin for an address that nobody listed.
        """
        self._patiently(lambda: self._download(address, target, known=known))

    def post_form(self, address: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """Posts a form to a token endpoint whose address has been checked, with no credentials but those given."""
        request = self._http.build_request("POST", address, content=urlencode(fields), headers={
            **headers, "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"})
        return self._patiently(lambda: self._send(request))

    def paused_until(self, now: datetime) -> datetime | None:
        """Until when the server is not to be asked: it said so, or these are its quiet hours; None: ask."""
        wanted = self._paused_until if self._paused_until is not None and now < self._paused_until else None
        return max((until for until in (wanted, quiet_until(self.hospital, now)) if until is not None), default=None)

    def _patiently(self, action: Callable[[], Reply], attempts: int = ATTEMPTS) -> Reply:
        until = self.paused_until(self.means.clock())
        if until is not None:
            raise Paused(f"the server is to be left alone until {until:%Y-%m-%d %H:%M:%S %Z}")
        try:
            reply = patiently(action, sleep=self.means.sleep, random=self.means.random, attempts=attempts)
        except Failing as fault:
            self._count_silence(fault)
            raise
        except (Fault, NotAllowed):
            self._silent = 0
            raise
        self._silent = 0
        return reply

    def _count_silence(self, fault: Failing) -> None:
        """A server that does not answer at all is not asked all the other questions, each five times."""
        self._silent = self._silent + 1 if fault.status is None else 0
        if self._silent >= GIVE_UP_AFTER:
            raise HospitalUnavailable(
                f"{self.hospital.name}: no answer to {GIVE_UP_AFTER} requests in a row ({fault}); "
                "check the network and base_url, then run again"
            ) from None

    def _with_credentials(self, request: httpx.Request) -> Reply:
        if self.credentials is None:
            return self._or_not_allowed(request)
        shown = self.credentials.headers()
        request.headers.update(shown)
        try:
            return self._send(request)
        except Refused as fault:
            if fault.status != 401:
                raise
        if self.credentials.renew(shown):
            request.headers.update(self.credentials.headers())
        return self._or_not_allowed(request)

    def _or_not_allowed(self, request: httpx.Request) -> Reply:
        try:
            return self._send(request)
        except Refused as fault:
            if fault.status != 401:
                raise
        raise NotAllowed(f"{self.hospital.name}: the server does not accept our credentials (HTTP 401); "
                         f"check [auth] in sync/hospitals/{self.hospital.id}.toml")

    def _send(self, request: httpx.Request) -> Reply:
        """One request with its redirects, within the budget; anything but 2xx is a fault."""
        with self._budget.turn():
            for _ in range(MAX_REDIRECTS + 1):
                status, reply = self._exchange(request)
                if status not in _REDIRECTS:
                    return self._judge(status, reply)
                if request.method != "GET":
                    raise OffOrigin("a token endpoint answers with a redirect; it is not followed")
                # The same origin and path rule as for links, so credentials may go along.
                address = self.pin.resolve(reply.headers.get("location", "\0"), reply.url)
                request = self._http.build_request("GET", address, headers=request.headers)
        raise OffOrigin(f"more than {MAX_REDIRECTS} redirects")

    def _download(self, address: str, target: IO[bytes], *, known: bool) -> Reply:
        """One try of a file, with its redirects; each address is judged anew, and so is what it may be shown."""
        target.seek(0)
        target.truncate()
        against = self.pin.base + "/"
        with self._budget.turn():
            for _ in range(MAX_REDIRECTS + 1):
                address, is_own = self.pin.place(address, against)
                shown = self._shown() if known and is_own else {}
                headers = {**(self._extra if is_own else {}), **shown, "Accept": NDJSON}
                request = self._http.build_request("GET", address, headers=headers)
                status, reply = self._exchange(request, target)
                if status == 401 and shown and self.credentials is not None and self.credentials.renew(shown):
                    headers |= self._shown()
                    request = self._http.build_request("GET", address, headers=headers)
                    status, reply = self._exchange(request, target)
                if status not in _REDIRECTS:
                    return self._judge(status, reply, is_file=True)
                address, against = reply.headers.get("location", "\0"), reply.url
        raise OffOrigin(f"more than {MAX_REDIRECTS} redirects")

    def _shown(self) -> Mapping[str, str]:
        return self.credentials.headers() if self.credentials is not None else {}

    def _exchange(self, request: httpx.Request, target: IO[bytes] | None = None) -> tuple[int, Reply]:
        """One request and its answer; the body of a 200 goes into `target`, if there is one."""
        self.means.alive()
        started = self.means.clock()
        body = bytearray()
        try:
            response = self._http.send(request, stream=True)
            try:
                for chunk in response.iter_bytes():
                    self.means.alive()
                    if target is not None and response.status_code == 200:
                        target.write(chunk)
                        continue
                    body += chunk
                    if len(body) > MAX_PAGE:
                        raise NotFhir("an answer is larger than 64 MB")
                    if self.means.clock() - started > self._deadline:
                        raise Failing("an answer drips in for longer than ten time-outs")
            finally:
                response.close()
        except httpx.TimeoutException:
            raise Failing("no answer within the time-out") from None
        except httpx.DecodingError:
            raise Failing("an answer cannot be decompressed") from None
        except httpx.HTTPError:
            raise Failing("no connection, or it broke") from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, Reply(url=str(response.url), body=bytes(body), headers=headers,
                                           status=response.status_code)

    def _judge(self, status: int, reply: Reply, *, is_file: bool = False) -> Reply:
        if 200 <= status < 300:
            if status not in (202, 204) and not is_file:
                self._refuse_markup(reply)
            return reply
        now = self.means.clock()
        asked = retry_after(reply.headers, now)
        if asked is None and status == 429 and (text := _TEXT_WAIT.search(reply.body[:4096])):
            asked = float(text[1])  # athenahealth says it in the text alone (Q26)
        issues = tuple(outcome.code for outcome in outcomes_of(reply.body)) or _oauth_error(reply.body)
        fault = classify(status, issues, asked)
        if isinstance(fault, Failing) and asked is not None and asked > LONGEST_WAIT:
            self._paused_until = now + timedelta(seconds=min(asked, 7 * 86400))
            self.means.paused(self._paused_until)
            raise Paused(f"HTTP {status}: the server wants to be left alone for {int(asked)} s; run again after that",
                         status=status)
        raise fault

    @staticmethod
    def _refuse_markup(reply: Reply) -> None:
        kind = reply.headers.get("content-type", "").lower()
        start = reply.body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
        if "html" in kind or "xml" in kind or start.startswith(b"<"):
            raise NotFhir("an answer is HTML or XML where FHIR JSON was asked for")
        if not start:
            raise NotFhir("an answer is empty")


class _OAuthError(msgspec.Struct):
    error: str | None = None


def _oauth_error(body: bytes) -> tuple[str, ...]:
    """The error of a token refusal (`invalid_client`), written like an issue code."""
    try:
        error = msgspec.json.decode(body, type=_OAuthError).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return (safe_code(error.replace("_", "-")),) if error else ()


def _header(name: str, value: str, folder: Path) -> str:
    """The value of an extra header: as written, or the secret that it refers to."""
    if not value.startswith(("env:", "file:", "keyring:")):
        return value
    return resolve(value, f"auth.headers.{name}", folder)


def _ssl_context(tls: Tls, folder: Path) -> ssl.SSLContext | bool:
    if not (tls.certificate or tls.key or tls.authority):
        return True
    try:
        context = ssl.create_default_context(cafile=str(folder / tls.authority) if tls.authority else None)
        if tls.certificate:
            context.load_cert_chain(str(folder / tls.certificate), str(folder / tls.key) if tls.key else None)
    except OSError:
        raise UsageError("[auth.tls]: certificate, key or authority cannot be read or do not belong together") from None
    return context


def silence_http_loggers() -> None:
    """httpx and httpcore log addresses, and addresses hold patients' ids."""
    for name in ("httpx", "httpcore"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False

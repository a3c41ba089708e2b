"""Answers requests: who asks, what for, and what the persona makes of it. It knows HTTP's words but no socket."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from fhir_adapter.sandbox.auth import Guard, Refusal
from fhir_adapter.sandbox.bundles import bundle, deep_entry, outcome
from fhir_adapter.sandbox.metadata import capability_statement, smart_configuration
from fhir_adapter.sandbox.paging import Answer, Places
from fhir_adapter.sandbox.parameters import known_types
from fhir_adapter.sandbox.persona import Fault, Faults, Persona
from fhir_adapter.sandbox.search import BadValue, Manner, Pairs, Query, Refused, find, read_query
from fhir_adapter.sandbox.store import Store, Version, instant_of

BASE = "/fhir"
TOKEN = "/auth/token"  # noqa: S105 - an address
_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Session expired</h1></body></html>"
_HISTORY_PARAMETERS = ("_since", "_count", "_format")
_AT_ONCE = ("error", "html", "throttled", "expired")


@dataclass(frozen=True)
class Asked:
    """A request: header names in lower case."""

    method: str
    path: str
    query: Pairs
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def strict(self) -> bool:
        """Whether the caller wants unknown parameters refused."""
        return "handling=strict" in self.headers.get("prefer", "").replace(" ", "")


@dataclass(frozen=True)
class Reply:
    """A response; `unexpected` tells the log what was wrong with the request."""

    status: int
    body: bytes
    media: str = "application/fhir+json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    unexpected: str = ""
    seconds: float = 0.0
    cut: bool = False


def _refused(status: int, code: str, text: str, unexpected: str = "") -> Reply:
    return Reply(status, msgspec.json.encode(outcome("error", code, text)), unexpected=unexpected)


def _json(status: int, data: Mapping[str, Any]) -> Reply:
    return Reply(status, msgspec.json.encode(data), "application/json")


@dataclass
class Reception:
    """One hospital's answers."""

    version: str
    origin: str
    store: Store
    guard: Guard
    persona: Persona
    strict: bool
    clock: Callable[[], datetime]
    seed: int

    def __post_init__(self) -> None:
        self.base_url = self.origin + BASE
        self.places = Places(self.version, self.base_url, self.seed)
        self.faults = Faults(self.persona.faults)

    def answer(self, asked: Asked) -> Reply:
        """The answer to one request."""
        if asked.path == TOKEN and asked.method == "POST":
            return self._token(asked)
        if not (asked.path + "/").startswith(BASE + "/"):
            return _refused(404, "not-found", "nothing is here", f"nothing is at {asked.path}")
        if asked.method != "GET":
            return _refused(405, "not-supported", "this server is read only", f"{asked.method} is not offered")
        parts = [part for part in asked.path[len(BASE) :].split("/") if part]
        if parts == ["metadata"]:
            return self._broken("metadata") or self._metadata()
        if parts == [".well-known", "smart-configuration"]:
            return self._smart()
        type_ = parts[0] if parts and not parts[0].startswith("_") else ""
        refusal = self.guard.check(asked.headers.get("authorization", ""), type_)
        if refusal is not None:
            return _unauthorized(refusal)
        if type_ and type_ not in self._types():
            return _refused(404, "not-supported", "no such type", f"{type_} is no type of this hospital")
        if type_ in self.persona.refused:
            return _refused(403, "forbidden", f"{type_} is not for this client")
        return self._routed(parts, asked)

    def _routed(self, parts: list[str], asked: Asked) -> Reply:
        key = self.places.asked(asked.query)
        match parts:
            case [_] | [] | ["_history"] | [_, "_history"] if key is not None:
                return self._following(key, asked)
            case ["_history"]:
                return self._history(self.store.history(), "", asked)
            case [type_]:
                return self._search(type_, asked)
            case [type_, "_history"]:
                return self._history(self.store.history(type_), type_, asked)
            case [type_, id_]:
                return self._broken("read", type_) or _record(self.store.chain(type_, id_), asked)
            case [type_, id_, "_history"]:
                chain = self.store.chain(type_, id_)
                if not chain:
                    return _refused(404, "not-found", f"no {type_} of that id")
                return self._history(chain[::-1], type_, asked)
            case [type_, id_, "_history", number]:
                chain = [one for one in self.store.chain(type_, id_) if one.version_id == number]
                return self._broken("read", type_) or _record(chain, asked)
        return _refused(404, "not-found", "nothing is here", f"nothing is at {asked.path}")

    def _types(self) -> list[str]:
        return sorted({*known_types(self.version), *self.store.types()})

    def _metadata(self) -> Reply:
        types = [type_ for type_ in self._types() if type_ not in self.persona.unadvertised]
        token_url = self.guard.token_url if self.guard.methods else None
        statement = capability_statement(self.version, types, self.base_url, token_url)
        return Reply(200, msgspec.json.encode(statement))

    def _smart(self) -> Reply:
        if not self.guard.methods:
            return _refused(404, "not-found", "this hospital has no token endpoint")
        return _json(200, smart_configuration(self.guard.token_url, self.guard.methods))

    def _token(self, asked: Asked) -> Reply:
        broken = self._broken("token")
        if broken is not None:
            return broken
        if not asked.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return replace(_json(400, {"error": "invalid_request"}), unexpected="a token request must be a form")
        form = dict(parse_qsl(asked.body.decode("utf-8", "replace")))
        status, body = self.guard.token(form, asked.headers.get("authorization", ""), self.persona.token_seconds)
        reason = f"token refused: {body.get('error_description', body.get('error'))}" if status >= 400 else ""
        return replace(_json(status, body), unexpected=reason, headers={"Cache-Control": "no-store"})

    def _search(self, type_: str, asked: Asked) -> Reply:
        persona = self.persona
        manner = Manner(self.version, persona.ignores, persona.refuses_patient_lists, persona.default_count,
                        persona.max_count)  # fmt: skip
        try:
            query = read_query(type_, asked.query, manner)
        except Refused as error:
            return _refused(400, "not-supported", str(error))
        except BadValue as error:
            return _refused(400, "invalid", str(error), str(error))
        unexpected = f"unknown parameter of {type_}: {', '.join(query.unknown)}" if query.unknown else ""
        if unexpected and (asked.strict or self.strict):
            return _refused(400, "not-supported", unexpected, unexpected)
        rows = find(self.store.heads(type_), query, self.seed)
        if query.count_only:
            return Reply(200, msgspec.json.encode({"resourceType": "Bundle", "type": "searchset", "total": len(rows)}))
        notes = tuple(f"parameter {name} is unknown and was ignored" for name in query.unknown)
        answer = Answer("searchset", type_, rows, query.count, self._self_link(query), notes)
        return replace(self._page(answer, asked), unexpected=unexpected)

    def _self_link(self, query: Query) -> str:
        """What was applied of a search, as an address."""
        return f"{self.base_url}/{query.type}" + (f"?{urlencode(query.applied)}" if query.applied else "")

    def _history(self, versions: list[Version], type_: str, asked: Asked) -> Reply:
        unknown = [name for name, _ in asked.query if name not in _HISTORY_PARAMETERS]
        if unknown:
            text = f"unknown parameter of history: {', '.join(unknown)}"
            return _refused(400, "not-supported", text, text)
        given = dict(asked.query)
        count = given.get("_count", str(self.persona.default_count))
        try:
            since = instant_of(given["_since"]) if "_since" in given else None
        except ValueError:
            return _refused(400, "invalid", "_since is no instant", "_since is no instant")
        if not count.isdigit() or int(count) < 1:
            return _refused(400, "invalid", "_count is not a positive number", "_count is not a positive number")
        rows = tuple(one for one in versions if since is None or one.last_updated >= since)
        link = f"{self.origin}{asked.path}" + (f"?{urlencode(asked.query)}" if asked.query else "")
        answer = Answer("history", type_, rows, min(int(count), self.persona.max_count), link)
        return self._page(answer, asked)

    def _following(self, key: str, asked: Asked) -> Reply:
        """The page behind a next link, which is passed back as it was given."""
        answer = self.places.find(key)
        given = {name: value for name, value in asked.query if name == "_getpagesoffset"}
        if answer is None or given.get("_getpagesoffset", str(answer.offset)) != str(answer.offset):
            return _refused(410, "expired", "this search does not exist or has expired")
        link = f"{self.origin}{asked.path}?{urlencode(asked.query)}"
        return self._page(replace(answer, self_link=link), asked)

    def _page(self, answer: Answer, asked: Asked) -> Reply:
        fault = self.faults.strike("page" if answer.kind == "searchset" else "history", answer.type, answer.page)
        if fault is not None and fault.kind in _AT_ONCE:
            return _fault_reply(fault)
        following = self.places.next_link(answer, self.persona.open_searches) if answer.more else None
        extra: tuple[Any, ...] = ()
        kind = fault.kind if fault is not None else None
        if kind == "no_next":
            following = None
        elif kind == "same_next":
            following = f"{self.origin}{asked.path}?{urlencode(asked.query)}"
        elif fault is not None and kind == "outcome":
            text = "the answer may not contain the entire record"
            extra = ({"resource": outcome("warning", fault.code, text), "search": {"mode": "outcome"}},)
        elif kind == "deep":
            patient = next((value.split(",")[0] for name, value in asked.query if name in ("patient", "subject")), "x")
            extra = (deep_entry(answer.type, f"Patient/{patient.removeprefix('Patient/')}"),)
        body = bundle(answer, self.base_url, following, extra, self.persona.tells_total)
        if kind == "truncated":
            body = body[: len(body) * 3 // 5]
        seconds = fault.seconds if fault is not None else 0.0
        return Reply(200, body, seconds=seconds, cut=kind == "cut_off")

    def _broken(self, on: Any, type_: str = "*") -> Reply | None:
        """The answer of a fault outside pages, if one strikes."""
        fault = self.faults.strike(on, type_)
        return _fault_reply(fault) if fault is not None else None


def _fault_reply(fault: Fault) -> Reply:
    if fault.kind == "html":
        return Reply(200, _HTML, "text/html")
    if fault.kind == "throttled":
        reply = _refused(429, "throttled", "too many requests")
        return replace(reply, headers={"Retry-After": fault.retry_after})
    if fault.kind == "expired":
        return _refused(410, "expired", "this search does not exist or has expired")
    return replace(_refused(fault.status, fault.code, "something went wrong here"), seconds=fault.seconds)


def _unauthorized(refusal: Refusal) -> Reply:
    expected = refusal.code == "expired" or refusal.status == 403
    reply = _refused(refusal.status, refusal.code, refusal.text, "" if expected else refusal.text)
    return replace(reply, headers={"WWW-Authenticate": 'Bearer realm="rehearsal"'} if refusal.status == 401 else {})


def http_date(instant: datetime) -> str:
    """An instant as HTTP headers write it."""
    return format_datetime(instant.astimezone(UTC), usegmt=True)


def _record(chain: list[Version], asked: Asked) -> Reply:
    """The last of these versions as a single record."""
    unknown = [name for name, _ in asked.query if name != "_format"]
    if unknown:
        text = f"unknown parameter of read: {', '.join(unknown)}"
        return _refused(400, "not-supported", text, text)
    if not chain:
        return _refused(404, "not-found", "no such record")
    version = chain[-1]
    if version.body is None:
        return _refused(410, "deleted", "the record was deleted")
    headers = {"ETag": f'W/"{version.version_id}"', "Last-Modified": http_date(version.last_updated)}
    return Reply(200, version.body, headers=headers)

"""Answers requests: who asks, what for, and what the persona makes of it. It knows HTTP's words but no socket."""

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from fhir_adapter.sandbox.auth import Guard, Refusal, TokenRequest
from fhir_adapter.sandbox.export import Exports
from fhir_adapter.sandbox.house import BASE, TOKEN, House
from fhir_adapter.sandbox.messages import AT_ONCE, Asked, Reply, fault_reply, http_date, marred, plain_json, refused
from fhir_adapter.sandbox.metadata import Described, capability_statement, smart_configuration
from fhir_adapter.sandbox.pages import Pages, poisoned_reply
from fhir_adapter.sandbox.persona import Where
from fhir_adapter.sandbox.store import Version
from fhir_adapter.sandbox.throttle import Turnstile
from fhir_adapter.sandbox.view import View


@dataclass
class Reception:
    """One hospital's answers."""

    house: House
    tokens: int = 0
    view: View = field(init=False)
    pages: Pages = field(init=False)
    exports: Exports = field(init=False)
    turnstile: Turnstile = field(init=False)

    def __post_init__(self) -> None:
        self.view = View(self.house)
        self.pages = Pages(self.house, self.view)
        self.exports = Exports(self.house, self.view)
        self.turnstile = Turnstile(self.house)

    @property
    def guard(self) -> Guard:
        """Who knows the callers."""
        return self.house.guard

    @property
    def seed(self) -> int:
        """The seed of its own orders and chances."""
        return self.house.seed

    @seed.setter
    def seed(self, seed: int) -> None:
        """From now on the orders and chances of another seed."""
        self.house.seed = seed

    def answer(self, asked: Asked) -> Reply:
        """The answer to one request."""
        limited = self.turnstile.refusal()
        reply = limited if limited is not None else self._answer(asked)
        if asked.annex and asked.authorization and not reply.unexpected and asked.path != TOKEN:
            reply = replace(reply, unexpected="credentials were sent to another origin")
        latency = self.house.persona.latency
        return replace(reply, seconds=reply.seconds + latency) if latency else reply

    def _answer(self, asked: Asked) -> Reply:
        if asked.path == TOKEN and asked.method == "POST":
            return self._token(asked)
        if not (asked.path + "/").startswith(BASE + "/"):
            return refused(404, "not-found", "nothing is here", f"nothing is at {asked.path}")
        header = self.house.persona.door.header
        if header and header.lower() not in asked.headers:
            return refused(403, "forbidden", f"the header {header} is missing", f"without the header {header}")
        parts = [part for part in asked.path[len(BASE) :].split("/") if part]
        if parts == ["metadata"] and asked.method == "GET":
            return self._broken("metadata") or self._metadata()
        if parts == [".well-known", "smart-configuration"] and asked.method == "GET":
            return self._smart()
        if parts and parts[0] in self.exports.rooms:
            return self._job(parts, asked)
        export = bool(parts) and parts[-1] == "$export"
        post = asked.method == "POST" and len(parts) == 2 and parts[1] == "_search"
        if asked.method != "GET" and not export and not (post and self._takes_posts()):
            return self._refused_method(asked, post)
        return self._guarded(parts, asked)

    def _guarded(self, parts: list[str], asked: Asked) -> Reply:
        """Behind the door: a known type, and a caller who may see it. The other origin has no door."""
        type_ = parts[0] if parts and parts[0][:1] not in ("_", "$") else ""
        refusal = None if asked.annex else self.house.guard.check(asked.authorization, type_)
        if refusal is not None:
            return _unauthorized(refusal)
        if type_ in self.house.persona.missing:
            return refused(404, "not-supported", "no such type")
        if type_ and type_ not in self.house.types():
            return refused(404, "not-supported", "no such type", f"{type_} is no type of this hospital")
        if type_ in self.house.persona.refused:
            return refused(403, "forbidden", f"{type_} is not for this client")
        return self._routed(parts, asked)

    def _routed(self, parts: list[str], asked: Asked) -> Reply:
        key, view, pages = self.pages.places.asked(asked.query), self.view, self.pages
        match parts:
            case [] | ["_history"] | [_, "_history"] | [_, "_search"] | [_] if key is not None:
                return pages.following(key, asked)
            case ["$export"] | [_, "$export"] | [_, _, "$export"]:
                return self._broken("kickoff") or self.exports.kick_off(parts[:-1], asked)
            case ["_history"]:
                return pages.history(view.history(), "", asked)
            case [type_]:
                return pages.search(type_, asked)
            case [type_, "_search"] if asked.method == "POST":
                return pages.search(type_, asked)
            case [type_, "_history"]:
                return pages.history(view.history(type_), type_, asked)
            case [type_, id_]:
                return self._broken("read", type_) or self._read(type_, id_, view.chain(type_, id_), asked)
            case [type_, id_, "_history"]:
                chain = view.chain(type_, id_)
                if not chain:
                    return refused(404, "not-found", f"no {type_} of that id")
                return pages.history(chain[::-1], type_, asked)
            case [type_, id_, "_history", number]:
                chain = [one for one in view.chain(type_, id_) if one.version_id == number]
                return self._broken("read", type_) or self._read(type_, id_, chain, asked)
        return refused(404, "not-found", "nothing is here", f"nothing is at {asked.path}")

    def _takes_posts(self) -> bool:
        return self.house.persona.asking.post_search in ("offered", "posted_pages")

    def _refused_method(self, asked: Asked, post: bool) -> Reply:
        if post and self.house.persona.asking.post_search == "missing":
            return refused(404, "not-found", "nothing is here")  # Epic (quirk Q4)
        return refused(405, "not-supported", "this server is read only", f"{asked.method} is not offered")

    def _job(self, parts: list[str], asked: Asked) -> Reply:
        """The status of an export, its end, and its files; the annex asks for no credentials."""
        where: Where = "status" if parts[0] == self.exports.rooms[0] else "file"
        refusal = None if asked.annex else self.house.guard.check(asked.authorization, "")
        if refusal is not None:
            return _unauthorized(refusal)
        if asked.method == "DELETE" and where == "status":
            return self.exports.end(parts[1:])
        if asked.method != "GET":
            return self._refused_method(asked, False)
        fault = self.house.faults.strike(where)
        if fault is not None and fault.kind in AT_ONCE:
            return fault_reply(fault, self.house.clock())
        reply = self.exports.status(parts[1:]) if where == "status" else self.exports.file(parts[1:], asked)
        return marred(reply, fault)

    def _metadata(self) -> Reply:
        house, persona = self.house, self.house.persona
        if persona.records.empty_metadata:
            return Reply(200, msgspec.json.encode({"resourceType": "Bundle", "type": "searchset"}))
        types = [type_ for type_ in house.types() if type_ not in persona.unadvertised]
        known = house.guard.methods and persona.door.discovery != "smart"
        described = Described(
            house.place.version, persona, house.base_url, self._token_url() if known else None, tuple(types)
        )
        return Reply(200, msgspec.json.encode(capability_statement(described)))

    def _token_url(self) -> str:
        """Where tokens are had: here, or at the other origin."""
        return self.house.place.annex + TOKEN if self.house.persona.door.token_elsewhere else self.house.guard.token_url

    def _smart(self) -> Reply:
        guard, door = self.house.guard, self.house.persona.door
        if not guard.methods or door.discovery == "metadata":
            return refused(404, "not-found", "this hospital has no token endpoint")
        return plain_json(200, smart_configuration(self._token_url(), guard.methods, door))

    def _token(self, asked: Asked) -> Reply:
        broken, persona = self._broken("token"), self.house.persona
        self.tokens += 1
        if broken is not None:
            return broken
        if persona.door.flaky_every and self.tokens % persona.door.flaky_every == 0:
            return Reply(400, b"", "text/plain")  # Epic: ask again (quirk Q28)
        if not asked.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return replace(plain_json(400, {"error": "invalid_request"}), unexpected="a token request must be a form")
        form = dict(parse_qsl(asked.body.decode("utf-8", "replace")))
        request = TokenRequest(form, asked.authorization, tuple(self.house.types()))
        guard, here = self.house.guard, self.house.guard.token_url
        guard.token_url = self._token_url()
        status, body = guard.token(request, persona.token_seconds, persona.door)
        guard.token_url = here
        explained = body.get("error") == "invalid_scope" and persona.door != type(persona.door)()
        reason = f"token refused: {body.get('error_description', body.get('error'))}" if status >= 400 else ""
        reply = replace(plain_json(status, body), headers={"Cache-Control": "no-store"})
        return replace(reply, unexpected="" if explained else reason)

    def _broken(self, on: Where, type_: str = "*") -> Reply | None:
        """The answer of a fault outside pages, if one strikes."""
        fault = self.house.faults.strike(on, type_)
        return fault_reply(fault, self.house.clock()) if fault is not None else None

    def _read(self, type_: str, id_: str, chain: list[Version], asked: Asked) -> Reply:
        """The last of these versions as a single record."""
        unknown = [name for name, _ in asked.query if name != "_format"]
        if unknown:
            text = f"unknown parameter of read: {', '.join(unknown)}"
            return refused(400, "not-supported", text, text)
        status = self.house.hidden.get((type_, id_), 200)
        if status == 403:
            return refused(403, "suppressed", "this record is not for this client")
        if not chain or status == 404:
            return refused(404, "not-found", "no such record")
        if self.house.is_poison(type_, id_):
            return poisoned_reply(type_)
        version = chain[-1]
        if version.body is None:
            return refused(410, "deleted", "the record was deleted")
        headers: dict[str, Any] = {}
        if self.house.persona.time.meta == "whole":
            headers = {"ETag": f'W/"{version.version_id}"', "Last-Modified": http_date(version.last_updated)}
        return Reply(200, version.body, headers=headers)


def _unauthorized(refusal: Refusal) -> Reply:
    expected = refusal.code == "expired" or refusal.status == 403
    reply = refused(refusal.status, refusal.code, refusal.text, "" if expected else refusal.text)
    return replace(reply, headers={"WWW-Authenticate": 'Bearer realm="rehearsal"'} if refusal.status == 401 else {})

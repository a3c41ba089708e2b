"""Searches and histories, page by page, as the persona cuts, links and breaks them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from fhir_adapter.sandbox.bundles import bundle, deep_entry, note_entry
from fhir_adapter.sandbox.house import House
from fhir_adapter.sandbox.messages import AT_ONCE, Asked, Pairs, Reply, fault_reply, marred, refused
from fhir_adapter.sandbox.paging import Answer, Places, cut, following, total
from fhir_adapter.sandbox.persona import Fault
from fhir_adapter.sandbox.rules import objection
from fhir_adapter.sandbox.search import BadValue, Query, Refused, find, read_query
from fhir_adapter.sandbox.store import Version, instant_of, written
from fhir_adapter.sandbox.view import View

_HISTORY_PARAMETERS = ("_since", "_count", "_format")
_UNDATED = {"Patient", "ResearchStudy", "ResearchSubject", "Group", "Medication"}
_SUPPRESSED = (
    "Other search results were found but could not be compliantly expressed and hence have been suppressed"
)  # Oracle's words (quirk Q1)
_EXPIRED = "does not exist and may have expired"


@dataclass
class Pages:
    """The room that answers searches and histories."""

    house: House
    view: View
    places: Places = field(init=False)
    cache: dict[tuple[str, Pairs], tuple[datetime, Reply]] = field(default_factory=dict)
    shifts: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.places = Places(self.house)

    def search(self, type_: str, asked: Asked) -> Reply:
        """The first page of a search (or, with offsets, any page)."""
        seconds = self.house.persona.paging.cached_seconds
        key, now = (asked.path, asked.query), self.house.clock()
        fresh = "no-cache" in asked.headers.get("cache-control", "")
        if seconds and not fresh and key in self.cache and now - self.cache[key][0] < timedelta(seconds=seconds):
            return self.cache[key][1]
        reply = self._search(type_, asked)
        if seconds and reply.status == 200:
            self.cache[key] = (now, reply)
        return reply

    def _search(self, type_: str, asked: Asked) -> Reply:
        house, persona = self.house, self.house.persona
        given = _searched(asked)
        try:
            query = read_query(type_, given, house.place.version, persona)
        except Refused as error:
            return refused(400, "not-supported", str(error))
        except BadValue as error:
            return objection(type_, given, house) or refused(400, "invalid", str(error), str(error))
        unexpected = f"unknown parameter of {type_}: {', '.join(query.unknown)}" if query.unknown else ""
        names = (*query.unknown, *query.dropped)
        strictly = persona.asking.unknown == "refused" or (asked.strict and persona.asking.heeds_strict)
        if names and (strictly or (unexpected and house.place.strict)):
            return refused(400, "not-supported", unexpected or f"unknown parameter: {', '.join(names)}", unexpected)
        objected = objection(type_, given, house)
        if objected is not None:
            return replace(objected, unexpected=unexpected)
        return replace(self._found(query, names, asked), unexpected=unexpected)

    def _found(self, query: Query, names: tuple[str, ...], asked: Asked) -> Reply:
        house, persona = self.house, self.house.persona
        self.count += 1
        order = (house.seed, self.count) if persona.paging.order == "shuffled" else house.seed
        rows = find(self.view.heads(query.type), query, order)
        most = dict(persona.asking.most_hits).get(query.type)
        if most is not None and len(rows) > most:
            return refused(422, "too-costly", "The search finds too much.")
        shown = tuple(one for one in rows if not house.one_of(persona.records.suppressed_every, one.type, one.id))
        suppressed, rows = len(shown) < len(rows), shown
        if persona.asking.undated_rows and query.type not in _UNDATED and not query.dated:
            rows = rows[: persona.asking.undated_rows]
        if query.count_only:
            return Reply(200, msgspec.json.encode({"resourceType": "Bundle", "type": "searchset", "total": len(rows)}))
        told = names if persona.asking.unknown == "told" else ()
        notes = tuple(f"parameter {name} is unknown and was ignored" for name in told)
        again = [(name, value) for name, value in query.applied if name != "_offset"]
        posted = asked.method == "POST" and persona.asking.post_search == "posted_pages"
        answer = Answer("searchset", query.type, rows, query.count, self._address(query.type, query.applied), notes,
                        query.offset, query.offset // query.count + 1, again=self._address(query.type, again),
                        posted=posted, suppressed=suppressed)  # fmt: skip
        return self._page(answer, asked)

    def _address(self, type_: str, applied: Iterable[tuple[str, str]]) -> str:
        """What was applied of a search, as an address."""
        pairs = list(applied)
        return f"{self.house.base_url}/{type_}" + (f"?{urlencode(pairs)}" if pairs else "")

    def history(self, versions: list[Version], type_: str, asked: Asked) -> Reply:
        """A page of a history: of a record, a type, or the hospital."""
        persona, origin = self.house.persona, self.house.origin
        if not persona.paging.history:
            return refused(404, "not-supported", "this hospital has no history")
        known = (*_HISTORY_PARAMETERS, "_offset") if persona.paging.style == "offset" else _HISTORY_PARAMETERS
        unknown = [name for name, _ in asked.query if name not in known]
        if unknown:
            text = f"unknown parameter of history: {', '.join(unknown)}"
            return refused(400, "not-supported", text, text)
        given = dict(asked.query)
        try:
            rows = tuple(one for one in versions if changed_since(one, given.get("_since"), self.house))
        except ValueError:
            return refused(400, "invalid", "_since is no instant", "_since is no instant")
        count = given.get("_count", str(persona.default_count))
        offset = given.get("_offset", "0")
        if not (count.isdigit() and offset.isdigit()) or int(count) < 1:
            return refused(400, "invalid", "_count is not a positive number", "_count is not a positive number")
        size = min(int(count), persona.max_count)
        lost = ("_offset", "_since") if persona.paging.history_forgets_since else ("_offset",)
        kept = [(name, value) for name, value in asked.query if name not in lost]
        shown = () if persona.paging.plain_history else asked.query
        link = f"{origin}{asked.path}" + (f"?{urlencode(shown)}" if shown else "")
        again = f"{origin}{asked.path}" + (f"?{urlencode(kept)}" if kept else "")
        answer = Answer("history", type_, rows, size, link, (), int(offset), int(offset) // size + 1, again=again)
        return self._page(answer, asked)

    def following(self, key: str, asked: Asked) -> Reply:
        """The page behind a next link, which is passed back as it was given."""
        paging = self.house.persona.paging
        if paging.longest_token and len(key) > paging.longest_token:
            return refused(404, "not-found", "nothing is here")  # IIS refuses long addresses (quirk Q15)
        answer = self.places.find(key)
        if answer is None:
            text = f'HAPI-0417: Search ID "{key[:8]}" {_EXPIRED}'
            return refused(paging.expired_status, "expired" if paging.expired_status == 410 else "exception", text)
        given = dict(asked.query).get("_getpagesoffset", str(answer.offset))
        if given != str(answer.offset):
            if paging.by_hand == "refused":
                return refused(410, "expired", f"the search {_EXPIRED}")
            answer = replace(answer, offset=len(answer.rows))  # hapi-fhir#2552: randomly empty
        link = f"{self.house.origin}{asked.path}?{urlencode(asked.query)}"
        return self._page(replace(answer, self_link=link), asked)

    def _page(self, answer: Answer, asked: Asked) -> Reply:
        house = self.house
        fault = house.faults.strike("page" if answer.kind == "searchset" else "history", answer.type, answer.page)
        if fault is not None and fault.kind in AT_ONCE:
            return fault_reply(fault, house.clock())
        answer = cut(answer, house)
        poisoned = any(house.is_poison(one.type, one.id) for one in answer.shown)
        if poisoned:
            return poisoned_reply(answer.type)
        after = following(answer, house)
        link = self.places.next_link(after) if after is not None else None
        kind, loops_at = fault.kind if fault is not None else None, house.persona.paging.loops_at
        if kind == "no_next":
            link = None
        elif kind == "same_next" or (link is not None and loops_at and answer.page >= loops_at):
            link = f"{house.origin}{asked.path}?{urlencode(asked.query)}"
        extra = (*self._notes(answer), *_planted(fault, answer, asked))
        return marred(Reply(200, self._bundle(answer, link, extra)), fault)

    def _bundle(self, answer: Answer, link: str | None, extra: tuple[Any, ...]) -> bytes:
        body = bundle(answer, self.house.base_url, link, extra, total(answer, self.house))
        plain = answer.kind == "history" and self.house.persona.paging.plain_history
        return body.replace(b'"status":"201 Created"', b'"status":"200 OK"') if plain else body

    def _notes(self, answer: Answer) -> list[dict[str, Any]]:
        """The OperationOutcome entries that this persona puts before the rows."""
        persona, notes = self.house.persona, []
        if answer.kind == "history":
            return []
        if answer.page == 1:
            text = "The search results may not contain the entire record."
            notes += [note_entry("warning", code, text, detail) for code, detail in persona.records.notes]
            if answer.suppressed:
                notes.append(note_entry("warning", "suppressed", _SUPPRESSED))
        if persona.paging.tells_shift and answer.again:
            revision = self.house.store.revision
            if answer.page == 1:
                self.shifts[answer.again] = revision
            elif self.shifts.get(answer.again, revision) != revision:
                notes.append(note_entry("warning", "conflict", "The pages have shifted since the search began."))
        return notes


def changed_since(version: Version, since: str | None, house: House) -> bool:
    """Whether a version was written at `_since` or later; as text where the persona compares so (servers.md trap 3).

    Raises:
        ValueError: `since` is no instant.
    """
    if since is None:
        return True
    instant = instant_of(since)
    if house.persona.paging.since_as_text:
        return written(version.last_updated) >= since
    return version.last_updated >= instant


def poisoned_reply(type_: str) -> Reply:
    """500 for good: a record lacks an element, and no retry will give it one (quirk Q27)."""
    issue = {"severity": "fatal", "code": "required", "location": [f"/f:{type_}/f:status"]}
    return Reply(500, msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [issue]}))


def _searched(asked: Asked) -> Pairs:
    form = asked.body.decode("utf-8", "replace") if asked.method == "POST" else ""
    return (*asked.query, *parse_qsl(form, keep_blank_values=True))


def _planted(fault: Fault | None, answer: Answer, asked: Asked) -> tuple[Any, ...]:
    """The entry that a fault puts into a page."""
    if fault is not None and fault.kind == "outcome":
        return (note_entry("warning", fault.code, "the answer may not contain the entire record"),)
    if fault is not None and fault.kind == "deep":
        patient = next((value.split(",")[0] for name, value in asked.query if name in ("patient", "subject")), "x")
        return (deep_entry(answer.type, f"Patient/{patient.removeprefix('Patient/')}"),)
    return ()



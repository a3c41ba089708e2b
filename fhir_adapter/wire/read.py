"""Reads records by id. A record that is gone, unknown or forbidden is a value: each means something else (Q29, Q30)."""

from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import quote

import msgspec

from fhir_adapter.core.windows import Damage, Entry, Gap, Page
from fhir_adapter.wire.connection import Connection
from fhir_adapter.wire.envelope import Opening, open_page
from fhir_adapter.wire.faults import Fault


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A record that a read by id did not bring, and why.

    `gone`: deleted (410). `not_found`: the server does not know it (404); `searched` if a search for its id does not
    bring it either: a 404 alone may pass. `forbidden`: it may be there (403). `failed`: no answer, or something else
    than the record; ask again.
    """

    type: str
    id: str
    why: Literal["gone", "not_found", "forbidden", "failed"]
    searched: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What reads by id brought: records on one page, and what did not come. Only `failed` leaves a Gap on the page."""

    page: Page
    missing: tuple[Missing, ...] = ()


_WHY: dict[int | None, Literal["gone", "not_found", "forbidden"]] = {410: "gone", 404: "not_found", 403: "forbidden"}


def read(connection: Connection, kind: str, record_id: str) -> Reading:
    """Reads one record: `GET <type>/<id>`.

    A patient merged into another comes from Oracle only this way, never by search (Q29).

    Raises:
        NotAllowed: the server does not accept our credentials.
        HospitalUnavailable: request after request goes unanswered.
    """
    try:
        reply = connection.client.get(connection.address(f"{kind}/{quote(record_id, safe='')}"))
    except Fault as fault:
        why = _WHY.get(fault.status)
        gaps = () if why else (Gap(code=fault.code, message=str(fault)),)
        missing = Missing(type=kind, id=record_id, why=why or "failed")
        return Reading(page=Page(url="", entries=(), gaps=gaps), missing=(missing,))
    page = open_page(reply.body, Opening(url=reply.url, base=connection.client.pin.base, keep_damaged=True))
    if any(entry.type == kind and entry.id == record_id for entry in page.entries) or page.damages:
        entries = [entry if entry.url else msgspec.structs.replace(entry, url=reply.url) for entry in page.entries]
        return Reading(page=msgspec.structs.replace(page, entries=tuple(entries)))
    gap = Gap(code="unexpected_answer", message=f"a read of {kind} by id brought something else")
    page = msgspec.structs.replace(page, entries=(), gaps=(*page.gaps, gap))
    return Reading(page=page, missing=(Missing(type=kind, id=record_id, why="failed"),))


def read_many(connection: Connection, kind: str, record_ids: Iterable[str]) -> Iterator[Reading]:
    """Reads records by id, for lists where the server lists `_id` as a parameter, singly where it does not.

    Whatever a list does not bring is read singly: only a direct read tells gone from not visible. What is not found
    singly is searched for as well, where that can be done.

    Raises:
        NotAllowed: the server does not accept our credentials.
        HospitalUnavailable: request after request goes unanswered.
    """
    ids = list(dict.fromkeys(record_ids))
    by_list = "_id" in connection.capability.of(kind).parameters
    size = connection.hospital.pull.patients_per_question if by_list else 1
    for start in range(0, len(ids), size):
        chunk = ids[start : start + size]
        brought: set[str] = set()
        searched = False
        if len(chunk) > 1 and not connection.knows(kind, "no_id_list"):
            page, searched = _list(connection, kind, chunk)
            brought = {entry.id for entry in page.entries}
            if page.entries or page.damages:
                yield Reading(page=page)
        for record_id in chunk:
            if record_id not in brought:
                yield _confirmed(connection, read(connection, kind, record_id), by_list=by_list, searched=searched)


def _confirmed(connection: Connection, reading: Reading, *, by_list: bool, searched: bool) -> Reading:
    """The reading of one record; if it was not found, what a search for its id says."""
    absent = next((one for one in reading.missing if one.why == "not_found"), None)
    if absent is None:
        return reading
    if not searched and by_list and not connection.knows(absent.type, "no_id_list"):
        page, searched = _list(connection, absent.type, [absent.id])
        if page.entries:
            return Reading(page=page)
    return msgspec.structs.replace(reading, missing=(msgspec.structs.replace(absent, searched=searched),))


def _list(connection: Connection, kind: str, ids: list[str]) -> tuple[Page, bool]:
    """The wanted records of one `_id=a,b,...` search, and whether those that it did not bring were surely looked for.

    Nothing if it fails: then they are read singly.
    """
    wanted = ",".join(quote(record_id, safe="") for record_id in ids)
    try:
        reply = connection.client.get(connection.address(f"{kind}?_id={wanted}&_count={len(ids)}"))
    except Fault:
        connection.learn(kind, "no_id_list")
        return Page(url="", entries=()), False
    page = open_page(reply.body, Opening(url=reply.url, base=connection.client.pin.base, bundle_only=True))
    entries: tuple[Entry, ...] = tuple(entry for entry in page.entries if entry.type == kind and entry.id in ids)
    damages: tuple[Damage, ...] = ()
    sure = not page.gaps and not page.damages and len(entries) == len(page.entries)
    return Page(url=page.url, entries=entries, damages=damages, outcomes=page.outcomes), sure

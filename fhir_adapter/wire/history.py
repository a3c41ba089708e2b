"""Reads what was deleted, from the history of a type: the only place that says so (servers.md, trap 5)."""

import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

from fhir_adapter.core.windows import Damage, Entry, Gap, Page
from fhir_adapter.wire import instants
from fhir_adapter.wire.connection import Connection
from fhir_adapter.wire.envelope import Opening, open_page
from fhir_adapter.wire.faults import Fault, OffOrigin

MAX_PAGES = 10_000
_OWN_PAGING = re.compile(r"_count|_offset|_since|_page|page|offset|_format|_sort")


def has_history(connection: Connection, kind: str) -> bool:
    """Whether the server lists the history of a type; without it a delete is seen only by reading everything again."""
    return connection.capability.of(kind).has_history


def deletes(connection: Connection, kind: str, since: datetime) -> Iterator[Page]:
    """Pages of deleted records (`Entry.deleted`) of one type since an instant, anybody's: keep those you know.

    A record deleted and made again since is not deleted. sekmet-fhir drops `_since` from its next links and compares
    it as text (traps 2 and 3): it is put back, sent in UTC, and checked here again. Later versions that stand in the
    history are not given: search brings them, with the patient filter.

    Raises:
        NotAllowed: the server does not accept our credentials.
        HospitalUnavailable: request after request goes unanswered.
    """
    start = f"_since={quote(instants.written(since), safe=':')}&_count={connection.hospital.pull.page_size}"
    address: str | None = connection.address(f"{kind}/_history?{start}")
    newest: dict[str, Entry] = {}
    damages: list[Damage] = []
    gaps: list[Gap] = []
    visited: set[str] = set()
    while address is not None and not gaps:
        visited.add(address)
        page = _fetch(connection, address)
        gaps.extend(page.gaps)
        damages.extend(page.damages)
        for entry in page.entries:
            _keep_newest(newest, entry, since)
        address = _next(connection, page, since, gaps)
        if address in visited or len(visited) >= MAX_PAGES:
            gaps.append(Gap(code="link_loop", message="the links of a history do not end"))
    deleted = tuple(entry for entry in newest.values() if entry.deleted and entry.type == kind)
    yield Page(url=connection.address(f"{kind}/_history"), entries=deleted, damages=tuple(damages), gaps=tuple(gaps),
               honoured=False)


def _fetch(connection: Connection, address: str) -> Page:
    try:
        reply = connection.client.get(address)
    except Fault as fault:
        return Page(url="", entries=(), gaps=(Gap(code=fault.code, message=str(fault)),))
    return open_page(reply.body, Opening(url=reply.url, base=connection.client.pin.base, bundle_only=True))


def _keep_newest(newest: dict[str, Entry], entry: Entry, since: datetime) -> None:
    """A history is told newest first; where instants contradict that, they win."""
    at = instants.read(entry.last_updated)
    if at is not None and at < since:
        return
    known = newest.get(entry.id)
    known_at = instants.read(known.last_updated) if known is not None else None
    if known is None or (at is not None and known_at is not None and at > known_at):
        newest[entry.id] = entry


def _next(connection: Connection, page: Page, since: datetime, gaps: list[Gap]) -> str | None:
    if page.next is None:
        return None
    try:
        address = connection.client.pin.resolve(page.next, page.url)
    except OffOrigin as fault:
        gaps.append(Gap(code=fault.code, message=str(fault)))
        return None
    names = {name for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)}
    is_plain = all(_OWN_PAGING.fullmatch(name) for name in names)  # an opaque cursor is nobody's to change (Q9)
    if "_since" in names or not is_plain:
        return address
    joint = "&" if names else "?"
    return f"{address}{joint}_since={quote(instants.written(since), safe=':')}"

"""Exports: kick-off, poll, manifest, files, DELETE (the Bulk Data specification, and what servers make of it).

- One job at a time (Q21): whoever calls ends an old job first; DELETE that fails is no fault (HAPI ends jobs itself).
- A 5xx while polling is not the end of a job (Q25): it counts as "still at work" for a while.
- Files may lie elsewhere and then get no credentials; nor do they when `requiresAccessToken` is false (Q22).
- `deleted` may be missing although records were deleted (Q24); `error` may hold mere information (Q25).
- `continuesInFile` names files that do not exist (servers.md): it is ignored.
"""

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import IO, BinaryIO, Literal, cast
from urllib.parse import quote, urlencode

import msgspec

from fhir_adapter.core.windows import Gap, Page
from fhir_adapter.wire import files, instants
from fhir_adapter.wire.connection import Connection
from fhir_adapter.wire.envelope import Opening
from fhir_adapter.wire.faults import Failing, Fault, NotFhir, Refused
from fhir_adapter.wire.patience import retry_after

SPOOLED = 4 * 1024 * 1024
"""A file up to this size is held in memory; a larger one in a temporary file that no name leads to."""

MAX_PARTS = 1000
Kind = Literal["output", "deleted", "error"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What an export is asked for: the level (`Group/<id>`, `Patient` or empty for all), types, and since when."""

    level: str
    types: tuple[str, ...]
    since: datetime | None = None

    @property
    def address(self) -> tuple[tuple[str, str], ...]:
        """Its parameters."""
        since = (("_since", instants.written(self.since)),) if self.since is not None else ()
        return ((("_type", ",".join(self.types)),) if self.types else ()) + since


class File(msgspec.Struct, frozen=True):
    """One file of a manifest."""

    url: str = ""
    type: str = ""
    count: int | None = None


class _Link(msgspec.Struct, frozen=True):
    relation: str = ""
    url: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an export brought; `link` leads to the next part of a manifest that comes in parts."""

    transaction_time: str = ""
    requires_access_token: bool = True
    output: tuple[File, ...] = ()
    deleted: tuple[File, ...] = ()
    error: tuple[File, ...] = ()
    link: tuple[_Link, ...] = ()

    @property
    def next(self) -> str | None:
        """The next part's address."""
        return next((link.url for link in self.link if link.relation == "next" and link.url), None)

    @property
    def at(self) -> datetime | None:
        """The server's own instant up to which it exported; None if it says none."""
        return instants.read(self.transaction_time)


class Waiting(msgspec.Struct, frozen=True):
    """A job that is still at work: how long it wants to be left alone (seconds; None: it does not say)."""

    seconds: float | None = None


class JobLost(Exception):
    """The server no longer knows the job, or it failed: it has to be asked for anew."""


def kick_off(connection: Connection, order: Order) -> str:
    """Asks for an export; the address of its status.

    Raises:
        Fault: refused (400, 403, 404), throttled because another job is at work (Q21), or the answer names no status.
        NotAllowed, HospitalUnavailable: as `Client.get`.
    """
    path = f"{quote(order.level, safe='/')}/$export" if order.level else "$export"
    extra = (("allowPartialManifests", "true"),) if connection.hospital.pull.bulk.partial else ()
    query = urlencode(order.address + extra, quote_via=quote, safe=",:/")
    address = connection.address(path) + (f"?{query}" if query else "")
    reply = connection.client.get(address, prefer="respond-async")
    status = reply.headers.get("content-location", "")
    if reply.status != 202 or not status:
        raise NotFhir("an export was asked for, and the answer is not 202 with a Content-Location")
    return connection.client.pin.place(status, reply.url)[0]


def poll(connection: Connection, status: str) -> Manifest | Waiting:
    """How a job stands.

    Raises:
        JobLost: 404, 410, or a lasting failure: no such job any more.
        Fault: off origin, paused, or not understood.
        NotAllowed, HospitalUnavailable: as `Client.get`.
    """
    try:
        reply = connection.client.job("GET", status)
    except Failing as fault:
        if fault.status is None or fault.status == 429 or "transient" in fault.issues:
            return Waiting(fault.retry_after)
        raise JobLost(str(fault)) from None
    except Refused as fault:
        raise JobLost(str(fault)) from None
    if reply.status == 202:
        return Waiting(retry_after(reply.headers, connection.client.means.clock()))
    try:
        manifest = msgspec.json.decode(reply.body, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotFhir("the status of an export is no manifest") from None
    if not manifest.transaction_time and not manifest.output:
        raise NotFhir("the status of an export is no manifest")
    return manifest


def end(connection: Connection, status: str) -> None:
    """Tells the server that a job is done with, or no longer wanted; a server that objects is not asked again."""
    with suppress(Fault):
        connection.client.job("DELETE", status)


def pages(connection: Connection, file: File, kind: Kind, *, known: bool) -> Iterator[Page]:
    """The records of one file; its last page carries the file's address, and a gap if it is not whole.

    Raises:
        JobLost: the file is gone (404, 410).
        NotAllowed, HospitalUnavailable: as `Client.get`.
    """
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as target:
        try:
            connection.client.download(file.url, cast("IO[bytes]", target), known=known)
        except Fault as fault:
            if fault.status in (404, 410):
                raise JobLost("a file of an export is gone") from None
            yield Page(url="", entries=(), gaps=(Gap(code=fault.code, message=f"a file of an export: {fault}"),))
            return
        yield from _read(connection, file, kind, _opened(cast("BinaryIO", target)))


def _opened(target: BinaryIO) -> BinaryIO:
    target.seek(0)
    is_packed = target.read(2) == b"\x1f\x8b"
    target.seek(0)
    return cast("BinaryIO", gzip.open(target, "rb")) if is_packed else target


def _read(connection: Connection, file: File, kind: Kind, source: BinaryIO) -> Iterator[Page]:
    count = 0
    base = connection.client.pin.base
    # An export may hold anybody's records: bytes that cannot be read are not kept.
    opening = Opening(base=base)
    last: Page | None = None
    try:
        for page in files.lines(source, file.url, opening):
            if last is not None:
                yield last
            count += len(page.entries) + len(page.damages)
            last = _judged(page, kind)
    except (OSError, EOFError):
        last = Page(url="", entries=(), gaps=(Gap(code="truncated", message="a file of an export is cut off"),))
    last = last or Page(url="", entries=())
    gaps = last.gaps
    if kind == "output" and file.count is not None and count < file.count:
        gaps += (Gap(code="short", message=f"a file of {file.type} holds fewer records than the manifest says"),)
    yield msgspec.structs.replace(last, url=file.url, gaps=gaps)


def _judged(page: Page, kind: Kind) -> Page:
    """What the outcomes of a page mean: only an `error` file's errors leave a gap; information does not (Q25)."""
    page = msgspec.structs.replace(page, url="", honoured=False)
    failed = {one.code for one in page.outcomes if one.severity in ("error", "fatal") or one.code == "suppressed"}
    if kind != "error" or not failed:
        return page
    codes = ", ".join(sorted(failed))
    gap = Gap(code="suppressed", message=f"the export says that it failed in part ({codes})")
    return msgspec.structs.replace(page, gaps=(*page.gaps, gap))

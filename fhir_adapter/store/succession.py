"""Which version of a record is the newest, and which answers say nothing new (DESIGN §4, raw). Pure."""

import hashlib
from typing import Any

import msgspec

from fhir_adapter.core.windows import Entry
from fhir_adapter.store.instants import server_instant

UNCHANGED = "unchanged"
OLDER = "older"
NEWER = "newer"
UNORDERED = "unordered"


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What is compared of a version: the server's own words about it, and digests of its bytes."""

    version_id: str
    last_updated: str
    deleted: bool
    sha256: str
    canonical: str | None = None


_EXACT = msgspec.json.Decoder(float_hook=lambda written: f"\0number {written}")


def canonical_sha(body: bytes) -> str:
    """SHA-256 of a record with keys sorted, without `meta` and `text`; numbers as written (13.20 is not 13.2).

    Bytes that are not JSON are compared as they are.
    """
    try:
        record: Any = _EXACT.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return hashlib.sha256(body).hexdigest()
    if isinstance(record, dict):
        record.pop("meta", None)
        record.pop("text", None)
    try:
        return hashlib.sha256(msgspec.json.encode(record, order="sorted")).hexdigest()
    except (ValueError, TypeError, RecursionError):
        return hashlib.sha256(body).hexdigest()


def seen(entry: Entry) -> Seen:
    """What is compared of an arriving entry; the canonical digest is made only when it is needed."""
    return Seen(entry.version_id, entry.last_updated, entry.deleted, hashlib.sha256(entry.body).hexdigest())


def compare(new: Seen, head: Seen, *, same_content: bool) -> str:
    """`unchanged`, `older` or `newer` than the head, or `unordered`: another version, and nothing says which is newer.

    `same_content` tells whether the two are equal as records (`canonical_sha`); it is asked for only when their bytes
    differ and version ids do not tell them apart. Server versions decide first; where one is missing, content does.
    Of two different versions the one with the earlier lastUpdated is older, else the one with the smaller whole
    version id.
    """
    if new.deleted and head.deleted:
        same = not (new.version_id and head.version_id) or new.version_id == head.version_id
    elif new.deleted != head.deleted:
        same = False
    elif new.version_id and head.version_id:
        same = new.version_id == head.version_id and (new.sha256 == head.sha256 or same_content)
    else:
        same = new.sha256 == head.sha256 or same_content
    if same:
        return UNCHANGED
    then, now = server_instant(new.last_updated), server_instant(head.last_updated)
    if then is not None and now is not None and then != now:
        return OLDER if then < now else NEWER
    if new.version_id.isdecimal() and head.version_id.isdecimal():
        this, that = int(new.version_id[:30]), int(head.version_id[:30])
        if this != that:
            return OLDER if this < that else NEWER
    return UNORDERED


def needs_content(new: Seen, head: Seen) -> bool:
    """Whether `compare` must know if the two are equal as records."""
    if new.deleted or head.deleted or new.sha256 == head.sha256:
        return False
    return not (new.version_id and head.version_id) or new.version_id == head.version_id

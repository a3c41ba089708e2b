"""What the vault takes and gives back: frozen values, no sessions."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from fhir_adapter.core.windows import Coverage, Damage, Entry, Question, WindowState


class Kind(StrEnum):
    """What a version of a record says."""

    CONTENT = "content"
    DELETED = "deleted"
    NOT_VISIBLE = "not_visible"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to write for one purpose, until it expires; `number` fences off earlier holders."""

    name: str
    holder: str
    number: int
    expires_at: datetime


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The newest version of a record, without its body."""

    key: str
    patient: str | None
    ordinal: int
    kind: str
    version_id: str
    last_updated: str
    sha256: str


class Version(msgspec.Struct, frozen=True, gc=False):
    """One raw version of a record; its fields stand in the order in which they are read.

    `head` is the ordinal of the record's newest version; `was_head` is 1 if this one has ever been that, 0 if
    it came late, older than the head. `patient` is the hospital's Patient id.
    """

    key: str
    ordinal: int
    hospital: str
    seq: int
    type: str
    fhir_id: str
    patient: str | None
    kind: str
    version_id: str
    last_updated: str
    sha256: str
    body: bytes
    encoding: str
    url: str
    received_at: str
    run: int
    head: int
    was_head: int

    @property
    def is_head(self) -> bool:
        """Whether it is the newest version."""
        return self.ordinal == self.head


class Kept(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry of a page that belongs to the cohort, and to which patient (None: a record without one)."""

    entry: Entry
    patient: str | None = None


class PageProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One answered page as it goes into the vault, in one transaction.

    `outside` counts the entries that the caller left out (not of the cohort). `next` is where the window goes on;
    `state` WHOLE or FAILED closes the window; `coverage` are the rows that then move (or, with a failure, open).
    `window` may be None for records that were not asked for by a window (files, references read one by one).
    """

    run: int
    window: int | None = None
    kept: tuple[Kept, ...] = ()
    damages: tuple[Damage, ...] = ()
    outside: int = 0
    url: str = ""
    type: str = ""
    next: str | None = None
    state: WindowState = WindowState.OPEN
    coverage: tuple[Coverage, ...] = ()
    issues: tuple[str, ...] = ()


class PageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a page's entries; they add up to what was fetched (DESIGN §5.3)."""

    outside: int = 0
    unchanged: int = 0
    repeated: int = 0
    unreadable: int = 0
    new: int = 0

    @property
    def fetched(self) -> int:
        """All entries and damages of the page."""
        return self.outside + self.unchanged + self.repeated + self.unreadable + self.new

    def __add__(self, other: "PageCounts") -> "PageCounts":
        return PageCounts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class StoredWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A window as it stands: the question, how far its answer has come, what was strange about it.

    `visited` holds SHA-256 digests of the links that were followed (`vault.link_digest`), so that a server that
    leads in a circle is noticed, also after a restart.
    """

    id: int
    hospital: str
    question: Question
    state: WindowState
    attempts: int
    pages: int
    next: str | None
    issues: tuple[str, ...]
    opened_at: datetime
    closed_at: datetime | None
    run: int
    visited: frozenset[str] = frozenset()


UNMERGED = "unmerged from "
"""Begins the basis of a patient who was joined with another and is not any more; the other's id follows."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A patient of a hospital's cohort: its Patient id, the state as the source writes it, and who says so."""

    patient: str
    state: str = ""
    source: str = ""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Which subject a hospital's patient is, and why (`trial number`, `qualified`, `random`, `replaced-by`,
    `unmerged from ID`, ...)."""

    hospital: str
    patient: str
    subject: str
    basis: str


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A record or a piece of a page that is not used: where it stood, why, and who has acknowledged it."""

    key: str
    hospital: str
    type: str
    resource: str | None
    ordinal: int | None
    code: str
    message: str
    position: int | None
    length: int | None
    sha256: str
    run: int
    found_at: str
    acknowledged_by: str | None
    acknowledged_at: str | None
    reason: str | None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A version that no domain could read: goes to quarantine by its key and ordinal."""

    hospital: str
    type: str
    resource: str
    ordinal: int
    code: str
    message: str


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Who did something, by the study's name and the operating system's, and when."""

    by: str
    system_user: str
    at: datetime


class NewDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision about to be signed: core.conflicts.Decision without its number and its signature."""

    conflict_key: str
    kind: str
    fingerprint: str
    choice: str
    value: str
    reason: str
    undoes: int | None = None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the audit chain: `hash` covers all the others, `previous` is the hash of the link before."""

    seq: int
    at: str
    actor: str
    system_user: str
    action: str
    object: str
    detail: str
    previous: str
    hash: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the program: what it was asked, what it counted, how it ended."""

    id: int
    command: str
    hospitals: tuple[str, ...]
    started_at: str
    ended_at: str | None
    exit_code: int | None
    counts: Mapping[str, Any]
    mappings: str
    program: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a vault knew at some moment: who is who by the time, the rest by number, which no clock can change.

    `versions`: the last sequence number by hospital; `decisions`: the last number; `mappings`: the digest of the
    mappings by which the last run read that had begun by then.
    """

    at: str
    versions: dict[str, int] = {}
    decisions: int = 0
    mappings: str = ""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A locked snapshot: what had happened, what was known, and its digest.

    `waived`: the open blocking conflicts that it was locked over, a JSON list of keys; `manifest`: everything that the
    digest covers, as JSON (docs/cuts.md).
    """

    name: str
    data_cutoff: str
    known_at: str
    digest: str
    reason: str
    signed_by: str
    signed_at: str
    waived: str = "[]"
    manifest: str = "{}"

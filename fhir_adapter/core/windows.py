"""What is asked of a hospital and what it answered: questions, pages, entries, windows."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

SinceMode = Literal["last_updated", "full_reread", "event_window"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question to one hospital: a type, for whom, since when, and in which words.

    `patients` are the hospital's own Patient ids; empty for a question that is not about patients (cohort, history).
    `parameters` are the search parameters in order, without paging. `reason` says in words why it is asked so.
    `honoured` is False when the server is known to ignore the patient filter: then every entry is checked locally.
    """

    type: str
    patients: tuple[str, ...] = ()
    since: datetime | None = None
    mode: SinceMode = "full_reread"
    parameters: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    honoured: bool = True


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record of a page: its head, read for membership, and its bytes as they came.

    `subjects` are the Patient references found in subject, patient, individual; `deleted` marks a history entry
    without resource. `version_id` and `last_updated` are the server's own (empty when it has none).
    """

    type: str
    id: str
    version_id: str = ""
    last_updated: str = ""
    subjects: tuple[str, ...] = ()
    body: bytes = b""
    deleted: bool = False
    url: str = ""


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a page that is no readable entry: what is wrong, where it stood, and a digest of its bytes.

    `body` is kept only when the server honoured the patient filter; else position, length and SHA-256 alone.
    """

    code: str
    message: str
    position: int
    length: int
    sha256: str
    body: bytes = b""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """An OperationOutcome that came with a page: never data. `suppressed` means the server left records out."""

    severity: str
    code: str


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Why an answer is not whole: a short code and words without any value.

    Codes: `refused`, `failed`, `paused`, `suppressed`, `truncated`, `not_fhir`, `unexpected_answer`, `link_loop`,
    `page_cap`, `off_origin`, `cursor_lost`, `short`, `unfiltered`, `poison`, `too_many_parts`, `dropped`,
    `uncategorised`. `status` and `issues` are the HTTP status and the issue codes of a refusal or failure (0: there was
    no answer).
    """

    code: str
    message: str
    status: int = 0
    issues: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: entries, damage, outcomes, and the absolute next link (None: the last page, or none to follow).

    `honoured` is False when the server did not, or may not have, applied the patient filter. A page with `gaps` means
    that the answer to its question is not whole, also when no page follows.
    """

    url: str
    entries: tuple[Entry, ...]
    damages: tuple[Damage, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    next: str | None = None
    total: int | None = None
    self_link: str | None = None
    honoured: bool = True
    gaps: tuple[Gap, ...] = ()


class WindowState(StrEnum):
    """Whether the answer to a question was whole."""

    OPEN = "open"
    WHOLE = "whole"
    FAILED = "failed"


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far a hospital's answers for one type reach, for one patient or (`*`) for all.

    `since`: server time up to which the last whole answer reached; `whole_as_of`: when we last had everything;
    `open_since`: since when something is missing (None: nothing is).
    """

    type: str
    patient: str
    mode: SinceMode
    since: datetime | None = None
    whole_as_of: datetime | None = None
    open_since: datetime | None = None

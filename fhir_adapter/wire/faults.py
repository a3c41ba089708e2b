"""What can go wrong with one request, for use inside the room.

    Fault
    +-- Refused        4xx: the server understood and will not; asking again is pointless
    +-- Failing        429, 5xx, time-outs, dropped connections: tried as often as the policy allows
    +-- Paused         the server wants a longer wait than a run should sit out
    +-- NotFhir        an answer that is no FHIR: HTML, too large, not a resource
    +-- OffOrigin      a link, redirect or token address that leads away from the hospital

A fault of one question becomes a Gap of its answer (Q3: one refused type must not end the run). What stops everything
is raised as `core.errors.NotAllowed` (401) or `HospitalUnavailable`. No text holds a URL, an id or a secret.
"""

import re

_CODE = re.compile(r"[a-z][a-z-]{0,31}")


class Fault(Exception):
    """A request that did not bring its answer; `code` is the Gap it becomes."""

    code = "failed"

    def __init__(self, message: str, *, status: int | None = None, issues: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.issues = issues


class Refused(Fault):
    """The server will not answer this."""

    code = "refused"


class Failing(Fault):
    """The server did not manage to answer, however often we asked; `retry_after` is the wait it wants (seconds)."""

    code = "failed"
    retry_after: float | None = None


class Paused(Fault):
    """The server wants to be left alone for longer than we wait in a run."""

    code = "paused"


class NotFhir(Fault):
    """The answer is no FHIR."""

    code = "not_fhir"


class OffOrigin(Fault):
    """An address outside the hospital's own origin and path."""

    code = "off_origin"


def safe_code(text: object) -> str:
    """An issue code fit for messages: FHIR's own short words; anything else is `other`."""
    return text if isinstance(text, str) and _CODE.fullmatch(text) else "other"

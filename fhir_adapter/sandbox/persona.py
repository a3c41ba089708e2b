"""How a rehearsal hospital behaves: a persona is a value, its faults are values, nothing else decides.

Each switch replays something that real servers were seen to do (facts/quirks.md, facts/servers.md).
"""

from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal[
    "error",  # a status of 4xx or 5xx with an OperationOutcome
    "html",  # a proxy's HTML page with status 200
    "truncated",  # the JSON ends in the middle, Content-Length agrees
    "cut_off",  # the connection breaks before Content-Length is reached
    "throttled",  # 429 with Retry-After
    "expired",  # 410 for a next link that is too old
    "no_next",  # the next link is missing although more is there: total > rows
    "same_next",  # the next link leads back to the same page
    "outcome",  # an OperationOutcome entry inside the searchset
    "deep",  # an entry nested 100,000 deep
    "slow",  # the answer comes late
]
Where = Literal["page", "read", "history", "token", "metadata"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong, where, and how often (`times=None`: always).

    `page` counts from 1; 0 means any. `type` is a resource type, or `*`.
    """

    kind: FaultKind
    on: Where = "page"
    type: str = "*"
    page: int = 0
    times: int | None = 1
    status: int = 500
    code: str = "exception"
    retry_after: str = "1"
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Persona:
    """The switches of one hospital.

    `ignored`: search parameters that are silently dropped, as `patient` or `AdverseEvent.patient`; the self link
    shows it. `unadvertised`: types that work but are missing from /metadata. `refused`: types answered with 403.
    """

    name: str = "plain"
    ignored: frozenset[str] = frozenset()
    unadvertised: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    refuses_patient_lists: bool = False
    tells_total: bool = True
    default_count: int = 50
    max_count: int = 1000
    token_seconds: int = 300
    open_searches: int = 500
    faults: tuple[Fault, ...] = ()

    def ignores(self, type_: str, parameter: str) -> bool:
        """Whether this search parameter is silently dropped."""
        return parameter in self.ignored or f"{type_}.{parameter}" in self.ignored


PLAIN = Persona()
"""A hospital that does what the specification says."""

PERSONAS = {PLAIN.name: PLAIN}
"""Personas by the name that `fhir-adapter sandbox --persona` takes."""


@dataclass
class Faults:
    """The faults of a persona with how often each has struck."""

    planned: tuple[Fault, ...]
    struck: dict[int, int] = field(default_factory=dict)

    def strike(self, on: Where, type_: str = "*", page: int = 0) -> Fault | None:
        """The fault that hits this request, counted; None: all is well."""
        for index, fault in enumerate(self.planned):
            fits = fault.on == on and fault.type in ("*", type_) and fault.page in (0, page)
            count = self.struck.get(index, 0)
            if fits and (fault.times is None or count < fault.times):
                self.struck[index] = count + 1
                return fault
        return None

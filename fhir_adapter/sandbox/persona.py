"""How a rehearsal hospital behaves: a persona is a value, its faults are values, nothing else decides.

Each switch replays something that real servers were seen to do (facts/quirks.md, facts/servers.md).
"""

from dataclasses import dataclass, field
from typing import Literal

from fhir_adapter.sandbox.switches import Asking, Bulk, Door, Limit, Paging, Records, Time, Wait

FaultKind = Literal[
    "error",  # a status of 4xx or 5xx with an OperationOutcome
    "bare",  # a status without any body
    "html",  # a proxy's HTML page with status 200
    "gateway",  # a gateway's HTML page with status 504
    "outcome_only",  # status 200, but the body is an OperationOutcome
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
Where = Literal["page", "read", "history", "token", "metadata", "kickoff", "status", "file", "*"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong, where, and how often (`times=None`: always), after `skip` requests that go well.

    `page` counts from 1; 0 means any. `type` is a resource type, or `*`. A throttle says `retry_after` as it stands,
    or `wait` seconds from now in the form `wait_form`.
    """

    kind: FaultKind
    on: Where = "page"
    type: str = "*"
    page: int = 0
    times: int | None = 1
    skip: int = 0
    status: int = 500
    code: str = "exception"
    retry_after: str = "1"
    wait: float = 0.0
    wait_form: Wait = "seconds"
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
    missing: frozenset[str] = frozenset()
    """Types that this hospital does not have at all: 404."""
    refuses_patient_lists: bool = False
    tells_total: bool = True
    default_count: int = 50
    max_count: int = 1000
    token_seconds: int = 300
    open_searches: int = 500
    latency: float = 0.0
    """Seconds that every answer takes."""
    asking: Asking = field(default_factory=Asking)
    paging: Paging = field(default_factory=Paging)
    time: Time = field(default_factory=Time)
    records: Records = field(default_factory=Records)
    door: Door = field(default_factory=Door)
    limit: Limit | None = None
    bulk: Bulk = field(default_factory=Bulk)
    faults: tuple[Fault, ...] = ()

    def ignores(self, type_: str, parameter: str) -> bool:
        """Whether this search parameter is silently dropped."""
        return parameter in self.ignored or f"{type_}.{parameter}" in self.ignored

    def lacks_last_updated(self, type_: str) -> bool:
        """Whether this type cannot be searched by `_lastUpdated` here."""
        return not self.asking.without_last_updated.isdisjoint((type_, "*"))


PLAIN = Persona()
"""A hospital that does what the specification says."""


@dataclass
class Faults:
    """The faults of a persona with how often each has met a request."""

    planned: tuple[Fault, ...]
    met: dict[int, int] = field(default_factory=dict)

    def strike(self, on: Where, type_: str = "*", page: int = 0) -> Fault | None:
        """The fault that hits this request, counted; None: all is well."""
        hit: Fault | None = None
        for index, fault in enumerate(self.planned):
            fits = fault.on in (on, "*") and fault.type in ("*", type_) and fault.page in (0, page)
            if not fits or hit is not None:
                continue
            count = self.met[index] = self.met.get(index, 0) + 1
            if count > fault.skip and (fault.times is None or count <= fault.skip + fault.times):
                hit = fault
        return hit

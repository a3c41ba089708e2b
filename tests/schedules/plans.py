"""Schedules as values: which hospital, what happens there, what breaks, when the program stops; made from a seed."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from fhir_adapter.sandbox import PERSONAS, Fault
from fhir_adapter.sandbox.faultproxy import KINDS, NetFault
from fhir_adapter.sandbox.persona import FaultKind
from tests.schedules.records import TYPES

Verb = Literal["edit", "edit late", "add", "add late", "delete", "retract", "hide", "show", "merge", "unmerge", "enrol",
               "withdraw", "return", "poison", "edit person", "expire searches", "lose exports"]
VERBS: tuple[Verb, ...] = ("edit", "edit", "edit late", "add", "add", "add late", "delete", "delete", "retract", "hide",
                           "show", "merge", "unmerge", "enrol", "withdraw", "return", "poison", "edit person")
DURING: tuple[Verb, ...] = (*VERBS, "expire searches", "expire searches", "lose exports")

QUIRKS = ("Q1", "Q4", "Q5", "Q5b", "Q5c", "Q6", "Q6b", "Q6c", "Q7", "Q7b", "Q10b", "Q10c", "Q11", "Q11b", "Q13",
          "Q13b", "Q13c", "Q13d", "Q14", "Q14b", "Q15b", "Q16", "Q17", "Q17b", "Q18", "Q19", "Q19b", "Q20", "Q26b",
          "Q29", "Q29b", "Q30", "Q31", "Q31b", "T1", "T2", "T3", "T4", "T6", "T8", "S1", "M3", "M4")
"""Habits with which a client that knows its trade still gets everything."""

LASTING = ("Q1b", "Q8", "Q10", "Q10d", "Q12", "Q12b", "Q27", "M1")
"""Habits that keep some records from any client, as long as they last: they may end in a named gap."""

OFFSETS = {"Q13", "Q13b", "T1", "T2"}
COUNTED = {"Q8", "Q10d", "M1", *OFFSETS}

FAULTS: tuple[FaultKind, ...] = ("error", "bare", "html", "gateway", "outcome_only", "truncated", "cut_off",
                                 "throttled", "expired", "no_next", "same_next", "outcome", "deep")
STATUSES = (400, 403, 404, 408, 410, 422, 429, 500, 502, 503, 504)
CODES = ("exception", "transient", "required", "throttled", "too-costly", "suppressed", "processing")


@dataclass(frozen=True)
class Happening:
    """Something in the hospital's life; `pick` chooses whom or what it befalls, `at` before which request."""

    verb: Verb
    pick: int
    at: int = 0


@dataclass(frozen=True)
class Stop:
    """The program ends: before a request, before a transaction or after one. `lost`: nothing more is written, not
    even that its lease is given back, as by `kill -9`; else it ends in order."""

    where: Literal["request", "write", "written"]
    at: int
    lost: bool


@dataclass(frozen=True)
class Visit:
    """One sync, what happened at the hospital before it and meanwhile, and what went wrong."""

    before: tuple[Happening, ...] = ()
    passed: float = 0.0
    """Seconds since the last one."""
    during: tuple[Happening, ...] = ()
    faults: tuple[Fault, ...] = ()
    network: tuple[NetFault | None, ...] = ()
    down: bool = False
    stop: Stop | None = None


@dataclass(frozen=True)
class Plan:
    """One schedule."""

    seed: int
    persona: str = "plain"
    quirks: tuple[str, ...] = ()
    mode: Literal["search", "bulk"] = "search"
    cohort: Literal["research_study", "group", "all"] = "research_study"
    types: tuple[str, ...] = TYPES
    """The clinical types that are asked for."""
    page_size: int = 50
    patients: int = 20
    ahead: float = 0.0
    """Seconds by which our clock is before the hospital's."""
    visits: tuple[Visit, ...] = field(default=())

    @property
    def proxied(self) -> bool:
        """Whether the network breaks at some time."""
        return any(visit.network or visit.down for visit in self.visits)


def planned(seed: int) -> Plan:
    """The schedule of a seed; the same seed gives the same for ever."""
    random = Random(f"schedule {seed}")
    persona = random.choice(sorted(PERSONAS))
    quirks = random.sample(QUIRKS, random.choice((0, 0, 1, 1, 2)))
    if random.random() < 0.12:
        quirks.append(random.choice(LASTING))
    quirks = [one for one in quirks if _can_be(persona, one, quirks)]
    bulk = random.random() < 0.2 and persona != "athena"
    if bulk:  # counts of a server that ignores the patient filter raise a false alarm each week where it exports
        quirks = [one for one in quirks if one != "Q5"]
    vendors_group = persona in ("epic", "oracle") and bulk
    return Plan(
        seed=seed, persona=persona, quirks=tuple(quirks), mode="bulk" if bulk else "search",
        cohort="group" if vendors_group or random.random() < 0.25 else "research_study",
        page_size=random.choice((2, 3, 5, 50)), patients=random.choice((1, 2, 20)),
        ahead=random.choice((0, 0, 0, 1.5, -1.5, 90, -90)),
        visits=tuple(_visit(random, number) for number in range(random.randint(2, 4))),
    )


def _can_be(persona: str, quirk: str, others: list[str]) -> bool:
    """Whether there can be such a server, and a client that sees what it does.

    Azure knows no offsets; by offset an empty page leads to itself. Where rows end early without a next link, or move
    while we read by offset, only a count that can be trusted tells (docs/decisions/0004).
    """
    if quirk in OFFSETS and (persona == "azure" or "Q10c" in others):
        return False
    if quirk == "Q10c" and persona == "medplum":
        return False
    counts = persona not in ("azure", "athena", "medplum") and not {"Q6", "Q6b", "Q6c"} & set(others)
    return counts or quirk not in COUNTED


def _visit(random: Random, number: int) -> Visit:
    before = tuple(Happening(random.choice(VERBS), random.randrange(1000)) for _ in range(random.randint(0, 4)))
    during = tuple(Happening(random.choice(DURING), random.randrange(1000), random.randint(2, 20))
                   for _ in range(random.choice((0, 0, 1, 1, 2))))
    network: tuple[NetFault | None, ...] = ()
    if random.random() < 0.25:
        network = tuple(_net(random) if random.random() < 0.3 else None for _ in range(20))
    stop = None
    if random.random() < 0.35:
        stop = Stop(random.choice(("request", "write", "written")), random.randint(1, 25), random.random() < 0.5)
    return Visit(
        before=before if number else (), during=during, network=network, stop=stop, down=random.random() < 0.04,
        passed=random.choice((1.0, 30.0, 700.0, 7200.0, 8 * 86400.0)),
        faults=tuple(_fault(random) for _ in range(random.choice((0, 0, 1, 1, 2)))),
    )


def _fault(random: Random) -> Fault:
    """A fault, but no lie: 403, 404 and 410 for a single record are what a hospital says of it (Q30), and believed."""
    fault = _any_fault(random)
    if fault.on in ("read", "*") and (fault.status in (403, 404, 410) or fault.kind == "expired"):
        return replace(fault, kind="error", status=500)
    return fault


def _any_fault(random: Random) -> Fault:
    return Fault(
        kind=random.choice(FAULTS), on=random.choice(("page", "page", "page", "page", "read", "history", "kickoff",
                                                      "status", "file", "metadata", "*")),
        type=random.choice(("*", *TYPES, "ResearchSubject", "Patient")), page=random.choice((0, 0, 1, 2)),
        times=random.choice((1, 2, 5, None)), skip=random.choice((0, 0, 1, 3)), status=random.choice(STATUSES),
        code=random.choice(CODES), retry_after=random.choice(("1", "2", "200", "1000")),
    )


def _net(random: Random) -> NetFault:
    return NetFault(kind=random.choice(KINDS), after=random.randrange(1500), seconds=0.02)

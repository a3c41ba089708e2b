"""From one record's bytes to what it says: facts, problems, doubts, and the outcome that accounts for the record."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

import msgspec

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.dates import read_date
from fhir_adapter.core.facts import Domain, Fact, Ignored
from fhir_adapter.core.problems import Problem
from fhir_adapter.core.tables import columns_of
from fhir_adapter.domains import ALL
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.decode import Unreadable, decode, texts
from fhir_adapter.fhir.elements import CodeableConcept
from fhir_adapter.fhir.registry import TYPES

Outcome = Literal["mapped", "waiting", "ignored", "quarantined"]

SUPPORTING = "supporting record"
"""Why a record of a type that no domain reads is ignored: others lean on it."""

BEYOND = 2**31
"""Whole numbers of facts stay below: PostgreSQL's integer."""

CODE_LISTS: dict[str, tuple[str, ...]] = {
    "Condition": ("diagnosis", "medical_history"),
    "Observation": ("lab_result", "vital_sign", "performance_status", "lesion_measurement", "response_assessment",
                    "biomarker"),
    "Procedure": ("radiotherapy", "procedure"),
}
"""The types whose code decides which domain reads them, and the lists that know such codes."""


class Mapped(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one version of one record says.

    `facts` are pairs of domain name and fact; `outcome` accounts for the record (DESIGN §5.3) and `reason` says why it
    is ignored or quarantined (a word or a problem code), or which kind of conflict it waits for.
    """

    facts: tuple[tuple[str, Fact], ...] = ()
    problems: tuple[Problem, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    outcome: Outcome
    reason: str = ""


def map_version(resource_type: str, body: bytes, reading: Reading) -> Mapped:
    """What a record's bytes say to all domains that read its type. Never raises, whatever the bytes.

    A domain whose mapper meets a bad date yields a Problem at that element instead of its facts; the other domains'
    facts stand.
    """
    readers = _READERS.get(resource_type)
    if readers is None:
        return _SUPPORTING
    try:
        resource = decode(resource_type, body, reading.version)
        if not readers:
            return _SUPPORTING
        if resource.entered_in_error:
            return Mapped(outcome="ignored", reason="entered_in_error")
        return _settled(resource, reading, _asked(resource, reading) if resource_type in CODE_LISTS else readers)
    except Unreadable as error:
        return _quarantined(reading.problem(error.code, error.message, error.element, refuses=True))
    except Exception as error:  # the last guard: whatever a record holds, its neighbours are mapped
        return _quarantined(_unexpected(error, reading))


def fact_key(resource: str, ordinal: int, domain: str, fact: Fact) -> str:
    """The fact's identity: a 128-bit hash of resource key, version ordinal, domain, element path and index."""
    text = f"{resource}|{ordinal}|{domain}|{fact.element}|{fact.index}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _whole_numbers(kind: type[Fact]) -> tuple[str, ...]:
    """The fields of a fact that hold whole numbers."""
    return tuple(spec.field for spec in columns_of(kind, skip=("index",)) if spec.type is int)


_Reader = tuple[Domain, tuple[str, ...]]
# A domain, and the fields of its fact that hold whole numbers.
_DOMAINS: dict[str, _Reader] = {domain.name: (domain, _whole_numbers(domain.fact)) for domain in ALL}
_READERS = {type: tuple(_DOMAINS[domain.name] for domain in ALL if type in domain.reads) for type in TYPES}
_SUPPORTING = Mapped(outcome="ignored", reason=SUPPORTING)


def _asked(resource: Any, reading: Reading) -> tuple[_Reader, ...]:
    """Of the domains that read a type those whose lists know the record's code, or one of its components'."""
    code, parts = resource.code, getattr(resource, "component", ())
    if code is None:
        return _READERS[resource.resource_type]
    codes = (code, *[part.code for part in parts]) if parts else (code,)
    return _claiming(reading.concepts, reading.hospital.id, resource.resource_type, codes)


@lru_cache(maxsize=20_000)
def _claiming(
    concepts: Concepts, hospital: str, resource_type: str, codes: tuple[CodeableConcept, ...]
) -> tuple[_Reader, ...]:
    """Remembered: record after record asks with the same codes."""
    said = [item for code in codes for item in concepts.meanings(hospital, code).items()]
    lists = {name for name, _ in said} | {f"{name}/{match.concept}" for name, match in said}
    return tuple(
        reader for reader in _READERS[resource_type] if not reader[0].lists or not lists.isdisjoint(reader[0].lists)
    )


def _settled(resource: Any, reading: Reading, readers: tuple[_Reader, ...]) -> Mapped:
    facts: list[tuple[str, Fact]] = []
    others: list[Any] = []
    for domain, numbers in readers:
        before, kind = len(facts), domain.fact
        try:
            for finding in domain.read(resource, reading):
                if type(finding) is kind:
                    if numbers:
                        _check_range(finding, numbers)
                    facts.append((domain.name, finding))
                else:
                    others.append(finding)
        except Exception as error:  # a bad date, or the last guard; a domain speaks wholly or not at all
            del facts[before:]
            others.append(_unread(error, resource, reading))
    if not others:
        return Mapped(facts=tuple(facts), outcome="mapped") if facts else _unclaimed(resource, reading)
    problems = tuple(finding for finding in others if isinstance(finding, Problem))
    doubts = tuple(dict.fromkeys(finding for finding in others if isinstance(finding, Doubt)))
    ignored = next((finding for finding in others if isinstance(finding, Ignored)), None)
    refusing = next((problem for problem in problems if problem.refuses), None)
    outcome: Outcome
    if facts:
        outcome, reason = "mapped", ""
    elif doubts:
        outcome, reason = "waiting", doubts[0].kind
    elif ignored is not None:
        outcome, reason = "ignored", ignored.reason
    elif refusing is not None:
        outcome, reason = "quarantined", refusing.code
    else:
        left = _unclaimed(resource, reading)
        return msgspec.structs.replace(left, problems=problems + left.problems)
    return Mapped(facts=tuple(facts), problems=problems, doubts=doubts, outcome=outcome, reason=reason)


def _check_range(fact: Fact, numbers: tuple[str, ...]) -> None:
    """A whole number beyond what a database column takes would stop the mapping of everybody's records."""
    for name in numbers:
        number = getattr(fact, name)
        if number is not None and not -BEYOND < number < BEYOND:
            raise Unreadable("bad_number", fact.element, "a number is too large for what it counts")


def _unclaimed(resource: Any, reading: Reading) -> Mapped:
    """No domain said anything: its code is one that nobody has mapped, or it tells nothing that the trial asks."""
    lists = CODE_LISTS.get(resource.resource_type, ())
    code: CodeableConcept | None = getattr(resource, "code", None)
    if not lists:
        return Mapped(outcome="ignored", reason="nothing_asked")
    if code is None or not (code.codes or code.text):
        return _quarantined(reading.problem("missing_element", "the record has no code", "code", refuses=True))
    matches = [reading.look_up(name, code) for name in lists]
    for kind in ("ambiguous", "wider"):
        if (match := next((m for m in matches if m.found == kind), None)) is not None:
            return _waiting(reading.code_doubt(match, "code"))
    if (match := next((m for m in matches if m.found == "unmatched"), None)) is not None:
        return Mapped(outcome="ignored", reason=match.note)
    if all(match.found == "unknown" for match in matches):
        return _waiting(reading.code_doubt(matches[0], "code"))
    return Mapped(outcome="ignored", reason="nothing_asked")


def _waiting(doubt: Doubt) -> Mapped:
    return Mapped(doubts=(doubt,), outcome="waiting", reason=doubt.kind)


def _quarantined(problem: Problem) -> Mapped:
    return Mapped(problems=(problem,), outcome="quarantined", reason=problem.code)


def _unread(error: Exception, resource: Any, reading: Reading) -> Problem:
    """A mapper's failure as a Problem: a bad date at its element, else the guard's words."""
    if isinstance(error, Unreadable):
        return reading.problem(error.code, error.message, error.element, refuses=True)
    if isinstance(error, ValueError):
        for element in _bad_dates(resource):
            return reading.problem("bad_date", f"at {element}: {error}", element, refuses=True)
    return _unexpected(error, reading)


def _unexpected(error: Exception, reading: Reading) -> Problem:
    message = f"the record could not be understood ({type(error).__name__})"
    return reading.problem("wrong_shape", message, refuses=True)


_DATES = ("Date", "DateTime", "date", "start", "end", "On", "Prepared", "Over", "detected", "Instant",
          "issued", "event")
# Endings of the names of the date elements that we read.


def _bad_dates(resource: Any) -> Iterator[str]:
    """The elements that hold a date and do not read as one; only asked when a mapper has failed on one."""
    for path, text in texts(resource):
        if path.rsplit(".", 1)[-1].partition("[")[0].endswith(_DATES):
            try:
                read_date(text)
            except ValueError:
                yield path

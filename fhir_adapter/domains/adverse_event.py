"""Adverse events: the event itself, its causality per component, the action taken, what makes it serious."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from fhir_adapter.core.concepts import Concepts, Match, system_of
from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.ae_causality import RELATED, AeCausality, read_sheet
from fhir_adapter.domains.ae_grade import ABSENT, Grade, stated_grades
from fhir_adapter.domains.moments import Moments, contradict, earlier
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.treatment_component import UNKNOWN, component
from fhir_adapter.fhir import adverse_event as fhir
from fhir_adapter.fhir.elements import CodeableConcept, Coding
from fhir_adapter.fhir.sheet import Sheet


class AdverseEvent(Fact, frozen=True, kw_only=True):
    """One adverse event record: term, grade, onset, end, outcome."""

    term: Annotated[str | None, column("CTCAE term, if the code leads to one", source="event, R5 code, STU3 type")] = (
        None
    )
    term_text: Annotated[str | None, column("the term as reported", source="event.text, coding.display")] = None
    term_code: Annotated[str | None, column("MedDRA LLT code of the term")] = None
    soc: Annotated[str | None, column("system organ class of the CTCAE term", source="mappings/ctcae")] = None
    ctcae: Annotated[str | None, column("CTCAE version of the grade, if stated; else that of the trial")] = None
    grade: Annotated[
        int | None,
        column("CTCAE grade 1 to 5; never from severity", source="ae-grade, ctcae-grade, MII severity, text"),
    ] = None
    severity: Annotated[
        str | None,
        column("severity word as reported, not a grade", codes=("mild", "moderate", "severe"), source="severity"),
    ] = None
    onset: Annotated[PartialDate | None, column("onset", source="occurrence[x], date, detected")] = None
    end_date: Annotated[PartialDate | None, column("end", source="occurrencePeriod.end, resolve-date")] = None
    not_after: Annotated[
        PartialDate | None,
        column("latest possible onset, when only the recording date is known", source="recordedDate"),
    ] = None
    serious: Annotated[bool | None, column("whether it is serious", source="seriousness, seriousness-criteria")] = None
    outcome: Annotated[
        str | None,
        column(
            "outcome",
            codes=("resolved", "recovering", "ongoing", "resolved_with_sequelae", "fatal", "unknown"),
            source="outcome",
        ),
    ] = None


class AeAction(Fact, frozen=True, kw_only=True):
    """What was done with one treatment component because of the event."""

    component: Annotated[str, column("drug concept, or `radiotherapy`")]
    action: Annotated[
        str,
        column(
            "action taken",
            codes=("none", "reduced", "interrupted", "withdrawn", "increased", "rate_reduced"),
            source="mitigating-action",
        ),
    ]


class AeSeriousness(Fact, frozen=True, kw_only=True):
    """A criterion that makes the event serious."""

    criterion: Annotated[
        str,
        column(
            "criterion",
            codes=("death", "life_threatening", "hospitalisation", "disability", "congenital", "intervention", "other"),
            source="seriousness-criteria",
        ),
    ]


MEDDRA = "https://www.meddra.org"
SEVERITIES = frozenset(("mild", "moderate", "severe"))
_WORST_OUTCOME = ("fatal", "ongoing", "recovering", "resolved_with_sequelae", "resolved", "unknown")


def read(event: fhir.AdverseEvent, reading: Reading) -> Iterable[Any]:
    """An adverse event of the participant: what, grade, onset, end, serious, outcome.

    Out: potential events, those entered in error, grade 0. A term that leads to no CTCAE term counts, without one.
    Grades that disagree: a Doubt with all of them, the highest provisionally. Onset: occurrence, else date, else
    detected; two that differ are a Doubt, the earlier provisionally; a hospital's carrier goes before all.
    Source: profiles.md §1.4, §7; endpoints.md §0.20, §10.
    """
    aside = _set_aside(event)
    if aside is not None:
        return (aside,)
    grades = stated_grades(event)
    if grades and all([grade.number == ABSENT for grade in grades]):
        return (Ignored("grade_0_no_event"),)
    return _happened(event, reading, grades)


def _happened(event: fhir.AdverseEvent, reading: Reading, grades: tuple[Grade, ...]) -> Iterator[Any]:
    moments = Moments(reading)
    onset, doubts = _onset(event, reading, moments)
    end = moments.read(event.end[1], event.end[0]) if event.end is not None else None
    not_after = moments.read(event.recorded_date, "recordedDate") if onset is None else None
    words = _words(reading.concepts, reading.hospital.id, event.what, event.severity, event.seriousness, event.outcomes)
    yield AdverseEvent(
        element="",
        term=words.term,
        term_text=words.term_text,
        term_code=words.term_code,
        soc=words.soc,
        ctcae=_version(grades, reading),
        grade=_worst(grades),
        severity=words.severity,
        onset=onset,
        end_date=end,
        not_after=not_after,
        serious=True if event.criteria else words.serious,
        outcome=words.outcome,
    )
    yield from moments.problems
    if words.doubted_term is not None:
        yield reading.code_doubt(words.doubted_term, event.what_element, holds=False)
    if words.doubted_outcome is not None:
        yield reading.code_doubt(words.doubted_outcome, "outcome", holds=False)
    yield from doubts
    yield from _grade_doubts(grades, reading)


def _set_aside(event: fhir.AdverseEvent) -> Ignored | None:
    if event.stated_status == "entered-in-error":
        return Ignored("entered_in_error")
    return Ignored("potential_event") if event.is_potential else None


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    """What an event's coded words mean; a doubted term counts all the same."""

    term: str | None
    term_text: str | None
    term_code: str | None
    soc: str | None
    severity: str | None
    serious: bool | None
    outcome: str | None
    doubted_term: Match | None
    doubted_outcome: Match | None


@lru_cache(maxsize=8192)
def _words(
    concepts: Concepts,
    hospital: str,
    what: CodeableConcept | None,
    severity: CodeableConcept | None,
    seriousness: CodeableConcept | None,
    outcomes: tuple[CodeableConcept, ...],
) -> _Words:
    """Remembered: a trial's events are told in the same words again and again."""
    term = _term(concepts, hospital, what)
    outcome, doubted = _outcome(concepts, hospital, outcomes)
    return _Words(**term, severity=_severity(severity), serious=_serious(seriousness), outcome=outcome,
                  doubted_outcome=doubted)


def _term(concepts: Concepts, hospital: str, what: CodeableConcept | None) -> dict[str, Any]:
    """Term columns; and the Match of a term that no list knows."""
    found: dict[str, Any] = dict.fromkeys(("term", "term_text", "term_code", "soc", "doubted_term"))
    if what is None:
        return found
    display = next((coding.display for coding in what.coding if coding.display), None)
    code = next((coding.code for coding in what.coding if system_of(coding.system) == MEDDRA and coding.code), None)
    found |= {"term_text": what.text or display, "term_code": code}
    match = concepts.look_up("adverse_event", hospital, what)
    if match.found != "mapped":
        unsettled = match.found != "unmatched" and bool(what.coding or what.text)
        return {**found, "doubted_term": match if unsettled else None}
    about = concepts.term("adverse_event", match.concept)
    return {**found, "term": match.concept, "term_code": code or about.get("code"), "soc": about.get("soc")}


def _onset(
    event: fhir.AdverseEvent, reading: Reading, moments: Moments
) -> tuple[PartialDate | None, tuple[Doubt, ...]]:
    for carried in reading.carried("onset"):
        return moments.read(carried, "onset"), ()
    stated = [
        (element, date) for element, written in event.onsets if (date := moments.read(written, element)) is not None
    ]
    if not stated:
        return None, ()
    first = stated[0][1]
    if len(stated) == 1:
        return first, ()
    for element, other in stated[1:]:
        if contradict(first, other):
            doubt = reading.doubt(
                "onset_dates_differ", "the record states two different days of onset", element, (first.text, other.text)
            )
            return earlier(first, other), (doubt,)
    return max((date for _, date in stated), key=lambda date: len(date.text)), ()


def _worst(grades: tuple[Grade, ...]) -> int | None:
    return max([grade.number for grade in grades], default=None)


def _version(grades: tuple[Grade, ...], reading: Reading) -> str | None:
    stated = [grade.version for grade in grades if grade.version]
    return stated[0] if stated else reading.protocol.toxicity.ctcae


def _grade_doubts(grades: tuple[Grade, ...], reading: Reading) -> Iterator[Doubt]:
    if len(grades) > 1 and len({grade.number for grade in grades}) > 1:
        yield reading.doubt(
            "grades_disagree",
            "the record states different grades",
            grades[0].element,
            tuple(f"{grade.element}: {grade.number}" for grade in grades),
        )


def _severity(severity: CodeableConcept | None) -> str | None:
    codes = [coding.code.casefold() for coding in severity.coding] if severity is not None else []
    return next((code for code in codes if code in SEVERITIES), None)


def _serious(seriousness: CodeableConcept | None) -> bool | None:
    """Serious by the flag, unless a criterion says so; severity words in `seriousness` (STU3) say nothing about it."""
    codes = {coding.code.casefold() for coding in seriousness.coding} if seriousness is not None else set()
    if "serious" in codes:
        return True
    return False if "non-serious" in codes else None


def _outcome(
    concepts: Concepts, hospital: str, outcomes: tuple[CodeableConcept, ...]
) -> tuple[str | None, Match | None]:
    """The outcome; of several (R5) the worst. And the Match of one that is doubtful."""
    matches = [concepts.look_up("ae_outcome", hospital, outcome) for outcome in outcomes]
    known = [match.concept for match in matches if match.found == "mapped"]
    doubtful = next((match for match in matches if match.found not in ("mapped", "unmatched")), None)
    return min(known, key=_WORST_OUTCOME.index, default=None), doubtful


def read_causality(event: fhir.AdverseEvent | Sheet, reading: Reading) -> Iterable[Any]:
    """Whether each named component caused it: possible or stronger is related, nothing recorded is unknown (None)."""
    if isinstance(event, Sheet):
        return read_sheet(event, reading)
    return _caused(event, reading) if event.suspects and _set_aside(event) is None else ()


def _caused(event: fhir.AdverseEvent, reading: Reading) -> Iterator[Any]:
    for suspect in event.suspects:
        name, trouble = component(reading, suspect.concept, suspect.reference, suspect.element, event)
        if trouble is not None:
            yield trouble
        if not suspect.judgements:
            yield AeCausality(element=suspect.element, component=name, relatedness=UNKNOWN)
        for index, judgement in enumerate(suspect.judgements):
            match = _without_case(reading, "ae_relatedness", judgement)
            if match.found == "mapped":
                yield AeCausality(
                    element=suspect.element,
                    index=index,
                    component=name,
                    relatedness=match.concept,
                    related=RELATED.get(match.concept),
                )
                continue
            yield AeCausality(element=suspect.element, index=index, component=name, relatedness=UNKNOWN)
            if match.found != "unmatched":
                yield reading.code_doubt(match, suspect.element, holds=False)


def _without_case(reading: Reading, concept_list: str, concept: CodeableConcept) -> Match:
    """A look-up in which case does not count: R4 writes `Probably-Likely`, R5 `probably-likely` (profiles.md §1.4)."""
    match = reading.look_up(concept_list, concept)
    if match.found != "unknown":
        return match
    lowered = tuple(Coding(system=c.system, code=c.code.casefold(), display=c.display) for c in concept.coding)
    again = reading.look_up(concept_list, CodeableConcept(coding=lowered, text=concept.text))
    return match if again.found == "unknown" else again


def read_action(event: fhir.AdverseEvent, reading: Reading) -> Iterable[Any]:
    """What was done with a component because of the event (CDISC C66767); an item that is no such action is none."""
    return _actions(event, reading) if event.actions and _set_aside(event) is None else ()


def _actions(event: fhir.AdverseEvent, reading: Reading) -> Iterator[Any]:
    for element, action, reference in event.actions:
        match = reading.meanings(action).get("ae_action") if action is not None else None
        if match is None or match.found != "mapped":
            continue
        yield from _acted(event, reading, element, match.concept, reference)


def _acted(event: fhir.AdverseEvent, reading: Reading, element: str, action: str, reference: Any) -> Iterator[Any]:
    """The component is the one that the action refers to; else the event's only suspect; else unknown."""
    suspects = event.suspects
    if reference is not None:
        name, trouble = component(reading, None, reference, element, event)
    elif len(suspects) == 1:
        name, trouble = component(reading, suspects[0].concept, suspects[0].reference, element, event)
    else:
        name, trouble = UNKNOWN, None
    if trouble is not None:
        yield trouble
    yield AeAction(element=element, component=name, action=action)


def read_seriousness(event: fhir.AdverseEvent, reading: Reading) -> Iterable[Any]:
    """What makes the event serious, one fact per criterion that is said to be present."""
    return _criteria(event, reading) if event.criteria and _set_aside(event) is None else ()


def _criteria(event: fhir.AdverseEvent, reading: Reading) -> Iterator[Any]:
    for index, criterion in enumerate(event.criteria):
        match = reading.look_up("ae_seriousness", criterion)
        if match.found == "mapped":
            yield AeSeriousness(element="extension[seriousness-criteria]", index=index, criterion=match.concept)
        elif match.found != "unmatched":
            yield reading.code_doubt(match, "extension[seriousness-criteria]", holds=False)


_READS = ("AdverseEvent",)
DOMAINS = (
    Domain(
        name="adverse_event",
        fact=AdverseEvent,
        title="adverse events",
        reads=_READS,
        read=read,
        same=("term", "onset"),
        agree=(),
    ),
    Domain(
        name="ae_causality", fact=AeCausality, title="causality of adverse events", reads=(*_READS, "Sheet"),
        read=read_causality,
    ),
    Domain(name="ae_action", fact=AeAction, title="actions taken for adverse events", reads=_READS, read=read_action),
    Domain(
        name="ae_seriousness",
        fact=AeSeriousness,
        title="what makes adverse events serious",
        reads=_READS,
        read=read_seriousness,
    ),
)

"""Adverse events: the event itself, its causality per component, the action taken, what makes it serious."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.concepts import Match, system_of
from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.ae_grade import ABSENT, Grade, stated_grades
from fhir_adapter.domains.moments import Moments, contradict, earlier
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.treatment_component import UNKNOWN, component
from fhir_adapter.fhir import adverse_event as fhir
from fhir_adapter.fhir.elements import CodeableConcept, Coding


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


class AeCausality(Fact, frozen=True, kw_only=True):
    """Whether one treatment component caused the event, as the reporter judged."""

    component: Annotated[str, column("drug concept, or `radiotherapy`", source="suspectEntity.instance")]
    relatedness: Annotated[
        str,
        column(
            "as reported, in one list",
            codes=("related", "possibly", "probably", "unlikely", "not_related", "unknown"),
            source="causality",
        ),
    ]
    related: Annotated[bool | None, column("possible or stronger counts as related; None when not recorded")] = None


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
_RELATED = {"related": True, "probably": True, "possibly": True, "unlikely": False, "not_related": False}


def read(event: fhir.AdverseEvent, reading: Reading) -> Iterator[Any]:
    """An adverse event of the participant: what, grade, onset, end, serious, outcome.

    Out: potential events, those entered in error, grade 0. A term that leads to no CTCAE term counts, without one.
    Grades that disagree: a Doubt with all of them, the highest provisionally. Onset: occurrence, else date, else
    detected; two that differ are a Doubt, the earlier provisionally; a hospital's carrier goes before all.
    Source: profiles.md §1.4, §7; endpoints.md §0.20, §10.
    """
    aside = _set_aside(event)
    if aside is not None:
        yield aside
        return
    grades = stated_grades(event)
    if grades and all(grade.number == ABSENT for grade in grades):
        yield Ignored("grade_0_no_event")
        return
    moments = Moments(reading)
    onset, doubts = _onset(event, reading, moments)
    end = moments.read(event.end[1], event.end[0]) if event.end is not None else None
    not_after = moments.read(event.recorded_date, "recordedDate") if onset is None else None
    term, doubt = _term(event, reading)
    outcome, outcome_doubt = _outcome(event, reading)
    yield AdverseEvent(
        element="",
        **term,
        ctcae=_version(grades, reading),
        grade=_worst(grades),
        severity=_severity(event),
        onset=onset,
        end_date=end,
        not_after=not_after,
        serious=_serious(event),
        outcome=outcome,
    )
    yield from moments.problems
    yield from (found for found in (doubt, outcome_doubt) if found is not None)
    yield from (*doubts, *_grade_doubts(grades, reading))


def _set_aside(event: fhir.AdverseEvent) -> Ignored | None:
    if event.stated_status == "entered-in-error":
        return Ignored("entered_in_error")
    return Ignored("potential_event") if event.is_potential else None


def _term(event: fhir.AdverseEvent, reading: Reading) -> tuple[dict[str, Any], Doubt | None]:
    """Term columns; and the Doubt about a term that no list knows: the event counts all the same."""
    what = event.what
    if what is None:
        return {}, None
    display = next((coding.display for coding in what.coding if coding.display), None)
    code = next((coding.code for coding in what.coding if system_of(coding.system) == MEDDRA and coding.code), None)
    found: dict[str, Any] = {"term_text": what.text or display, "term_code": code}
    match = reading.look_up("adverse_event", what)
    if match.found != "mapped":
        unsettled = match.found != "unmatched" and bool(what.coding or what.text)
        return found, reading.code_doubt(match, event.what_element, holds=False) if unsettled else None
    about = reading.concepts.term("adverse_event", match.concept)
    return {**found, "term": match.concept, "term_code": code or about.get("code"), "soc": about.get("soc")}, None


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
    for element, other in stated[1:]:
        if contradict(first, other):
            doubt = reading.doubt(
                "onset_dates_differ", "the record states two different days of onset", element, (first.text, other.text)
            )
            return earlier(first, other), (doubt,)
    return max((date for _, date in stated), key=lambda date: len(date.text)), ()


def _worst(grades: tuple[Grade, ...]) -> int | None:
    return max((grade.number for grade in grades), default=None)


def _version(grades: tuple[Grade, ...], reading: Reading) -> str | None:
    stated = next((grade.version for grade in grades if grade.version is not None), None)
    return stated or reading.protocol.toxicity.ctcae


def _grade_doubts(grades: tuple[Grade, ...], reading: Reading) -> Iterator[Doubt]:
    if len({grade.number for grade in grades}) > 1:
        yield reading.doubt(
            "grades_disagree",
            "the record states different grades",
            grades[0].element,
            tuple(f"{grade.element}: {grade.number}" for grade in grades),
        )


def _severity(event: fhir.AdverseEvent) -> str | None:
    codes = (coding.code.casefold() for coding in event.severity.coding) if event.severity is not None else ()
    return next((code for code in codes if code in SEVERITIES), None)


def _serious(event: fhir.AdverseEvent) -> bool | None:
    """Serious by the flag or by any criterion; severity words in `seriousness` (STU3) say nothing about it."""
    if event.criteria:
        return True
    codes = {coding.code.casefold() for coding in event.seriousness.coding} if event.seriousness is not None else set()
    if "serious" in codes:
        return True
    return False if "non-serious" in codes else None


def _outcome(event: fhir.AdverseEvent, reading: Reading) -> tuple[str | None, Doubt | None]:
    """The outcome; of several (R5) the worst."""
    matches = [reading.look_up("ae_outcome", outcome) for outcome in event.outcomes]
    known = [match.concept for match in matches if match.found == "mapped"]
    doubtful = next((match for match in matches if match.found not in ("mapped", "unmatched")), None)
    doubt = reading.code_doubt(doubtful, "outcome", holds=False) if doubtful is not None else None
    return min(known, key=_WORST_OUTCOME.index, default=None), doubt


def read_causality(event: fhir.AdverseEvent, reading: Reading) -> Iterator[Any]:
    """Whether each named component caused it: possible or stronger is related, nothing recorded is unknown (None)."""
    if _set_aside(event) is not None:
        return
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
                    related=_RELATED.get(match.concept),
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


def read_action(event: fhir.AdverseEvent, reading: Reading) -> Iterator[Any]:
    """What was done with a component because of the event (CDISC C66767); an item that is no such action is none."""
    if _set_aside(event) is not None:
        return
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


def read_seriousness(event: fhir.AdverseEvent, reading: Reading) -> Iterator[Any]:
    """What makes the event serious, one fact per criterion that is said to be present."""
    if _set_aside(event) is not None:
        return
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
        name="ae_causality", fact=AeCausality, title="causality of adverse events", reads=_READS, read=read_causality
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

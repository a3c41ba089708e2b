"""Adverse events: the event itself, its causality per component, the action taken, what makes it serious."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class AdverseEvent(Fact, frozen=True, kw_only=True):
    """One adverse event record: term, grade, onset, end, outcome."""

    term: Annotated[str | None, column("CTCAE term, if the code leads to one", source="event, R5 code, STU3 type")] = None
    term_text: Annotated[str | None, column("the term as reported", source="event.text, coding.display")] = None
    term_code: Annotated[str | None, column("MedDRA LLT code of the term")] = None
    soc: Annotated[str | None, column("system organ class of the CTCAE term", source="mappings/ctcae")] = None
    ctcae: Annotated[str | None, column("CTCAE version of the grade, if stated; else that of the trial")] = None
    grade: Annotated[int | None, column("CTCAE grade 1 to 5; never from severity", source="ae-grade, ctcae-grade, MII severity, text")] = None
    severity: Annotated[str | None, column("severity word as reported, not a grade", codes=("mild", "moderate", "severe"), source="severity")] = None
    onset: Annotated[PartialDate | None, column("onset", source="occurrence[x], date, detected")] = None
    end_date: Annotated[PartialDate | None, column("end", source="occurrencePeriod.end, resolve-date")] = None
    not_after: Annotated[PartialDate | None, column("latest possible onset, when only the recording date is known", source="recordedDate")] = None
    serious: Annotated[bool | None, column("whether it is serious", source="seriousness, seriousness-criteria")] = None
    outcome: Annotated[str | None, column("outcome", codes=("resolved", "recovering", "ongoing", "resolved_with_sequelae", "fatal", "unknown"), source="outcome")] = None


class AeCausality(Fact, frozen=True, kw_only=True):
    """Whether one treatment component caused the event, as the reporter judged."""

    component: Annotated[str, column("drug concept, or `radiotherapy`", source="suspectEntity.instance")]
    relatedness: Annotated[str, column("as reported, in one list", codes=("related", "possibly", "probably", "unlikely", "not_related", "unknown"), source="causality")]
    related: Annotated[bool | None, column("possible or stronger counts as related; None when not recorded")] = None


class AeAction(Fact, frozen=True, kw_only=True):
    """What was done with one treatment component because of the event."""

    component: Annotated[str, column("drug concept, or `radiotherapy`")]
    action: Annotated[str, column("action taken", codes=("none", "reduced", "interrupted", "withdrawn", "increased", "rate_reduced"), source="mitigating-action")]


class AeSeriousness(Fact, frozen=True, kw_only=True):
    """A criterion that makes the event serious."""

    criterion: Annotated[str, column("criterion", codes=("death", "life_threatening", "hospitalisation", "disability", "congenital", "intervention", "other"), source="seriousness-criteria")]

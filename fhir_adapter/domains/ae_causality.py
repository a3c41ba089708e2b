"""Whether a treatment component caused an adverse event: as its record says, or as a signed sheet does."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.facts import Fact, column
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.signed_row import SignedRow
from fhir_adapter.domains.treatment_component import RADIOTHERAPY
from fhir_adapter.fhir.elements import CodeableConcept
from fhir_adapter.fhir.sheet import Sheet

WORDS = ("related", "possibly", "probably", "unlikely", "not_related", "unknown")

RELATED = {"related": True, "probably": True, "possibly": True, "unlikely": False, "not_related": False}


class AeCausality(Fact, frozen=True, kw_only=True):
    """Whether one treatment component caused the event, as the reporter judged."""

    component: Annotated[str, column("drug concept, or `radiotherapy`", source="suspectEntity.instance")]
    relatedness: Annotated[
        str,
        column(
            "as reported, in one list",
            codes=WORDS,
            source="causality",
        ),
    ]
    related: Annotated[bool | None, column("possible or stronger counts as related; None when not recorded")] = None
    record: Annotated[
        str | None, column("opaque key of the event that a sheet speaks of", source="supplement causality")
    ] = None


def read_sheet(resource: Sheet, reading: Reading) -> Iterator[Any]:
    """A row of the sheet causality: whether a component caused the event that a hospital's record reports.

    It stands beside what the record itself says: where the two differ, a conflict opens.
    """
    if resource.sheet != "causality":
        return
    row = SignedRow(resource, reading)
    record = row.record("record", "hospital", ("AdverseEvent",))
    component = _component(row)
    relatedness = row.one_of("relatedness", WORDS) or "unknown"
    row.signed()
    if row.problems:
        yield from row.problems
        return
    yield AeCausality(element="row", component=component, relatedness=relatedness, related=RELATED.get(relatedness),
                      record=record)


def _component(row: SignedRow) -> str:
    """A drug of the study's terms, a name that leads to one, or radiotherapy."""
    written = row.filled("component")
    if written is None or written == RADIOTHERAPY or written in row.reading.concepts.terms.get("drug", {}):
        return written or ""
    match = row.reading.look_up("drug", CodeableConcept(text=written))
    if match.found != "mapped":
        row.wrong("component", "no concept of the list drug, nor radiotherapy")
    return match.concept

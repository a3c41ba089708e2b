"""A serious adverse event as the sponsor's safety database has it, from a supplement: to be reconciled, never counted.

It is a second statement about an event that a hospital reports; endpoints read `adverse_event` alone, and what the two
say differently is a conflict (review/reconciliation.py).
"""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, column
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.signed_row import SignedRow
from fhir_adapter.fhir.elements import CodeableConcept, Coding
from fhir_adapter.fhir.sheet import Sheet

MEDDRA = "https://www.meddra.org"
OUTCOMES = ("resolved", "recovering", "ongoing", "resolved_with_sequelae", "fatal", "unknown")


class SafetyReport(Fact, frozen=True, kw_only=True):
    """A serious adverse event as the safety database has it; its case number stays in the vault."""

    term: Annotated[str | None, column("CTCAE term, if the term or code leads to one", source="supplement safety")]
    term_text: Annotated[str, column("the term as the safety database has it")]
    onset: Annotated[PartialDate | None, column("onset")] = None
    end_date: Annotated[PartialDate | None, column("end")] = None
    grade: Annotated[int | None, column("CTCAE grade 1 to 5")] = None
    serious: Annotated[bool | None, column("whether it is serious")] = None
    outcome: Annotated[str | None, column("outcome", codes=OUTCOMES)] = None


def read(resource: Sheet, reading: Reading) -> Iterator[Any]:
    """A row of the sheet safety: term (a CTCAE term or a MedDRA LLT code), onset, end, grade, serious, outcome.

    A term that no list knows is kept as text: it is reconciled by its text.
    """
    if resource.sheet != "safety":
        return
    row = SignedRow(resource, reading)
    written = row.filled("term") or ""
    concept = CodeableConcept(coding=(Coding(system=MEDDRA, code=written),), text=written)
    match = reading.look_up("adverse_event", concept)
    onset, end = row.day("onset"), row.day("end_date")
    grade = row.word("grade", ("1", "2", "3", "4", "5"))
    serious, outcome = row.yes_no("serious"), row.word("outcome", OUTCOMES)
    row.signed()
    if row.problems:
        yield from row.problems
        return
    yield SafetyReport(
        element="row", term=match.concept if match.found == "mapped" else None, term_text=written, onset=onset,
        end_date=end, grade=None if grade is None else int(grade), serious=serious, outcome=outcome,
    )


DOMAIN = Domain(
    name="safety_report", fact=SafetyReport, title="Serious adverse events of the safety database", reads=("Sheet",),
    read=read, same=("term", "term_text", "onset"), agree=("serious", "outcome"),
)

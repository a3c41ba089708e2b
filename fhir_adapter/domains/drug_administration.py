"""A dose of a study drug, or a stated period of taking it."""

from decimal import Decimal
from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class DrugAdministration(Fact, frozen=True, kw_only=True):
    """A dose of a study drug, or a stated period of taking it."""

    drug: Annotated[str, column("drug concept", source="MedicationAdministration.medication[x]")]
    status: Annotated[str, column("status in R4 words (STU3 notGiven becomes not-done)", codes=("in-progress", "not-done", "on-hold", "completed", "stopped", "unknown", "active", "intended"), source=".status")]
    given: Annotated[bool, column("whether it counts as given: completed, stopped or in progress, and not a stated zero dose")]
    evidence: Annotated[str, column("rank of the evidence", codes=("administered", "stated", "dispensed", "ordered"))]
    start_date: Annotated[PartialDate | None, column("start of the dose or of the period", source="effective[x], R5 occurence[x]")] = None
    end_date: Annotated[PartialDate | None, column("end of the dose or of the period", source="effectivePeriod.end")] = None
    dose_mg: Annotated[Decimal | None, column("dose in milligrams; for a stated period the dose of one intake", unit="mg", source="dosage.dose")] = None
    dose_text: Annotated[str | None, column("dose value exactly as written", source="dosage.dose.value")] = None
    dose_unit: Annotated[str | None, column("dose unit as written", source="dosage.dose.unit, code")] = None
    route: Annotated[str | None, column("route of administration", codes=("oral", "intravenous", "other"), source="dosage.route")] = None
    reason: Annotated[str | None, column("why it was not given or stopped, as a concept", source="statusReason, reasonNotGiven")] = None

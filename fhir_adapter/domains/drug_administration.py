"""A dose of a study drug, or a stated period of taking it."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from msgspec.structs import replace

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, column
from fhir_adapter.core.problems import Problem
from fhir_adapter.core.remembered import MOST_STATEMENTS, Remembered
from fhir_adapter.core.units import Units
from fhir_adapter.domains.drug import EVIDENCE, RECORDS, Drug, dose_mg, drug_of, silent
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import CodeableConcept, Quantity
from fhir_adapter.fhir.medication_administration import MedicationAdministration


class DrugAdministration(Fact, frozen=True, kw_only=True):
    """A dose of a study drug, or a stated period of taking it."""

    drug: Annotated[str, column("drug concept", source="MedicationAdministration.medication[x]")]
    status: Annotated[
        str,
        column(
            "status in R4 words (STU3 notGiven becomes not-done)",
            codes=("in-progress", "not-done", "on-hold", "completed", "stopped", "unknown", "active", "intended"),
            source=".status",
        ),
    ]
    given: Annotated[
        bool,
        column("whether it counts as given: completed, stopped or in progress, and not a stated zero dose"),
    ]
    evidence: Annotated[str, column("rank of the evidence", codes=("administered", "stated", "dispensed", "ordered"))]
    start_date: Annotated[
        PartialDate | None,
        column("start of the dose or of the period", source="effective[x], R5 occurence[x]"),
    ] = None
    end_date: Annotated[
        PartialDate | None,
        column("end of the dose or of the period", source="effectivePeriod.end"),
    ] = None
    dose_mg: Annotated[
        Decimal | None,
        column("dose in milligrams; for a stated period the dose of one intake", unit="mg", source="dosage.dose"),
    ] = None
    dose_text: Annotated[str | None, column("dose value exactly as written", source="dosage.dose.value")] = None
    dose_unit: Annotated[str | None, column("dose unit as written", source="dosage.dose.unit, code")] = None
    route: Annotated[
        str | None,
        column("route of administration", codes=("oral", "intravenous", "other"), source="dosage.route"),
    ] = None
    reason: Annotated[
        str | None,
        column("why it was not given or stopped, as a concept", source="statusReason, reasonNotGiven"),
    ] = None
    sub_potent: Annotated[
        bool | None,
        column("whether its source says that it had less than its full strength", source="R5 isSubPotent"),
    ] = None


def read(resource: Any, reading: Reading) -> Iterable[Any]:
    """Every record about a study drug, given or not; also says why a drug record of any class has no meaning here.

    With a rate beside it the dose is the total amount (profiles.md §1.1). A rate alone, or a dose in a unit that
    leads to no milligrams, is an exposure of unknown dose; a stated zero dose is none.
    """
    drug = drug_of(resource, reading)
    if drug.drug_class == "study":
        return _administered(resource, reading, drug)
    nothing = silent(drug, reading)
    return () if nothing is None else (nothing,)


def _administered(resource: Any, reading: Reading, drug: Drug) -> Iterator[Any]:
    known = _statements(reading.units, reading.concepts, reading.hospital.id)
    said = (drug, resource.dosage, resource.r4_status, resource.given, resource.reasons)
    undated = known.get(said)
    if undated is None:
        undated, problem = _undated(resource, reading, drug)
        if problem is None:
            known.keep(said, undated)
        else:
            yield problem
    when = resource.when
    start, end = when.dates
    yield replace(undated, element=when.element or drug.element, start_date=start, end_date=end,
                  sub_potent=getattr(resource, "is_sub_potent", None))


@lru_cache(maxsize=64)
def _statements(units: Units, concepts: Concepts, hospital: str) -> Remembered[Any, DrugAdministration]:
    """What a hospital's records of a drug say beside their days, by drug, dosage, status and reasons: doses repeat."""
    return Remembered(MOST_STATEMENTS)


def _undated(resource: Any, reading: Reading, drug: Drug) -> tuple[DrugAdministration, Problem | None]:
    """What a record says beside its days, and the Problem of a dose that is no number of milligrams."""
    dose, route, at = _dosage(resource)
    mg, problem = dose_mg(dose, drug, reading, at)
    return DrugAdministration(
        element=drug.element,
        drug=drug.concept,
        status=resource.r4_status,
        given=resource.given and mg != 0,
        evidence=EVIDENCE[resource.resource_type],
        dose_mg=mg,
        dose_text=None if dose is None or dose.value is None else str(dose.value),
        dose_unit=None if dose is None else dose.code or dose.unit,
        route=_route(route, reading),
        reason=_reason(resource.reasons, reading),
    ), problem


def _dosage(resource: Any) -> tuple[Quantity | None, CodeableConcept | None, str]:
    """Dose and route, and the element of the dose; of several dosage instructions the first that has a dose."""
    if isinstance(resource, MedicationAdministration):
        dosage = resource.dosage
        return (None, None, "dosage") if dosage is None else (dosage.dose, dosage.route, "dosage.dose")
    route = next((d.route for d in resource.dosage if d.route is not None), None)
    name = "dosage" if resource.resource_type == "MedicationStatement" else "dosageInstruction"
    for index, dosage in enumerate(resource.dosage):
        if dosage.dose is not None:
            return dosage.dose, dosage.route or route, f"{name}[{index}]"
    return None, route, name


def _route(route: CodeableConcept | None, reading: Reading) -> str | None:
    if route is None:
        return None
    match = reading.look_up("route", route)
    if match.found != "mapped":
        return None
    return match.concept if match.concept in ("oral", "intravenous") else "other"


def _reason(reasons: tuple[CodeableConcept, ...], reading: Reading) -> str | None:
    """The first reason that the study knows; reasons nobody has mapped are not carried as text."""
    matches = (reading.look_up("reason", reason) for reason in reasons)
    return next((match.concept for match in matches if match.found == "mapped"), None)


DOMAIN = Domain(
    name="drug_administration", fact=DrugAdministration, title="Doses of study drugs", reads=RECORDS, read=read,
    same=("drug", "start_date"), agree=("given", "dose_mg"),
)

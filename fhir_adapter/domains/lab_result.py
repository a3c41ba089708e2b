"""One laboratory result."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, column
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.results import results
from fhir_adapter.fhir.observation import Observation


class LabResult(Fact, frozen=True, kw_only=True):
    """One laboratory result."""

    test: Annotated[str, column("laboratory test or vital sign", source="Observation.code")]
    date: Annotated[PartialDate | None, column("day of the sample", source="effective[x]")] = None
    time: Annotated[str | None, column("time of day with offset, as written")] = None
    status: Annotated[
        str,
        column(
            "status of the record",
            codes=("registered", "preliminary", "final", "amended", "corrected", "cancelled", "unknown"),
            source="status",
        ),
    ]
    comparator: Annotated[str | None, column("comparator as written", codes=("<", "<=", ">=", ">", "ad"))] = None
    value: Annotated[Decimal | None, column("value in the canonical unit")] = None
    unit: Annotated[str | None, column("canonical unit (UCUM)")] = None
    value_text: Annotated[str | None, column("value exactly as written", source="valueQuantity.value")] = None
    unit_text: Annotated[str | None, column("unit as written", source="valueQuantity.code, unit")] = None
    low: Annotated[Decimal | None, column("lower limit of the record, canonical unit", source="referenceRange.low")] = (
        None
    )
    high: Annotated[
        Decimal | None, column("upper limit of the record, canonical unit", source="referenceRange.high")
    ] = None
    low_text: Annotated[str | None, column("lower limit as written")] = None
    high_text: Annotated[str | None, column("upper limit as written")] = None


LIST = "lab_result"


def read(observation: Observation, reading: Reading) -> Iterable[Any]:
    """A laboratory result by LOINC or local code: as reported beside the canonical unit, with the record's own limits.

    Not final ones are kept with their status; `entered-in-error` does not count. A unit that nobody can convert leaves
    the canonical value empty and raises `unit_unknown`, one per hospital, unit and test. A comparator stays beside its
    number.
    """
    return results(observation, reading, LIST, LabResult, limits=True)


DOMAIN = Domain(
    name="lab_result", fact=LabResult, title="laboratory results", reads=("Observation",), read=read, lists=(LIST,)
)

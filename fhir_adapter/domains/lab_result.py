"""One laboratory result."""

from decimal import Decimal
from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class LabResult(Fact, frozen=True, kw_only=True):
    """One laboratory result."""

    test: Annotated[str, column("laboratory test or vital sign", source="Observation.code")]
    date: Annotated[PartialDate | None, column("day of the sample", source="effective[x]")] = None
    time: Annotated[str | None, column("time of day with offset, as written")] = None
    status: Annotated[str, column("status of the record", codes=("registered", "preliminary", "final", "amended", "corrected", "cancelled", "unknown"), source="status")]
    comparator: Annotated[str | None, column("comparator as written", codes=("<", "<=", ">=", ">", "ad"))] = None
    value: Annotated[Decimal | None, column("value in the canonical unit")] = None
    unit: Annotated[str | None, column("canonical unit (UCUM)")] = None
    value_text: Annotated[str | None, column("value exactly as written", source="valueQuantity.value")] = None
    unit_text: Annotated[str | None, column("unit as written", source="valueQuantity.code, unit")] = None
    low: Annotated[Decimal | None, column("lower limit of the record, canonical unit", source="referenceRange.low")] = None
    high: Annotated[Decimal | None, column("upper limit of the record, canonical unit", source="referenceRange.high")] = None
    low_text: Annotated[str | None, column("lower limit as written")] = None
    high_text: Annotated[str | None, column("upper limit as written")] = None

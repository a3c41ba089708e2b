"""One vital sign."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, column
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.results import results
from fhir_adapter.fhir.observation import Observation


class VitalSign(Fact, frozen=True, kw_only=True):
    """One vital sign."""

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


LIST = "vital_sign"


def read(observation: Observation, reading: Reading) -> Iterable[Any]:
    """Vital signs; a blood pressure panel (LOINC 85354-9) is read by its components, never counted itself."""
    return results(observation, reading, LIST, VitalSign, limits=False)


DOMAIN = Domain(
    name="vital_sign", fact=VitalSign, title="vital signs", reads=("Observation",), read=read, lists=(LIST,)
)

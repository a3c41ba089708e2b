"""A stay or visit at the hospital."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class HospitalStay(Fact, frozen=True, kw_only=True):
    """A stay or visit at the hospital."""

    kind: Annotated[str | None, column("class of the encounter", source="Encounter.class")] = None
    status: Annotated[str, column("status", source="status")]
    start_date: Annotated[PartialDate | None, column("start", source="period, actualPeriod")] = None
    end_date: Annotated[PartialDate | None, column("end")] = None
    died: Annotated[bool | None, column("discharged as dead", source="dischargeDisposition")] = None

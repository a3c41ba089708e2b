"""A stay or visit at the hospital."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.moments import Moments
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import Period
from fhir_adapter.fhir.encounter import Encounter


class HospitalStay(Fact, frozen=True, kw_only=True):
    """A stay or visit at the hospital."""

    kind: Annotated[str | None, column("class of the encounter", source="Encounter.class")] = None
    status: Annotated[str, column("status", source="status")]
    start_date: Annotated[PartialDate | None, column("start", source="period, actualPeriod")] = None
    end_date: Annotated[PartialDate | None, column("end")] = None
    died: Annotated[bool | None, column("discharged as dead", source="dischargeDisposition")] = None


NO_STAY = frozenset(("planned", "cancelled", "discontinued", "entered-in-error"))


def read(encounter: Encounter, reading: Reading) -> Iterator[Any]:
    """A stay or visit with its class; how it ended, when the discharge says so. What was only planned is none."""
    if encounter.status in NO_STAY:
        yield Ignored(f"status_{encounter.status}")
        return
    kind = None
    if encounter.classes is not None:
        match = reading.look_up("encounter_class", encounter.classes)
        kind = match.concept if match.found == "mapped" else None
        if match.found not in ("mapped", "unmatched"):
            yield reading.code_doubt(match, "class", holds=False)
    moments, period = Moments(reading), encounter.period or Period()
    start, end = moments.read(period.start, "period.start"), moments.read(period.end, "period.end")
    yield from moments.problems
    yield HospitalStay(
        element="", kind=kind, status=encounter.status, start_date=start, end_date=end, died=_died(encounter, reading)
    )


def _died(encounter: Encounter, reading: Reading) -> bool | None:
    """Whether the discharge was a death; None when nobody says how it ended."""
    match = reading.look_up("discharge", encounter.discharge) if encounter.discharge is not None else None
    return match.concept == "dead" if match is not None and match.found == "mapped" else None


DOMAIN = Domain(name="hospital_stay", fact=HospitalStay, title="stays and visits", reads=("Encounter",), read=read)

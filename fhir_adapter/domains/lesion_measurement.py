"""One size, or the reason for none, of one lesion on one day."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class LesionMeasurement(Fact, frozen=True, kw_only=True):
    """One size, or the reason for none, of one lesion on one day."""

    lesion: Annotated[str, column("opaque key of the lesion", source="Observation.focus, bodyStructure")]
    fragment: Annotated[str, column("fragment of a split lesion; empty for a whole one")] = ""
    date: Annotated[PartialDate | None, column("day of the scan", source="effective[x]")] = None
    visit: Annotated[str | None, column("visit as stated")] = None
    axis: Annotated[str | None, column("which diameter", codes=("longest", "short"), source="component.code")] = None
    state: Annotated[str, column("what was found", codes=("measured", "too_small", "absent", "not_evaluated", "present", "progressed"), source="value, dataAbsentReason, CDISC TUMSTATE")]
    size_um: Annotated[int | None, column("diameter in whole micrometres", unit="um", source="component.valueQuantity")] = None
    size_text: Annotated[str | None, column("diameter exactly as written")] = None
    size_unit: Annotated[str | None, column("unit as written")] = None
    method: Annotated[str | None, column("modality", codes=("CT", "MRI", "PET", "X-ray", "ultrasound", "clinical", "pathology", "other"), source="method")] = None
    evaluator: Annotated[str, column("role of the reader", codes=("investigator", "central 1", "central 2", "adjudicator"), source="hospital settings")]
    performer: Annotated[str | None, column("opaque key of the reader", source="performer")] = None

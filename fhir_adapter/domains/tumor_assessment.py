"""A scan or examination of the tumour at one time point."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class TumorAssessment(Fact, frozen=True, kw_only=True):
    """A scan or examination of the tumour at one time point."""

    visit: Annotated[str | None, column("visit as stated by the source or sheet")] = None
    start_date: Annotated[PartialDate | None, column("first scan", source="effective[x]")] = None
    end_date: Annotated[PartialDate | None, column("last scan", source="effectivePeriod.end")] = None
    method: Annotated[str | None, column("modality", codes=("CT", "MRI", "PET", "X-ray", "ultrasound", "clinical", "pathology", "other"), source="Observation.method")] = None
    evaluator: Annotated[str, column("role of the reader", codes=("investigator", "central 1", "central 2", "adjudicator"), source="hospital settings")]
    performer: Annotated[str | None, column("opaque key of the reader", source="performer")] = None
    stated_baseline: Annotated[bool, column("whether the source calls it the baseline")]

"""A delivered course, phase or fraction of radiotherapy. Levels are never added."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class Radiotherapy(Fact, frozen=True, kw_only=True):
    """A delivered course, phase or fraction of radiotherapy. Levels are never added."""

    level: Annotated[str, column("which level the record describes", codes=("course", "phase", "fraction"), source="Procedure.code")]
    part_of: Annotated[str | None, column("opaque key of the record that this one is part of", source="Procedure.partOf")] = None
    status: Annotated[str, column("status in R4 words", source="Procedure.status")]
    start_date: Annotated[PartialDate | None, column("first fraction", source="performedPeriod.start")] = None
    end_date: Annotated[PartialDate | None, column("last fraction so far", source="performedPeriod.end")] = None
    sessions: Annotated[int | None, column("fractions given", unit="fractions", source="mCODE radiotherapy-sessions")] = None
    modality: Annotated[str | None, column("modality concept", source="mCODE radiotherapy-modality")] = None
    technique: Annotated[str | None, column("technique concept", source="mCODE radiotherapy-technique")] = None
    derived_class: Annotated[str | None, column("class derived from fractionation, never stated", codes=("conventional", "sbrt", "low_dose", "other"))] = None
    site: Annotated[str | None, column("treated site concept", source="Procedure.bodySite")] = None
    intent: Annotated[str | None, column("intent", codes=("curative", "palliative"), source="mCODE procedure-intent")] = None
    reason: Annotated[str | None, column("why it was stopped", source="statusReason")] = None

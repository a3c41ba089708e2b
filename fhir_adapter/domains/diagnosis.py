"""A diagnosis with histology and stage."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class Diagnosis(Fact, frozen=True, kw_only=True):
    """A diagnosis with histology and stage."""

    concept: Annotated[str | None, column("what the condition is", source="Condition.code")] = None
    histology: Annotated[str | None, column("histology concept", source="mCODE histology-morphology-behavior")] = None
    onset: Annotated[PartialDate | None, column("date of diagnosis", source="Condition.onset[x], else recordedDate is not used")] = None
    stage: Annotated[str | None, column("stage group as stated", source="Condition.stage")] = None

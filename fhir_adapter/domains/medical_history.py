"""A condition before or beside the cancer."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class MedicalHistory(Fact, frozen=True, kw_only=True):
    """A condition before or beside the cancer."""

    concept: Annotated[str, column("condition concept", source="Condition.code")]
    onset: Annotated[PartialDate | None, column("onset")] = None
    end_date: Annotated[PartialDate | None, column("end", source="abatement[x]")] = None
    status: Annotated[str | None, column("clinical status", source="clinicalStatus")] = None

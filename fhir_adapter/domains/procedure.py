"""A procedure that is no radiotherapy."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class Procedure(Fact, frozen=True, kw_only=True):
    """A procedure that is no radiotherapy."""

    concept: Annotated[str, column("procedure concept", source="Procedure.code")]
    status: Annotated[str, column("status in R4 words", source="Procedure.status")]
    start_date: Annotated[PartialDate | None, column("start", source="performed[x], R5 occurrence[x]")] = None
    end_date: Annotated[PartialDate | None, column("end")] = None

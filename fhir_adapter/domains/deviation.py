"""A protocol deviation, from a supplement."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class Deviation(Fact, frozen=True, kw_only=True):
    """A protocol deviation, from a supplement."""

    category: Annotated[str, column("kind of deviation", source="supplement deviations")]
    date: Annotated[PartialDate | None, column("day")] = None
    important: Annotated[bool | None, column("whether it is important")] = None

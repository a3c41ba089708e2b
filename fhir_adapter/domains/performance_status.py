"""An ECOG or Karnofsky performance status."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class PerformanceStatus(Fact, frozen=True, kw_only=True):
    """An ECOG or Karnofsky performance status."""

    scale: Annotated[str, column("scale", codes=("ECOG", "Karnofsky"), source="code")]
    score: Annotated[int, column("score", source="value[x]")]
    date: Annotated[PartialDate | None, column("day", source="effective[x]")] = None

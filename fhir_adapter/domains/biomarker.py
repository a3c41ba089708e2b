"""A biomarker result (BRAF V600E, PD-L1)."""

from decimal import Decimal
from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class Biomarker(Fact, frozen=True, kw_only=True):
    """A biomarker result (BRAF V600E, PD-L1)."""

    marker: Annotated[str, column("marker concept", source="code")]
    result: Annotated[str | None, column("result concept or text as written", source="value[x]")] = None
    value: Annotated[Decimal | None, column("numeric result")] = None
    unit: Annotated[str | None, column("unit")] = None
    date: Annotated[PartialDate | None, column("day of the sample")] = None

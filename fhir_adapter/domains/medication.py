"""A concomitant medication."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class Medication(Fact, frozen=True, kw_only=True):
    """A concomitant medication."""

    concept: Annotated[str, column("drug concept")]
    drug_class: Annotated[str, column("class of the drug", codes=("study", "anticancer", "supportive", "other"))]
    start_date: Annotated[PartialDate | None, column("start")] = None
    end_date: Annotated[PartialDate | None, column("end")] = None
    evidence: Annotated[str, column("rank of the evidence", codes=("administered", "stated", "dispensed", "ordered"))]

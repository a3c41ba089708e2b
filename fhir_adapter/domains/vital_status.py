"""Whether and when a subject died, as one source states it."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class VitalStatus(Fact, frozen=True, kw_only=True):
    """Whether and when a subject died, as one source states it."""

    status: Annotated[str, column("what the source states", codes=("alive", "dead"), source="Patient.deceased[x]")]
    death: Annotated[PartialDate | None, column("date of death, as precisely as stated", source="Patient.deceasedDateTime")] = None
    statement: Annotated[str, column("kind of statement", codes=("deceased_date", "deceased_flag", "sheet", "adverse_event", "performance_status"))]
    cause: Annotated[str | None, column("cause of death, if stated", codes=("disease", "toxicity", "other", "unknown"), source="supplement disposition")] = None

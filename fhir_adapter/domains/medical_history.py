"""A condition before or beside the cancer."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.diagnosis import denied
from fhir_adapter.domains.moments import Moments
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.condition import Condition


class MedicalHistory(Fact, frozen=True, kw_only=True):
    """A condition before or beside the cancer."""

    concept: Annotated[str, column("condition concept", source="Condition.code")]
    onset: Annotated[PartialDate | None, column("onset")] = None
    end_date: Annotated[PartialDate | None, column("end", source="abatement[x]")] = None
    status: Annotated[str | None, column("clinical status", source="clinicalStatus")] = None


LIST = "medical_history"


def read(condition: Condition, reading: Reading) -> Iterator[Any]:
    """A condition that the trial asks for, other than the cancer under study."""
    match = reading.meanings(condition.code).get(LIST) if condition.code is not None else None
    return iter(()) if match is None else _had(condition, reading, match)


def _had(condition: Condition, reading: Reading, match: Match) -> Iterator[Any]:
    aside = denied(condition)
    if aside is None and match.found == "unmatched":
        aside = Ignored(match.note)
    if aside is not None:
        yield aside
        return
    if match.found != "mapped":
        yield reading.code_doubt(match, "code")
        return
    moments = Moments(reading)
    onset, end = moments.read(condition.started, "onset"), moments.read(condition.ended, "abatement")
    yield from moments.problems
    yield MedicalHistory(element="", concept=match.concept, onset=onset, end_date=end, status=condition.status)


DOMAIN = Domain(name="medical_history", fact=MedicalHistory, title="medical history", reads=("Condition",), read=read)

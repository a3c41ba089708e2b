"""A biomarker result (BRAF V600E, PD-L1)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.moments import Moments
from fhir_adapter.domains.observed import unusable
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.observation import Observation


class Biomarker(Fact, frozen=True, kw_only=True):
    """A biomarker result (BRAF V600E, PD-L1)."""

    marker: Annotated[str, column("marker concept", source="code")]
    result: Annotated[str | None, column("result concept or text as written", source="value[x]")] = None
    value: Annotated[Decimal | None, column("numeric result")] = None
    unit: Annotated[str | None, column("unit")] = None
    date: Annotated[PartialDate | None, column("day of the sample")] = None


LIST = "biomarker"


def read(observation: Observation, reading: Reading) -> Iterator[Any]:
    """A biomarker that the study's list knows, with its coded or numeric result; a text alone is not carried."""
    match = reading.meanings(observation.code).get(LIST)
    return iter(()) if match is None else _found(observation, reading, match)


def _found(observation: Observation, reading: Reading, match: Match) -> Iterator[Any]:
    aside = unusable(reading, observation, match)
    if aside is not None:
        yield aside
        return
    quantity, answer = observation.value_quantity, observation.value_codeable_concept
    result = None
    if answer is not None:
        meant = reading.look_up("biomarker_result", answer)
        result = meant.concept if meant.found == "mapped" else next((c.code for c in answer.coding if c.code), None)
    value = quantity.value if quantity is not None and quantity.comparator is None else None
    if result is None and value is None:
        yield Ignored("value_absent" if observation.data_absent_reason is not None else "no_coded_result")
        return
    moments, when = Moments(reading), observation.when
    date = moments.read(when.start, when.element)
    yield from moments.problems
    unit = (quantity.code or quantity.unit) if quantity is not None and value is not None else None
    yield Biomarker(element="value", marker=match.concept, result=result, value=value, unit=unit, date=date)


DOMAIN = Domain(name="biomarker", fact=Biomarker, title="biomarkers", reads=("Observation",), read=read, lists=(LIST,))

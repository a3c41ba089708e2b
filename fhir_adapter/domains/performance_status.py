"""An ECOG or Karnofsky performance status."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.moments import moment
from fhir_adapter.domains.observed import unusable
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.observation import Observation


class PerformanceStatus(Fact, frozen=True, kw_only=True):
    """An ECOG or Karnofsky performance status."""

    scale: Annotated[str, column("scale", codes=("ECOG", "Karnofsky"), source="code")]
    score: Annotated[int, column("score", source="value[x]")]
    date: Annotated[PartialDate | None, column("day", source="effective[x]")] = None


LIST = "performance_status"
_SCALES = {"ecog": ("ECOG", frozenset(range(6))), "karnofsky": ("Karnofsky", frozenset(range(0, 101, 10)))}
_WRITTEN = re.compile(r"(?:(?:ecog|kps|karnofsky)\s*:?\s*)?(\d{1,3})\s*%?", re.IGNORECASE)


def read(observation: Observation, reading: Reading) -> Iterator[Any]:
    """ECOG or Karnofsky in any of its four forms: integer, quantity, coded answer, text (STU3 knows no valueInteger).

    A score outside its scale is a Problem. ECOG 5 (dead) stays a score; it is no date of death.
    """
    match = reading.meanings(observation.code).get(LIST)
    return iter(()) if match is None else _scored(observation, reading, match)


def _scored(observation: Observation, reading: Reading, match: Match) -> Iterator[Any]:
    aside = unusable(reading, observation, match)
    if aside is not None:
        yield aside
        return
    scale, allowed = _SCALES[match.concept]
    answer = observation.value_codeable_concept
    if answer is not None:
        meant = reading.look_up("performance_score", answer)
        if meant.found not in ("mapped", "unmatched"):
            yield reading.code_doubt(meant, "value")
            return
        number: Decimal | None = Decimal(meant.concept) if meant.found == "mapped" else None
    else:
        number = _number(observation)
    if number is None:
        yield Ignored("value_absent" if observation.data_absent_reason is not None else "no_score")
        return
    if number != number.to_integral_value() or int(number) not in allowed:
        yield reading.problem("bad_number", "a score outside its scale", "value")
        return
    date, problem = moment(reading, observation.when)
    if problem is not None:
        yield problem
    yield PerformanceStatus(element="value", scale=scale, score=int(number), date=date)


def _number(observation: Observation) -> Decimal | None:
    if observation.value_string is not None:
        found = _WRITTEN.fullmatch(observation.value_string.strip())
        return Decimal(found[1]) if found is not None else None
    return observation.number


DOMAIN = Domain(
    name="performance_status",
    fact=PerformanceStatus,
    title="performance status",
    reads=("Observation",),
    read=read,
    same=("scale", "date"),
    agree=("score",),
    lists=(LIST,),
)

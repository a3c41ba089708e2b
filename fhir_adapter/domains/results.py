"""Numeric results, as laboratory results and vital signs share them: one value, or one per component.

This is the hot path: most records of a hospital are laboratory results.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from msgspec.structs import replace

from fhir_adapter.core.concepts import Concepts, Match
from fhir_adapter.core.dates import read_date
from fhir_adapter.core.facts import Fact, Ignored
from fhir_adapter.core.remembered import MOST_STATEMENTS, Remembered
from fhir_adapter.core.units import Units
from fhir_adapter.domains.moments import moment, time_of
from fhir_adapter.domains.observed import set_aside
from fhir_adapter.domains.quantities import Conversion, conversion, unit_contradiction, unit_doubt
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import Quantity
from fhir_adapter.fhir.observation import Observation, ReferenceRange, Valued, forms_of_value

COMPARATORS = frozenset(("<", "<=", ">=", ">", "ad"))


def results(
    observation: Observation, reading: Reading, concept_list: str, fact: Callable[..., Fact], *, limits: bool
) -> Iterable[Any]:
    """The facts of one Observation of a list of tests; nothing when neither its code nor a component is in the list.

    `fact` is made with the columns that laboratory results and vital signs share, and with the record's own normal
    range when `limits` is set.
    """
    if not observation.component:
        again = _again(observation, reading, concept_list)
        if again is not None:
            return again
    match = reading.meanings(observation.code).get(concept_list)
    parts: list[tuple[str, Valued, Match]] = [
        (f"component[{index}].", part, found)
        for index, part in enumerate(observation.component)
        if (found := reading.meanings(part.code).get(concept_list)) is not None
    ]
    if match is not None and (not parts or forms_of_value(observation)):
        parts.insert(0, ("", observation, match))
    return _results(observation, reading, concept_list, parts, (fact, limits)) if parts else ()


def _again(observation: Observation, reading: Reading, concept_list: str) -> tuple[Any, ...] | None:
    """The one fact of a statement that was met before, with its day set in; None when it takes a closer look."""
    known = _statements(reading.units, reading.concepts, reading.hospital.id, concept_list)
    said = ("", observation.code, observation.value_quantity, observation.reference_range, observation.status)
    undated, when = known.get(said), observation.effective_date_time
    if undated is None or undated.value is None or when is None:
        return None
    try:
        date = read_date(when)
    except ValueError:
        return None
    return (replace(undated, date=date, time=when[11:] or None),)


@lru_cache(maxsize=256)
def _statements(units: Units, concepts: Concepts, hospital: str, concept_list: str) -> Remembered[Any, Any]:
    """What a hospital's whole statements say beside their day, by element, code, quantity, limits and status.

    Laboratories repeat themselves. Quantities are known by identity: equal ones are one (Resource.REPEATED).
    """
    return Remembered(MOST_STATEMENTS)


def _results(
    observation: Observation,
    reading: Reading,
    concept_list: str,
    parts: list[tuple[str, Valued, Match]],
    how: tuple[Callable[..., Fact], bool],
) -> Iterator[Any]:
    (fact, limits), status = how, observation.status
    known = _statements(reading.units, reading.concepts, reading.hospital.id, concept_list)
    date, problem = moment(reading, observation.when)
    time = time_of(date)
    if problem is not None:
        yield problem
    for prefix, part, match in parts:
        quantity = part.value_quantity
        aside = set_aside(reading, observation, match, f"{prefix}code")
        if quantity is None and part.value_integer is not None:
            quantity = Quantity(value=Decimal(part.value_integer))
        if aside is not None:
            yield aside
            continue
        if quantity is None or quantity.value is None:
            yield Ignored(_why_no_number(part))
            continue
        said = (prefix, part.code, quantity, part.reference_range, status)
        undated, contradiction = known.get(said), None
        if undated is None:
            contradiction = unit_contradiction(reading, quantity, match, f"{prefix}value")
            convert = conversion(reading.units, reading.concepts, concept_list, match.concept)
            undated = _undated(quantity, part.reference_range if limits else (), convert, fact,
                               element=f"{prefix}value", status=status)
            if part.value_quantity is not None and contradiction is None:
                known.keep(said, undated)
        found = replace(undated, date=date, time=time)
        yield found
        if found.value is None:
            yield unit_doubt(reading, quantity, match.concept, found.element)
        if contradiction is not None:
            yield contradiction


def _undated(
    quantity: Quantity, ranges: tuple[ReferenceRange, ...], convert: Conversion, fact: Callable[..., Any], **said: str
) -> Any:
    """What a record says beside its day."""
    value, text = convert(cast(Decimal, quantity.value), quantity)
    return fact(
        **said,
        test=convert.test,
        value=value,
        comparator=quantity.comparator if quantity.comparator in COMPARATORS else None,
        unit=convert.unit or None,
        value_text=text,
        unit_text=quantity.code or quantity.unit,
        **_limits(ranges, quantity, convert),
    )


def _why_no_number(part: Valued) -> str:
    if part.data_absent_reason is not None:
        return "value_absent"
    if isinstance(part, Observation) and (part.members or part.component):
        return "panel_of_other_records"
    return "result_is_no_number" if forms_of_value(part) else "no_value"


_NO_LIMITS: dict[str, Any] = {}


def _limits(ranges: tuple[ReferenceRange, ...], quantity: Quantity, convert: Conversion) -> dict[str, Any]:
    """Lower and upper limit of the record's normal range; a limit without unit is in the unit of the value."""
    for normal in ranges:
        if normal.is_normal:
            low, low_text = _limit(normal.low, quantity, convert)
            high, high_text = _limit(normal.high, quantity, convert)
            return {"low": low, "low_text": low_text, "high": high, "high_text": high_text}
    return _NO_LIMITS


def _limit(limit: Quantity | None, quantity: Quantity, convert: Conversion) -> tuple[Decimal | None, str | None]:
    if limit is None or limit.value is None:
        return None, None
    return convert(limit.value, quantity if limit.unit is None and limit.code is None else limit)

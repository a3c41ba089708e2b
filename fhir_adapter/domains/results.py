"""Numeric results, as laboratory results and vital signs share them: one value, or one per component."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, Ignored
from fhir_adapter.domains.moments import Moments, time_of
from fhir_adapter.domains.observed import set_aside
from fhir_adapter.domains.quantities import Amount, Measure, amount, measure, unit_doubt
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import Quantity
from fhir_adapter.fhir.observation import Component, Observation, Valued, forms_of_value

COMPARATORS = frozenset(("<", "<=", ">=", ">", "ad"))


class Result(msgspec.Struct, frozen=True):
    """One numeric result: what was measured, when, the amount, and the record's own normal range."""

    element: str
    how: Measure
    status: str
    date: PartialDate | None
    time: str | None
    amount: Amount
    low: Amount | None = None
    high: Amount | None = None


def results(
    observation: Observation, reading: Reading, concept_list: str, fact_of: Callable[[Result], Fact]
) -> Iterator[Any]:
    """The facts of one Observation of a list of tests; nothing when neither its code nor a component is in the list."""
    match = reading.meanings(observation.code).get(concept_list)
    if match is None and not observation.component:
        return iter(())
    return _results(observation, reading, concept_list, match, fact_of)


def _results(
    observation: Observation, reading: Reading, concept_list: str, match: Match | None,
    fact_of: Callable[[Result], Fact],
) -> Iterator[Any]:
    parts: list[tuple[str, Valued, Match]] = [
        (f"component[{index}].", part, found)
        for index, part in enumerate(observation.component)
        if (found := reading.meanings(part.code).get(concept_list)) is not None
    ]
    if match is None and not parts:
        return
    if match is not None and (not parts or forms_of_value(observation)):
        parts.insert(0, ("", observation, match))
    moments = Moments(reading)
    when = observation.when
    date = moments.read(when.start, when.element)
    yield from moments.problems
    for prefix, part, found in parts:
        aside = set_aside(reading, observation, found, f"{prefix}code")
        if aside is not None:
            yield aside
            continue
        result = _result(observation, reading, prefix, part, measure(reading, concept_list, found.concept))
        if isinstance(result, Ignored):
            yield result
            continue
        result = msgspec.structs.replace(result, date=date, time=time_of(when.start))
        yield fact_of(result)
        yield from _doubts(reading, part, result)


def _result(
    observation: Observation, reading: Reading, prefix: str, part: Valued, how: Measure
) -> Result | Ignored:
    quantity = part.value_quantity
    if quantity is None and part.value_integer is not None:
        quantity = Quantity(value=Decimal(part.value_integer))
    found = amount(reading, quantity, how) if quantity is not None else None
    if found is None or quantity is None:
        return Ignored(_why_no_number(part))
    low, high = _limits(reading, part, quantity, how)
    return Result(f"{prefix}value", how, observation.status, None, None, found, low, high)


def _why_no_number(part: Valued) -> str:
    if part.data_absent_reason is not None:
        return "value_absent"
    if isinstance(part, Observation) and (part.members or part.component):
        return "panel_of_other_records"
    return "result_is_no_number" if forms_of_value(part) else "no_value"


def _limits(
    reading: Reading, part: Observation | Component, quantity: Quantity, how: Measure
) -> tuple[Amount | None, Amount | None]:
    """Lower and upper limit of the record's normal range; a limit without unit is in the unit of the value."""
    for limits in part.reference_range:
        if limits.is_normal:
            low, high = (_limit(reading, limit, quantity, how) for limit in (limits.low, limits.high))
            return low, high
    return None, None


def _limit(reading: Reading, limit: Quantity | None, quantity: Quantity, how: Measure) -> Amount | None:
    if limit is None or limit.value is None:
        return None
    if limit.unit is None and limit.code is None:
        limit = Quantity(value=limit.value, unit=quantity.unit, code=quantity.code)
    return amount(reading, limit, how)


def _doubts(reading: Reading, part: Valued, result: Result) -> Iterator[Doubt]:
    if result.amount.value is None:
        quantity = part.value_quantity or Quantity()
        yield unit_doubt(reading, quantity, result.how, result.element)


def comparator_of(found: Amount) -> str | None:
    """The comparator as written, if it is one that FHIR knows."""
    return found.comparator if found.comparator in COMPARATORS else None



"""The limits by which CTCAE grades a value, read from mappings/ctcae/criteria-vX.csv.

One row is one set of values that have a grade: bounds, whether they belong to it, the unit of the limits, and what else
must hold. A row without a unit compares with a limit of the record or with the baseline, in any unit.

- `lower`, `upper`: a number, or `LLN`, `ULN` (limits of the record). `branch` says what a number is: `absolute`, a
  multiple of `ULN`, `LLN` or `baseline`, an amount `above ULN`, or a `change` from baseline.
- `condition`, parted by `;`: what must hold of the baseline and its own normal range (`baseline>ULN`,
  `baseline<=5xULN`), of the value (`value>baseline`), or what no record says (`if symptoms`, `unless symptoms`).
- `gap_rule`: the row counts only under that `[toxicity] v5_gap_rule`: CTCAE's limits leave values between grades
  (129.5 mmol/L of sodium), which go to the `lower` or the `higher` of the two.
"""

import re
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import msgspec

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.units import Unit, Units

LISTS = ("lab_result", "vital_sign")
"""Fact tables with values, which are also the lists of their tests' attributes."""

_REFERENCES = {"ULN": "ULN", "LLN": "LLN", "baseline": "baseline", "above ULN": "ULN", "change": "baseline"}
_OF_BASELINE = re.compile(r"baseline(<=|>=|<|>)(?:([0-9.]+)x)?(ULN|LLN)")
_OF_VALUE = re.compile(r"value(<=|>=|<|>)(baseline|ULN|LLN)")


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity lies above (`lower`) or below `times` x a reference + `plus`; without a reference: `plus` itself."""

    lower: bool
    inclusive: bool
    reference: str = ""
    times: Decimal = Decimal(1)
    plus: Decimal = Decimal(0)


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """One set of values with a grade: every bound and every condition on the baseline must hold.

    `clinical`: None, or whether the question that no record answers must be answered with yes.
    """

    grade: int
    unit: str
    bounds: tuple[Bound, ...]
    of_baseline: tuple[Bound, ...]
    clinical: bool | None
    question: str


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How one CTCAE term grades one test; `units`: the units in which CTCAE gives limits, the first for all others."""

    test: str
    term: str
    direction: str
    criteria: tuple[Criterion, ...]
    units: tuple[str, ...]
    question: str

    def in_unit(self, unit: str) -> tuple[Criterion, ...]:
        """The criteria with limits in one unit, and those without a unit."""
        return tuple(one for one in self.criteria if one.unit in ("", unit))

    def uses(self, reference: str) -> bool:
        """Whether a limit of the record (`ULN`, `LLN`) or the baseline may be needed."""
        return any(bound.reference == reference for one in self.criteria for bound in one.bounds) or (
            reference == "baseline" and any(one.of_baseline for one in self.criteria))


def units_of(terms: Concepts) -> Units:
    """The study's units (mappings/units.csv)."""
    return Units(tuple(Unit(row["written"], row["ucum"], row["dimension"], Fraction(row["factor"]))
                       for row in terms.terms.get("unit", {}).values()))


def attributes(terms: Concepts, test: str) -> dict[str, str]:
    """Label, canonical unit and molar mass of a laboratory test or vital sign."""
    return next((found for name in LISTS if (found := terms.term(name, test))), {})


def scales(terms: Concepts, version: str, gap_rule: str, units: Units) -> dict[str, tuple[Scale, ...]]:
    """The scales of a CTCAE version by test; empty for a version without limits."""
    found: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in terms.terms.get(f"criteria {version}", {}).values():
        if row["gap_rule"] in ("", gap_rule):
            found[row["test"], row["term"]].append(row)
    by_test: dict[str, list[Scale]] = defaultdict(list)
    for (test, term), rows in found.items():
        about = attributes(terms, test)
        criteria = tuple(_criterion(row, about, units) for row in rows)
        by_test[test].append(Scale(
            test=test, term=term, direction=rows[0]["direction"], criteria=criteria,
            units=tuple(dict.fromkeys(one.unit for one in criteria if one.unit)) or ("",),
            question=next((one.question for one in criteria if one.question), ""),
        ))
    return {test: tuple(some) for test, some in by_test.items()}


def _criterion(row: dict[str, str], about: dict[str, str], units: Units) -> Criterion:
    branch = row["branch"]
    bounds = [_bound(row, side, about, units) for side in ("lower", "upper") if row[side]]
    of_baseline, clinical, question = [], None, ""
    for condition in filter(None, (part.strip() for part in row["condition"].split(";"))):
        if match := _OF_BASELINE.fullmatch(condition):
            of_baseline.append(_compared(match[1], match[3], match[2] or "1"))
        elif match := _OF_VALUE.fullmatch(condition):
            bounds.append(_compared(match[1], match[2], "1"))
        else:
            word, _, question = condition.partition(" ")
            clinical = {"if": True, "unless": False}[word]
    return Criterion(grade=int(row["grade"]), unit=row["unit"] if branch == "absolute" else "", bounds=tuple(bounds),
                     of_baseline=tuple(of_baseline), clinical=clinical, question=question)


def _compared(sign: str, reference: str, times: str) -> Bound:
    return Bound(lower=sign.startswith(">"), inclusive=sign.endswith("="), reference=reference, times=Decimal(times))


def _bound(row: dict[str, str], side: str, about: dict[str, str], units: Units) -> Bound:
    lower, inclusive, number, branch = side == "lower", row[f"{side}_inclusive"] == "yes", row[side], row["branch"]
    if number in ("LLN", "ULN"):
        return Bound(lower=lower, inclusive=inclusive, reference=number)
    if branch == "absolute":
        return Bound(lower=lower, inclusive=inclusive, plus=Decimal(number))
    reference = _REFERENCES[branch]
    if branch not in ("above ULN", "change"):
        return Bound(lower=lower, inclusive=inclusive, reference=reference, times=Decimal(number))
    unit = units.find(row["unit"], None)
    plus = None if unit is None else units.convert(Decimal(number), unit, about.get("unit", ""),
                                                   about.get("molar_mass", ""))
    return Bound(lower=lower, inclusive=inclusive, reference=reference,
                 plus=Decimal(number) if plus is None else plus)

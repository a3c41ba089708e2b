"""Grades of many values of one test at once: the lowest and the highest that each can have.

A value may have several grades when a reference is missing (no upper limit, no baseline), when a comparator makes it
a range, or when CTCAE asks what no record says (symptoms). Truth has three values here: a bound holds, does not hold,
or cannot be told; the grade is the highest that holds, and it is certain when no higher one is open.
Numbers are compared after rounding to 15 significant digits, as exact decimals wherever floats are too near to tell.
Source: CTCAE; endpoints.md §11.
"""

from collections.abc import Callable
from decimal import Context, Decimal

import msgspec
import numpy as np
import numpy.typing as npt

from fhir_adapter.endpoints.lab_criteria import Bound, Criterion, Scale

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.int8]
"""1: holds; 0: cannot be told; -1: does not hold. The smallest of several is their conjunction."""
Grades = npt.NDArray[np.int8]

NEAR = 1e-13
"""Floats that differ by less than this part of themselves are compared as decimals."""
DIGITS = Context(prec=15)


class Amounts(msgspec.Struct, frozen=True):
    """Numbers as floats (nan: missing) and, asked one by one, as exact decimals."""

    floats: Floats
    exact: Callable[[int], Decimal]

    @classmethod
    def of(cls, numbers: "list[Decimal | None]") -> "Amounts":
        """From decimals; None is missing."""
        def exact(index: int) -> Decimal:
            return numbers[index] or Decimal(0)

        return cls(np.array([np.nan if one is None else float(one) for one in numbers], dtype=np.float64), exact)

    def scaled(self, times: Decimal, plus: Decimal) -> "Amounts":
        """Every number times one, plus another."""
        return Amounts(self.floats * float(times) + float(plus), lambda index: self.exact(index) * times + plus)

    def only(self, places: npt.NDArray[np.intp]) -> "Amounts":
        """Some of the numbers."""
        return Amounts(self.floats[places], lambda index: self.exact(int(places[index])))


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one test: canonical, in the unit of the limits, and what they are compared with (canonical)."""

    value: Amounts
    reported: Amounts
    references: dict[str, Amounts]
    """`ULN`, `LLN`, `baseline`, and the baseline record's own `baseline ULN`, `baseline LLN`."""

    def only(self, places: npt.NDArray[np.intp]) -> "Sample":
        """Some of the values."""
        return Sample(value=self.value.only(places), reported=self.reported.only(places),
                      references={name: one.only(places) for name, one in self.references.items()})


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """What each value can be graded: without and with what the scale's question asks; `open`: a reference is missing.

    `lowest` and `highest` are those of both answers.
    """

    without: Grades
    with_: Grades
    lowest: Grades
    highest: Grades
    open: npt.NDArray[np.bool_]


def signs(left: Amounts, right: Amounts) -> Floats:
    """-1, 0 or 1 for each pair at 15 significant digits; nan where one is missing."""
    difference = left.floats - right.floats
    found: Floats = np.sign(difference)
    near = np.abs(difference) <= NEAR * np.maximum(np.abs(left.floats), np.abs(right.floats))
    for index in np.flatnonzero(near).tolist():
        one, other = DIGITS.plus(left.exact(index)), DIGITS.plus(right.exact(index))
        found[index] = float(one.compare(other))
    return found


def grade(sample: Sample, scale: Scale, unit: str) -> Range:
    """The grades that values can have on a scale, by the limits in one unit."""
    rows = [(one, _holds(one, sample)) for one in scale.in_unit(unit)]
    size = len(sample.value.floats)
    low_without, high_without = _extremes(rows, size, clinical=False)
    low_with, high_with = _extremes(rows, size, clinical=True)
    return Range(
        without=low_without, with_=low_with, lowest=np.minimum(low_without, low_with),
        highest=np.maximum(high_without, high_with),
        open=(low_without != high_without) | (low_with != high_with),
    )


def _extremes(rows: list[tuple[Criterion, Truths]], size: int, *, clinical: bool) -> tuple[Grades, Grades]:
    """The highest grade that holds, and the highest that may hold, if the question is answered so."""
    lowest, highest = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.int8)
    for one, truth in rows:
        if one.clinical is None or one.clinical == clinical:
            np.maximum(lowest, np.where(truth > 0, one.grade, 0).astype(np.int8), out=lowest)
            np.maximum(highest, np.where(truth >= 0, one.grade, 0).astype(np.int8), out=highest)
    return lowest, highest


def _holds(one: Criterion, sample: Sample) -> Truths:
    truth = np.ones(len(sample.value.floats), dtype=np.int8)
    for bound in one.bounds:
        if bound.reference:
            limit = sample.references[bound.reference].scaled(bound.times, bound.plus)
            sign = _beyond_the_other(signs(sample.value, limit), bound, sample)
        else:
            sign = signs(sample.reported, _constant(bound.plus, len(truth)))
        np.minimum(truth, _judged(sign, bound), out=truth)
    for bound in one.of_baseline:
        np.minimum(truth, _of_baseline(bound, sample), out=truth)
    return truth


def _beyond_the_other(sign: Floats, bound: Bound, sample: Sample) -> Floats:
    """A value at or beyond one limit of its record is not beyond the other one, also when that one is missing."""
    other = {"ULN": "LLN", "LLN": "ULN"}.get(bound.reference)
    if other is None or bound.lower != (bound.reference == "ULN") or not np.isnan(sign).any():
        return sign
    against = signs(sample.value, sample.references[other])
    far = (against <= 0) if bound.lower else (against >= 0)
    return np.where(np.isnan(sign) & far, -1.0 if bound.lower else 1.0, sign)


def _of_baseline(bound: Bound, sample: Sample) -> Truths:
    """Whether the baseline was beyond its own normal range; one that is missing cannot make a normal value abnormal."""
    limit = sample.references[f"baseline {bound.reference}"].scaled(bound.times, bound.plus)
    judged = _judged(signs(sample.references["baseline"], limit), bound)
    outside = bound.lower == (bound.reference == "ULN")
    if not outside:
        return judged
    sign = signs(sample.value, sample.references[bound.reference])
    normal = (sign <= 0) if bound.lower else (sign >= 0)
    return np.where(np.isnan(sample.references["baseline"].floats) & normal, -1, judged).astype(np.int8)


def _judged(sign: Floats, bound: Bound) -> Truths:
    holds = (sign > 0) if bound.lower else (sign < 0)
    if bound.inclusive:
        holds |= sign == 0
    return np.where(np.isnan(sign), 0, np.where(holds, 1, -1)).astype(np.int8)


def _constant(number: Decimal, size: int) -> Amounts:
    return Amounts(np.full(size, float(number)), lambda _: number)

"""Units: what a written unit means and how to convert it, exactly."""

from decimal import Decimal
from fractions import Fraction

import msgspec


class Unit(msgspec.Struct, frozen=True):
    """One written unit: its UCUM code, its dimension and how many of the dimension's first unit it is."""

    written: str
    ucum: str
    dimension: str
    factor: Fraction


class Units:
    """The rows of mappings/units.csv, asked by UCUM code or by the unit's text.

    Case counts (`MG` is not `mg` in UCUM), unless the row itself spells the other case.
    """

    def __init__(self, rows: tuple[Unit, ...]) -> None:
        self.rows = rows
        self._by_text = {row.written: row for row in rows}

    def find(self, code: str | None, text: str | None) -> Unit | None:
        """The unit meant by a quantity's code, else by its unit text; None if nobody told us."""
        for written in (code, text):
            if written and (unit := self._by_text.get(written.strip())) is not None:
                return unit
        return None

    def convert(self, value: Decimal, unit: Unit, target: str) -> Decimal | None:
        """The value in the unit `target` (a written unit of the same dimension); None across dimensions."""
        goal = self._by_text.get(target)
        if goal is None or goal.dimension != unit.dimension:
            return None
        return exact(Fraction(value) * unit.factor / goal.factor)


def exact(number: Fraction) -> Decimal:
    """A fraction as a decimal; beyond 28 digits it is rounded half even (only for factors that do not end)."""
    return (Decimal(number.numerator) / Decimal(number.denominator)).normalize() + Decimal(0)

"""Units: what a written unit means and how to convert it, exactly."""

from decimal import Decimal
from fractions import Fraction

import msgspec

from fhir_adapter.core import ucum

MOST_READ = 1_000
"""How many codes that no row spells are remembered."""
LONGEST = 40
"""A longer text is no unit."""

MASS_PER_VOLUME = "mass/volume"
"""Dimension whose first unit is g/L."""
AMOUNT_PER_VOLUME = "amount/volume"
"""Dimension whose first unit is mol/L."""


class Unit(msgspec.Struct, frozen=True):
    """One written unit: its UCUM code, its dimension and how many of the dimension's first unit it is."""

    written: str
    ucum: str
    dimension: str
    factor: Fraction


class Units:
    """The rows of mappings/units.csv, asked by UCUM code or by the unit's text.

    Case counts (`MG` is not `mg` in UCUM), unless the row itself spells the other case. A code that no row spells is
    read as UCUM, if it is exactly so much of a unit that a row spells; a text never is (`K/uL` is not kelvin).
    """

    def __init__(self, rows: tuple[Unit, ...]) -> None:
        self.rows = rows
        self._by_text = {row.written: row for row in rows}
        self._read: dict[str, Unit | None] = {}
        self._ratios: dict[tuple[str, str, str], tuple[Decimal, Decimal] | None] = {}

    def find(self, code: str | None, text: str | None) -> Unit | None:
        """The unit meant by a quantity's code, else by its unit text; None if nobody told us."""
        for written in (code, text):
            if written and (unit := self._by_text.get(written.strip())) is not None:
                return unit
        return self._as_ucum(code.strip()) if code else None

    def _as_ucum(self, code: str) -> Unit | None:
        """A code that no row spells, read once: this is the slow way."""
        if code not in self._read:
            if len(self._read) >= MOST_READ:
                self._read.clear()
            self._read[code] = self._by_ucum(code)
        return self._read[code]

    def _by_ucum(self, code: str) -> Unit | None:
        for dimension in sorted(ucum.DIMENSIONS):
            first = next((row for row in self.rows if row.dimension == dimension and row.factor == 1), None)
            found = ucum.ratio(code, first.ucum) if first is not None and len(code) <= LONGEST else None
            if found is not None:
                return Unit(code, code, dimension, found)
        return None

    def convert(self, value: Decimal, unit: Unit, target: str, molar_mass: str = "") -> Decimal | None:
        """The value in the unit `target` (a written unit of the same dimension); None across dimensions.

        With the molar mass of the substance (g/mol) a mass per volume and an amount per volume are of one dimension.
        """
        ratio = self.ratio(unit, target, molar_mass)
        return None if ratio is None else (value * ratio[0] / ratio[1]).normalize() + Decimal(0)

    def ratio(self, unit: Unit, target: str, molar_mass: str = "") -> tuple[Decimal, Decimal] | None:
        """What a value in `unit` is multiplied by and then divided by to be in `target`; None across dimensions."""
        key = (unit.written, target, molar_mass)
        if key not in self._ratios:
            self._ratios[key] = self._ratio(unit, target, molar_mass)
        return self._ratios[key]

    def _ratio(self, unit: Unit, target: str, molar_mass: str) -> tuple[Decimal, Decimal] | None:
        goal = self._by_text.get(target)
        if goal is None:
            return None
        ratio = unit.factor / goal.factor
        if unit.dimension != goal.dimension:
            if not molar_mass or {unit.dimension, goal.dimension} != {MASS_PER_VOLUME, AMOUNT_PER_VOLUME}:
                return None
            grams_per_mole = Fraction(molar_mass)
            ratio = ratio / grams_per_mole if goal.dimension == AMOUNT_PER_VOLUME else ratio * grams_per_mole
        return Decimal(ratio.numerator), Decimal(ratio.denominator)


def exact(number: Fraction) -> Decimal:
    """A fraction as a decimal; beyond 28 digits it is rounded half even (only for factors that do not end)."""
    return (Decimal(number.numerator) / Decimal(number.denominator)).normalize() + Decimal(0)

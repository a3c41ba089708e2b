"""Measured amounts: as written beside the canonical unit, exactly; never a guess about a unit."""

from decimal import Decimal
from functools import lru_cache

from fhir_adapter.core.concepts import Concepts, Match
from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.units import AMOUNT_PER_VOLUME, MASS_PER_VOLUME, Units
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import Quantity

DIMENSIONLESS = ("1", "{INR}")
MONOVALENT = "1"
_EQUIVALENT = "charge/volume"
_ZERO = Decimal(0)

Ratio = tuple[Decimal, Decimal]


class Conversion:
    """How the amounts of one test become its canonical unit (mappings/terms): called with a value and its quantity.

    A mass becomes an amount only with a molar mass; an equivalent equals a mole only for ions of one charge; a number
    without unit is taken only for a test that has none (INR).
    """

    __slots__ = ("_ratios", "_seen", "molar_mass", "test", "unit", "units", "valence")

    def __init__(self, units: Units, test: str, term: dict[str, str]) -> None:
        self.units = units
        self.test = test
        self.unit = term.get("unit", "")
        self.molar_mass = term.get("molar_mass", "")
        self.valence = term.get("valence", "")
        self._ratios: dict[tuple[str | None, str | None], Ratio | None] = {}
        self._seen: dict[tuple[str, str | None, str | None], tuple[Decimal | None, str]] = {}

    def __call__(self, value: Decimal, unit: Quantity) -> tuple[Decimal | None, str]:
        """The value in the canonical unit (None when nobody told us what its unit is), and as it was written.

        Laboratories repeat themselves, their limits most of all: what was converted once is remembered.
        """
        asked = (str(value), unit.code, unit.unit)
        found = self._seen.get(asked)
        if found is None:
            found = self._convert(value, unit.code, unit.unit), written(value)
            if len(self._seen) < _MOST_REMEMBERED:
                self._seen[asked] = found
        return found

    def _convert(self, value: Decimal, code: str | None, text: str | None) -> Decimal | None:
        spelling = (code, text)
        if spelling not in self._ratios and len(self._ratios) < _MOST_REMEMBERED:
            self._ratios[spelling] = self._ratio(code, text)
        ratio = self._ratios[spelling] if spelling in self._ratios else self._ratio(code, text)
        return None if ratio is None else (value * ratio[0] / ratio[1]).normalize() + _ZERO

    def _ratio(self, code: str | None, text: str | None) -> Ratio | None:
        """What a value is multiplied and divided by; None for a unit that leads nowhere."""
        if code is None and text is None:
            return (Decimal(1), Decimal(1)) if self.unit in DIMENSIONLESS else None
        unit = self.units.find(code, text)
        if unit is None:
            return None
        if unit.dimension != _EQUIVALENT:
            return self.units.ratio(unit, self.unit, self.molar_mass)
        moles = self.units.find("mol/L", None)
        in_moles = None if moles is None or self.valence != MONOVALENT else self.units.ratio(moles, self.unit)
        if in_moles is None:
            return None
        return in_moles[0] * unit.factor.numerator, in_moles[1] * unit.factor.denominator


_MOST_REMEMBERED = 10_000


@lru_cache(maxsize=1024)
def conversion(units: Units, concepts: Concepts, concept_list: str, test: str) -> Conversion:
    """The conversion of one test of a concept list."""
    return Conversion(units, test, concepts.term(concept_list, test))


def written(value: Decimal) -> str:
    """A decimal as the source wrote it: its digits, without an exponent."""
    text = str(value)
    return format(value, "f") if "E" in text else text


def unit_doubt(reading: Reading, quantity: Quantity, test: str, element: str) -> Doubt:
    """The Doubt about a unit that nobody can convert: one per hospital, unit and test, not per record."""
    unit = quantity.code or quantity.unit or ""
    return Doubt(
        kind="unit_unknown",
        message="nobody has said yet how to convert this unit for this test",
        origin=reading.origin.at(element),
        scope=(reading.hospital.id, unit, test),
        values=(unit, test),
    )


def unit_contradiction(reading: Reading, quantity: Quantity, match: Match, element: str) -> Doubt | None:
    """The Doubt about a mass code with a molar unit, or the other way round: one per hospital, code and unit.

    The unit is believed (profiles.md §6: trust the unit, flag a mismatch); `mappings/terms/lab_code.csv` says which
    codes mean a mass or an amount.
    """
    meant = reading.concepts.term("lab_code", match.code.code).get("dimension")
    unit = reading.units.find(quantity.code, quantity.unit) if meant else None
    if unit is None or unit.dimension == meant or unit.dimension not in (MASS_PER_VOLUME, AMOUNT_PER_VOLUME):
        return None
    return Doubt(
        kind="unit_contradicts_code", message="the code means a mass and the unit an amount, or the other way round",
        origin=reading.origin.at(element), scope=(reading.hospital.id, match.code.code, unit.ucum),
        values=(match.code.system, match.code.code, unit.ucum), holds=False,
    )

"""Measured amounts: as written beside the canonical unit, exactly; never a guess about a unit."""

from decimal import Decimal

import msgspec

from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.units import Unit
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import Quantity

DIMENSIONLESS = ("1", "{INR}")
MONOVALENT = "1"


class Amount(msgspec.Struct, frozen=True):
    """A quantity as written and in the canonical unit; `value` is None when its unit leads nowhere."""

    text: str
    unit_text: str | None
    comparator: str | None
    value: Decimal | None


class Measure(msgspec.Struct, frozen=True):
    """How a test is measured (mappings/terms): canonical unit, molar mass (g/mol), valence, what its code implies."""

    test: str
    unit: str
    molar_mass: str = ""
    valence: str = ""


def measure(reading: Reading, concept_list: str, test: str) -> Measure:
    """How a test of a concept list is measured; without a canonical unit nothing is converted."""
    term = reading.concepts.term(concept_list, test)
    return Measure(test, term.get("unit", ""), term.get("molar_mass", ""), term.get("valence", ""))


def written(value: Decimal) -> str:
    """A decimal as the source wrote it: its digits, without an exponent."""
    text = str(value)
    return format(value, "f") if "E" in text else text


def convert(reading: Reading, value: Decimal, quantity: Quantity, how: Measure) -> Decimal | None:
    """A value in the canonical unit of its test; None when nobody told us what the unit is.

    mEq/L equals mmol/L only for ions of one charge; a mass becomes an amount only with a molar mass.
    """
    if quantity.code is None and quantity.unit is None:
        return _canonical(value) if how.unit in DIMENSIONLESS else None
    unit = reading.units.find(quantity.code, quantity.unit)
    if unit is None:
        return None
    if unit.dimension == "charge/volume":
        if how.valence != MONOVALENT:
            return None
        value, unit = value * unit.factor.numerator / unit.factor.denominator, _moles(reading, unit)
    return reading.units.convert(value, unit, how.unit, how.molar_mass)


def amount(reading: Reading, quantity: Quantity, how: Measure) -> Amount | None:
    """A quantity as written and canonical; None when it has no value."""
    if quantity.value is None:
        return None
    return Amount(written(quantity.value), quantity.code or quantity.unit, quantity.comparator,
                  convert(reading, quantity.value, quantity, how))


def unit_doubt(reading: Reading, quantity: Quantity, how: Measure, element: str) -> Doubt:
    """The Doubt about a unit that nobody can convert: one per hospital, unit and test, not per record."""
    unit = quantity.code or quantity.unit or ""
    return Doubt(kind="unit_unknown", message="nobody has said yet how to convert this unit for this test",
                 origin=reading.origin.at(element), scope=(reading.hospital.id, unit, how.test),
                 values=(unit, how.test))


def _moles(reading: Reading, unit: Unit) -> Unit:
    """mol/L, which an equivalent of a monovalent ion is."""
    return reading.units.find("mol/L", None) or unit


def _canonical(value: Decimal) -> Decimal:
    return value.normalize() + Decimal(0)

"""The physical dose delivered to one volume by one radiotherapy record."""

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from fhir_adapter.core.facts import Domain, Fact, column
from fhir_adapter.core.units import Units
from fhir_adapter.domains.procedure import NOT_PERFORMED
from fhir_adapter.domains.quantities import unit_doubt
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import Quantity
from fhir_adapter.fhir.procedure import DoseToVolume, Procedure


class RadiotherapyVolume(Fact, frozen=True, kw_only=True):
    """The physical dose delivered to one volume by one radiotherapy record."""

    volume: Annotated[str | None, column("opaque key of the volume", source="volume reference")] = None
    dose_cgy: Annotated[
        Decimal | None,
        column("physical dose delivered", unit="cGy", source="totalDoseDelivered"),
    ] = None
    dose_text: Annotated[str | None, column("dose value exactly as written")] = None
    dose_unit: Annotated[str | None, column("dose unit as written")] = None
    fractions: Annotated[
        int | None,
        column("fractions delivered to this volume", unit="fractions", source="fractionsDelivered"),
    ] = None
    fraction_cgy: Annotated[
        Decimal | None,
        column("physical dose of one fraction, as stated", unit="cGy", source="MII Einzeldosis"),
    ] = None


LEVELS = ("course", "phase", "fraction")
MOST_GY = 200
"""A bare number above this with the unit Gy is cGy mistaken for Gy, not a dose (profiles.md §4.2)."""

_RADIOBIOLOGICAL = ("EQD2", "BED", "RBE", "GYE", "CGE", "ISOE")


class DeliveredDose(msgspec.Struct, frozen=True, kw_only=True):
    """A dose as said, and in cGy if it is a physical dose that can be believed; else `doubt` names what is wrong."""

    said: DoseToVolume
    cgy: Decimal | None = None
    doubt: str = ""


def delivered(resource: Procedure, reading: Reading) -> tuple[DeliveredDose, ...]:
    """The doses of a radiotherapy record in cGy, exactly."""
    found = []
    for said in resource.doses:
        cgy, doubt = physical(said.dose, reading)
        found.append(DeliveredDose(said=said, cgy=cgy, doubt=doubt))
    return tuple(found)


def physical(dose: Quantity | None, reading: Reading) -> tuple[Decimal | None, str]:
    """A physical dose in cGy, or None and what is wrong: `not_physical_dose`, `radiotherapy_dose_implausible`,
    `unit_unknown`. A dose with a comparator is no number; a missing dose is no mistake.
    """
    if dose is None or dose.value is None or dose.comparator is not None:
        return None, ""
    return _in_cgy(reading.units, str(dose.value), dose.code, dose.unit)


@lru_cache(maxsize=4096)
def _in_cgy(units: Units, value: str, code: str | None, text: str | None) -> tuple[Decimal | None, str]:
    """Remembered: prescriptions repeat, and so do the doses that they leave."""
    words = f"{code or ''} {text or ''}".upper()
    if any(word in words for word in _RADIOBIOLOGICAL):
        return None, "not_physical_dose"
    unit = units.find(code, text)
    cgy = None if unit is None else units.convert(Decimal(value), unit, "cGy")
    if cgy is None:
        return None, "unit_unknown"
    if unit is not None and unit.ucum == "Gy" and Decimal(value) > MOST_GY:
        return None, "radiotherapy_dose_implausible"
    return cgy, ""


def read(resource: Procedure, reading: Reading) -> Iterator[Any]:
    """The dose and fractions of each volume of a delivered course, phase or fraction."""
    match = reading.meanings(resource.code).get("radiotherapy") if resource.code is not None else None
    if match is None or match.concept not in LEVELS or resource.r4_status in NOT_PERFORMED:
        return
    for dose in reading.once("doses", delivered, resource):
        said: DoseToVolume = dose.said
        quantity = said.dose
        yield RadiotherapyVolume(
            element=said.element,
            volume=reading.key_of(said.volume, "BodyStructure"),
            dose_cgy=dose.cgy,
            dose_text=None if quantity is None or quantity.value is None else str(quantity.value),
            dose_unit=None if quantity is None else quantity.code or quantity.unit,
            fractions=said.fractions,
            fraction_cgy=physical(said.per_fraction, reading)[0],
        )
        yield from _wrong(dose, reading)


def _wrong(dose: DeliveredDose, reading: Reading) -> Iterator[Any]:
    element, quantity = dose.said.element, dose.said.dose
    if dose.doubt == "not_physical_dose":
        yield reading.problem("not_physical_dose", "a radiobiological dose (EQD2, BED) is not physical", element)
    elif dose.doubt == "radiotherapy_dose_implausible" and quantity is not None:
        message = f"more than {MOST_GY} Gy: a dose in cGy written as Gy?"
        yield reading.doubt(dose.doubt, message, element, (str(quantity.value), quantity.code or quantity.unit or ""))
    elif dose.doubt == "unit_unknown" and quantity is not None:
        yield unit_doubt(reading, quantity, "radiotherapy dose", element)



DOMAIN = Domain(
    name="radiotherapy_volume", fact=RadiotherapyVolume, title="Physical dose per irradiated volume",
    reads=("Procedure",), read=read, same=("volume",), agree=("dose_cgy", "fractions"),
    lists=("radiotherapy",),
)

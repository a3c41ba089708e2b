"""Which drug a record speaks of, and how many milligrams: asked by every domain that reads drug records."""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import msgspec

from fhir_adapter.core.concepts import Concepts, Match
from fhir_adapter.core.facts import Ignored
from fhir_adapter.core.problems import Problem
from fhir_adapter.core.units import Units, exact
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.decode import Unreadable, contained, shared
from fhir_adapter.fhir.elements import CodeableConcept, Quantity, Ratio, Reference, Resource
from fhir_adapter.fhir.medication import Ingredient, Medication

RECORDS = ("MedicationAdministration", "MedicationStatement", "MedicationDispense", "MedicationRequest")
"""The resource types that tell of drugs."""

EVIDENCE = dict(zip(RECORDS, ("administered", "stated", "dispensed", "ordered"), strict=True))
"""How strong each type's evidence is (endpoints.md §0.12): an order never starts a clock."""


class Drug(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a record's drug means: concept and class when mapped, else what must be said about it.

    `element` is where the record names it; `product` is the Medication, if there is one to ask for strengths.
    """

    match: Match | None
    element: str
    concept: str = ""
    drug_class: str = ""
    product: Medication | None = None
    problem: Problem | None = None


def drug_of(resource: Any, reading: Reading) -> Drug:
    """The drug of a drug record, looked up once per record. Records of one drug share it: it is known by identity."""
    found: Drug | None = reading.notes.get("drug")
    return _find(resource, reading) if found is None else found


def silent(drug: Drug, reading: Reading) -> Any:
    """Why a drug yields no fact: a Problem, a Doubt or Ignored; None if it is mapped.

    One domain says so for all (drug_administration), so that one record raises it once.
    """
    if drug.problem is not None:
        return drug.problem
    match = drug.match
    if match is None or match.found == "mapped":
        return None
    return Ignored(match.note) if match.found == "unmatched" else reading.code_doubt(match, drug.element)


def _find(resource: Any, reading: Reading) -> Drug:
    concept, reference, element = resource.drug
    product = problem = None
    if reference is not None:
        product, problem = product_of(resource, reference, reading, element)
    drug = None
    if concept is None or not (concept.coding or concept.text):
        if reference is None:
            problem = reading.problem("missing_element", "the record names no drug", element, refuses=True)
        if problem is not None:
            drug = Drug(match=None, element=element, problem=problem)
        concept = product.code if product is not None else None
    if drug is None:
        drug = _meant(reading.concepts, reading.hospital.id, concept, product, element)
    if drug is None:
        message = "the product has neither a code nor one ingredient with a code"
        problem = reading.problem("missing_element", message, element, refuses=True)
        drug = Drug(match=None, element=element, problem=problem)
    reading.notes["drug"] = drug
    return drug


@lru_cache(maxsize=4096)
def _meant(
    concepts: Concepts, hospital: str, concept: CodeableConcept | None, product: Medication | None, element: str
) -> Drug | None:
    """What a code and a product mean together; remembered, as a hospital has few drugs and many records of each."""
    match = _match(concepts, hospital, concept, product)
    if match is None or match.found != "mapped":
        return None if match is None else Drug(match=match, element=element, product=product)
    drug_class = concepts.term("drug", match.concept).get("class") or "other"
    return Drug(match=match, element=element, concept=match.concept, drug_class=drug_class, product=product)


def _match(
    concepts: Concepts, hospital: str, concept: CodeableConcept | None, product: Medication | None
) -> Match | None:
    """The code's meaning; of a product with an unknown code or none, that of its one active ingredient."""
    said = concept is not None and (concept.coding or concept.text)
    match = concepts.look_up("drug", hospital, concept) if said else None
    if product is None or (match is not None and match.found != "unknown"):
        return match
    within = [concepts.look_up("drug", hospital, i.concept) for i in _active(product) if i.concept is not None]
    if len(within) == 1 and (within[0].found == "mapped" or match is None):
        return within[0]
    return match


def _active(product: Medication) -> tuple[Ingredient, ...]:
    return tuple(i for i in product.ingredient if i.is_active is not False)


def product_of(
    resource: Resource, reference: Reference, reading: Reading, element: str
) -> tuple[Medication | None, Problem | None]:
    """The Medication that a reference leads to: contained, or a record of this hospital; else a Problem that refuses.

    Whether the problem matters the caller decides: a record that also names its drug by code does not need it.
    """
    text = reference.reference or ""
    try:
        if text.startswith("#"):
            product = contained(resource, text, "Medication", reading.version)
        else:
            identity = reading.target(reference, "Medication")
            body = reading.records.body(*identity) if identity is not None and identity[0] == "Medication" else None
            product = None if body is None else shared("Medication", body, reading.version)
    except Unreadable as error:
        return None, reading.problem(error.code, f"in the referenced product: {error.message}", element, refuses=True)
    if product is None:
        message = "the product that the record refers to could not be had"
        return None, reading.problem("unresolved_reference", message, element, refuses=True)
    return product, None


def dose_mg(dose: Quantity | None, drug: Drug, reading: Reading, element: str) -> tuple[Decimal | None, Problem | None]:
    """A dose in milligrams; None with a Problem when it cannot be expressed so.

    Zero is zero in any unit. A dose with a comparator is no number. A count (capsules, vials, mL) needs the strength
    of the product's one ingredient that is this drug.
    """
    if dose is None or dose.value is None:
        return None, None
    if dose.comparator is None:
        if dose.value == 0:
            return Decimal(0), None
        if (mg := _weight(dose, reading.units)) is not None:
            return mg, None
        content = _strength(drug, reading)
        if content is not None and (mg := _by_strength(dose, content, reading.units)) is not None:
            return mg, None
    return None, reading.problem("dose_unknown", "the dose is not in a unit that leads to milligrams", element)


def _strength(drug: Drug, reading: Reading) -> Ratio | None:
    """The content of this drug in the product: of its only active ingredient, or of the one that is this drug."""
    parts = _active(drug.product) if drug.product is not None else ()
    if len(parts) > 1:
        parts = tuple(
            p for p in parts if p.concept is not None and reading.look_up("drug", p.concept).concept == drug.concept
        )
    return parts[0].content if len(parts) == 1 else None


# Records repeat their doses, and what they repeat is one Quantity (Resource.REPEATED): remembered by identity.


@lru_cache(maxsize=4096)
def _weight(dose: Quantity, units: Units) -> Decimal | None:
    """The milligrams of a weight."""
    unit = units.find(dose.code, dose.unit)
    return None if unit is None or dose.value is None else units.convert(dose.value, unit, "mg")


@lru_cache(maxsize=4096)
def _by_strength(dose: Quantity, content: Ratio, units: Units) -> Decimal | None:
    """The milligrams of a count, by the product's strength."""
    substance, product = content.numerator, content.denominator or Quantity(value=Decimal(1))
    if dose.value is None or substance is None or substance.value is None or product.value in (None, Decimal(0)):
        return None
    mg, amount = _weight(substance, units), _in_unit_of(dose, product, units)
    if mg is None or amount is None or product.value is None:
        return None
    return exact(Fraction(mg) * Fraction(amount) / Fraction(product.value))


def _in_unit_of(dose: Quantity, product: Quantity, units: Units) -> Decimal | None:
    """The dose counted in the product's unit; a product without unit (or `1`) is the piece that the dose counts."""
    said = (dose.code, dose.unit)
    if product.code in (None, "1") and product.unit in (None, "1"):
        return dose.value
    if (product.code and product.code in said) or (product.unit and product.unit in said):
        return dose.value
    mine, theirs = units.find(dose.code, dose.unit), units.find(product.code, product.unit)
    if mine is None or theirs is None or dose.value is None:
        return None
    return units.convert(dose.value, mine, theirs.written)

"""Medication: what a product is, and how much of each ingredient it holds."""

from typing import ClassVar

from fhir_adapter.fhir.elements import CodeableConcept, CodeableReference, Element, Quantity, Ratio, Reference, Resource


class Ingredient(Element, frozen=True, kw_only=True):
    """One ingredient with its strength, in the spelling of any version."""

    item_codeable_concept: CodeableConcept | None = None
    item_reference: Reference | None = None
    item: CodeableReference | None = None
    amount: Ratio | None = None
    strength: Ratio | None = None
    strength_ratio: Ratio | None = None
    strength_quantity: Quantity | None = None
    is_active: bool | None = None

    @property
    def concept(self) -> CodeableConcept | None:
        """What the ingredient is, if it is said by code."""
        return self.item_codeable_concept or (self.item.concept if self.item is not None else None)

    @property
    def content(self) -> Ratio | None:
        """Amount of substance per amount of product: STU3 `amount`, R4 `strength`, R5 `strength[x]`."""
        if self.strength_quantity is not None:
            return Ratio(numerator=self.strength_quantity)
        return self.strength or self.strength_ratio or self.amount


class Medication(Resource, frozen=True, kw_only=True, eq=False):
    """A product. Supporting: it yields no facts of its own. Records of one product share it: known by identity."""

    code: CodeableConcept | None = None
    ingredient: tuple[Ingredient, ...] = ()
    status: str | None = None


class DrugRecord(Resource, frozen=True, kw_only=True):
    """What every record about a drug has: `medication[x]`, in R5 a CodeableReference."""

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("medication_codeable_concept", "medication_reference", "medication"),
    )
    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        "medication_codeable_concept": ("STU3", "R4"),
        "medication_reference": ("STU3", "R4"),
        "medication": ("R5",),
    }

    status: str | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    medication: CodeableReference | None = None

    @property
    def drug(self) -> tuple[CodeableConcept | None, Reference | None, str]:
        """The drug as a concept or a reference, and the element that says so."""
        if self.medication_codeable_concept is not None:
            return self.medication_codeable_concept, None, "medicationCodeableConcept"
        if self.medication_reference is not None:
            return None, self.medication_reference, "medicationReference"
        if self.medication is not None:
            return self.medication.concept, self.medication.reference, "medication"
        return None, None, ""

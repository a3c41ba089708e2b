"""BodyStructure (STU3: BodySite): a place in the body; here, a lesion."""

from typing import ClassVar

from fhir_adapter.fhir.elements import CodeableConcept, Element, Extension, Identifier, Meta, Reference, Resource


class IncludedStructure(Element, frozen=True, kw_only=True):
    """R5: a structure that belongs to it."""

    structure: CodeableConcept | None = None
    qualifier: tuple[CodeableConcept, ...] = ()


class BodyStructure(Resource, frozen=True, kw_only=True):
    """A body structure of any version; BodySite decodes into it as well."""

    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        "code": ("STU3",),
        "qualifier": ("STU3",),
        "location": ("R4",),
        "location_qualifier": ("R4",),
        "included_structure": ("R5",),
    }

    REPEATED: ClassVar[tuple[str, ...]] = ("morphology", "location", "code", "included_structure")

    meta: Meta | None = None
    identifier: tuple[Identifier, ...] = ()
    active: bool | None = None
    morphology: CodeableConcept | None = None
    location: CodeableConcept | None = None
    code: CodeableConcept | None = None
    location_qualifier: tuple[CodeableConcept, ...] = ()
    qualifier: tuple[CodeableConcept, ...] = ()
    included_structure: tuple[IncludedStructure, ...] = ()
    patient: Reference | None = None

    @property
    def site(self) -> CodeableConcept | None:
        """Where it is: R4 location, STU3 code, R5 the first included structure."""
        if self.location is not None or self.code is not None:
            return self.location or self.code
        return next((part.structure for part in self.included_structure if part.structure is not None), None)

    @property
    def qualifiers(self) -> tuple[CodeableConcept, ...]:
        """Side and the like, of whichever version."""
        parts = tuple(q for part in self.included_structure for q in part.qualifier)
        return self.location_qualifier + self.qualifier + parts

    @property
    def stated(self) -> tuple[tuple[str, CodeableConcept], ...]:
        """Every coded statement about it that may carry a role, with its element path."""
        found = [("morphology", self.morphology)]
        found += [(f"qualifier[{i}]", concept) for i, concept in enumerate(self.qualifiers)]
        found += [(f"extension[{i}]", _concept_of(extension)) for i, extension in enumerate(self.extension)]
        return tuple((path, concept) for path, concept in found if concept is not None)


def _concept_of(extension: Extension) -> CodeableConcept | None:
    if extension.value_codeable_concept is not None:
        return extension.value_codeable_concept
    if extension.value_coding is not None:
        return CodeableConcept(coding=(extension.value_coding,))
    return None


BodySite = BodyStructure

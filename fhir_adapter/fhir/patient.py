"""Patient: the same in every version (STU3 also knows animals, which no trial enrols)."""

from typing import ClassVar, Literal

from fhir_adapter.fhir.elements import Element, Identifier, Reference, Resource


class PatientLink(Element, frozen=True, kw_only=True):
    """A link to another record of a person."""

    other: Reference
    type: Literal["replaced-by", "replaces", "refer", "seealso"]


class Patient(Resource, frozen=True, kw_only=True):
    """A person. Identifiers are for the vault only."""

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = (("deceased_boolean", "deceased_date_time"),)

    identifier: tuple[Identifier, ...] = ()
    active: bool | None = None
    gender: Literal["male", "female", "other", "unknown"] | None = None
    birth_date: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    link: tuple[PatientLink, ...] = ()

    @property
    def replaced_by(self) -> Reference | None:
        """The record that must be used instead of this one. It points forward; nothing need point back.

        `active = false` alone is no merge, and `seealso` and `refer` keep both records (profiles.md §2).
        """
        return next((link.other for link in self.link if link.type == "replaced-by"), None)

    @property
    def identifiers(self) -> tuple[tuple[str, str], ...]:
        """System and value of every identifier that has a value. For the vault only."""
        return tuple((i.system, i.value) for i in self.identifier if i.value)

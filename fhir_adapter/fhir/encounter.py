"""Encounter: a stay or visit."""

from typing import ClassVar, Literal

import msgspec

from fhir_adapter.fhir.elements import CodeableConcept, Coding, Element, Period, Reference, Resource

Status = Literal[
    "planned",
    "arrived",
    "triaged",
    "in-progress",
    "onleave",
    "on-hold",
    "finished",
    "discharged",
    "completed",
    "cancelled",
    "discontinued",
    "entered-in-error",
    "unknown",
]


class Admission(Element, frozen=True, kw_only=True):
    """R4 hospitalization, R5 admission: how it ended."""

    discharge_disposition: CodeableConcept | None = None


class Encounter(Resource, frozen=True, kw_only=True):
    """An encounter of any version: R4 class is one coding, R5 class a list of concepts."""

    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        "period_": ("STU3", "R4"),
        "hospitalization": ("STU3", "R4"),
        "actual_period": ("R5",),
        "admission_": ("R5",),
    }

    status: Status
    class_: tuple[CodeableConcept, ...] | Coding | None = msgspec.field(name="class", default=None)
    subject: Reference | None = None
    period_: Period | None = msgspec.field(name="period", default=None)
    actual_period: Period | None = None
    hospitalization: Admission | None = None
    admission_: Admission | None = msgspec.field(name="admission", default=None)

    @property
    def classes(self) -> CodeableConcept | None:
        """Its classes as one concept: several codings of one stay."""
        if self.class_ is None or isinstance(self.class_, Coding):
            return None if self.class_ is None else CodeableConcept(coding=(self.class_,))
        codings = tuple(coding for concept in self.class_ for coding in concept.coding)
        return CodeableConcept(coding=codings) if codings else None

    @property
    def period(self) -> Period | None:
        """When it took place (R5 actualPeriod)."""
        return self.period_ or self.actual_period

    @property
    def discharge(self) -> CodeableConcept | None:
        """Where the person went afterwards."""
        stay = self.hospitalization or self.admission_
        return None if stay is None else stay.discharge_disposition

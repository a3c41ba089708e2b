"""AdverseEvent: the type that changed most between versions; its research profiles add what a trial needs."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import msgspec

from fhir_adapter.fhir.elements import (
    CodeableConcept,
    Coding,
    Element,
    Extended,
    Extension,
    Identifier,
    Period,
    Reference,
    Timing,
    last_part,
    once,
)

Status = Literal["in-progress", "completed", "entered-in-error", "unknown"]

BACKPORT_STATUS = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/status"
"""The modifierExtension in which the R4 research profile carries the R5 status: the one that we understand."""


class Causality(Element, frozen=True, kw_only=True):
    """How likely a suspect caused the event: R4 assessment and product relatedness, R5 one relatedness."""

    assessment: CodeableConcept | None = None
    product_relatedness: str | None = None
    entity_relatedness: CodeableConcept | None = None

    @property
    def stated(self) -> CodeableConcept | None:
        """The judgement, in whichever element this version keeps it."""
        if self.entity_relatedness is not None or self.assessment is not None:
            return self.entity_relatedness or self.assessment
        return None if self.product_relatedness is None else CodeableConcept(text=self.product_relatedness)


class SuspectEntity(Element, frozen=True, kw_only=True):
    """A drug, procedure or device suspected of causing the event. STU3 keeps the causality beside the instance."""

    instance: Reference | None = None
    instance_reference: Reference | None = None
    instance_codeable_concept: CodeableConcept | None = None
    causality: tuple[Causality, ...] | Causality | str = ()
    causality_assessment: CodeableConcept | None = None
    causality_product_relatedness: str | None = None


class Suspect(msgspec.Struct, frozen=True):
    """A suspect in one shape for all versions: what, and each judgement about it."""

    element: str
    reference: Reference | None
    concept: CodeableConcept | None
    judgements: tuple[CodeableConcept, ...]


class MitigatingAction(Element, frozen=True, kw_only=True):
    """R5: what was done about the event."""

    item_codeable_concept: CodeableConcept | None = None
    item_reference: Reference | None = None


class AdverseEvent(Extended, frozen=True, kw_only=True):
    """An adverse event of any version.

    Profiles: HL7 ae-research (R5), its backport (R4), CodeX RT, ICAREdata (mCODE extraction), German MII.
    """

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("occurrence_date_time", "occurrence_period", "occurrence_timing"),
    )
    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        "type": ("STU3",),
        "event": ("R4",),
        "severity": ("R4",),
        "date": ("STU3", "R4"),
        "actuality": ("R4", "R5"),
        "detected": ("R4", "R5"),
        "recorded_date": ("R4", "R5"),
        "code": ("R5",),
        "status": ("R5",),
        "occurrence_date_time": ("R5",),
        "occurrence_period": ("R5",),
        "occurrence_timing": ("R5",),
        "mitigating_action": ("R5",),
    }
    MODIFIERS: ClassVar[tuple[str, ...]] = ("status",)
    REPEATED: ClassVar[tuple[str, ...]] = ("type", "event", "code", "seriousness", "severity", "outcome")

    identifier: tuple[Identifier, ...] | Identifier = ()
    status: Status | None = None
    actuality: Literal["actual", "potential"] | None = None
    category: tuple[CodeableConcept, ...] | str = ()
    type: CodeableConcept | None = None
    event: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    date: str | None = None
    detected: str | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurrence_timing: Timing | None = None
    recorded_date: str | None = None
    seriousness: CodeableConcept | None = None
    severity: CodeableConcept | None = None
    outcome: tuple[CodeableConcept, ...] | CodeableConcept = ()
    suspect_entity: tuple[SuspectEntity, ...] = ()
    mitigating_action: tuple[MitigatingAction, ...] = ()
    study: tuple[Reference, ...] = ()

    @property
    def entered_in_error(self) -> bool:
        """R5 status, or the R4 backport's modifierExtension."""
        return self.stated_status == "entered-in-error"

    @property
    def is_potential(self) -> bool:
        """Whether it only could have happened (R4, R5 actuality; STU3 category PAE)."""
        return self.actuality == "potential" or self.category == "PAE"

    @once
    def stated_status(self) -> str | None:
        """R5 status, or the backport's modifierExtension; earlier versions have none."""
        if self.status is not None:
            return self.status
        stated = [e.value_code for e in self.modifier_extension if e.url == BACKPORT_STATUS]
        return stated[0] if stated else None

    @property
    def what(self) -> CodeableConcept | None:
        """What happened: R5 code, R4 event, STU3 type."""
        return self.code or self.event or self.type

    @property
    def what_element(self) -> str:
        """The element in which this version tells what happened."""
        if self.code is not None:
            return "code"
        return "event" if self.event is not None or self.type is None else "type"

    @property
    def onsets(self) -> tuple[tuple[str, str], ...]:
        """Every statement of the onset with its element: occurrence, else date; and detected (endpoints.md §0.20)."""
        found: list[tuple[str, str]] = []
        if self.occurrence_date_time is not None:
            found.append(("occurrenceDateTime", self.occurrence_date_time))
        elif self.occurrence_period is not None:
            if self.occurrence_period.start is not None:
                found.append(("occurrencePeriod.start", self.occurrence_period.start))
        elif self.occurrence_timing is not None and self.occurrence_timing.event:
            found.append(("occurrenceTiming.event", min(self.occurrence_timing.event)))
        elif self.date is not None:
            found.append(("date", self.date))
        if self.detected is not None:
            found.append(("detected", self.detected))
        return tuple(found)

    @once
    def end(self) -> tuple[str, str] | None:
        """When it ended, with its element: R5 occurrencePeriod.end, or an extension of the profiles."""
        if self.occurrence_period is not None and self.occurrence_period.end is not None:
            return "occurrencePeriod.end", self.occurrence_period.end
        for found in self.said("resolve-date", "adverse-event-resolved-date"):
            written = found.value_date_time or found.value_date
            if written is not None:
                return _place(found), written
        return None

    @property
    def outcomes(self) -> tuple[CodeableConcept, ...]:
        """Its outcomes (before R5 at most one)."""
        return (self.outcome,) if isinstance(self.outcome, CodeableConcept) else self.outcome

    @once
    def grades(self) -> tuple[tuple[str, CodeableConcept], ...]:
        """Where a CTCAE grade may stand, in the order of trust (profiles.md §7); severity words are none of them."""
        stated = [
            (_place(found), found.value_codeable_concept or _of_coding(found.value_coding) or _of_number(found))
            for found in self.said("ae-grade", "ctcae-grade")
        ]
        stated += [("severity", self.severity), ("seriousness", self.seriousness)]
        return tuple((element, concept) for element, concept in stated if concept is not None)

    @once
    def criteria(self) -> tuple[CodeableConcept, ...]:
        """What makes it serious: the criteria said to be present."""
        found = []
        for criterion in self.said("seriousness-criteria", "adverse-event-seriousness-outcome"):
            inner = {last_part(e.url): e for e in criterion.extension}
            present = inner["criterionPresent"].value_boolean if "criterionPresent" in inner else True
            code = inner["criterionCode"].value_codeable_concept if "criterionCode" in inner else None
            concept = code or criterion.value_codeable_concept
            if present is not False and concept is not None:
                found.append(concept)
        return tuple(found)

    @once
    def suspects(self) -> tuple[Suspect, ...]:
        """Its suspects in one shape: the element of each version, and the backport's extension."""
        backported = self._backport_suspects() if self.extension else ()
        return (*self._native_suspects(), *backported)

    def _native_suspects(self) -> Iterator[Suspect]:
        for index, entity in enumerate(self.suspect_entity):
            causality = (entity.causality,) if isinstance(entity.causality, Causality) else entity.causality
            judgements = [c.stated for c in causality if not isinstance(c, str)]
            judgements.append(entity.causality_assessment)
            if entity.causality_product_relatedness is not None:
                judgements.append(CodeableConcept(text=entity.causality_product_relatedness))
            yield Suspect(
                f"suspectEntity[{index}]",
                entity.instance or entity.instance_reference,
                entity.instance_codeable_concept,
                tuple([j for j in judgements if j is not None]),
            )

    def _backport_suspects(self) -> Iterator[Suspect]:
        for index, entity in enumerate(self.said("suspect-entity")):
            instance = [e for e in entity.extension if last_part(e.url) == "instance"]
            judgements = tuple(
                inner.value_codeable_concept
                for causality in entity.extension
                if last_part(causality.url) == "causality"
                for inner in causality.extension
                if last_part(inner.url) == "entityRelatedness"
                if inner.value_codeable_concept is not None
            )
            first: Extension | None = instance[0] if instance else None
            yield Suspect(
                f"extension[suspect-entity][{index}]",
                first.value_reference if first else None,
                first.value_codeable_concept if first else None,
                judgements,
            )

    @once
    def actions(self) -> tuple[tuple[str, CodeableConcept | None, Reference | None], ...]:
        """What was done about it: element, coded action, and the drug or procedure that a reference names."""
        found = [
            (f"mitigatingAction[{i}]", action.item_codeable_concept, action.item_reference)
            for i, action in enumerate(self.mitigating_action)
        ]
        for i, action in enumerate(self.said("mitigating-action")):
            items = [
                e for e in (*action.extension, action) if last_part(e.url) in ("item", "mitigating-action")
            ]
            concept = next((e.value_codeable_concept for e in items if e.value_codeable_concept is not None), None)
            reference = next((e.value_reference for e in items if e.value_reference is not None), None)
            found.append((f"extension[mitigating-action][{i}]", concept, reference))
        return tuple(found)


def _place(extension: Extension) -> str:
    """An extension as an element path, by the last part of its url."""
    return f"extension[{last_part(extension.url)}]"


def _of_coding(coding: Coding | None) -> CodeableConcept | None:
    return None if coding is None else CodeableConcept(coding=(coding,))


def _of_number(found: Extension) -> CodeableConcept | None:
    if found.value_integer is not None:
        return CodeableConcept(text=f"Grade {found.value_integer}")
    written = found.value_code or found.value_string
    return None if written is None else CodeableConcept(text=written)

"""MedicationDispense: a drug handed over; taken at home, perhaps."""

from typing import ClassVar, Literal

from fhir_adapter.fhir.elements import CodeableConcept, Reference, Span
from fhir_adapter.fhir.medication import DrugRecord
from fhir_adapter.fhir.medication_statement import Dosage

_STATUS = {"preparation": "intended", "cancelled": "not-done", "declined": "not-done"}


class MedicationDispense(DrugRecord, frozen=True, kw_only=True):
    """What a pharmacy handed over.

    STU3 is published both ways: `notDone[x]` as the reason, and `notDone` (a boolean) with `notDoneReason[x]`.
    """

    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        **DrugRecord.ONLY,
        "not_done": ("STU3",),
        "not_done_codeable_concept": ("STU3",),
        "not_done_reference": ("STU3",),
        "not_done_reason_codeable_concept": ("STU3",),
        "not_done_reason_reference": ("STU3",),
    }

    status: Literal[
        "preparation", "in-progress", "cancelled", "on-hold", "completed", "entered-in-error", "stopped", "declined",
        "unknown",
    ] | None = None
    not_done: bool | None = None
    not_done_codeable_concept: CodeableConcept | None = None
    not_done_reference: Reference | None = None
    not_done_reason_codeable_concept: CodeableConcept | None = None
    not_done_reason_reference: Reference | None = None
    when_prepared: str | None = None
    when_handed_over: str | None = None
    dosage_instruction: tuple[Dosage, ...] = ()

    @property
    def when(self) -> Span:
        """The day of handing over; a drug that was only prepared has no day."""
        return Span("whenHandedOver", self.when_handed_over) if self.when_handed_over else Span()

    @property
    def r4_status(self) -> str:
        """The status in the words of an administration."""
        status = self.status or "unknown"
        reasons = (self.not_done_codeable_concept, self.not_done_reference, self.not_done_reason_codeable_concept,
                   self.not_done_reason_reference)
        if self.not_done or any(reason is not None for reason in reasons):
            return "not-done"
        return _STATUS.get(status, status)

    @property
    def given(self) -> bool:
        """Whether it was handed over; what was taken of it nobody says (evidence `dispensed`)."""
        return self.r4_status in ("completed", "stopped", "in-progress")

    @property
    def dosage(self) -> tuple[Dosage, ...]:
        """How it should be taken."""
        return self.dosage_instruction

    @property
    def reasons(self) -> tuple[CodeableConcept, ...]:
        """Not read."""
        return ()

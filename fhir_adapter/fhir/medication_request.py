"""MedicationRequest: an order. It never starts a clock."""

from typing import Literal

from fhir_adapter.fhir.elements import CodeableConcept, Span
from fhir_adapter.fhir.medication import DrugRecord
from fhir_adapter.fhir.medication_statement import Dosage

_STATUS = {"cancelled": "not-done", "draft": "intended", "ended": "completed"}


class MedicationRequest(DrugRecord, frozen=True, kw_only=True):
    """What somebody ordered."""

    status: Literal[
        "active", "on-hold", "ended", "stopped", "completed", "cancelled", "entered-in-error", "draft", "unknown",
    ] | None = None
    intent: str | None = None
    do_not_perform: bool | None = None
    authored_on: str | None = None
    dosage_instruction: tuple[Dosage, ...] = ()

    @property
    def when(self) -> Span:
        """The day of the order."""
        return Span("authoredOn", self.authored_on) if self.authored_on else Span()

    @property
    def r4_status(self) -> str:
        """The status in the words of an administration; an order not to give is not-done."""
        if self.do_not_perform:
            return "not-done"
        status = self.status or "unknown"
        return _STATUS.get(status, status)

    @property
    def given(self) -> bool:
        """An order is no dose."""
        return False

    @property
    def dosage(self) -> tuple[Dosage, ...]:
        """How it should be taken."""
        return self.dosage_instruction

    @property
    def reasons(self) -> tuple[CodeableConcept, ...]:
        """Not read."""
        return ()

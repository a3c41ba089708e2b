"""MedicationStatement: what a patient is said to take, also at home."""

from typing import ClassVar, Literal

from fhir_adapter.fhir.elements import (
    CodeableConcept,
    Element,
    Period,
    Quantity,
    Span,
    Timing,
    once,
    span_of,
)
from fhir_adapter.fhir.medication import DrugRecord


class DoseAndRate(Element, frozen=True, kw_only=True):
    """R4: the amount of one intake."""

    dose_quantity: Quantity | None = None


class Dosage(Element, frozen=True, kw_only=True, cache_hash=True):
    """How a drug is or should be taken: STU3 has the dose here, R4 and R5 in `doseAndRate`."""

    route: CodeableConcept | None = None
    timing: Timing | None = None
    dose_quantity: Quantity | None = None
    dose_and_rate: tuple[DoseAndRate, ...] = ()

    @property
    def dose(self) -> Quantity | None:
        """The amount of one intake, if it is one quantity."""
        if self.dose_quantity is not None:
            return self.dose_quantity
        return next((d.dose_quantity for d in self.dose_and_rate if d.dose_quantity is not None), None)


class Adherence(Element, frozen=True, kw_only=True):
    """R5: whether the drug is taken as stated."""

    code: CodeableConcept | None = None


class MedicationStatement(DrugRecord, frozen=True, kw_only=True, dict=True, gc=True):
    """A period of taking a drug, as somebody states it."""

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = (
        *DrugRecord.CHOICES,
        ("effective_period", "effective_date_time", "effective_timing"),
    )
    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        **DrugRecord.ONLY,
        "taken": ("STU3",),
        "reason_not_taken": ("STU3",),
        "status_reason": ("R4",),
        "adherence": ("R5",),
        "effective_timing": ("R5",),
    }
    REPEATED: ClassVar[tuple[str, ...]] = (
        "medication_codeable_concept", "medication_reference", "medication", "dosage",
    )

    status: Literal[
        "active", "completed", "entered-in-error", "intended", "stopped", "on-hold", "unknown", "not-taken",
        "recorded", "draft",
    ]
    taken: Literal["y", "n", "unk", "na"] | None = None
    reason_not_taken: tuple[CodeableConcept, ...] = ()
    status_reason: tuple[CodeableConcept, ...] = ()
    adherence: Adherence | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    effective_timing: Timing | None = None
    dosage: tuple[Dosage, ...] = ()

    @once
    def when(self) -> Span:
        """When it was taken."""
        return span_of(
            ("effectiveDateTime", self.effective_date_time),
            ("effectivePeriod", self.effective_period),
            ("effectiveTiming", self.effective_timing),
        )

    @once
    def r4_status(self) -> str:
        """The status in the words of an administration.

        Not taken in any version (`taken = n`, `not-taken`, adherence `not-taking`) is not-done. R5 `recorded` says
        nothing of the drug: with adherence `taking` (or none) it is active while the period has no end, else
        completed.
        """
        if self.taken == "n" or self.status == "not-taken":
            return "not-done"
        adherence = self._adherence
        if adherence in _ADHERENCE:
            return _ADHERENCE[adherence]
        if self.status == "draft":
            return "intended"
        if self.status == "recorded":
            if adherence == "unknown":
                return "unknown"
            return "active" if self.when.end is None else "completed"
        return self.status

    @property
    def _adherence(self) -> str:
        code = self.adherence.code if self.adherence is not None else None
        return next((c.code for c in code.coding if c.code), "") if code is not None else ""

    @property
    def given(self) -> bool:
        """Whether the drug was, wholly or in part, taken. STU3 `taken = unk` is not known."""
        return self.taken not in ("n", "unk", "na") and self.r4_status in ("active", "completed", "stopped")

    @property
    def reasons(self) -> tuple[CodeableConcept, ...]:
        """Why it was not taken, or stopped."""
        return self.reason_not_taken or self.status_reason


_ADHERENCE = {
    "not-taking": "not-done",
    "never-started": "not-done",
    "never-started-not-needed": "not-done",
    "on-hold": "on-hold",
    "on-hold-as-directed": "on-hold",
    "on-hold-not-as-directed": "on-hold",
    "stopped": "stopped",
    "stopped-as-directed": "stopped",
    "stopped-not-as-directed": "stopped",
}
# R5 medication-statement-adherence: `not-taking` has children for on-hold and stopped, which say more.

"""MedicationAdministration: STU3, R4 and R5 answer the same questions (profiles.md §1.1)."""

from typing import ClassVar, Literal

from fhir_adapter.fhir.elements import (
    CodeableConcept,
    Element,
    Period,
    Quantity,
    Ratio,
    Span,
    Timing,
    span_of,
)
from fhir_adapter.fhir.medication import DrugRecord

Status = Literal["in-progress", "not-done", "on-hold", "completed", "entered-in-error", "stopped", "unknown"]


class AdministeredDosage(Element, frozen=True, kw_only=True, cache_hash=True):
    """How much by which route. With a rate present, `dose` is the total amount."""

    route: CodeableConcept | None = None
    dose: Quantity | None = None
    rate_ratio: Ratio | None = None
    rate_quantity: Quantity | None = None
    rate_simple_quantity: Quantity | None = None

    @property
    def has_rate(self) -> bool:
        """Whether a rate is given, in any spelling."""
        return not (self.rate_ratio is None and self.rate_quantity is None and self.rate_simple_quantity is None)


class MedicationAdministration(DrugRecord, frozen=True, kw_only=True):
    """A dose that was, is being, or was not given.

    R5 spells the time `occurence` with one r, a published typo; the right spelling is accepted too.
    """

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = (
        *DrugRecord.CHOICES,
        ("effective_date_time", "effective_period", "occurence_date_time", "occurence_period", "occurence_timing",
         "occurrence_date_time", "occurrence_period", "occurrence_timing"),
    )
    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        **DrugRecord.ONLY,
        "not_given": ("STU3",),
        "reason_not_given": ("STU3",),
        "status_reason": ("R4", "R5"),
        "effective_date_time": ("STU3", "R4"),
        "effective_period": ("STU3", "R4"),
        "occurence_date_time": ("R5",),
        "occurence_period": ("R5",),
        "occurence_timing": ("R5",),
        "is_sub_potent": ("R5",),
    }
    REPEATED: ClassVar[tuple[str, ...]] = (
        "medication_codeable_concept", "medication_reference", "medication", "dosage",
    )

    status: Status
    not_given: bool | None = None
    reason_not_given: tuple[CodeableConcept, ...] = ()
    status_reason: tuple[CodeableConcept, ...] = ()
    effective_date_time: str | None = None
    effective_period: Period | None = None
    occurence_date_time: str | None = None
    occurence_period: Period | None = None
    occurence_timing: Timing | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurrence_timing: Timing | None = None
    dosage: AdministeredDosage | None = None
    is_sub_potent: bool | None = None

    @property
    def r4_status(self) -> str:
        """The status in R4 words: STU3 `notGiven = true` is not-done, whatever its status says."""
        return "not-done" if self.not_given else self.status

    @property
    def given(self) -> bool:
        """Whether a dose, whole or in part, was or is being given: never only `completed`."""
        return not self.not_given and self.status in ("completed", "stopped", "in-progress")

    @property
    def when(self) -> Span:
        """When the dose was given."""
        if self.effective_date_time is not None:
            return Span("effectiveDateTime", self.effective_date_time)
        if self.occurence_date_time is not None:
            return Span("occurenceDateTime", self.occurence_date_time)
        return span_of(
            ("effectivePeriod", self.effective_period),
            ("occurencePeriod", self.occurence_period),
            ("occurenceTiming", self.occurence_timing),
            ("occurrenceDateTime", self.occurrence_date_time),
            ("occurrencePeriod", self.occurrence_period),
            ("occurrenceTiming", self.occurrence_timing),
        )

    @property
    def reasons(self) -> tuple[CodeableConcept, ...]:
        """Why it was not given, or stopped."""
        return self.reason_not_given or self.status_reason

"""DiagnosticReport: the report of a scan or of a laboratory; its results are Observations of their own."""

from typing import Literal

from fhir_adapter.fhir.elements import CodeableConcept, Period, Reference, Resource

Status = Literal[
    "registered", "partial", "preliminary", "modified", "final", "amended", "corrected", "appended", "cancelled",
    "entered-in-error", "unknown",
]


class DiagnosticReport(Resource, frozen=True, kw_only=True):
    """A diagnostic report of any version."""

    status: Status
    code: CodeableConcept
    category: tuple[CodeableConcept, ...] | CodeableConcept = ()
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    performer: tuple[Reference, ...] = ()
    results_interpreter: tuple[Reference, ...] = ()
    result: tuple[Reference, ...] = ()

    @property
    def categories(self) -> tuple[CodeableConcept, ...]:
        """Its categories (STU3 has one, later versions a list)."""
        return (self.category,) if isinstance(self.category, CodeableConcept) else self.category

    @property
    def started(self) -> str | None:
        """The moment, or the start of the period, as written."""
        if self.effective_date_time is not None or self.effective_period is None:
            return self.effective_date_time
        return self.effective_period.start

    @property
    def ended(self) -> str | None:
        """The end of the period, as written."""
        return None if self.effective_period is None else self.effective_period.end

    @property
    def readers(self) -> tuple[Reference, ...]:
        """Who read it: the interpreter where one is named, else the performer."""
        return self.results_interpreter or self.performer

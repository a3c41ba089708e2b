"""DiagnosticReport: the report of a scan or of a laboratory; its results are Observations of their own."""

from typing import ClassVar, Literal

from fhir_adapter.fhir.elements import CodeableConcept, Period, Reference, Resource, Span, span_of

Status = Literal[
    "registered",
    "partial",
    "preliminary",
    "modified",
    "final",
    "amended",
    "corrected",
    "appended",
    "cancelled",
    "entered-in-error",
    "unknown",
]


class Performer(Reference, frozen=True, kw_only=True):
    """Who is responsible; STU3 keeps the reference in `actor`."""

    actor: Reference | None = None


class DiagnosticReport(Resource, frozen=True, kw_only=True):
    """A diagnostic report of any version."""

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = (("effective_date_time", "effective_period"),)

    status: Status
    code: CodeableConcept
    category: tuple[CodeableConcept, ...] | CodeableConcept = ()
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    performer: tuple[Performer, ...] = ()
    results_interpreter: tuple[Reference, ...] = ()
    result: tuple[Reference, ...] = ()

    @property
    def categories(self) -> tuple[CodeableConcept, ...]:
        """Its categories (STU3 has one, later versions a list)."""
        return (self.category,) if isinstance(self.category, CodeableConcept) else self.category

    @property
    def when(self) -> Span:
        """The moment or the period that it reports on."""
        if self.effective_date_time is not None:
            return Span("effectiveDateTime", self.effective_date_time)
        return span_of(("effectivePeriod", self.effective_period))

    @property
    def readers(self) -> tuple[Reference, ...]:
        """Who read it: the interpreter where one is named, else the performer."""
        return self.results_interpreter or tuple(one.actor or one for one in self.performer)

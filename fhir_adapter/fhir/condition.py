"""Condition: a diagnosis or a problem."""

from typing import ClassVar

from fhir_adapter.fhir.elements import CodeableConcept, Element, Extension, Period, Reference, Resource, extensions


class Stage(Element, frozen=True, kw_only=True):
    """A stage as stated."""

    summary: CodeableConcept | None = None
    type: CodeableConcept | None = None


class Condition(Resource, frozen=True, kw_only=True):
    """A condition of any version. STU3 writes its two statuses as plain codes, later versions as concepts."""

    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {"asserted_date": ("STU3",), "recorded_date": ("R4", "R5")}

    clinical_status: CodeableConcept | str | None = None
    verification_status: CodeableConcept | str | None = None
    category: tuple[CodeableConcept, ...] | CodeableConcept = ()
    code: CodeableConcept | None = None
    body_site: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    recorded_date: str | None = None
    asserted_date: str | None = None
    stage: tuple[Stage, ...] | Stage | None = None

    @property
    def entered_in_error(self) -> bool:
        """Conditions say so in their verification status."""
        return self.verification == "entered-in-error"

    @property
    def status(self) -> str | None:
        """Clinical status as a code: active, resolved, ..."""
        return _code(self.clinical_status)

    @property
    def verification(self) -> str | None:
        """Verification status as a code: confirmed, refuted, entered-in-error, ..."""
        return _code(self.verification_status)

    @property
    def started(self) -> str | None:
        """Onset as written; never the recording date."""
        return self.onset_date_time or (self.onset_period.start if self.onset_period is not None else None)

    @property
    def ended(self) -> str | None:
        """Abatement as written; a period's end, else its start."""
        period = self.abatement_period
        return self.abatement_date_time or (None if period is None else period.end or period.start)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Its stages (STU3 has one, later versions a list)."""
        if self.stage is None:
            return ()
        return (self.stage,) if isinstance(self.stage, Stage) else self.stage

    @property
    def morphology(self) -> CodeableConcept | None:
        """mCODE's histology-morphology-behavior extension."""
        found: tuple[Extension, ...] = extensions(self, "mcode-histology-morphology-behavior")
        return next((e.value_codeable_concept for e in found if e.value_codeable_concept is not None), None)


def _code(status: CodeableConcept | str | None) -> str | None:
    if status is None or isinstance(status, str):
        return status
    return next((coding.code for coding in status.coding if coding.code), None)

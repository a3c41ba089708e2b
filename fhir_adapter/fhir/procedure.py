"""Procedure: STU3, R4 and R5 answer the same questions, radiotherapy included (profiles.md §1.2, §4)."""

from typing import ClassVar, Literal

import msgspec

from fhir_adapter.fhir.elements import (
    CodeableConcept,
    Extended,
    Extension,
    Period,
    Quantity,
    Range,
    Reference,
    Span,
    Timing,
    last_part,
    once,
    span_of,
)

_R4_WORDS = {"suspended": "on-hold", "aborted": "stopped"}
_DOSE = "mcode-radiotherapy-dose-delivered-to-volume"
_MII = "mii-ex-onko-strahlentherapie-bestrahlung"


class DoseToVolume(msgspec.Struct, frozen=True, kw_only=True):
    """What one volume received, as the record says it; `element` is the extension that does."""

    element: str
    volume: Reference | None = None
    dose: Quantity | None = None
    fractions: int | None = None
    per_fraction: Quantity | None = None


class Procedure(Extended, frozen=True, kw_only=True):
    """Something done to a patient: an operation, a scan, a course of radiotherapy."""

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("performed_date_time", "performed_period", "performed_string", "performed_age", "performed_range",
         "occurrence_date_time", "occurrence_period", "occurrence_string", "occurrence_age", "occurrence_range",
         "occurrence_timing"),
    )
    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        "not_done": ("STU3",),
        "not_done_reason": ("STU3",),
        "status_reason": ("R4", "R5"),
        "performed_date_time": ("STU3", "R4"),
        "performed_period": ("STU3", "R4"),
        "occurrence_date_time": ("R5",),
        "occurrence_period": ("R5",),
        "occurrence_timing": ("R5",),
    }

    REPEATED: ClassVar[tuple[str, ...]] = ("code", "body_site", "status_reason", "not_done_reason")

    status: Literal[
        "preparation", "in-progress", "suspended", "aborted", "not-done", "on-hold", "stopped", "completed",
        "entered-in-error", "unknown",
    ]
    not_done: bool | None = None
    not_done_reason: CodeableConcept | None = None
    status_reason: CodeableConcept | None = None
    code: CodeableConcept | None = None
    part_of: tuple[Reference, ...] = ()
    performed_date_time: str | None = None
    performed_period: Period | None = None
    performed_string: str | None = None
    performed_age: Quantity | None = None
    performed_range: Range | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurrence_string: str | None = None
    occurrence_age: Quantity | None = None
    occurrence_range: Range | None = None
    occurrence_timing: Timing | None = None
    body_site: tuple[CodeableConcept, ...] = ()

    @once
    def r4_status(self) -> str:
        """The status in R4 words: STU3 `suspended`, `aborted` and `notDone` have other names there."""
        return "not-done" if self.not_done else _R4_WORDS.get(self.status, self.status)

    @once
    def when(self) -> Span:
        """When it was done. A text ("spring 2023"), an age or a range of ages is legal and names no day."""
        return span_of(
            ("performedDateTime", self.performed_date_time),
            ("performedPeriod", self.performed_period),
            ("occurrenceDateTime", self.occurrence_date_time),
            ("occurrencePeriod", self.occurrence_period),
            ("occurrenceTiming", self.occurrence_timing),
        )

    @once
    def reasons(self) -> tuple[CodeableConcept, ...]:
        """Why it was not done or stopped; mCODE STU2 and STU3 say it in an extension."""
        said = self.status_reason or self.not_done_reason
        if said is not None:
            return (said,)
        termination = self.said("mcode-treatment-termination-reason")
        return tuple([e.value_codeable_concept for e in termination if e.value_codeable_concept is not None])

    @property
    def intent(self) -> CodeableConcept | None:
        """mCODE procedure-intent."""
        return _concept(self.said("mcode-procedure-intent"))

    @property
    def modality(self) -> CodeableConcept | None:
        """mCODE radiotherapy-modality, inside its wrapper or (older) outside; MII `Strahlenart`."""
        return self._radiation("mcode-radiotherapy-modality", "Strahlenart")

    @property
    def technique(self) -> CodeableConcept | None:
        """mCODE radiotherapy-technique; MII `Applikationsart`."""
        return self._radiation("mcode-radiotherapy-technique", "Applikationsart")

    @once
    def sessions(self) -> int | None:
        """Fractions given in all: mCODE radiotherapy-sessions, or CodeX RT's own extension of phases and plans."""
        found = self.said("mcode-radiotherapy-sessions", "codexrt-radiotherapy-fractions-delivered")
        return _count(found[0]) if found else None

    @property
    def doses(self) -> tuple[DoseToVolume, ...]:
        """The dose of each volume. Volumes overlap: whoever adds them invents dose.

        mCODE has no dose of one fraction; MII has (`Einzeldosis`), until 2025 inside `...-bestrahlung`, since 2026 as
        an extension beside the total (MII oncology module 2026.0.3), of one volume that it does not name.
        """
        found = []
        for index, (name, extension) in enumerate(self.named):
            each: Extension | None = None
            if name == _DOSE:
                dose, volume, count = _parts(extension, "totalDoseDelivered", "volume", "fractionsDelivered")
            elif name == _MII:
                dose, volume, count, each = _parts(extension, "Gesamtdosis", "Zielgebiet", "Fraktionen", "Einzeldosis")
            elif name == f"{_MII}-gesamtdosis":
                dose, volume, count = extension, None, None
                each = next(iter(self.said(f"{_MII}-einzeldosis")), None)
            else:
                continue
            found.append(DoseToVolume(
                element=f"extension[{index}]",
                volume=None if volume is None else volume.value_reference,
                dose=None if dose is None else dose.value_quantity,
                fractions=None if count is None else _count(count),
                per_fraction=None if each is None else each.value_quantity,
            ))
        return tuple(found)

    def _radiation(self, name: str, german: str) -> CodeableConcept | None:
        nested = [e for inner, e in self._nested if inner in (name, german)]
        return _concept(nested or self.said(name))

    @once
    def _nested(self) -> list[tuple[str, Extension]]:
        """What stands in the wrappers of modality and technique."""
        wrappers = self.said("mcode-radiotherapy-modality-and-technique", _MII)
        return [(last_part(e.url), e) for wrapper in wrappers for e in wrapper.extension]


def _parts(extension: Extension, *names: str) -> tuple[Extension | None, ...]:
    """The nested extensions of these names, each None when it is missing."""
    nested = {last_part(e.url): e for e in reversed(extension.extension)}
    return tuple([nested.get(name) for name in names])


def _concept(found: list[Extension]) -> CodeableConcept | None:
    for extension in found:
        if extension.value_codeable_concept is not None:
            return extension.value_codeable_concept
        if extension.value_coding is not None:
            return CodeableConcept(coding=(extension.value_coding,))
    return None


def _count(extension: Extension) -> int | None:
    for value in (extension.value_unsigned_int, extension.value_positive_int, extension.value_integer):
        if value is not None:
            return value
    return None

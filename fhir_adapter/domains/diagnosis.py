"""A diagnosis with histology and stage."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.moments import Moments
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.condition import Condition


class Diagnosis(Fact, frozen=True, kw_only=True):
    """A diagnosis with histology and stage."""

    concept: Annotated[str | None, column("what the condition is", source="Condition.code")] = None
    histology: Annotated[str | None, column("histology concept", source="mCODE histology-morphology-behavior")] = None
    onset: Annotated[
        PartialDate | None, column("date of diagnosis", source="Condition.onset[x], else recordedDate is not used")
    ] = None
    stage: Annotated[str | None, column("stage group as stated", source="Condition.stage")] = None


LIST = "diagnosis"
DENIED = frozenset(("refuted", "entered-in-error"))


def read(condition: Condition, reading: Reading) -> Iterator[Any]:
    """The cancer under study, with its histology: ICD-10 C73 alone says thyroid, any histology (profiles.md §2).

    The date of diagnosis is the onset; the recording date is never taken for it. A refuted condition is none.
    """
    match = reading.meanings(condition.code).get(LIST) if condition.code is not None else None
    return iter(()) if match is None else _diagnosed(condition, reading, match)


def denied(condition: Condition) -> Ignored | None:
    """Ignored for a condition whose verification status says that it is none."""
    return Ignored(f"verification_{condition.verification}") if condition.verification in DENIED else None


def _diagnosed(condition: Condition, reading: Reading, match: Match) -> Iterator[Any]:
    aside = denied(condition)
    if aside is None and match.found == "unmatched":
        aside = Ignored(match.note)
    if aside is not None:
        yield aside
        return
    if match.found != "mapped":
        yield reading.code_doubt(match, "code")
        return
    histology = None
    if condition.morphology is not None:
        meant = reading.look_up("histology", condition.morphology)
        histology = meant.concept if meant.found == "mapped" else None
        if meant.found not in ("mapped", "unmatched"):
            yield reading.code_doubt(meant, "extension", holds=False)
    moments = Moments(reading)
    onset = moments.read(condition.started, "onset")
    yield from moments.problems
    yield Diagnosis(element="", concept=match.concept, histology=histology, onset=onset, stage=_stage(condition))


def _stage(condition: Condition) -> str | None:
    """The code of the first stage that is coded."""
    codings = (c for stage in condition.stages if stage.summary is not None for c in stage.summary.coding)
    return next((coding.code for coding in codings if coding.code), None)


DOMAIN = Domain(name="diagnosis", fact=Diagnosis, title="diagnoses", reads=("Condition",), read=read)

"""A scan or examination of the tumour at one time point."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.evaluators import evaluator
from fhir_adapter.domains.moments import Moments
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.diagnostic_report import DiagnosticReport
from fhir_adapter.fhir.observation import Observation


class TumorAssessment(Fact, frozen=True, kw_only=True):
    """A scan or examination of the tumour at one time point."""

    visit: Annotated[str | None, column("visit as stated by the source or sheet")] = None
    start_date: Annotated[PartialDate | None, column("first scan", source="effective[x]")] = None
    end_date: Annotated[PartialDate | None, column("last scan", source="effectivePeriod.end")] = None
    method: Annotated[
        str | None,
        column(
            "modality",
            codes=("CT", "MRI", "PET", "X-ray", "ultrasound", "clinical", "pathology", "other"),
            source="Observation.method",
        ),
    ] = None
    evaluator: Annotated[
        str,
        column(
            "role of the reader",
            codes=("investigator", "central 1", "central 2", "adjudicator"),
            source="hospital settings",
        ),
    ]
    performer: Annotated[str | None, column("opaque key of the reader", source="performer")] = None
    stated_baseline: Annotated[bool, column("whether the source calls it the baseline")]


LIST = "response_assessment"
CONCEPT = "tumor_assessment"
_EVALUABLE = frozenset(("final", "amended", "corrected", "modified", "appended"))


def read(resource: Observation | DiagnosticReport, reading: Reading) -> Iterator[Any]:
    """A tumour assessment as a record of its own: a panel Observation or a report whose code says so.

    Other scans are known by their measurements and responses; a report of any CT is not taken for an assessment.
    """
    match = reading.meanings(resource.code).get(LIST)
    if match is None or match.concept != CONCEPT:
        return iter(())
    return _assessed(resource, reading, match)


def _assessed(resource: Observation | DiagnosticReport, reading: Reading, match: Match) -> Iterator[Any]:
    if resource.status == "entered-in-error":
        yield Ignored("entered_in_error")
        return
    if match.found != "mapped":
        yield reading.code_doubt(match, "code")
        return
    if resource.status not in _EVALUABLE:
        yield Ignored(f"status_{resource.status}")
        return
    moments = Moments(reading)
    readers = resource.performer if isinstance(resource, Observation) else resource.readers
    role, performer = evaluator(reading, readers)
    visit = next(iter(reading.carried("visit")), None)
    when = resource.when
    start, end = moments.read(when.start, when.element), moments.read(when.end, when.element)
    yield from moments.problems
    yield TumorAssessment(
        element="",
        visit=visit,
        start_date=start,
        end_date=end,
        method=_method(resource, reading),
        evaluator=role,
        performer=performer,
        stated_baseline=is_baseline(visit),
    )


def _method(resource: Observation | DiagnosticReport, reading: Reading) -> str | None:
    concepts = (resource.method,) if isinstance(resource, Observation) else (resource.code, *resource.categories)
    for concept in concepts:
        match = reading.meanings(concept).get("method") if concept is not None else None
        if match is not None and match.found == "mapped":
            return match.concept
    return None


def is_baseline(visit: str | None) -> bool:
    """Whether the source calls a visit the baseline."""
    return visit is not None and visit.strip().casefold().startswith("baseline")


DOMAIN = Domain(
    name="tumor_assessment",
    fact=TumorAssessment,
    title="tumour assessments",
    reads=("Observation", "DiagnosticReport"),
    read=read,
    lists=(f"{LIST}/{CONCEPT}",),
)

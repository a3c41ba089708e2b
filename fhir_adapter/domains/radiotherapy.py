"""A delivered course, phase or fraction of radiotherapy. Levels are never added."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.core.study import Fractionation
from fhir_adapter.domains.procedure import NOT_PERFORMED
from fhir_adapter.domains.radiotherapy_volume import DeliveredDose, delivered
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import CodeableConcept
from fhir_adapter.fhir.procedure import Procedure


class Radiotherapy(Fact, frozen=True, kw_only=True):
    """A delivered course, phase or fraction of radiotherapy. Levels are never added."""

    level: Annotated[
        str,
        column("which level the record describes", codes=("course", "phase", "fraction"), source="Procedure.code"),
    ]
    part_of: Annotated[
        str | None,
        column("opaque key of the record that this one is part of", source="Procedure.partOf"),
    ] = None
    status: Annotated[str, column("status in R4 words", source="Procedure.status")]
    start_date: Annotated[PartialDate | None, column("first fraction", source="performedPeriod.start")] = None
    end_date: Annotated[PartialDate | None, column("last fraction so far", source="performedPeriod.end")] = None
    sessions: Annotated[
        int | None,
        column("fractions given", unit="fractions", source="mCODE radiotherapy-sessions"),
    ] = None
    modality: Annotated[str | None, column("modality concept", source="mCODE radiotherapy-modality")] = None
    technique: Annotated[str | None, column("technique concept", source="mCODE radiotherapy-technique")] = None
    derived_class: Annotated[
        str | None,
        column("class derived from fractionation, never stated", codes=("conventional", "sbrt", "low_dose", "other")),
    ] = None
    site: Annotated[str | None, column("treated site concept", source="Procedure.bodySite")] = None
    intent: Annotated[
        str | None,
        column("intent", codes=("curative", "palliative"), source="mCODE procedure-intent"),
    ] = None
    reason: Annotated[str | None, column("why it was stopped", source="statusReason")] = None


LEVELS = ("course", "phase", "fraction")
INTENTS = {"373808002": "curative", "363676003": "palliative"}
"""mCODE procedure-intent, SNOMED CT."""


def level_of(resource: Procedure, reading: Reading) -> str | None:
    """Course, phase or fraction, or `planned`; None for what is no radiotherapy."""
    match = reading.meanings(resource.code).get("radiotherapy") if resource.code is not None else None
    return match.concept if match is not None and match.found == "mapped" else None


def read(resource: Procedure, reading: Reading) -> Iterator[Any]:
    """One delivered course, phase or fraction. Planned or prescribed radiotherapy was never delivered: ignored.

    An in-progress summary also has an end (profiles.md §4.1): the end is the last fraction so far, never a proof of
    completion. Where no extension says modality or technique, the code itself may (older mCODE, CPT).
    """
    level = level_of(resource, reading)
    if level is None:
        return
    status = resource.r4_status
    if level not in LEVELS or status in NOT_PERFORMED:
        yield Ignored(NOT_PERFORMED.get(status, "planned_only"))
        return
    when = resource.when
    start, end = when.dates
    doses = reading.once("doses", delivered, resource)
    part_of = reading.key_of(resource.part_of[0], "Procedure") if resource.part_of else None
    intent = resource.intent
    yield Radiotherapy(
        element=when.element or "code",
        level=level,
        part_of=part_of,
        status=status,
        start_date=start,
        end_date=end,
        sessions=resource.sessions,
        modality=_concept("modality", resource.modality or resource.code, reading),
        technique=_concept("technique", resource.technique or resource.code, reading),
        derived_class=fractionation(doses, resource.sessions, reading.protocol.radiotherapy.fractionation),
        site=next((site for s in resource.body_site if (site := _concept("body_site", s, reading))), None),
        intent=None if intent is None else next((INTENTS[c.code] for c in intent.coding if c.code in INTENTS), None),
        reason=next((why for r in resource.reasons if (why := _concept("reason", r, reading))), None),
    )


def fractionation(doses: tuple[DeliveredDose, ...], sessions: int | None, rule: Fractionation | None) -> str | None:
    """The class that dose and fractions make, by the trial's thresholds; None without thresholds, dose or fractions.

    The volume with the highest dose decides: volumes overlap and are never added (profiles.md §4.2).
    """
    known = [(d.cgy, d.said.fractions or sessions) for d in doses if d.cgy is not None]
    dose, fractions = max(known, default=(None, None), key=lambda pair: pair[0])
    if rule is None or dose is None or not fractions:
        return None
    total = dose / 100
    single = total / Decimal(fractions)
    if fractions <= rule.sbrt_max_fractions and single >= rule.sbrt_min_gy:
        return "sbrt"
    if total <= rule.low_dose_max_total_gy and single <= rule.low_dose_max_gy:
        return "low_dose"
    low, high = rule.conventional_gy
    return "conventional" if low <= single <= high else "other"


def _concept(name: str, said: CodeableConcept | None, reading: Reading) -> str | None:
    match = None if said is None else reading.meanings(said).get(name)
    return match.concept if match is not None and match.found == "mapped" else None


DOMAIN = Domain(
    name="radiotherapy", fact=Radiotherapy, title="Delivered radiotherapy", reads=("Procedure",), read=read,
    same=("level", "start_date", "site"), agree=("end_date", "sessions"),
    lists=("radiotherapy",),
)

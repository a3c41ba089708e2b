"""The rules of edit checks that are more than an order of two dates. Each gives the facts that break it.

Sources: RECIST 1.1 (targets: at most five, two per organ, 10 mm, nodes 15 mm in short axis; one method); ECOG 5 is dead
(profiles.md §5.2); C73 is any thyroid cancer (profiles.md §2); phases and courses (profiles.md §4.2).
"""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pandas as pd

from fhir_adapter.core.dates import day_of

Found = list[tuple[str, Any]]
UM_PER_MM = 1000


def dose_at_most(sight: Any) -> Found:
    """Doses of one day beyond the regimen's by more than the tolerance, a share; fewer milligrams are a reduction."""
    regimen = sight.protocol.regimen
    return [
        ("drug_administration", row) for row in sight.of("drug_administration")
        if row.drug in regimen and row.given is True and row.evidence == "administered" and _one_day(row)
        and not pd.isna(row.dose_mg) and row.dose_mg > regimen[row.drug].dose_mg * (1 + sight.check.tolerance)
    ]


def doses_apart(sight: Any) -> Found:
    """Two doses of a drug given once a cycle, closer than the cycle by more days than the tolerance."""
    found: Found = []
    for drug, regimen in sorted(sight.protocol.regimen.items()):
        if regimen.doses_per_cycle != 1:
            continue
        given = sorted(((day, row.fact_key, row) for row in sight.of("drug_administration")
                        if row.drug == drug and row.given is True and row.evidence == "administered"
                        and (day := day_of(_text(row.start_date))) is not None), key=lambda one: one[:2])
        for (before, _, first), (after, _, second) in pairwise(given):
            if before != after and (after - before).days < regimen.cycle_days - sight.check.tolerance:
                found += [("drug_administration", first), ("drug_administration", second)]
    return found


def targets_at_most(sight: Any) -> Found:
    """More target lesions than the tolerance."""
    targets = _targets(sight)
    return [("lesion", row) for row in targets] if _count(targets) > sight.check.tolerance else []


def targets_per_organ(sight: Any) -> Found:
    """More target lesions at one site than the tolerance."""
    found: Found = []
    targets = [row for row in _targets(sight) if not pd.isna(row.site)]
    for site in sorted({row.site for row in targets}):
        mine = [row for row in targets if row.site == site]
        if _count(mine) > sight.check.tolerance:
            found += [("lesion", row) for row in mine]
    return found


def target_at_least(sight: Any) -> Found:
    """Targets that are no nodes, shorter at their first measurement than the tolerance in millimetres."""
    return _too_small(sight, node=False)


def target_node_at_least(sight: Any) -> Found:
    """Target nodes whose short axis is less at their first measurement than the tolerance in millimetres."""
    return _too_small(sight, node=True)


def method_constant(sight: Any) -> Found:
    """Measurements of one lesion by more than one method, each known."""
    found: Found = []
    sizes = [row for row in sight.of("lesion_measurement") if not pd.isna(row.method)]
    for lesion in sorted({row.lesion for row in sizes}):
        mine = [row for row in sizes if row.lesion == lesion]
        if len({row.method for row in mine}) > 1:
            found += [("lesion_measurement", row) for row in mine]
    return found


def phases_sum(sight: Any) -> Found:
    """Phases whose doses to a volume differ in sum from their course's dose to it by more than the tolerance, a share.

    Only where every phase of the course tells the dose to that very volume.
    """
    found: Found = []
    doses = [row for row in sight.of("radiotherapy_volume") if not pd.isna(row.dose_cgy) and not pd.isna(row.volume)]
    courses = sight.of("radiotherapy")
    for course in (row for row in courses if row.level == "course"):
        phases = {row.resource for row in courses if row.level == "phase" and row.part_of == course.resource}
        for whole in (row for row in doses if row.resource == course.resource):
            parts = [row for row in doses if row.resource in phases and row.volume == whole.volume]
            if not phases or {row.resource for row in parts} != phases:
                continue
            total = sum((Decimal(row.dose_cgy) for row in parts), Decimal(0))
            if abs(total - Decimal(whole.dose_cgy)) > sight.check.tolerance * Decimal(whole.dose_cgy):
                found += [("radiotherapy_volume", row) for row in (whole, *parts)]
    return found


def fractions_times_dose(sight: Any) -> Found:
    """Volumes whose fractions times the stated dose of one differ from their dose by more than the tolerance, a share.

    The fractions are the volume's own, else the sessions of its record.
    """
    sessions = {row.resource: row.sessions for row in sight.of("radiotherapy")}
    found: Found = []
    for row in sight.of("radiotherapy_volume"):
        count = sessions.get(row.resource) if pd.isna(row.fractions) else row.fractions
        if pd.isna(row.dose_cgy) or pd.isna(row.fraction_cgy) or count is None or pd.isna(count):
            continue
        if abs(int(count) * row.fraction_cgy - row.dose_cgy) > sight.check.tolerance * row.dose_cgy:
            found.append(("radiotherapy_volume", row))
    return found


def ecog_dead(sight: Any) -> Found:
    """An ECOG score of 5 of a subject whom no record calls dead."""
    if any(row.status == "dead" for row in sight.of("vital_status")):
        return []
    return [("performance_status", row) for row in sight.of("performance_status")
            if row.scale == "ECOG" and row.score == 5]


def histology(sight: Any) -> Found:
    """Thyroid cancers, none of them with the histology anaplastic."""
    stated = [row for row in sight.of("diagnosis") if row.concept == "thyroid_cancer"]
    return [] if any(row.histology == "anaplastic" for row in stated) else [("diagnosis", row) for row in stated]


def person(sight: Any) -> Found:
    """Years of birth further apart than the tolerance, or both sexes, in the records of one subject."""
    people = sight.of("demographic")
    years = [int(row.birth_year) for row in people if not pd.isna(row.birth_year)]
    sexes = {row.sex for row in people if row.sex in ("male", "female")}
    if len(sexes) > 1 or (years and max(years) - min(years) >= max(sight.check.tolerance, 1)):
        return [("demographic", row) for row in people]
    return []


def ae_grade(sight: Any) -> Found:
    """Adverse events without a grade; one with a severity word only has none."""
    return [("adverse_event", row) for row in sight.of("adverse_event") if pd.isna(row.grade)]


def ae_outcome(sight: Any) -> Found:
    """Adverse events with an end and without an outcome."""
    return [("adverse_event", row) for row in sight.of("adverse_event")
            if pd.isna(row.outcome) and not pd.isna(row.end_date)]


def baseline_ecog(sight: Any) -> Found:
    """The first dose of a study drug, when no ECOG was taken in as many days before it as the tolerance says."""
    first = _first_dose(sight)
    if first is None:
        return []
    day, row = first
    earliest = day - timedelta(days=int(sight.check.tolerance))
    known = [seen for one in sight.of("performance_status") if one.scale == "ECOG"
             if (seen := day_of(_text(one.date))) is not None]
    return [] if any(earliest <= seen <= day for seen in known) else [("drug_administration", row)]


def laboratory_per_dose(sight: Any) -> Found:
    """Doses of drugs given once a cycle without any laboratory result in as many days before as the tolerance says."""
    once = {drug for drug, regimen in sight.protocol.regimen.items() if regimen.doses_per_cycle == 1}
    days = {day for row in sight.of("lab_result") if (day := day_of(_text(row.date))) is not None}
    span = [timedelta(days=back) for back in range(int(sight.check.tolerance) + 1)]
    return [
        ("drug_administration", row) for row in sight.of("drug_administration")
        if row.drug in once and row.given is True and (day := day_of(_text(row.start_date))) is not None
        and not any(day - back in days for back in span)
    ]


def lesion_unmeasured(sight: Any) -> Found:
    """Targets that nobody says anything about on days when another target was measured, after their own first day.

    Days within the tolerance belong to one look; a target said to be absent, too small or not evaluated was looked at.
    """
    slack = timedelta(days=int(sight.check.tolerance))
    targets = {row.lesion for row in _targets(sight)}
    seen: dict[str, list[date]] = {}
    for row in sight.of("lesion_measurement"):
        day = day_of(_text(row.date))
        if row.lesion in targets and day is not None:
            seen.setdefault(row.lesion, []).append(day)
    looks = {day for days in seen.values() for day in days}
    missed = {
        lesion for lesion, days in seen.items()
        if any(day > min(days) and not any(abs(day - one) <= slack for one in days) for day in looks)
    }
    return [("lesion", row) for row in _targets(sight) if row.lesion in missed]


def _too_small(sight: Any, *, node: bool) -> Found:
    limit = sight.check.tolerance * UM_PER_MM
    targets = {row.lesion for row in _targets(sight) if (row.node is True) == node}
    first: dict[str, Any] = {}
    for row in sight.of("lesion_measurement"):
        known = row.lesion in targets and row.state == "measured" and not pd.isna(row.size_um)
        if known and day_of(_text(row.date)) is not None:
            before = first.get(row.lesion)
            if before is None or row.date < before.date:
                first[row.lesion] = row
    return [("lesion_measurement", row) for _, row in sorted(first.items()) if row.size_um < limit]


def _targets(sight: Any) -> list[Any]:
    return [row for row in sight.of("lesion") if row.role == "target"]


def _count(lesions: list[Any]) -> int:
    return len({row.lesion for row in lesions})


def _first_dose(sight: Any) -> tuple[date, Any] | None:
    drugs = sight.protocol.trial.study_drugs
    given = [(day, row.fact_key, row) for row in sight.of("drug_administration")
             if row.drug in drugs and row.given is True and (day := day_of(_text(row.start_date))) is not None]
    if not given:
        return None
    day, _, row = min(given, key=lambda one: one[:2])
    return day, row


def _one_day(row: Any) -> bool:
    return bool(pd.isna(row.end_date) or row.end_date == row.start_date)


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


ALL: dict[str, Callable[[Any], Found]] = {
    one.__name__: one for one in (
        dose_at_most, doses_apart, targets_at_most, targets_per_organ, target_at_least, target_node_at_least,
        method_constant, phases_sum, fractions_times_dose, ecog_dead, histology, person, ae_grade, ae_outcome,
        baseline_ecog, laboratory_per_dose, lesion_unmeasured,
    )
}
"""Every rule by its name, as a row of mappings/checks.csv says it."""

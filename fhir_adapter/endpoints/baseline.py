"""The baseline: the last complete tumour assessment on or before the first study treatment.

It is at most `baseline_days` (28) older than the first study treatment of any kind. An assessment that its source
calls baseline is used also when it is older or later, flagged as a deviation; otherwise there is no baseline.
Complete: every target lesion of the reader is in the sum. Source: RECIST 1.1 §4.1; endpoints.md §0.3, §2.1.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from fhir_adapter.endpoints.conclusions import Baseline
from fhir_adapter.endpoints.frames import NOTHING, Ground, Trial, first_day, ground, written, written_or_none
from fhir_adapter.endpoints.grouping import Group
from fhir_adapter.endpoints.therapies import Clock


class Choice(msgspec.Struct, frozen=True):
    """The position of the baseline among the time points, and why it is out of the window, if so."""

    position: int | None = None
    deviation: str | None = None


def choose(groups: Sequence[Group], complete: Sequence[bool], treated: int | None, days: int) -> Choice:
    """Which time point is the baseline; `complete` says of each whether all targets were measured."""
    stated = [position for position, group in enumerate(groups) if group.stated_baseline and complete[position]]
    if treated is None:
        return Choice(stated[-1] if stated else None)
    before = [position for position, group in enumerate(groups) if group.first <= treated and complete[position]]
    in_window = [position for position in before if treated - groups[position].first <= days]
    if in_window:
        return Choice(in_window[-1])
    older = [position for position in stated if groups[position].first <= treated]
    if older:
        return Choice(older[-1], "too_old")
    return Choice(stated[0], "after_start") if stated else Choice()


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who a subject is, without identifiers."""

    sex: str | None = None
    birth_year: int | None = None
    histology: str | None = None
    stage: str | None = None
    braf: str | None = None
    pdl1: str | None = None
    pdl1_percent: Decimal | None = None
    ground: Ground = NOTHING


def people(trial: Trial) -> dict[str, Person]:
    """Sex, birth year, histology and stage of every subject, the first stated of each, and the latest markers."""
    found: dict[str, Person] = {}
    for table, names in (("demographic", ("sex", "birth_year")), ("diagnosis", ("histology", "stage"))):
        for row in trial.rows(table):
            known = found.get(row.subject, Person())
            stated = {name: getattr(row, name) for name in names
                      if getattr(known, name) is None and getattr(row, name) is not None}
            found[row.subject] = msgspec.structs.replace(known, ground=known.ground | ground(table, row), **stated)
    for row in sorted(trial.rows("biomarker"), key=lambda row: row.date or ""):
        name = _MARKERS.get(row.marker)
        if name is not None:
            known = found.get(row.subject, Person())
            stated = {name: row.result if row.result is not None or row.value is None else f"{row.value}"}
            if name == "pdl1":
                stated["pdl1_percent"] = row.value
            found[row.subject] = msgspec.structs.replace(known, ground=known.ground | ground("biomarker", row),
                                                         **stated)
    return found


_MARKERS = {"braf_v600e": "braf", "braf": "braf", "pd_l1": "pdl1"}


def performance(trial: Trial, first_treatment: dict[str, int]) -> dict[str, int]:
    """The last ECOG of every subject on or before the first study treatment; of one day the worst."""
    latest: dict[str, tuple[int, int]] = {}
    for row in trial.rows("performance_status"):
        number, limit = first_day(row.date), first_treatment.get(row.subject)
        if row.scale == "ECOG" and number is not None and (limit is None or number <= limit):
            latest[row.subject] = max((number, int(row.score)), latest.get(row.subject, (0, 0)))
    return {subject: score for subject, (_, score) in latest.items()}


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where a subject stands before the first scan: clock, first study treatment, person, ECOG, other lesions."""

    clock: Clock
    treated: int | None
    person: Person = Person()
    ecog: int | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The baseline assessment of one reader; `group` is None without one."""

    group: Group | None = None
    deviation: str | None = None
    sum_um: int | None = None
    targets: int = 0
    non_targets: int = 0
    ground: Ground = NOTHING


def conclude(subject: str, evaluator: str, start: Start, measured: Measured) -> Baseline:
    """The row of the table."""
    first, person, group = start.clock.first_dose, start.person, measured.group
    age = None
    if person.birth_year is not None and first.day is not None:
        age = int(written(first.day)[:4]) - int(person.birth_year)
    return Baseline(
        subject=subject, evaluator=evaluator, date=written_or_none(group.first if group else None),
        last_date=written_or_none(group.last if group else None), sum_um=measured.sum_um, targets=measured.targets,
        non_targets=measured.non_targets, deviation=measured.deviation, age=age, birth_year=person.birth_year,
        sex=person.sex, ecog=start.ecog, enrolled=written_or_none(start.clock.enrolled),
        first_dose=written_or_none(first.day), first_dose_evidence=first.evidence,
        first_treatment=written_or_none(start.treated), histology=person.histology, stage=person.stage,
        braf=person.braf, pdl1=person.pdl1, pdl1_percent=person.pdl1_percent,
        **(first.ground | measured.ground | person.ground).told(_told(start, measured)),
    )


def _told(start: Start, measured: Measured) -> str:
    flag = {"too_old": ", older than the window allows", "after_start": ", after treatment began"}
    scan = "no complete tumour assessment before treatment"
    if measured.group is not None:
        scan = f"baseline {written(measured.group.first)}{flag.get(measured.deviation or '', '')}"
    return f"{start.clock.first_dose.told}; {scan}"

"""One subject as a course of days: what was given, seen and suffered, and what was concluded from it.

Day 0 is the start of PFS (the first dose of a study drug), else the earliest day known. Dates known to the month or
year stand at their first day and say so.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps.showing import visible
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.worklist import Filter

Frames = dict[str, pd.DataFrame]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something on a day, or over a span: on which track, in words, of which look, and from which record."""

    track: str
    date: str
    end: str
    day: int
    last: int
    label: str
    look: str
    resource: str
    hospital: str
    standing: str = "current"


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint of the subject with its reason, and the records that decided it."""

    name: str
    value: str
    why: str
    provisional: bool
    kinds: tuple[str, ...]
    records: tuple[tuple[str, str], ...]
    headline: bool


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One tumour assessment: day, change of the sum from baseline in percent (None: no complete sum), response."""

    day: int
    date: str
    change: float | None
    sum_mm: float | None
    overall: str
    evaluator: str


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """A subject's page."""

    subject: str
    hospitals: tuple[str, ...]
    state: str
    start: str
    facts_of_person: str
    marks: tuple[Mark, ...]
    points: tuple[Point, ...]
    endpoints: tuple[Concluded, ...]
    conflicts: tuple[WorkRow, ...]
    first: int
    last: int


_TABLES = ("drug_administration", "radiotherapy", "response_assessment", "adverse_event", "vital_status",
           "anticancer_therapy", "lab_result")
_CONCLUSIONS = ("time_to_event", "best_response", "time_point", "baseline", "population", "exposure", "lab_toxicity")
_FROM_READINGS = ("time_to_event", "best_response", "time_point")


def course(work: Workspace, subject: str, viewer: Account) -> Course:
    """A subject's course. Raises UsageError where there is none, or none that this person may see."""
    known = next(iter(work.trial.rows("subject", "subject", [subject])), None)
    hospitals = tuple(json.loads(known["hospitals"])) if known else ()
    if known is None or (viewer.scope is not None and not set(hospitals) & set(viewer.scope)):
        raise UsageError("There is no such subject.")
    facts = work.trial.frames(_TABLES, [subject], standings=("current", "held"))
    if viewer.scope is not None:
        facts = {name: frame[frame.hospital.isin([*viewer.scope, "decision"])] for name, frame in facts.items()}
    concluded = work.trial.frames(_CONCLUSIONS, [subject])
    if viewer.reads_as:
        facts = {name: frame[frame.performer.isin(viewer.reads_as)] if "performer" in frame.columns else frame
                 for name, frame in facts.items()}
    dated = [(track, label, look, row, begin, end) for track, label, look, row, begin, end in _dated(facts, concluded)]
    start = _start(concluded, [begin for *_, begin, _ in dated])
    marks = tuple(sorted((_mark(one, start) for one in dated), key=lambda mark: (mark.track, mark.day, mark.label)))
    conflicts = tuple(row for row in work.trial.listed_conflicts(Filter(subject=subject, state="all"), None, 200)
                      if visible(row, viewer))
    if viewer.reads_as:  # what rests on everybody's readings would tell a reader those of the others
        concluded |= {name: concluded[name].iloc[:0] for name in _FROM_READINGS}
    points = tuple(_points(concluded["time_point"], start))
    days = [0, *(mark.day for mark in marks), *(mark.last for mark in marks)]
    return Course(
        subject=subject, hospitals=hospitals, state=known["state"] or "", start=start,
        facts_of_person=_person(concluded["baseline"]), marks=marks, points=points, conflicts=conflicts,
        endpoints=tuple(_endpoints(work, subject, concluded)), first=max(min(days), -400), last=max(days))


def _rows(frame: pd.DataFrame) -> Iterable[Any]:
    return frame.itertuples()


def _dated(facts: Frames, concluded: Frames) -> Iterator[tuple[str, str, str, Any, str, str]]:
    """(track, words, look, row, first day, last day) of whatever has a day."""
    for row in _rows(facts["drug_administration"]):
        if _there(row.start_date) and row.given:
            dose = f" {row.dose_mg:f} mg" if _there(row.dose_mg) else ""
            yield "Drugs", f"{row.drug}{dose}", "drug", row, row.start_date, row.end_date
    for row in _rows(facts["radiotherapy"]):
        if _there(row.start_date):
            yield ("Radiotherapy", f"radiotherapy {row.level} {row.site or ''}".strip(), "radiation", row,
                   row.start_date, row.end_date)
    for row in _rows(facts["response_assessment"]):
        if row.category == "overall" and _there(row.date):
            yield f"Response, {row.evaluator}", f"{row.value} ({row.evaluator})", f"r-{row.value}", row, row.date, ""
    for row in _rows(facts["adverse_event"]):
        if _there(row.onset):
            words = f"{row.term}, grade {int(row.grade)}" if _there(row.grade) else f"{row.term}, no grade"
            yield ("Adverse events", words, f"g{int(row.grade)}" if _there(row.grade) else "g0", row, row.onset,
                   row.end_date)
    for row in _rows(facts["vital_status"]):
        if row.status == "dead" and _there(row.death):
            yield "Death", f"death ({row.statement.replace('_', ' ')})", "death", row, row.death, ""
    for row in _rows(facts["anticancer_therapy"]):
        if _there(row.start_date) and row.stated_role in ("subsequent", "prior"):
            yield "Other therapy", f"{row.stated_role} {row.therapy}", "other", row, row.start_date, row.end_date
    by_key = {row.fact_key: row for row in _rows(facts["lab_result"])}
    for row in _rows(concluded["lab_toxicity"]):
        fact = next((by_key[name] for name in (one.partition(":")[2] for one in json.loads(row.facts))
                     if name in by_key and by_key[name].date == row.date), None)
        if fact is not None and _there(row.grade) and int(row.grade) >= 2 and _there(row.date):
            grade = int(row.grade)
            yield "Laboratory, grade 2+", f"{row.term}, grade {grade}", f"g{grade}", fact, row.date, ""


def _mark(one: tuple[str, str, str, Any, str, str], start: str) -> Mark:
    track, label, look, row, begin, end = one
    day = _days(start, begin)
    last = _days(start, end) if _there(end) else day
    shown = begin if len(begin) == 10 else f"{begin} (day not known)"
    return Mark(track=track, date=shown, end=end if _there(end) else "", day=day, last=max(day, last),
                label=label, look=look.replace("/", "-"), resource=row.resource, hospital=row.hospital,
                standing=row.standing)


def _start(concluded: Frames, days: list[str]) -> str:
    times = concluded["time_to_event"]
    starts = [day for day in times[times.endpoint == "PFS"].start if _there(day)]
    whole = [day for day in (*starts, *sorted(day for day in days if len(day) == 10)) if len(day) == 10]
    return whole[0] if whole else ""


def _points(frame: pd.DataFrame, start: str) -> Iterator[Point]:
    chosen = frame[frame.source == "lesions"] if len(frame) else frame
    for row in _rows(chosen):
        if row.number >= 0 and start:
            yield Point(day=_days(start, row.date), date=row.date, overall=row.overall or "", evaluator=row.evaluator,
                        change=row.change_permille / 10 if _there(row.change_permille) else None,
                        sum_mm=row.sum_um / 1000 if _there(row.sum_um) else None)


def _endpoints(work: Workspace, subject: str, concluded: Frames) -> Iterator[Concluded]:
    found: list[tuple[str, str, Any, bool]] = []
    for row in _rows(concluded["time_to_event"]):
        days = f", {int(row.days)} days" if _there(row.days) else ""
        rule = f", {row.rule.replace('_', ' ')}" if row.rule else ""
        found.append((f"{row.endpoint}{rule}", f"{row.status} {row.date or ''}{days} ({row.reason.replace('_', ' ')})",
                      row, bool(row.headline)))
    for row in _rows(concluded["best_response"]):
        sure = "confirmed" if row.confirmed else "unconfirmed"
        found.append((f"Best response, {sure}, {row.evaluator}, {row.source}",
                      f"{row.value} {row.date or ''}".strip(), row, bool(row.headline)))
    for row in _rows(concluded["exposure"]):
        said = [f"{int(row.doses)} doses" if _there(row.doses) else "",
                f"{row.total_mg} mg" if _there(row.total_mg) else "",
                f"{row.dose_cgy / 100:g} Gy" if _there(row.dose_cgy) else ""]
        found.append((f"Exposure, {row.treatment}", ", ".join(one for one in said if one), row, False))
    names = sorted({name for _, _, row, _ in found for name in json.loads(row.facts)})
    records = _records(work, subject, names)
    for name, value, row, headline in sorted(found, key=lambda one: (not one[3], one[0])):
        rests = tuple(dict.fromkeys(records[fact] for fact in json.loads(row.facts) if fact in records))
        yield Concluded(name=name, value=value, why=row.why, provisional=bool(row.provisional), headline=headline,
                        kinds=tuple(json.loads(row.held_kinds)), records=rests)


def _records(work: Workspace, subject: str, names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """(record, what it is) of each named fact."""
    tables = sorted({name.partition(":")[0] for name in names})
    return {f"{table}:{row.fact_key}": (row.resource, table.replace("_", " "))
            for table, frame in work.trial.frames(tables, [subject]).items() for row in _rows(frame)
            if row.hospital != "decision"}


def _person(baseline: pd.DataFrame) -> str:
    for row in _rows(baseline):
        said = [row.sex, f"{int(row.age)} years" if _there(row.age) else "",
                f"ECOG {int(row.ecog)}" if _there(row.ecog) else ""]
        return ", ".join(one for one in said if one)
    return ""


def _days(start: str, day: str) -> int:
    whole = f"{day}-01-01" if len(day) == 4 else f"{day}-01" if len(day) == 7 else day
    return (date.fromisoformat(whole) - date.fromisoformat(start)).days if start else 0


def _there(value: Any) -> bool:
    return value is not None and value == value and value != ""

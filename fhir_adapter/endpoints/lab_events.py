"""Grades of values against adverse events, both ways: a question, never an event or a grade of our making.

Values of grade 3 or more for which nobody reported an event:

A value is covered by an event of its own term, or of a term that mappings/terms/lab_event.csv names beside it, whose
days (onset to end, an open end or an unknown onset included) reach within `DAYS` of the sample. Asked once per subject
and term: about the first value with the highest grade that nothing covers.

Events whose grade is not the one of their values: too low, when a value of its term on one of its days has a higher
grade and no other event of that day covers it; too high, when values are there and none within `DAYS` of it comes
nearer than `APART` grades: the worst may lie between two samples. What CTCAE asks beside the number (`lowest` to
`highest`) is not held against the event; grade 5 is never computed. Source: endpoints.md §11; CTCAE, text rules.
"""

from collections import defaultdict
from typing import NamedTuple

import pandas as pd

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import Ground, Row, Trial, day, first_day, ground, last_day

DAYS = 7
"""How far from the sample an event may begin or end and still be the same finding; a convention."""
SEVERE = 3
APART = 2
FATAL = 5

_ALWAYS, _NEVER = -1, 10_000_000


def doubts(trial: Trial, graded: pd.DataFrame) -> list[Doubt]:
    """A doubt for every subject and term with an uncovered value; screening grades are not asked about."""
    severe = graded[graded["on_treatment"].eq(True) & ~graded["screening"].eq(True) & graded["grade"].notna()]
    severe = severe[severe["grade"].astype("Int64") >= SEVERE]
    if severe.empty:
        return []
    events = _events(trial)
    found: dict[tuple[str, str], tuple[int, Doubt]] = {}
    for subject, term, date, grade, fact in zip(
            *(severe[name].tolist() for name in ("subject", "term", "date", "grade", "value_fact")), strict=True):
        on = day(date) or 0
        terms = {term, *_also(trial.terms, term)}
        if any(begins - DAYS <= on <= ends + DAYS for one in terms for begins, ends in events.get((subject, one), ())):
            continue
        if (subject, term) not in found or found[subject, term][0] < grade:
            found[subject, term] = int(grade), Doubt(
                kind="lab_grade_without_ae", subject=subject, ground=Ground(frozenset([fact])), holds=False,
                values=(term, str(int(grade))), message="a value of grade 3 or more and no adverse event for it")
    return [one for _, one in found.values()]


def differing(trial: Trial, graded: pd.DataFrame) -> list[Doubt]:
    """A doubt for every event whose grade is not the one of its values, about the value that says so most."""
    values = _values(graded)
    events = [row for row in trial.rows("adverse_event")
              if (row.subject, row.term) in values and row.grade is not None and int(row.grade) < FATAL
              and first_day(row.onset) is not None and (row.ctcae or trial.protocol.toxicity.ctcae)
              == values[row.subject, row.term][0].ctcae]
    found = []
    for event in events:
        grade, mine = int(event.grade), values[event.subject, event.term]
        beside = [one for one in events if (one.subject, one.term) == (event.subject, event.term) and one is not event]
        above = [one for one in mine if one.lowest > grade and _on(event, one.day)
                 and not any(_on(other, one.day) and int(other.grade) > grade for other in beside)]
        near = [one for one in mine if _on(event, one.day, DAYS)]
        if above:
            found.append(_differs(event, max(above, key=lambda one: one.lowest), "a higher"))
        elif near and max(one.highest for one in near) <= grade - APART and any(_on(event, one.day) for one in near):
            found.append(_differs(event, max(near, key=lambda one: one.highest), "only a lower"))
    return found


class _Value(NamedTuple):
    day: int
    lowest: int
    highest: int
    grade: int
    fact: str
    ctcae: str


def _values(graded: pd.DataFrame) -> dict[tuple[str, str], list[_Value]]:
    """The graded values by subject and term, in order of time; those without a day or a grade are left out."""
    known = graded[graded["grade"].notna() & ~graded["screening"].eq(True) & graded["date"].str.len().eq(10)]
    found: dict[tuple[str, str], list[_Value]] = defaultdict(list)
    columns = ("subject", "term", "date", "lowest", "highest", "grade", "value_fact", "ctcae")
    for subject, term, date, lowest, highest, grade, fact, version in zip(
            *(known[name].tolist() for name in columns), strict=True):
        found[subject, term].append(_Value(day(date) or 0, int(lowest), int(highest), int(grade), fact, version))
    return found


def _on(event: Row, on: int, slack: int = 0) -> bool:
    begins, ends = first_day(event.onset), last_day(event.end_date)
    return begins is not None and begins - slack <= on <= (ends or _NEVER) + slack


def _differs(event: Row, value: _Value, how: str) -> Doubt:
    return Doubt(
        kind="ae_grade_differs", subject=event.subject, holds=False,
        ground=ground("adverse_event", event) | Ground(frozenset([value.fact])),
        values=(event.term, str(int(event.grade)), str(value.grade)),
        message=f"the event is reported with grade {int(event.grade)}, its values have {how} one: {value.grade}")


def _events(trial: Trial) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """First and last day of every coded event by subject and term."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for row in trial.rows("adverse_event"):
        if row.term is not None:
            begins, ends = first_day(row.onset), last_day(row.end_date)
            found[row.subject, row.term].append((_ALWAYS if begins is None else begins, ends or _NEVER))
    return found


def _also(terms: Concepts, term: str) -> list[str]:
    listed = terms.term("lab_event", term).get("also", "")
    return [one.strip() for one in listed.split(";") if one.strip()]

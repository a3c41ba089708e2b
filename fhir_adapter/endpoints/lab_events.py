"""Values of grade 3 or more for which nobody reported an adverse event: a question, never an event of our making.

A value is covered by an event of its own term, or of a term that mappings/terms/lab_event.csv names beside it, whose
days (onset to end, an open end or an unknown onset included) reach within `DAYS` of the sample. Asked once per subject
and term: about the first value with the highest grade that nothing covers. Source: endpoints.md §11.
"""

from collections import defaultdict

import pandas as pd

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import Ground, Trial, day, first_day, last_day

DAYS = 7
"""How far from the sample an event may begin or end and still be the same finding; a convention."""
SEVERE = 3

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

"""Doubts about adverse events: grades that CTCAE does not have, and fatal events that are not grade 5.

Of v4.03 only a part of the terms is at hand: a term that it lacks is said to be unchecked, never passed over.
A dash in CTCAE means that the term has no such grade; a term may be of another version than its grade. A fatal outcome
and grade 5 say the same; a grade that is missing, or an outcome that is not known, contradicts nothing.
Source: CTCAE, text rules; endpoints.md §10.
"""

from collections.abc import Iterable

from fhir_adapter.core.concepts import CTCAE_IN_PART
from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import Row, Trial, ground

_OTHER_OUTCOMES = ("resolved", "recovering", "ongoing", "resolved_with_sequelae")


def doubts(trial: Trial) -> list[Doubt]:
    """One doubt for each record and kind of contradiction."""
    found: list[Doubt] = []
    for row in trial.rows("adverse_event"):
        found.extend(_grade_exists(row, trial))
        found.extend(_fatal(row))
    return found


def _grade_exists(row: Row, trial: Trial) -> Iterable[Doubt]:
    version = row.ctcae or trial.protocol.toxicity.ctcae
    terms = trial.terms.terms.get(f"ctcae {version}", {})
    if row.term is None or not terms:
        return
    about = terms.get(row.term)
    if about is None and version in trial.terms.terms.get(CTCAE_IN_PART, {}):
        yield _doubt("grade_not_in_ctcae", row, f"the list of terms of CTCAE {version} is incomplete here: neither "
                     "this term nor its grade could be checked", (row.term, version, "unchecked"))
    elif about is None:
        yield _doubt("grade_not_in_ctcae", row, f"CTCAE {version} does not have this term", (row.term, version))
    elif row.grade is not None and str(int(row.grade)) not in about["grades"].split():
        yield _doubt("grade_not_in_ctcae", row, f"CTCAE {version} has only grade {about['grades']} for this term",
                     (row.term, version, str(int(row.grade))))


def _fatal(row: Row) -> Iterable[Doubt]:
    grade = None if row.grade is None else int(row.grade)
    if row.outcome == "fatal" and grade not in (None, 5):
        yield _doubt("fatal_grade_disagrees", row, "the outcome is fatal, the grade is not 5", ("fatal", str(grade)))
    elif grade == 5 and row.outcome in _OTHER_OUTCOMES:
        yield _doubt("fatal_grade_disagrees", row, "the grade is 5, the outcome is not fatal", (row.outcome, "5"))


def _doubt(kind: str, row: Row, message: str, values: tuple[str, ...]) -> Doubt:
    return Doubt(kind=kind, subject=row.subject, ground=ground("adverse_event", row), message=message, values=values)

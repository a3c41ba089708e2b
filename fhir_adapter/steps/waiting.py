"""Waiting: what is overdue of whom, as conflicts; found for everybody at once, after the conclusions it counts by.

Whose scan is overdue depends on how far the hospital has got, so a record of one subject can make another's overdue.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.review.disputes import Dispute, Member
from fhir_adapter.review.kinds import OVERDUE_KINDS
from fhir_adapter.review.overdue import as_of, overdue
from fhir_adapter.review.settling import Conflict, judged
from fhir_adapter.steps.workspace import Workspace

_CONCLUSIONS = ("alive_evidence", "assessment_compliance", "population")
_FACTS = ("disposition", "vital_status")


def overdue_conflicts(work: Workspace, decisions: Iterable[Decision],
                      subjects: Collection[str] | None = None) -> list[Conflict]:
    """The conflicts about what is overdue of these subjects (None: of all), with what was decided about them."""
    checks = [one for one in work.study.checks if one.kind in OVERDUE_KINDS]
    if not checks:
        return []
    people: dict[str, list[tuple[str, str]]] = {}
    for one in work.vault.identities():
        people.setdefault(one.subject, []).append((one.hospital, work.vault.key(one.hospital, "Patient", one.patient)))
    frames = work.trial.frames(_CONCLUSIONS) | work.trial.frames(_FACTS, subjects, ("current", "held"))
    days = _days(frames["alive_evidence"], people)
    mine = {subject: day for subject, day in days.items() if subjects is None or subject in subjects}
    disputes = [_dispute(one, people[one.subject]) for one in overdue(frames, checks, mine)]
    return judged(disputes, decisions)


def _days(evidence: Any, people: dict[str, list[tuple[str, str]]]) -> dict[str, date]:
    """The day of each subject: the latest of their hospitals'."""
    subjects: dict[str, list[str]] = {}
    for subject, records in people.items():
        for hospital, _ in records:
            subjects.setdefault(hospital, []).append(subject)
    known = as_of(evidence, subjects)
    found = {subject: [known[hospital] for hospital, _ in records if hospital in known]
             for subject, records in people.items()}
    return {subject: max(days) for subject, days in found.items() if days}


def _dispute(one: Any, records: list[tuple[str, str]]) -> Dispute:
    members = tuple(sorted(Member("", "", hospital, key, "") for hospital, key in records))
    return Dispute(kind=one.check.kind, scope=(one.check.name, *(member.resource for member in members)),
                   subject=one.subject, members=members, values=one.values, message=one.message, holds=False)
